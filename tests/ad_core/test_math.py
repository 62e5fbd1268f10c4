"""The functions of `ad_core.math` that are compositions: against torch, mpmath, at their edges."""

from __future__ import annotations

import inspect
import math
import pickle
from collections.abc import Callable

import mpmath
import numpy as np
import pytest
import torch
from backends import ENGINES, compute

import ad_core as ad
from ad_core import math as adm

RNG = np.random.default_rng(11)
A34 = RNG.standard_normal((3, 4))
A33 = RNG.standard_normal((3, 3))
T34, T33 = torch.from_numpy(A34), torch.from_numpy(A33)
EYE3 = torch.eye(3, dtype=torch.float64)


def tsolve(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return torch.linalg.solve(a.reshape(3, 3), b.reshape(3, 2)).reshape(-1)


def spd(a: ad.Expression) -> ad.Expression:
    return adm.matmul(a, adm.transpose(a, 3, 3), (3, 3), (3, 3)) + np.eye(3).ravel()


def tspd(a: torch.Tensor) -> torch.Tensor:
    return a.reshape(3, 3) @ a.reshape(3, 3).T + EYE3


# name: (expression of variables x, y, z; the same in torch; their sizes)
ROWS: dict[str, tuple[Callable[..., ad.Expression], Callable[..., torch.Tensor], tuple[int, ...]]]
ROWS = {
    "dot": (adm.dot, torch.dot, (4, 4)),
    "norm": (adm.norm, torch.linalg.norm, (4,)),
    "normSquared": (adm.normSquared, lambda x: (x * x).sum(), (4,)),
    "distance": (adm.distance, lambda x, y: (x - y).norm(), (4, 4)),
    "distanceSquared": (adm.distanceSquared, lambda x, y: ((x - y) ** 2).sum(), (4, 4)),
    "unit": (adm.unit, lambda x: x / x.norm(), (4,)),
    "cross": (adm.cross, torch.linalg.cross, (3, 3)),
    "interpolate": (adm.interpolate, torch.lerp, (4, 4, 1)),
    "linear": (lambda x: adm.linear(A34, x), lambda x: T34 @ x, (4,)),
    "quadratic": (lambda x: adm.quadratic(A33, x), lambda x: x @ T33 @ x, (3,)),
    "bilinear": (lambda x, y: adm.bilinear(x, A34, y), lambda x, y: x @ T34 @ y, (3, 4)),
    "ShapedDot-first": (
        adm.ShapedDot((3, 4)),
        lambda x, y: x.reshape(3, 4) @ y,
        (12, 4),
    ),
    "ShapedDot-second": (
        adm.ShapedDot(shape2=(3, 4)),
        lambda x, y: x @ y.reshape(3, 4),
        (3, 12),
    ),
    "matmul": (
        lambda x, y: adm.matmul(x, y, (2, 3), (3, 4)),
        lambda x, y: (x.reshape(2, 3) @ y.reshape(3, 4)).reshape(-1),
        (6, 12),
    ),
    "transpose": (
        lambda x: adm.transpose(ad.var("x", 6), 2, 3),
        lambda x: x.reshape(2, 3).T.reshape(-1),
        (6,),
    ),
    "solve": (lambda x, y: adm.solve(x, y, (3, 3), (3, 2)), tsolve, (9, 6)),
    "solve_spd": (
        lambda x, y: adm.solve_spd(spd(ad.var("x", 9)), y, (3, 3), (3, 2)),
        lambda x, y: tsolve(tspd(x), y),
        (9, 6),
    ),
    "logsumexp": (adm.logsumexp, lambda x: torch.logsumexp(x, 0), (4,)),
    "softplus": (adm.softplus, torch.nn.functional.softplus, (4,)),
    "clip": (lambda x: adm.clip(x, -0.5, 0.7), lambda x: torch.clip(x, -0.5, 0.7), (6,)),
    "where": (adm.where, lambda p, a, b: torch.where(p != 0, a, b), (4, 4, 4)),
    "argmin": (adm.argmin, lambda x: x.argmin() + 0.0 * x.sum(), (7,)),
    "argmax": (adm.argmax, lambda x: x.argmax() + 0.0 * x.sum(), (6,)),
    "mean": (lambda x: ad.sum_(x) / 4.0, torch.mean, (4,)),
    "entropy": (
        lambda x: -adm.dot(x * x, adm.log(x * x)),
        lambda x: -(x * x) @ (x * x).log(),
        (4,),
    ),
}


def first_and_second(f: Callable[..., torch.Tensor], args: list[torch.Tensor]):
    """Jacobians `(n_out, n_i)` and second derivatives `(n_out, n_i, n_j)` by torch."""

    def flat(*xs: torch.Tensor) -> torch.Tensor:
        return f(*xs).reshape(-1)

    def jacobians(*xs: torch.Tensor):
        found = torch.autograd.functional.jacobian(flat, tuple(xs), create_graph=True)
        return tuple(j + 0.0 * sum(x.sum() for x in xs) for j in found)

    second = torch.autograd.functional.jacobian(jacobians, tuple(args))
    return [j.detach().numpy() for j in jacobians(*args)], second


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_value_and_two_derivatives_equal_torch(row):
    call, reference, sizes = row
    names = ["x", "y", "z"][: len(sizes)]
    signs = RNG.choice([-1.0, 1.0], len(sizes))
    drawn = [RNG.uniform(0.2, 1.5, n) * s for n, s in zip(sizes, signs, strict=True)]
    values = dict(zip(names, drawn, strict=True))
    args = [torch.from_numpy(v).requires_grad_() for v in values.values()]
    e = call(*map(ad.var, names))
    np.testing.assert_allclose(e.eval(**values), reference(*args).detach().numpy(), rtol=1e-12)
    first, second = first_and_second(reference, args)
    for i, a in enumerate(names):
        np.testing.assert_allclose(e.derivative(a, **values), first[i], rtol=1e-10, atol=1e-12)
        for j, b in enumerate(names):
            got = e.gen_derivative([a, b], **values)
            np.testing.assert_allclose(got, second[i][j].numpy(), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("engine", ENGINES)
def test_compositions_agree_on_every_engine(engine: str):
    roots: list[ad.Expression] = []
    values: dict[str, np.ndarray] = {}
    expected: list[np.ndarray] = []
    for number, (call, reference, sizes) in enumerate(ROWS.values()):
        names = ["x", "y", "z"][: len(sizes)]
        drawn = {n: RNG.uniform(0.2, 1.5, size) for n, size in zip(names, sizes, strict=True)}
        roots.append(
            call(*map(ad.var, names)).replace(
                **{n: ad.var(f"{n}{number}", drawn[n].size) for n in names}
            )
        )
        values |= {f"{n}{number}": v for n, v in drawn.items()}
        expected.append(reference(*(torch.from_numpy(v) for v in drawn.values())).numpy())
    for got, true in zip(compute(engine, roots, values), expected, strict=True):
        np.testing.assert_allclose(got, np.atleast_1d(true), rtol=1e-12)


EDGES: dict[str, tuple[ad.Expression, list[float], float, list[float]]] = {
    "norm at 0": (adm.norm("x"), [0.0, 0.0], 0.0, [0.0, 0.0]),
    "distance at 0": (adm.distance("x", [1.0, 2.0]), [1.0, 2.0], 0.0, [0.0, 0.0]),
    "norm of small": (adm.norm("x"), [3e-150, 4e-150], 5e-150, [0.6, 0.8]),
    "logsumexp of large": (adm.logsumexp("x"), [1e4, 1e4], 1e4 + np.log(2), [0.5, 0.5]),
    "logsumexp with -inf": (adm.logsumexp("x"), [-np.inf, 2.0], 2.0, [0.0, 1.0]),
    "logsumexp of -inf": (adm.logsumexp("x"), [-np.inf, -np.inf], -np.inf, None),
    "softplus at 0": (adm.softplus("x")[0], [0.0], np.log(2), [0.5]),
    "softplus of large": (adm.softplus("x")[0], [1e5], 1e5, [1.0]),
    "softplus of negative": (adm.softplus("x")[0], [-1e5], 0.0, [0.0]),
    "clip at its bound": (adm.clip("x", -1.0, 1.0)[0], [1.0], 1.0, [1.0]),
    "clip beyond": (adm.clip("x", -1.0, 1.0)[0], [-7.0], -1.0, [0.0]),
    "norm of nan": (adm.norm("x"), [np.nan, 1.0], np.nan, None),
    "distance of nan": (adm.distance("x", [0.0, 1.0]), [np.nan, 1.0], np.nan, None),
    "unit of nan": (adm.unit("x")[1], [np.nan, 1.0], np.nan, None),
    "softplus of nan": (adm.softplus("x")[0], [np.nan], np.nan, None),
    "softplus of 1000": (adm.softplus("x")[0], [1000.0], 1000.0, [1.0]),
    "softplus of -1000": (adm.softplus("x")[0], [-1000.0], 0.0, [0.0]),
    "softplus of inf": (adm.softplus("x")[0], [np.inf], np.inf, [1.0]),
    "logsumexp of nan": (adm.logsumexp("x"), [np.nan, 1.0], np.nan, None),
    "logsumexp with inf": (adm.logsumexp("x"), [np.inf, 1.0], np.inf, None),
    "logsumexp of huge": (adm.logsumexp("x"), [1e308, -1e308], 1e308, [1.0, 0.0]),
    "clip of nan": (adm.clip("x", -1.0, 1.0)[0], [np.nan], np.nan, None),
    "minimum of entries with nan": (ad.minimum("x"), [1.0, np.nan, 3.0], np.nan, None),
    "maximum of entries with nan": (ad.maximum("x"), [np.nan, 1.0, 3.0], np.nan, None),
    "minimum of equals": (ad.minimum("x"), [2.0, 1.0, 1.0], 1.0, [0.0, 1.0, 0.0]),
    "argmin of equals": (adm.argmin("x"), [2.0, 1.0, 1.0], 1.0, [0.0, 0.0, 0.0]),
    "argmin of zeros": (adm.argmin("x"), [1.0, 0.0, -0.0], 1.0, [0.0, 0.0, 0.0]),
    "argmin with nan": (adm.argmin("x"), [0.0, np.nan, -np.inf, np.nan], 1.0, None),
    "argmin of nan": (adm.argmin("x"), [np.nan, -np.inf], 0.0, None),
    "argmin of inf": (adm.argmin("x"), [np.inf, np.inf], 0.0, [0.0, 0.0]),
    "argmax of equals": (adm.argmax("x"), [2.0, 3.0, 3.0], 1.0, [0.0, 0.0, 0.0]),
    "argmax with nan": (adm.argmax("x"), [np.inf, np.inf, np.nan, 1.0, np.nan], 2.0, None),
    "argmax of one": (adm.argmax("x"), [-3.0], 0.0, [0.0]),
    "interpolate beyond": (adm.interpolate(1.0, 3.0, "x"), [5.0], 11.0, [2.0]),
    "interpolate before": (adm.interpolate(1.0, 3.0, "x"), [-5.0], -9.0, [2.0]),
    "where nan": (adm.where(float("nan"), "x", 0.0)[0], [3.0], 3.0, [1.0]),
}


@pytest.mark.parametrize("engine", ENGINES)
def test_edges(engine: str):
    roots: list[ad.Expression] = []
    values: dict[str, np.ndarray] = {}
    for number, (e, point, _, _) in enumerate(EDGES.values()):
        whole = e.replace(x=ad.var(f"x{number}", len(point)))
        roots += [whole, ad.gradient(whole, f"x{number}")]
        values[f"x{number}"] = np.array(point)
    answers = iter(compute(engine, roots, values))
    for name, (_, _, value, slope) in EDGES.items():
        np.testing.assert_allclose(next(answers), [value], rtol=1e-14, err_msg=name)
        slopes = next(answers)
        if slope is not None:
            np.testing.assert_allclose(slopes, slope, rtol=1e-12, err_msg=name)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 8, 13])
