"""`root` and `least_squares`: values, and derivatives beside closed forms and scipy."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Callable

import numpy as np
import pytest
import torch
from backends import ENGINES, compute
from scipy import optimize

import ad_core as ad
from ad_core import math as adm
from bridges.casadi import ad_to_casadi
from bridges.kernel import ad_to_kernel
from bridges.pytorch import ad_to_torch

Y, A = ad.var("y", 1), ad.var("a", 1)


def kepler() -> ad.Expression:
    """The eccentric anomaly y of a = y - b sin y."""
    b = ad.var("b", 1)
    return ad.root(Y - b * adm.sin(Y) - A, {"y": A + b * adm.sin(A)}, tolerance=1e-14)


def kepler_in_torch(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Newton's method written out, differentiated through all of its steps."""
    y = a + b * torch.sin(a)
    for _ in range(12):
        y = y - (y - b * torch.sin(y) - a) / (1.0 - b * torch.cos(y))
    return y


AT = {"a": np.array([1.2]), "b": np.array([0.6])}


def derivatives(e: ad.Expression, order: int) -> list[ad.Expression]:
    """Those by a and b of this order, in both modes at the highest."""
    found = [e]
    for _ in range(order):
        found = [ad.gradient(d, name) for d in found for name in ("a", "b")]
    return found


def torch_derivatives(order: int) -> list[float]:
    values = [torch.tensor(AT[n], requires_grad=True) for n in ("a", "b")]
    found = [kepler_in_torch(*values)]
    for _ in range(order):
        found = [g for d in found for g in torch.autograd.grad(d.sum(), values, create_graph=True)]
    return [float(d.detach()) for d in found]


@pytest.mark.parametrize("engine", ENGINES)
def test_derivatives_to_fourth_order(engine: str) -> None:
    orders = range(5) if engine == "numpy" else range(3)
    roots = [d for order in orders for d in derivatives(kepler(), order)]
    want = [d for order in orders for d in torch_derivatives(order)]
    for have, right in zip(compute(engine, roots, AT), want, strict=True):
        np.testing.assert_allclose(have, right, rtol=1e-9)


def test_engines_own_derivatives() -> None:
    """CasADi and torch differentiate by themselves, to third order."""
    import casadi as ca

    for symbolic in ("SX", "MX"):
        function = ad_to_casadi(kepler(), ["a", "b"], symbolic=symbolic)
        a, b = ca.MX.sym("a"), ca.MX.sym("b")
        found = [function(a, b)]
        for order in range(1, 4):
            found = [ca.jacobian(d, v) for d in found for v in (a, b)]
            have = ca.Function("d", [a, b], found).call([AT["a"], AT["b"]])
            np.testing.assert_allclose(
                [float(h) for h in have], torch_derivatives(order), rtol=1e-7
            )
    layer = ad_to_torch(kepler(), ["a", "b"], engine="torch")
    values = [torch.tensor(AT[n], requires_grad=True) for n in ("a", "b")]
    found_t = [layer(*values)]
    for order in range(1, 3):
        found_t = [
            g for d in found_t for g in torch.autograd.grad(d.sum(), values, create_graph=True)
        ]
        np.testing.assert_allclose(
            [float(g.detach()) for g in found_t], torch_derivatives(order), rtol=1e-8
        )


def test_samples_stop_by_themselves() -> None:
    """A batch in which some begin at the root, some take long, one has none, one is singular."""
    e = ad.root(Y * Y - A, {"y": ad.var("g", 1)}, status=True)
    a = np.array([[4.0], [1e6], [-1.0], [0.0], [2.0], [9.0]])
    guess = np.array([[2.0], [1e-3], [1.0], [1.0], [0.0], [-1.0]])
    with pytest.warns(RuntimeWarning, match="root: 2 of 6 did not converge"):
        have = e.eval_batch(a=a, g=guess)
    np.testing.assert_array_equal(have[:, 1], [1.0, 1.0, 0.0, 1.0, 0.0, 1.0])
    np.testing.assert_allclose(have[[0, 1, 5], 0], [2.0, 1e3, -3.0], rtol=1e-9)
    kernel = ad_to_kernel(e, ["a", "g"])
    assert kernel.program.loops[0].until == 2
    np.testing.assert_allclose(kernel(a, guess), have, rtol=1e-7, atol=1e-12)
    slope = ad_to_kernel(ad.jacobian(e, "a"), ["a", "g"])(a, guess)
    np.testing.assert_allclose(slope[[0, 1, 5], 0], [0.25, 5e-4, -1 / 6], rtol=1e-8)
    assert (slope[:, 1] == 0.0).all()


