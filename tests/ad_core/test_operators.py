"""Differential operators as expressions, against torch and the identities of vector calculus."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from backends import ENGINES, compute

import ad_core as ad
from ad_core import math as adm

X = np.array([0.3, -1.2, 0.7])


def field(x: ad.Expression) -> ad.Expression:
    """A vector field whose Jacobian is neither symmetric nor constant."""
    return ad.stack(x[0] * x[1] ** 2, adm.sin(x[2]) * x[0], adm.exp(x[0] * x[2]))


def torch_field(x: torch.Tensor) -> torch.Tensor:
    return torch.stack([x[0] * x[1] ** 2, torch.sin(x[2]) * x[0], torch.exp(x[0] * x[2])])


def potential(x: ad.Expression) -> ad.Expression:
    return adm.sin(x[0] * x[1]) + x[2] ** 3 * x[0]


def torch_potential(x: torch.Tensor) -> torch.Tensor:
    return torch.sin(x[0] * x[1]) + x[2] ** 3 * x[0]


def torch_jacobian(f, x: np.ndarray) -> np.ndarray:
    return torch.autograd.functional.jacobian(f, torch.from_numpy(x)).numpy()


def torch_hessian(f, x: np.ndarray) -> np.ndarray:
    return torch.autograd.functional.hessian(f, torch.from_numpy(x)).numpy()


@pytest.mark.parametrize("engine", ENGINES)
def test_operators_equal_torch_on_every_engine(engine: str):
    x = ad.var("x", 3)
    f, g = field(x), potential(x)
    tall = ad.stack(f, g, 2.0 * g)
    jacobian = torch_jacobian(torch_field, X)
    second = [torch_hessian(lambda x, i=i: torch_field(x)[i], X) for i in range(3)]
    slope = torch_jacobian(torch_potential, X)
    roots = {
        "jacobian": (ad.jacobian(f, "x"), jacobian.ravel()),
        "wide": (ad.jacobian(f[:2], x), jacobian[:2].ravel()),
        "tall": (ad.jacobian(tall, "x"), np.vstack([jacobian, slope, 2 * slope]).ravel()),
        "gradient": (ad.gradient(g, "x"), slope),
        "divergence": (ad.divergence(f, "x"), [np.trace(jacobian)]),
        "curl": (
            ad.curl(f, "x"),
            [
                jacobian[2, 1] - jacobian[1, 2],
                jacobian[0, 2] - jacobian[2, 0],
                jacobian[1, 0] - jacobian[0, 1],
            ],
        ),
        "laplacian": (ad.laplacian(g, "x"), [np.trace(torch_hessian(torch_potential, X))]),
        "vector laplacian": (ad.laplacian(f, "x"), [np.trace(h) for h in second]),
        "hessian": (ad.hessian(g, "x"), torch_hessian(torch_potential, X).ravel()),
    }
    answers = compute(engine, [e for e, _ in roots.values()], {"x": X})
    for (name, (_, true)), got in zip(roots.items(), answers, strict=True):
        np.testing.assert_allclose(got, true, rtol=1e-11, atol=1e-14, err_msg=name)


def test_curl_of_a_gradient_and_divergence_of_a_curl_vanish():
    x = ad.var("x", 3)
    g, f = potential(x), field(x)
    np.testing.assert_allclose(ad.curl(ad.gradient(g, "x"), "x").eval(x=X), 0.0, atol=1e-14)
    np.testing.assert_allclose(ad.divergence(ad.curl(f, "x"), "x").eval(x=X), 0.0, atol=1e-14)
    laplacian = ad.divergence(ad.gradient(g, "x"), "x").eval(x=X)
    np.testing.assert_allclose(laplacian, ad.laplacian(g, "x").eval(x=X), rtol=1e-13)


def test_operators_can_be_differentiated_again():
    x = ad.var("x", 3)
    g = potential(x)
    third = g.gen_derivative(["x"] * 3, x=X)[0]
    np.testing.assert_allclose(ad.hessian(g, "x").derivative("x", x=X).reshape(3, 3, 3), third)


def test_operators_of_scalars_and_one_entry_vectors():
    t = ad.var("t", 1)
    assert ad.gradient(t**3, "t").eval(t=2.0) == 12.0
    assert ad.divergence(t**3, "t").eval(t=[2.0]) == 12.0
    assert ad.hessian(t**3, "t").eval(t=2.0) == 12.0
    assert ad.laplacian(t**3, t).eval(t=2.0) == 12.0


def test_what_does_not_depend_gives_zeros():
    x, y = ad.var("x", 3), ad.var("y", 2)
    e = adm.dot(y, y) + 0.0 * x[0]
    assert not ad.gradient(e, "x").eval(**_needed(ad.gradient(e, "x"))).any()
    jacobian = ad.jacobian(ad.stack(y, y[0]) + 0.0 * x, "x")
    np.testing.assert_array_equal(jacobian.eval(**_needed(jacobian)), np.zeros(9))


def _needed(e: ad.Expression) -> dict[str, np.ndarray]:
    sizes = {"x": 3, "y": 2}
    return {name: np.ones(sizes[name]) for name in e.terminals()}


def test_opaque_functions_have_operators_too():
    f = ad.function(
        lambda x: x[0] ** 2 * x[1],
        "f",
        [2],
        1,
        derivative=[lambda x: [[2 * x[0] * x[1], x[0] ** 2]]],
    )
    e = f(ad.var("x", 2))
    np.testing.assert_allclose(ad.gradient(e, "x").eval(x=[3.0, 2.0]), [12.0, 9.0])
    np.testing.assert_allclose(ad.hessian(e, "x").eval(x=[3.0, 2.0]), [4, 6, 6, 0], atol=1e-7)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda x: ad.gradient(field(x), "x"), "gradient: argument 'e' has size 3, expected 1"),
        (lambda x: ad.hessian(field(x), "x"), "hessian: argument 'e' has size 3, expected 1"),
        (lambda x: ad.divergence(potential(x), "x"), "divergence: argument 'e' has size 1"),
        (lambda x: ad.curl(potential(x), "x"), "curl: argument 'e' has size 1, expected 3"),
        (lambda x: ad.curl(ad.var("y", 2)[[0, 1, 1]], "y"), "curl: argument 'arg' has size 2"),
        (lambda x: ad.jacobian(field(x), "z"), "no variable 'z'; variables: x"),
        (lambda x: ad.jacobian(ad.var("u") * 2, "u"), "the size of 'u' is not known"),
        (lambda x: ad.jacobian(ad.var("u") * x[0], "x"), "the size of 'u' is not known"),
    ],
)
def test_what_does_not_fit_is_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build(ad.var("x", 3))


def test_divergence_and_laplacian_of_long_vectors_follow_the_structure():
    """5,000 entries: a product or two, where one for each entry would take minutes."""
    n = 5_000
    x = ad.var("x", n)
    at = np.linspace(0.0, 1.0, n)
    chain = adm.sin(x) * ad.stack(x[1:], 1.0)
    expected = np.cos(at) * np.append(at[1:], 1.0)
    assert ad.divergence(chain, "x").eval(x=at) == pytest.approx(expected.sum(), rel=1e-12)
    energy = ad.sum_(adm.exp(x)) + ad.sum_(x[1:] * x[:-1])
    assert ad.laplacian(energy, "x").eval(x=at) == pytest.approx(np.exp(at).sum(), rel=1e-12)
    y = ad.var("x", 40)
    coupled = ad.sum_(y) * y  # dense: a product for each column
    assert ad.divergence(coupled, "x").eval(x=at[:40]) == pytest.approx(41 * at[:40].sum())