def test_places_of_extremes_are_those_of_torch_where_entries_are_equal_or_nan(size: int):
    rng = np.random.default_rng(size)
    x = rng.choice([-np.inf, np.inf, 0.0, -0.0, 1.0, 2.0, np.nan, 1e300], (300, size))
    for ours, theirs in ((adm.argmin, torch.argmin), (adm.argmax, torch.argmax)):
        got = ours(ad.var("x", size)).eval_batch(x=x)
        np.testing.assert_array_equal(got[:, 0], theirs(torch.from_numpy(x), dim=-1))


def test_unit_at_zero_is_zero_with_zero_slope():
    e = adm.unit("x")
    assert not e.eval(x=[0.0, 0.0, 0.0]).any()
    assert not e.derivative("x", x=[0.0, 0.0, 0.0]).any()
    assert not e.gen_derivative(["x", "x"], x=[0.0, 0.0, 0.0]).any()


KINKS = {
    "norm": adm.norm("x"),
    "normSquared": adm.normSquared("x"),
    "unit": adm.unit("x"),
    "distance": adm.distance("x", np.zeros(3)),
    "abs": ad.abs_("x"),
    "sign": adm.sign("x"),
    "smallest": ad.minimum("x"),
    "where smallest": ad.var("x") * adm.argmin("x"),
    "larger": ad.maximum("x", 0.0),
    "logsumexp": adm.logsumexp("x"),
    "softplus": adm.softplus("x"),
    "clip": adm.clip("x", 0.0, 0.0),
    "atan2": adm.atan2("x", "x"),
    "cond": ad.cond("x", adm.sqrt("x"), "x"),
    "where": adm.where("x", adm.log("x"), 0.0),
    "cond3": ad.cond3("x", 1.0 / ad.var("x"), 0.0, adm.sqrt(-ad.var("x"))),
    "power": ad.var("x") ** 3,
    "powers": ad.pow_("x", [0.0, 1.0, 2.0]),
}


