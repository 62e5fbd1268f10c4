"""`KnownJacobian`: products through the value's graph, all entries by a graph of their own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

import ad_core as ad
from ad_core import math as adm
from ad_core.graph import Expression
from ad_core.loops import KnownJacobian
from ad_core.lowering import lower
from bridges.kernel.source import GraphSource
from bridges.native.interpret import interpret

N = 6
X, S, C = ad.var("x", N), ad.var("s", 1), ad.var("c", 2)
AT = {"x": np.linspace(0.3, 1.4, N), "s": np.array([0.7]), "c": np.array([1.1, -0.6])}


class Rotated:
    """y_i = exp(s) sin(x_i) + c_0 sum_k x_k + c_1: dense, with Jacobians by x and s."""

    def value(self, *args: Expression) -> Expression:
        x, s, c = args
        return adm.exp(s) * adm.sin(x) + c[0] * adm.dot(x, np.ones(N)) + c[1]

    def jacobians(self, *args: Expression) -> Sequence[Expression]:
        x, s, c = args
        own = adm.exp(s) * adm.cos(x)
        rows = [c[0] + own[i] if i == j else c[0] for i in range(N) for j in range(N)]
        return ad.stack(*rows), adm.exp(s) * adm.sin(x)


def known() -> Expression:
    return KnownJacobian(Rotated(), (N, N, 1, 2))(Rotated().value(X, S, C), X, S, C)


def in_full(e: Expression, wrt: tuple[int, ...]) -> tuple[list[np.ndarray], int]:
    """The Jacobians as one program gives them, and its operations."""
    program = GraphSource.of(lower(e, [X, S, C])).derived("jacobian", wrt).program
    outputs = [np.empty((1, n)) for n in program.output_sizes]
    interpret(program, [x[None] for x in AT.values()], outputs)
    return [out[0].reshape(e.size or 0, -1) for out in outputs], program.n_ops


@pytest.mark.parametrize("wrt", [(0,), (0, 1), (0, 1, 2), (2,)])
def test_all_entries_at_once(wrt: tuple[int, ...]):
    """By arguments whose Jacobian is known and by others, behind and before other functions."""
    plain, marked = Rotated().value(X, S, C), known()
    for e, expected in ((marked, plain), (adm.sin(marked) * S, adm.sin(plain) * S)):
        found, _ = in_full(e, wrt)
        for J, name in zip(found, [list(AT)[i] for i in wrt], strict=True):
            np.testing.assert_allclose(J, expected.derivative(name, **AT), rtol=1e-13, atol=1e-14)


def test_operations_are_those_of_its_graph():
    given = lower(tuple(Rotated().jacobians(X, S, C)), [X, S, C])
    assert in_full(known(), (0, 1))[1] == GraphSource.of(given).program.n_ops


def test_products_and_derivatives_of_jacobians():
    plain, marked = Rotated().value(X, S, C), known()
    weights = ad.constant(np.cos(np.arange(float(N))))
    tangents = {"x": np.ones(N), "s": np.ones(1), "c": np.ones(2)}
    for e, expected in [(f(marked), f(plain)) for f in (lambda y: y, lambda y: y * y * weights)]:
        np.testing.assert_allclose(e.jvp(tangents, **AT), expected.jvp(tangents, **AT), rtol=1e-14)
    source = GraphSource.of(lower(marked, [X, S, C])).derived("jacobian", (0,))
    (slopes,) = source.lowered.roots
    bend = ad.jacobian(ad.jacobian(plain, "x"), "s")
    np.testing.assert_allclose(
        slopes.derivative("s", **AT).reshape(-1), bend.eval(**AT), rtol=1e-13, atol=1e-14
    )
