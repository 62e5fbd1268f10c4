"""Programs drawn at random and written twice, here and in torch.

torch runs its own copy of each program by its own autograd, so that nothing of ours is the truth.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from backends import Array

import ad_core as ad
from ad_core import math as adm

SIZES = {"x": 3, "y": 1, "z": 4}
Tensors = Mapping[str, torch.Tensor]


def soft(a: Any, m: Any) -> Any:
    """`log(1 + e^a)` as each side spells it."""
    return adm.softplus(a) if m is adm else torch.logaddexp(a, torch.zeros_like(a))


TABLE = (0.7, -1.1, 0.4, 1.3, -0.6, 0.9)


def read(a: Any, m: Any) -> Any:
    """The slope of a broken line, times `a`."""
    if m is adm:
        return ad.lookup(TABLE, 2.0 * a + 3.0) * a
    return torch.tensor(TABLE, dtype=a.dtype)[(2.0 * a + 3.0).floor().clamp(0, 5).long()] * a


# Each is written once for both sides: `m` is `ad_core.math` or `torch`.
UNARY: list[Callable[[Any, Any], Any]] = [
    lambda a, m: m.sin(a),
    lambda a, m: m.cos(a),
    lambda a, m: m.tanh(a),
    lambda a, m: m.atan(a),
    lambda a, m: m.asinh(a),
    lambda a, m: -a,
    lambda a, m: abs(a),
    lambda a, m: a * a,
    lambda a, m: a**3,
    lambda a, m: 2.0**a,
    lambda a, m: (1.2 + a * a) ** a,
    lambda a, m: 1.0 / (2.0 + m.cos(a)),
    lambda a, m: m.log(1.5 + a * a),
    lambda a, m: m.log1p(a * a),
    lambda a, m: m.sqrt(0.5 + a * a),
    lambda a, m: m.exp(0.3 * a),
    lambda a, m: m.expm1(0.2 * a),
    lambda a, m: m.asin(0.5 * m.sin(a)),
    lambda a, m: m.acos(0.5 * m.cos(a)),
    lambda a, m: m.acosh(1.2 + a * a),
    lambda a, m: m.atanh(0.6 * m.tanh(a)),
    lambda a, m: m.sinh(0.4 * a) + m.cosh(0.4 * a),
    lambda a, m: m.tan(0.4 * m.sin(a)),
    lambda a, m: m.floor(a) * a + m.ceil(a),
    lambda a, m: m.sign(a) * a * a,
    lambda a, m: a % 1.3 * a,
    soft,
    read,
    lambda a, m: adm.clip(a, -0.7, 0.9) if m is adm else torch.clip(a, -0.7, 0.9),
    lambda a, m: a[::-1] if m is adm else a.flip(0),
]


def choose(pred: Any, pos: Any, neg: Any, m: Any) -> Any:
    return ad.cond(pred, pos, neg) if m is adm else torch.where(pred > 0, pos, neg)


def smaller(a: Any, b: Any, m: Any) -> Any:
    return ad.minimum(a, b) if m is adm else torch.where(a <= b, a, b)


def larger(a: Any, b: Any, m: Any) -> Any:
    return ad.maximum(a, b) if m is adm else torch.where(a >= b, a, b)


def guarded(a: Any, b: Any, m: Any) -> Any:
    """A branch that is nan where it is not taken; torch needs its argument kept finite."""
    return choose(
        a, m.sqrt(a if m is adm else choose(a, a, torch.ones_like(a), m)) * b, b + 0 * a, m
    )


BINARY: list[Callable[[Any, Any, Any], Any]] = [
    lambda a, b, m: a + b,
    lambda a, b, m: a - b,
    lambda a, b, m: a * b,
    lambda a, b, m: a / (2.0 + b * b),
    lambda a, b, m: (1.5 + m.sin(a)) ** b,
    lambda a, b, m: m.atan2(a, 2.0 + b * b),
    lambda a, b, m: m.atan2(a, b),
    lambda a, b, m: choose(a, b, -b * a, m),
    smaller,
    larger,
    guarded,
]
TO_SCALAR: list[Callable[[Any, Any], Any]] = [
    lambda a, m: ad.sum_(a) if m is adm else a.sum(),
    lambda a, m: adm.normSquared(a) if m is adm else a @ a,
    lambda a, m: adm.norm(a) if m is adm else a.norm(),
    lambda a, m: adm.logsumexp(a) if m is adm else a.logsumexp(0),
    lambda a, m: a[-1],
]


@dataclass(frozen=True)
class Program:
    """One program on both sides, and the number of its entries."""

    ours: ad.Expression
    theirs: Callable[[Tensors], torch.Tensor]
    size: int


def step(nodes: list[Program], rnd: random.Random) -> Program:
    a, b = rnd.choice(nodes), rnd.choice(nodes)
    fitting = rnd.choice([n for n in nodes if n.size in (1, a.size) or a.size == 1])
    kind = rnd.randrange(8)
    if kind < 2:
        f = rnd.choice(UNARY)
        return Program(f(a.ours, adm), lambda v: f(a.theirs(v), torch), a.size)
    if kind < 5:
        g = rnd.choice(BINARY)

        def pair(v: Tensors) -> torch.Tensor:
            return g(*torch.broadcast_tensors(a.theirs(v), fitting.theirs(v)), torch)

        return Program(g(a.ours, fitting.ours, adm), pair, max(a.size, fitting.size))
    if kind == 5:
        h = rnd.choice(TO_SCALAR)
        return Program(h(a.ours, adm), lambda v: h(a.theirs(v), torch).reshape(1), 1)
    if kind == 6:
        picked = [rnd.randrange(a.size + b.size) for _ in range(rnd.randint(1, 4))]
        stacked = ad.stack(a.ours, b.ours)[picked]
        return Program(
            stacked, lambda v: torch.cat([a.theirs(v), b.theirs(v)])[picked], len(picked)
        )
    rows = rnd.randint(1, 3)
    matrix = np.array(
        [[rnd.choice([0.0, 0.0, 1.0, -0.5, 2.0]) for _ in range(a.size)] for _ in range(rows)]
    )
    return Program(
        adm.linear(matrix, a.ours), lambda v: torch.from_numpy(matrix) @ a.theirs(v), rows
    )


def program(seed: int) -> Program:
    rnd = random.Random(seed)
    nodes = [Program(ad.var(n, k), lambda v, n=n: v[n], k) for n, k in SIZES.items()]
    for _ in range(rnd.randint(3, 14)):
        nodes.append(step(nodes, rnd))
    last = nodes[-1]
    whole = ad.sum_(*(ad.sum_(ad.var(n, k)) for n, k in SIZES.items()))

    def theirs(v: Tensors) -> torch.Tensor:
        return last.theirs(v) + 0.1 * sum(t.sum() for t in v.values())

    return Program(last.ours + 0.1 * whole, theirs, last.size)


def truth(p: Program, at: Mapping[str, Array]) -> tuple[Array, list[Array], list[list[Array]]]:
    """torch's value, Jacobians, and Hessian blocks of the entries' weighted sum."""
    args = tuple(torch.from_numpy(v) for v in at.values())
    weights = torch.from_numpy(weights_of(p))

    def f(*xs: torch.Tensor) -> torch.Tensor:
        return p.theirs(dict(zip(at, xs, strict=True)))

    jacobians = torch.autograd.functional.jacobian(f, args)
    hessian = torch.autograd.functional.hessian(lambda *xs: weights @ f(*xs), args)
    return (
        f(*args).numpy(),
        [j.numpy() for j in jacobians],
        [[block.numpy() for block in row] for row in hessian],
    )


def weights_of(p: Program) -> Array:
    return np.linspace(0.5, 1.5, p.size)


def point(seed: int) -> dict[str, Array]:
    rng = np.random.default_rng(seed)
    return {n: rng.uniform(-1.5, 1.5, size) for n, size in SIZES.items()}


def usable(true: tuple[Array, list[Array], list[list[Array]]]) -> bool:
    """Whether torch has an answer; it has none for the norm of an exact zero."""
    value, jacobians, hessian = true
    everything = [value, *jacobians, *(block for row in hessian for block in row)]
    return all(np.isfinite(a).all() and np.abs(a).max(initial=0) < 1e6 for a in everything)
