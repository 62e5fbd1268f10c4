"""`Solved`: derivatives of a solution by the equation that it solves, to every order."""

from __future__ import annotations

import casadi
import numpy as np
import pytest
import torch
from backends import ENGINES, compute

import ad_core as ad
from ad_core import math as adm
from ad_core.derivatives.products import jvp_graph, vjp_graph
from ad_core.graph import Expression
from ad_core.loops import Scan, Solved
from ad_core.lowering import fix_sizes, lower
from bridges.casadi import ad_to_casadi
from bridges.native.identity import tape_bytes

P, F = ad.var("p", 2), ad.var("f", 2)
AT = {"p": np.array([0.7, -0.4]), "f": np.array([1.3, 0.2])}


def matrix(p: Expression) -> list[Expression]:
    """[a, b, c] of the symmetric A = [[a, b], [b, c]]."""
    return [2.0 + adm.sin(p[0]), p[0] * p[1], 3.0 + p[1] * p[1]]


class Motion:
    """A(p) y - cos(p) f = 0."""

    def residual(self, y: Expression, *p: Expression) -> Expression:
        a, b, c = matrix(p[0])
        return ad.stack(a * y[0] + b * y[1], b * y[0] + c * y[1]) - adm.cos(p[0]) * p[1]

    def solution(self, b: Expression, *p: Expression) -> Expression:
        a, off, c = matrix(p[0])
        det = a * c - off * off
        return ad.stack(c * b[0] - off * b[1], a * b[1] - off * b[0]) / det

    solution_of_many = solution


def solved(hidden: bool) -> Expression:
    """y; hidden: its graph shows no derivative, so that only the rule can have given one."""
    y = Motion().solution(adm.cos(P) * F, P)
    return Solved(Motion(), (2, 2, 2))(adm.stop_gradient(y) if hidden else y, P, F)


def derivatives(way: str) -> list[Expression]:
    """First, second and third derivatives of weighted solutions along fixed directions."""
    found = fix_sizes([adm.dot(solved(True), ad.constant([1.0, -2.0]))], {})
    for k in range(3):
        directions = {x.name: ad.constant(np.cos(np.arange(2.0) + k)) for x in (P, F)}
        if way == "forward":
            found += jvp_graph([found[-1]], directions)
        else:
            gradients = vjp_graph([found[-1]], [ad.constant(1.0)], [P, F])
            moved = (adm.dot(gradients[name], d) for name, d in directions.items())
            found += fix_sizes([sum(moved, ad.constant(0.0))], {})
    return found


def by_torch(p: torch.Tensor, f: torch.Tensor) -> torch.Tensor:
    a, b, c = 2.0 + torch.sin(p[0]), p[0] * p[1], 3.0 + p[1] * p[1]
    A = torch.stack([torch.stack([a, b]), torch.stack([b, c])])
    return torch.linalg.solve(A, torch.cos(p) * f) @ torch.tensor([1.0, -2.0]).double()


def expected() -> list[float]:
    p, f = (torch.from_numpy(AT[name]).requires_grad_() for name in "pf")
    found = [by_torch(p, f)]
    for k in range(3):
        gradients = torch.autograd.grad(found[-1], (p, f), create_graph=True)
        found.append(sum(g @ torch.cos(torch.arange(2.0).double() + k) for g in gradients))
    return [float(x.detach()) for x in found]


@pytest.mark.parametrize("way", ["forward", "reverse"])
@pytest.mark.parametrize("engine", ENGINES)
def test_every_order_on_every_engine(engine: str, way: str):
    ours = np.concatenate(compute(engine, derivatives(way), AT))
    np.testing.assert_allclose(ours, expected(), rtol=1e-11)


def test_engines_run_the_graph_alone():
    """There is no step of it, and CasADi differentiates the graph that it gets."""
    plain = lower(Motion().solution(adm.cos(P) * F, P), [P, F])
    assert tape_bytes(lower(solved(False), [P, F]).tape) == tape_bytes(plain.tape)
    function, p = ad_to_casadi(solved(False), [P, F]), casadi.SX.sym("p", 2)
    slope = casadi.Function("slope", [p], [casadi.jacobian(function(p, AT["f"]), p)])
    np.testing.assert_allclose(
        slope(AT["p"]).full(), solved(False).derivative("p", **AT), rtol=1e-12
    )


def test_loops_keep_solutions_and_run_once():
    """Value and gradient are two loops, of which the second does not solve anew."""
    x, u = ad.var("x", 2), ad.var("u", 2)
    y = Solved(Motion(), (2, 2, 2))(Motion().solution(adm.cos(x) * u, x), x, u)
    plain = Motion().solution(adm.cos(x) * u, x)
    start, controls = ad.constant(AT["p"]), ad.var("controls", 10)
    values = {"controls": np.linspace(-1.0, 1.0, 10)}
    weights = ad.constant([1.0, -2.0])
    for keep in ("last", "all"):
        pairs = []
        for rate in (y, plain):
            states = ad.scan(x + 0.1 * rate, {"x": start}, {"u": controls}, length=5, keep=keep)
            loss = adm.dot(states[-2:], weights) + adm.dot(states, np.ones(len(states)))
            pairs.append((loss, ad.gradient(loss, "controls")))
        for ours, theirs in zip(*pairs, strict=True):
            np.testing.assert_allclose(ours.eval(**values), theirs.eval(**values), rtol=1e-12)
        steps = [step.func for step in lower(pairs[0], [controls]).tape.steps]
        bodies = [func.body.lowered.tape for func in steps if isinstance(func, Scan)]
        divisions = [sum(str(s.func) == "div" for s in body.steps) for body in bodies]
        assert divisions == [1, 1]  # y, and its cotangent