def test_systems_of_equations() -> None:
    """Inverse kinematics of a planar arm, beside its closed form."""
    q, p = ad.var("q", 2), ad.var("p", 2)
    foot = ad.stack(
        adm.cos(q[0]) + 0.7 * adm.cos(q[0] + q[1]), adm.sin(q[0]) + 0.7 * adm.sin(q[0] + q[1])
    )
    e = ad.root(foot - p, {"q": [0.3, 0.5]})
    rng = np.random.default_rng(0)
    at = np.stack([rng.uniform(0.0, 1.0, 50), rng.uniform(0.3, 2.0, 50)], -1)
    reach = np.stack(
        [
            np.cos(at[:, 0]) + 0.7 * np.cos(at.sum(1)),
            np.sin(at[:, 0]) + 0.7 * np.sin(at.sum(1)),
        ],
        -1,
    )
    np.testing.assert_allclose(e.eval_batch(p=reach), at, atol=1e-8)
    forward = ad.jacobian(foot, "q").eval_batch(q=at).reshape(-1, 2, 2)
    np.testing.assert_allclose(e.derivative_batch("p", p=reach), np.linalg.inv(forward), atol=1e-6)


def box_problem(bounded: bool) -> tuple[ad.Expression, Callable[[np.ndarray], np.ndarray]]:
    z, p = ad.var("z", 2), ad.var("p", 2)
    r = ad.stack(3.0 * (z[1] - z[0] * z[0]), 1.0 - z[0], adm.sin(z - p))
    low, high = ([-1.0, -1.0], [0.7, 2.0]) if bounded else ([-np.inf] * 2, [np.inf] * 2)
    e = ad.least_squares(
        r,
        {"z": [0.0, 0.0]},
        lower=low if bounded else None,
        upper=ad.var("high", 2) if bounded else None,
    )

    def by_scipy(p: np.ndarray) -> np.ndarray:
        def f(z: np.ndarray) -> np.ndarray:
            return np.array([3.0 * (z[1] - z[0] ** 2), 1.0 - z[0], *np.sin(z - p)])

        tight = {"xtol": 1e-15, "ftol": 1e-15, "gtol": 1e-15}
        return optimize.least_squares(f, [0.0, 0.0], bounds=(low, high), **tight).x

    return e, by_scipy


@pytest.mark.parametrize("bounded", [False, True])
def test_least_squares_beside_scipy(bounded: bool) -> None:
    """Values; derivatives beside differences of scipy's solutions; a bound that holds, too."""
    e, by_scipy = box_problem(bounded)
    high = {"high": np.array([0.7, 2.0])} if bounded else {}
    for p in ([0.5, 0.2], [-0.4, 0.9], [1.0, 1.0]):
        values = {"p": np.array(p), **high}
        np.testing.assert_allclose(e.eval(**values), by_scipy(values["p"]), atol=1e-7)
        h = 1e-4
        columns = [
            (by_scipy(values["p"] + h * d) - by_scipy(values["p"] - h * d)) / (2 * h)
            for d in np.eye(2)
        ]
        np.testing.assert_allclose(e.derivative("p", **values), np.array(columns).T, atol=2e-4)
    if bounded:  # the solution moves with the bound that holds it
        slope = e.derivative("high", **values)
        assert slope[0, 0] == pytest.approx(1.0)
        assert slope[0, 1] == 0.0


@pytest.mark.parametrize("engine", ENGINES)
def test_least_squares_on_all_engines(engine: str) -> None:
    e, _ = box_problem(True)
    values = {"p": np.array([0.5, 0.2]), "high": np.array([0.7, 2.0])}
    scalar = adm.dot(e, [0.3, -0.8])
    roots = [e, ad.jacobian(e, "p"), ad.jacobian(ad.gradient(scalar, "p"), "p")]
    want = compute("numpy", roots, values)
    h = 1e-5
    differences = [
        (ad.gradient(scalar, "p").eval(**{**values, "p": values["p"] + h * d})
         - ad.gradient(scalar, "p").eval(**{**values, "p": values["p"] - h * d})) / (2 * h)
        for d in np.eye(2)
    ]  # fmt: skip
    np.testing.assert_allclose(want[2].reshape(2, 2), differences, atol=1e-5)
    for have, right in zip(compute(engine, roots, values), want, strict=True):
        np.testing.assert_allclose(have, right, atol=1e-7)