@pytest.mark.parametrize("e", KINKS.values(), ids=KINKS)
@pytest.mark.parametrize("order", [1, 2, 3])
def test_every_order_is_finite_and_symmetric_where_functions_bend(e: ad.Expression, order: int):
    tensor = e.gen_derivative(["x"] * order, x=np.zeros(3))
    assert np.isfinite(tensor).all()
    np.testing.assert_allclose(tensor, np.swapaxes(tensor, 1, order), atol=1e-12)


@pytest.mark.parametrize("order", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("exponent", range(6))
def test_whole_powers_at_zero(exponent: int, order: int):
    true = math.factorial(order) if exponent == order else 0
    x = ad.var("x")
    powers = (x**exponent, x ** float(exponent), x ** ad.var("n"))
    for e in powers:
        values = {"n": float(exponent)} if "n" in e.terminals() else {}
        assert e.gen_derivative(["x"] * order, x=0.0, **values).item() == true


@pytest.mark.parametrize("point", [-1000.0, -30.0, -1.0, 0.0, 1e-9, 0.7, 30.0, 1000.0])
@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_softplus_to_fourth_order_equals_mpmath(point: float, order: int):
    with mpmath.workdps(40):
        true = float(mpmath.diff(lambda x: mpmath.log1p(mpmath.exp(x)), mpmath.mpf(point), order))
    got = adm.softplus("x").gen_derivative(["x"] * order, x=point)
    np.testing.assert_allclose(np.ravel(got)[0], true, rtol=1e-9, atol=1e-16)


SCALAR_ROWS = {
    "tan": (lambda x: adm.tan(x) * x, lambda x: mpmath.tan(x) * x, 0.4),
    "composite": (
        lambda x: adm.exp(adm.sin(x**2)) / (1 + x**2),
        lambda x: mpmath.exp(mpmath.sin(x**2)) / (1 + x**2),
        0.8,
    ),
    "power": (lambda x: x**x, lambda x: x**x, 1.3),
    "atan2": (lambda x: adm.atan2(x, x**2 - 2), lambda x: mpmath.atan2(x, x**2 - 2), 0.9),
    "asinh": (lambda x: adm.asinh(x) ** 3, lambda x: mpmath.asinh(x) ** 3, 0.6),
    "atanh": (adm.atanh, mpmath.atanh, 0.3),
    "acosh": (adm.acosh, mpmath.acosh, 2.3),
    "acos": (adm.acos, mpmath.acos, 0.3),
    "x to the x": (lambda x: x**x * adm.log(x), lambda x: x**x * mpmath.log(x), 0.7),
    "root": (
        lambda x: x**-1.5 + adm.sqrt(x),
        lambda x: x ** mpmath.mpf(-1.5) + mpmath.sqrt(x),
        1e-2,
    ),
    "remainder": (
        lambda x: ad.mod(3 * x, 0.75) * x,
        lambda x: (3 * x - 0.75 * mpmath.floor(4 * x)) * x,
        1.7,
    ),
    "logsumexp": (
        lambda x: adm.logsumexp(ad.stack(x, x * x, -x)),
        lambda x: mpmath.log(mpmath.exp(x) + mpmath.exp(x * x) + mpmath.exp(-x)),
        1.7,
    ),
    "unit": (
        lambda x: adm.unit(ad.stack(x, x**2, 1.0))[1],
        lambda x: x**2 / mpmath.sqrt(x**2 + x**4 + 1),
        0.4,
    ),
    "system": (
        lambda x: adm.solve_spd(ad.stack(2 + x * x, x, x, 3 + x), ad.stack(1.0, x), (2, 2))[0],
        lambda x: (3 + x - x * x) / ((2 + x * x) * (3 + x) - x * x),
        0.6,
    ),
    "angle": (
        lambda x: adm.atan2(adm.sin(x), x * adm.cos(x)),
        lambda x: mpmath.atan2(mpmath.sin(x), x * mpmath.cos(x)),
        1.7,
    ),
    "log1p": (
        lambda x: adm.log1p(x) * adm.expm1(x),
        lambda x: mpmath.log1p(x) * mpmath.expm1(x),
        0.2,
    ),
}


@pytest.mark.parametrize("row", SCALAR_ROWS.values(), ids=SCALAR_ROWS)
@pytest.mark.parametrize("order", [1, 2, 3, 4, 5])
def test_orders_of_scalar_functions_equal_mpmath(row, order: int):
    ours, theirs, point = row
    with mpmath.workdps(60):
        true = float(mpmath.diff(theirs, mpmath.mpf(point), order))
    got = ours(ad.var("x")).gen_derivative(["x"] * order, x=point)
    np.testing.assert_allclose(np.ravel(got)[0], true, rtol=1e-9)


def test_larger_spd_systems_read_the_lower_triangle():
    rng = np.random.default_rng(5)
    for m in (1, 2, 7):
        half = rng.standard_normal((m, m))
        a = half @ half.T + np.eye(m)
        b = rng.standard_normal((m, 3))
        e = adm.solve_spd("a", "b", (m, m), (m, 3))
        got = e.eval(a=np.tril(a).ravel(), b=b.ravel()).reshape(m, 3)
        np.testing.assert_allclose(got, np.linalg.solve(a, b), rtol=1e-9)
        vector = adm.solve_spd("a", "b", (m, m)).eval(a=a.ravel(), b=b[:, 0])
        np.testing.assert_allclose(vector, np.linalg.solve(a, b[:, 0]), rtol=1e-9)


def test_singular_system_is_refused():
    e = adm.solve("a", "b", (2, 2))
    with pytest.raises(np.linalg.LinAlgError, match="Singular"):
        e.eval(a=[1.0, 2.0, 2.0, 4.0], b=[1.0, 1.0])


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda: adm.dot(ad.var("x", 2), ad.var("y", 3)),
            "dot: argument 'y' has size 3, expected 2",
        ),
        (lambda: adm.cross(ad.var("x", 2), "y"), "cross: argument 'x' has size 2, expected 3"),
        (lambda: adm.cross("x"), "cross: got 1 arguments, expected 2"),
        (lambda: adm.interpolate([1.0, 2.0], [1.0], "u"), "interpolate: argument 'b' has size 1"),
        (lambda: adm.interpolate("a", "b", [1.0, 2.0]), "argument 'u' has size 2, expected 1"),
        (lambda: adm.linear([1.0, 2.0], "x"), r"linear: the matrix has shape \(2,\)"),
        (lambda: adm.linear(A34, ad.var("x", 3)), "'b' has size 3, expected 4"),
        (lambda: adm.quadratic(A34, "x"), r"quadratic: the matrix has shape \(3, 4\)"),
        (lambda: adm.bilinear(ad.var("x", 4), A34, "y"), "bilinear: argument 'x' has size 4"),
        (lambda: adm.matmul("a", "b", (2, 3), (2, 3)), "do not chain"),
        (lambda: adm.solve("a", "b", (2, 3)), "not those of a square system"),
        (lambda: adm.solve_spd("a", "b", (2, 2), (3, 1)), "not those of a square system"),
        (adm.ShapedDot, "give one of shape1 and shape2"),
        (lambda: adm.ShapedDot((1, 2), (2, 1)), "give one of shape1 and shape2"),
        (lambda: adm.ShapedDot((1, 2, 3)), r"ShapedDot: a shape is \(1, 2, 3\), expected \(rows"),
        (lambda: adm.clip([1.0, 2.0], [1.0, 2.0, 3.0], 0.0), "clip: argument 'low' has size 3"),
        (lambda: adm.ShapedDot((2, 3))(ad.var("x", 5), "y"), "argument 'x' has size 5, expected 6"),
    ],
)
def test_what_does_not_fit_is_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()


