"""A branch that is not taken has no gradient, wherever torch takes it: eager, in half precision,
inside compiled transforms, through tracers, and in what it does not use.
"""

import pytest
import torch
from torch.func import grad, vmap
from torch.fx.experimental.proxy_tensor import make_fx

import ad_core as ad
from ad_core import math as adm
from bridges.pytorch import ad_to_torch

V, X = ad.var("v", 3), ad.var("v", 1)
NORM2 = adm.normSquared(V)
NORM = adm.sqrt(NORM2)
ROOT = adm.sqrt(V)

CUBE = ad.function(
    lambda x: x**3,
    name="cube",
    argspec=[3],
    outspec=3,
    derivative=lambda arg, x: [[3 * x[i] ** 2 * (i == j) for j in range(3)] for i in range(3)],
)

CASES = {
    "where of a root": (adm.where(NORM2, adm.sqrt(NORM2), 0.0), [0.0, 0.0, 0.0]),
    "cond of a norm": (ad.cond(NORM, NORM, 0.0), [0.0, 0.0, 0.0]),
    "unit vector": (ad.cond(NORM, V / NORM, 0.0), [0.0, 0.0, 0.0]),
    "sinc": (ad.cond(NORM, adm.sin(NORM) / NORM, 1.0), [0.0, 0.0, 0.0]),
    "sinc of a number": (adm.where(X, adm.sin(X) / X, 1.0), [0.0]),
    "root or square": (adm.where(ad.maximum(X, 0.0), adm.sqrt(X), X * X), [-3.0]),
    "log": (ad.cond(X, adm.log(X), X * 2.0), [0.0]),
    "power": (ad.cond(X, X**0.5 + X**-1.5, 3.0 * X), [0.0]),
    "arcs": (ad.cond(1.0 - X, adm.asin(X) + adm.acos(X) + adm.atanh(X), X), [1.0]),
    "acosh": (ad.cond(X - 1.0, adm.acosh(X), X), [1.0]),
    "overflow": (ad.cond(X - 1e3, 1.0, ad.cond(1e3 - X, X, adm.exp(X))), [800.0]),
    "overflow not taken": (ad.cond(X, X, adm.exp(-X * 1e3)), [2.0]),
    "angle": (ad.cond(X, adm.atan2(X, X), X), [0.0]),
    "by entry": (ad.cond(V, adm.sqrt(V), V), [0.0, 4.0, -1.0]),
    "entries of one root": (ad.stack(ROOT[0], ad.cond(V[1], ROOT[1], 0.0)), [4.0, 0.0, 1.0]),
    "larger of two": (ad.maximum(adm.sqrt(V), 1.0), [0.0, 4.0, 0.25]),
    "smaller of two": (ad.minimum(1.0 / V, 2.0), [0.0, 4.0, 0.25]),
    "nested": (
        ad.cond(X, ad.cond(X - 1.0, adm.sqrt(X - 1.0), adm.log(X)), ad.cond(-X, adm.sqrt(-X), X)),
        [0.0],
    ),
    "system": (
        ad.cond(V[0], adm.solve(ad.stack(V[0], 0.0, 0.0, V[0]), V[:2], (2, 2)), V[:2]),
        [0.0, 1.0, 2.0],
    ),
    "user's function behind": (ad.cond(NORM, CUBE(ROOT), V), [0.0, 0.0, 0.0]),
}
DEEP = X
for _ in range(40):
    DEEP = ad.cond(X, adm.sqrt(DEEP), DEEP * 1.5)
CASES["forty deep"] = (DEEP, [0.0])


BY_HAND = {
    "entries of one root": ([0.25, 0.0, 0.0], torch.diag(torch.tensor([-1 / 32, 0.0, 0.0]))),
    "system": ([1.0, 1.0, 0.0], torch.zeros(3, 3)),
    "user's function behind": ([1.0, 1.0, 1.0], torch.zeros(3, 3)),
}
"""Where the numpy engine gives no truth."""


def truth(name):
    e, at = CASES[name]
    if name in BY_HAND:
        first, second = BY_HAND[name]
        return torch.tensor(first, dtype=torch.float64), second.double()
    gradient = ad.gradient(ad.sum_(e), "v")
    return torch.tensor(gradient.eval(v=at)).reshape(-1), torch.tensor(
        gradient.derivative("v", v=at)
    )


def slope(f, x):
    return torch.autograd.grad(f(x).sum(), x, create_graph=True)[0]


@pytest.mark.parametrize("name", [n for n in CASES if n != "system"])  # singular systems raise
def test_layers_to_second_order(name):
    e, at = CASES[name]
    layer = ad_to_torch(e, engine="torch")
    x = torch.tensor(at, dtype=torch.float64, requires_grad=True)
    first, second = truth(name)
    torch.testing.assert_close(slope(layer, x), first)
    if name != "user's function behind":
        got = torch.autograd.functional.jacobian(lambda x: slope(layer, x), x)
        torch.testing.assert_close(got, second)


@pytest.mark.parametrize("name", [n for n in CASES if n not in ("forty deep", "system")])
def test_in_half_precision(name):
    e, at = CASES[name]
    x = torch.tensor(at, dtype=torch.bfloat16, requires_grad=True)
    got = slope(ad_to_torch(e), x)
    torch.testing.assert_close(got.double(), truth(name)[0], rtol=0.02, atol=0.0)


@pytest.mark.parametrize("name", CASES)
def test_torch_differentiates_what_is_traced(name):
    e, at = CASES[name]
    layer = ad_to_torch(e, engine="torch")
    x = torch.tensor(at, dtype=torch.float64)
    elsewhere = x + 1.5
    traced = make_fx(grad(lambda x: layer(x).sum()))(elsewhere)
    torch.testing.assert_close(traced(x), truth(name)[0])


@pytest.mark.parametrize("name", [n for n in CASES if "user" not in n])
def test_torch_differentiates_straight_code(name):
    """Under a dispatch mode torch sees the operators, and differentiates them twice by itself."""
    e, at = CASES[name]
    layer = ad_to_torch(e)
    x = torch.tensor(at, dtype=torch.float64, requires_grad=True)

    def f(x):
        return layer._run.straight((x,))[0]

    first, second = truth(name)
    torch.testing.assert_close(f(x), layer(x).detach(), check_dtype=True, rtol=1e-12, atol=0.0)
    torch.testing.assert_close(slope(f, x), first)
    torch.testing.assert_close(torch.autograd.functional.jacobian(lambda x: slope(f, x), x), second)


@pytest.mark.parametrize("name", ["cond of a norm", "sinc", "nested", "larger of two"])
def test_compiled_transforms(name):
    torch._dynamo.reset()
    e, at = CASES[name]
    layer = ad_to_torch(e)
    step = torch.compile(vmap(grad(lambda x: layer(x).sum())), backend="aot_eager", fullgraph=True)
    x = torch.tensor([at, at], dtype=torch.float64)
    torch.testing.assert_close(step(x)[1], truth(name)[0])


@pytest.mark.parametrize("engine", ["torch", "kernel"])
def test_an_output_that_nobody_uses_has_no_part_in_a_gradient(engine):
    layer = ad_to_torch((adm.sqrt(X), X * X), engine=engine)
    x = torch.zeros(2, 1, dtype=torch.float64, requires_grad=True)
    (got,) = torch.autograd.grad(layer(x)[1].sum(), x)
    assert got.tolist() == [[0.0], [0.0]]