def test_a_root_in_a_root_and_in_a_loop() -> None:
    """An implicit step in a rollout; a root whose residual has a root."""
    x, k = ad.var("x", 1), ad.var("k", 1)
    step = ad.root(Y - x + 0.1 * k * Y * Y * Y, {"y": x}, tolerance=1e-13)
    e = ad.scan(step, {"x": ad.var("x0", 1)}, length=6)

    def by_torch(x: torch.Tensor, k: torch.Tensor) -> torch.Tensor:
        for _ in range(6):
            y = x
            for _ in range(12):
                y = y - (y - x + 0.1 * k * y**3) / (1.0 + 0.3 * k * y**2)
            x = y
        return x

    at = {"x0": np.array([1.5]), "k": np.array([2.0])}
    values = [torch.tensor(v, requires_grad=True) for v in at.values()]
    want = torch.autograd.grad(by_torch(*values), values, create_graph=True)
    np.testing.assert_allclose(e.eval(**at), by_torch(*values).detach(), rtol=1e-12)
    slopes = [ad.jacobian(e, n) for n in at]
    for engine in ENGINES:
        for have, right in zip(compute(engine, slopes, at), want, strict=True):
            np.testing.assert_allclose(have, right.detach(), rtol=1e-10)
    second = torch.autograd.grad(want[0], values[1])[0]
    np.testing.assert_allclose(e.gen_derivative(["x0", "k"], **at).item(), second, rtol=1e-9)
    inner = ad.root(Y * Y - ad.var("z", 1), {"y": 1.0}, tolerance=1e-13)
    outer = ad.root(inner + ad.var("z", 1) - A, {"z": 1.0}, tolerance=1e-13)
    np.testing.assert_allclose(outer.eval(a=6.0), 4.0, rtol=1e-11)  # sqrt z + z = 6
    np.testing.assert_allclose(outer.derivative("a", a=6.0), [[0.8]], rtol=1e-10)


def test_pickles_and_prints() -> None:
    e = kepler()
    again = pickle.loads(pickle.dumps(ad.gradient(e, "a")))
    np.testing.assert_array_equal(again.eval(**AT), ad.gradient(e, "a").eval(**AT))
    assert str(e).startswith("root(")


WRONG: list[tuple[Callable[[], object], str]] = [
    (lambda: ad.root(Y, 1.0), "root: guess names the unknown"),
    (lambda: ad.root(Y, {"z": 1.0}), "the residual has no variable 'z'"),
    (lambda: ad.root(Y - A, {"y": 1.0, "a": 2.0}), "root: guess has 2 unknowns"),
    (lambda: ad.root(Y, {"y": 1.0}, iterations=0), "root: iterations is 0"),
    (lambda: ad.root(ad.stack(Y, Y), {"y": 1.0}).eval(), "'residual' has size 2, expected 1"),
    (lambda: ad.root(ad.var("z"), {"z": 1.0}).eval(), "the size of 'z' is not known"),
    (lambda: ad.root(Y, {"y": [1.0, 2.0]}).eval(), "argument 'y' has size 2, expected 1"),
    (
        lambda: ad.least_squares(ad.var("z", 2), {"z": 1.0}, lower=[1.0, 2.0, 3.0]).eval(),
        "argument 'lower' has size 3, expected 2 or 1",
    ),
]


@pytest.mark.parametrize(("call", "message"), WRONG, ids=[m for _, m in WRONG])
def test_errors(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_users_functions_are_refused() -> None:
    square = ad.function(lambda y: y * y, "square", [1], 1)
    with pytest.raises(NotImplementedError, match="root: a user's function in the residual"):
        ad.root(square(Y) - A, {"y": 1.0}).eval(a=2.0)


def test_no_warning_where_all_converge() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert kepler().eval(**AT) > 0.0
