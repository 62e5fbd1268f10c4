"""Scalar programs of tapes and of Jacobians, against the numpy engine; operation counts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray
from op_rows import At, OpSpec
from op_specs import SPECS

import ad_core as ad
from ad_core import math as adm
from ad_core.derivatives import Jacobian, jacobian_of, jvp, vjp
from ad_core.lowering import Lowered, lower
from ad_core.ops.elementwise import equal, less
from bridges.native.interpret import interpret
from bridges.native.jacobians import jacobian_graph
from bridges.native.program import Program
from bridges.native.scalars import scalar_program

Array = NDArray[np.float64]
CASES = [(spec, sizes) for spec in SPECS for sizes in spec.sizes]
AWKWARD = [0.0, -0.0, 1.0, -1.0, 0.5, -2.0, 3.0, np.inf, -np.inf, np.nan]


def run(program: Program, *inputs: Array) -> list[Array]:
    """Outputs for one sample."""
    outputs = [np.full((1, n), 99.0) for n in program.output_sizes]
    interpret(program, [np.reshape(x, (1, -1)) for x in inputs], outputs)
    return [y[0] for y in outputs]


def ops(program: Program) -> list[str]:
    return [i.op for i in program.instructions if i.op not in ("input", "constant")]


def program_of(*roots: ad.Expression) -> Program:
    return scalar_program(lower(roots).tape)


@pytest.mark.parametrize(("spec", "sizes"), CASES, ids=[f"{s}-{n}" for s, n in CASES])
def test_rows_and_their_products(spec: OpSpec, sizes: Sequence[int]) -> None:
    rng = np.random.default_rng(1)
    names = [f"x{i}" for i in range(len(sizes))]
    f = lower(spec.call(*names), names, dict(zip(names, sizes, strict=True)))
    every = range(len(sizes))
    for g in (f, jvp(f, every), vjp(f, every)):
        values = [
            rng.uniform(low, high, n) for (low, high), n in zip(spec.draws, sizes, strict=True)
        ]
        values += [rng.standard_normal(n) for n in g.sizes_in[len(sizes) :]]
        have = run(scalar_program(g.tape), *values)
        bound = dict(zip(g.names_in, values, strict=True))
        for root, mine in zip(g.roots, have, strict=True):
            present = {n: v for n, v in bound.items() if n in root.terminals()}
            want = np.broadcast_to(root.eval(**present), mine.shape)
            np.testing.assert_allclose(mine, want, rtol=1e-11, atol=1e-11)


SPECIAL: list[tuple[OpSpec, At]] = [(spec, at) for spec in SPECS for at in spec.special]


@pytest.mark.parametrize(("spec", "at"), SPECIAL, ids=[f"{s}{a.args}" for s, a in SPECIAL])
@pytest.mark.parametrize("known", [False, True])
def test_special_points(spec: OpSpec, at: At, known: bool) -> None:
    """Arguments as inputs, and as constants that are folded."""
    args = at.args
    names = [f"x{i}" for i in range(len(args))]
    if known:
        (have,) = run(program_of(spec.call(*map(ad.constant, args))))
    else:
        f = lower(spec.call(*names), names, dict.fromkeys(names, 1))
        (have,) = run(scalar_program(f.tape), *map(np.array, args))
    np.testing.assert_allclose(have, [at.value], rtol=2e-15)


MIXED: list[Callable[[ad.Expression, ad.Expression], ad.Expression]] = [
    lambda x, y: x + -y,
    lambda x, y: -x + y,
    lambda x, y: -x - y,
    lambda x, y: x - -y,
    lambda x, y: -(x - y),
    lambda x, y: -x * y,
    lambda x, y: x * -y,
    lambda x, y: -x * -y,
    lambda x, y: -x / y,
    lambda x, y: x / -y,
    lambda x, y: x * (1.0 / y),
    lambda x, y: x / (1.0 / y),
    lambda x, y: x / 4.0 + y / -3.0,
    lambda x, y: x * -1.0 + y * 2.0 - 3.0 * x,
    lambda x, y: x + x + y * y,
    lambda x, y: (x - y) + y,
    lambda x, y: x - x,
    lambda x, y: x / x,
    lambda x, y: x**2 + x**3 - y**-1,
    lambda x, y: adm.sin(-x) + adm.cos(-y),
    lambda x, y: abs(-x) + abs(y * y),
    lambda x, y: ad.cond(less(x, y), x, y),
    lambda x, y: ad.cond(-x, 1.0 / x, y),
    lambda x, y: ad.cond3(less(x, y), x, 2.0, y),
    lambda x, y: ad.cond3(x, x * y, adm.log(x), x * y),
    lambda x, y: ad.cond(equal(equal(x, y), 0.0), x, y),
    lambda x, y: ad.minimum(x, y) - ad.maximum(x, y),
    lambda x, y: ad.minimum(x, 1.0) + ad.maximum(-1.0, y),
    lambda x, y: ad.mod(x, 3.0) + ad.mod(y, -2.0),
    ad.mod,
]


@pytest.mark.parametrize("formula", MIXED)
def test_simplified_formulas_at_awkward_numbers(
    formula: Callable[[ad.Expression, ad.Expression], ad.Expression],
) -> None:
    e = formula(ad.var("x", 1), ad.var("y", 1))
    program = scalar_program(lower(e, ["x", "y"], {"x": 1, "y": 1}).tape)
    for x, y in product(AWKWARD, AWKWARD):
        (have,) = run(program, np.array(x), np.array(y))
        given = {n: v for n, v in {"x": x, "y": y}.items() if n in e.terminals()}
        with np.errstate(all="ignore"):
            want = e.eval(**given)
        np.testing.assert_allclose(have, np.reshape(want, 1), rtol=1e-14, err_msg=f"{x}, {y}")


def test_counts_of_choices() -> None:
    x, y, z = (ad.var(name, 1) for name in "xyz")
    assert ops(program_of(ad.cond(x, y, z))) == ["lt", "select"]
    assert ops(program_of(ad.cond(less(x, y), y, z))) == ["lt", "select"]
    assert ops(program_of(ad.cond(x, y, 0.0))) == ["lt", "if_else_zero"]
    assert len(ops(program_of(ad.minimum(x, y)))) == 4
    assert len(ops(program_of(ad.maximum(x, 0.0)))) == 2
    assert ops(program_of(ad.cond(ad.constant(1.0), y, z))) == []


def test_counts_of_signs() -> None:
    x, y = ad.var("x", 1), ad.var("y", 1)
    assert ops(program_of(x * 3.0 + y, y - 3.0 * x, y + -3.0 * x)) == ["mul", "add", "sub"]
    assert ops(program_of((-x) * -1.0 + 0.0 * y)) == []
    assert program_of(0.0 * x).outputs == ((None,),)


@pytest.mark.parametrize("exponent", [-3, -1, 0, 0.5, 1, 2, 3, 7, 100])
def test_powers_by_products(exponent: float) -> None:
    program = program_of(ad.var("x", 1) ** exponent)
    assert "pow" not in ops(program)
    (have,) = run(program, np.array(1.7))
    np.testing.assert_allclose(have, [1.7**exponent], rtol=1e-13)


@pytest.mark.parametrize("m", [1, 2, 3, 4, 6])
@pytest.mark.parametrize("shape", ["full", "upper", "lower", "diagonal"])
def test_solve(m: int, shape: str) -> None:
    rng = np.random.default_rng(m)
    matrix = rng.standard_normal((m, m)) + 4.0 * np.eye(m)
    ones = np.ones((m, m))
    kept = {"full": ones, "upper": np.triu(ones), "lower": np.tril(ones), "diagonal": np.eye(m)}
    zeros = kept[shape]
    a, b = ad.var("a", m * m), ad.var("b", 2 * m)
    program = scalar_program(lower(adm.solve(a * zeros.ravel(), b, (m, m), (m, 2))).tape)
    rhs = rng.standard_normal((m, 2))
    (have,) = run(program, matrix, rhs)
    np.testing.assert_allclose(have, np.linalg.solve(matrix * zeros, rhs).ravel(), rtol=1e-11)


def numpy_jacobian(f: Lowered, values: Sequence[Array], wrt: Sequence[int]) -> Array:
    """Dense, by the numpy engine: all outputs by all chosen inputs."""
    bound = dict(zip(f.names_in, values, strict=True))
    rows: list[Array] = []
    for root, m in zip(f.roots, f.sizes_out, strict=True):
        blocks: list[Array] = []
        for i in wrt:
            name, n = f.tape.inputs[i]
            present = {k: v for k, v in bound.items() if k in root.terminals()}
            block = np.asarray(root.derivative(name, **present)) if name in present else 0.0
            blocks.append(
                np.broadcast_to(np.reshape(block, (-1, n) if np.ndim(block) else 1), (m, n))
            )
        rows.append(np.hstack(blocks))
    return np.vstack(rows)


def entries(f: Jacobian) -> list[list[int | None]]:
    """All entries of the matrix as one output, row by row."""
    p = f.compression.pattern
    number = {code: k for k, code in enumerate(p.codes.tolist())}
    return [[number.get(code) for code in range(p.rows * p.columns)]]


X, Y = ad.var("x", 3), ad.var("y", 2)
JACOBIANS: list[tuple[ad.Expression, ...]] = [
    (adm.sin(X) * X,),
    (adm.norm(X), X[:2] * Y),
    (ad.stack(X[0] * X[1], 0.0, Y), adm.dot(X, X) * Y),
    (ad.cond(X, 1.0 / X, X), ad.minimum(X[1:], Y)),
    (ad.constant([1.0, 2.0]),),
]


@pytest.mark.parametrize("roots", JACOBIANS)
@pytest.mark.parametrize("wrt", [(0, 1), (1,), (1, 0), (0,)])
def test_jacobians(roots: tuple[ad.Expression, ...], wrt: tuple[int, ...]) -> None:
    f = lower(roots, [X, Y], {"x": 3, "y": 2})
    values = [np.array([0.3, -1.2, 0.7]), np.array([1.1, -0.4])]
    found = jacobian_of(f, wrt)
    program = scalar_program(jacobian_graph(f, found, entries(found)).tape)
    assert program.input_sizes == (3, 2)
    (have,) = run(program, *values)
    want = numpy_jacobian(f, values, wrt)
    np.testing.assert_allclose(have.reshape(want.shape), want, rtol=1e-13, atol=1e-15)


def test_work_of_seeds_is_shared() -> None:
    """Sines and cosines are there once, whatever the number of seeds."""
    q = ad.var("q", 4)
    angles = adm.sin(q) * adm.cos(adm.dot(q, q))
    f = lower(angles)
    found = jacobian_of(f, [0])
    names = ops(scalar_program(jacobian_graph(f, found, entries(found)).tape))
    assert [names.count("sin"), names.count("cos")] == [5, 5]


def test_users_functions_have_no_scalar_program() -> None:
    f = ad.function(np.sin, "sine", [2], 2)
    with pytest.raises(NotImplementedError, match="no kernel form"):
        scalar_program(lower(f(ad.var("x", 2))).tape)


def test_an_inverse_that_many_products_share_is_computed_once() -> None:
    """Products with it stay products then; fewer are quotients, and so are written quotients."""
    x, y = ad.var("x", 3), ad.var("y", 1)
    inverse = 1.0 / y
    many, few = x * inverse, x[:2] * inverse
    assert sorted(ops(program_of(many))) == ["inv", "mul", "mul", "mul"]
    assert ops(program_of(few)) == ["div", "div"]
    assert ops(program_of(x / y)) == ["div", "div", "div"]
    assert ops(program_of(many, x / y)) == ["div", "div", "div"]
    at = np.array([3.0, -7.0, 1e300]), np.array([0.3])
    np.testing.assert_array_equal(run(program_of(many), *at)[0], many.eval(x=at[0], y=at[1]))