def functions() -> dict[str, ad.ADFunctionInterface]:
    return {n: f for n, f in vars(adm).items() if isinstance(f, ad.ADFunctionInterface)}


@pytest.mark.parametrize("name", functions())
def test_functions_name_themselves_and_travel_through_pickle(name: str):
    f = functions()[name]
    assert str(f) == name
    assert pickle.loads(pickle.dumps(f)) is f
    assert all(isinstance(f.argname(i), str) for i in range(f.n_args()))


def test_public_names():
    public = {n for n, v in vars(adm).items() if not n.startswith("_") and not inspect.ismodule(v)}
    assert public - {"annotations"} == set(adm.__all__)
    assert adm.quadratric is adm.quadratic


def test_third_derivatives_of_everything_composed_equal_torch():
    """All functions in one graph, three variables, each mix of three of them."""

    def build(x, y, z, m, stack, where):
        s = m.sin(x) * y + m.exp(-z) / (1.5 + m.cos(x * y))
        p = where(s, m.sqrt(1.0 + s * s), m.log(3.0 - s)) ** y
        return stack(m.atan2(p, x + z), m.tanh(s) * m.asinh(z), m.log1p(m.exp(x - p)) * z**3)

    ours = build(*map(ad.var, "xyz"), adm, ad.stack, ad.cond)

    def theirs(x, y, z):
        choose = lambda p, a, b: torch.where(p > 0, a, b)  # noqa: E731
        return build(x, y, z, torch, lambda *e: torch.cat(e), choose)

    at = {"x": 0.4, "y": 1.3, "z": 0.7}
    point = tuple(torch.tensor([v], dtype=torch.float64) for v in at.values())

    def nested(path: str):
        if not path:
            return theirs
        inner = nested(path[:-1])

        def outer(*args: torch.Tensor) -> torch.Tensor:
            found = torch.autograd.functional.jacobian(inner, args, create_graph=True)
            return found["xyz".index(path[-1])]

        return outer

    for path in ("xyz", "zyx", "xyx", "yyz", "zzz", "xxy"):
        true = nested(path)(*point).detach().numpy().reshape(3, 1, 1, 1)
        got = ours.gen_derivative(list(path), **at)
        np.testing.assert_allclose(got, true, rtol=1e-9, atol=1e-11, err_msg=path)
