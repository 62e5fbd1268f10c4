"""Loops as rows: an expression, and the same written out in torch, which differentiates it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

import ad_core as ad
from ad_core import math as adm

Tensor = torch.Tensor
SIZES = {"x": 2, "p": 1}
H = 0.1


def pendulum() -> ad.Expression:
    """A step of a pendulum under a torque that acts on one side, and is damped on the other."""
    x, u, p = ad.var("x", 2), ad.var("u", 1), ad.var("p", 1)
    torque = ad.cond(x[0], adm.sqrt(x[0]) * u[0], -u[0] * x[1])
    return ad.stack(x[0] + H * x[1], x[1] + H * (torque - p[0] * adm.sin(x[0])))


def pendulum_in_torch(x: Tensor, u: Tensor, p: Tensor) -> Tensor:
    safe = torch.where(x[0] > 0, x[0], torch.ones_like(x[0]))
    torque = torch.where(x[0] > 0, torch.sqrt(safe) * u[0], -u[0] * x[1])
    return torch.stack([x[0] + H * x[1], x[1] + H * (torque - p[0] * torch.sin(x[0]))])


@dataclass(frozen=True)
class LoopRow:
    """A loop of variables x (2), u (sizes_u) and p (1)."""

    name: str
    expression: ad.Expression
    written_out: Callable[[Tensor, Tensor, Tensor], Tensor]
    size_u: int

    def values(self, seed: int = 0) -> dict[str, np.ndarray]:
        rng = np.random.default_rng(seed)
        return {
            "x": rng.normal(size=2),
            "u": rng.normal(size=self.size_u),
            "p": rng.uniform(0.5, 1.0, size=1),
        }


def simple(length: int, keep: Literal["last", "all"]) -> LoopRow:
    e = ad.scan(
        pendulum(), {"x": ad.var("x", 2)}, {"u": ad.var("u", length)}, length=length, keep=keep
    )

    def written_out(x: Tensor, u: Tensor, p: Tensor) -> Tensor:
        found = []
        for t in range(length):
            x = pendulum_in_torch(x, u[t : t + 1], p)
            found.append(x)
        return x if keep == "last" else torch.cat(found)

    return LoopRow(f"{keep} of {length}", e, written_out, length)


def held() -> LoopRow:
    """The input is one torque for all steps, and begins the state, too."""
    u = ad.var("u", 1)
    e = ad.scan(pendulum(), {"x": ad.stack(u, u * ad.var("x", 2)[0])}, {"u": u}, length=4)

    def written_out(x: Tensor, u: Tensor, p: Tensor) -> Tensor:
        x = torch.stack([u[0], u[0] * x[0]])
        for _ in range(4):
            x = pendulum_in_torch(x, u, p)
        return x

    return LoopRow("input held", e, written_out, 1)


def nested() -> LoopRow:
    """A loop of loops, of which the inner one also reads a row of the outer one."""
    inner = ad.scan(pendulum(), {"x": ad.var("z", 2)}, {"u": ad.var("w", 3)}, length=3, keep="all")
    middle = inner[2:4] * adm.cos(ad.var("p", 1)[0]) + inner[4:6]
    e = ad.scan(middle, {"z": ad.var("x", 2)}, {"w": ad.var("u", 6)}, length=2, keep="all")

    def written_out(x: Tensor, u: Tensor, p: Tensor) -> Tensor:
        found = []
        for t in range(2):
            states = []
            for k in range(3):
                x = pendulum_in_torch(x, u[3 * t + k : 3 * t + k + 1], p)
                states.append(x)
            x = states[1] * torch.cos(p[0]) + states[2]
            found.append(x)
        return torch.cat(found)

    return LoopRow("loop in a loop", e, written_out, 6)


def chosen() -> LoopRow:
    """A loop in the branch of a choice, beside another loop of the same numbers."""
    one = ad.scan(pendulum(), {"x": ad.var("x", 2)}, {"u": ad.var("u", 3)}, length=3)
    two = ad.scan(pendulum(), {"x": one}, {"u": ad.var("u", 3)[::-1]}, length=3)
    e = ad.cond(ad.var("x", 2), one, two * one)

    def written_out(x: Tensor, u: Tensor, p: Tensor) -> Tensor:
        one = x
        for t in range(3):
            one = pendulum_in_torch(one, u[t : t + 1], p)
        two = one
        for t in range(3):
            two = pendulum_in_torch(two, u[2 - t : 3 - t], p)
        return torch.where(x > 0, one, two * one)

    return LoopRow("loops in a choice", e, written_out, 3)


def partly() -> LoopRow:
    """All kinds of functions that slopes are made of, and a result of which half is read."""
    x, u, p = ad.var("x", 2), ad.var("u", 2), ad.var("p", 1)
    angle = 0.5 * adm.tanh(x[0] * u[0]) + adm.sinh(0.3 * x[1]) * adm.cos(p[0])
    step = ad.stack(adm.sin(angle) + adm.exp(-x[1] * x[1]), adm.cosh(0.2 * angle) - adm.tan(u[1]))
    states = ad.scan(step, {"x": x}, {"u": ad.var("u", 8)}, length=4, keep="all")
    e = states[1::2]

    def written_out(x: Tensor, u: Tensor, p: Tensor) -> Tensor:
        found = []
        for t in range(4):
            a, b = u[2 * t], u[2 * t + 1]
            angle = 0.5 * torch.tanh(x[0] * a) + torch.sinh(0.3 * x[1]) * torch.cos(p[0])
            first = torch.sin(angle) + torch.exp(-x[1] * x[1])
            x = torch.stack([first, torch.cosh(0.2 * angle) - torch.tan(b)])
            found.append(x[1])
        return torch.stack(found)

    return LoopRow("partly read", e, written_out, 8)


def without_state() -> LoopRow:
    """A loop for each row of a loop that carries nothing."""
    inner = ad.scan(pendulum(), {"x": ad.var("x", 2)}, {"u": ad.var("w", 2)}, length=2)
    given = {"x": ad.var("x", 2), "w": ad.var("u", 6)}
    e = ad.scan(inner, {}, given, length=3, keep="all")

    def written_out(x: Tensor, u: Tensor, p: Tensor) -> Tensor:
        found = []
        for t in range(0, 6, 2):
            middle = pendulum_in_torch(x, u[t : t + 1], p)
            found.append(pendulum_in_torch(middle, u[t + 1 : t + 2], p))
        return torch.cat(found)

    return LoopRow("no state", e, written_out, 6)


ROWS = [
    simple(1, "last"),
    simple(2, "all"),
    simple(5, "last"),
    simple(6, "all"),
    held(),
    nested(),
    chosen(),
    partly(),
    without_state(),
]


def by_torch(
    row: LoopRow, values: Mapping[str, np.ndarray], weights: np.ndarray
) -> dict[str, np.ndarray]:
    """The value, the Jacobian by all variables, the Hessian of the weighted sum."""
    whole = torch.from_numpy(np.concatenate([values[n] for n in ("x", "u", "p")]))
    sizes = [2, row.size_u, 1]

    def f(z: Tensor) -> Tensor:
        return row.written_out(*torch.split(z, sizes))

    jacobian = torch.autograd.functional.jacobian(f, whole)
    hessian = torch.autograd.functional.hessian(
        lambda z: (f(z) * torch.from_numpy(weights)).sum(), whole
    )
    return {"value": f(whole).numpy(), "jacobian": jacobian.numpy(), "hessian": hessian.numpy()}
