"""Weights of networks as an argument of their graphs: torch's numbers, and one build for all."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.autograd.functional import jacobian
from torch.func import functional_call
from torch.nn.utils import parametrizations

import ad_core as ad
from bridges.casadi import ad_to_casadi
from bridges.kernel import ad_to_kernel
from bridges.native import cache
from bridges.pytorch import ad_to_torch, flat_weights, torch_to_primitives

POINT = torch.tensor([0.31, -0.72, 1.13, 0.64, -1.45, 0.26], dtype=torch.float64)


class Of(nn.Module):
    """A function of one vector, with the layers that it uses."""

    def __init__(self, function: Callable[..., Tensor], *layers: nn.Module) -> None:
        super().__init__()
        self.function, self.layers = function, nn.ModuleList(layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x, *self.layers).reshape(-1)


class Tied(nn.Module):
    """A layer whose matrix is used twice, under two names, and once more turned."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(6, 6), nn.Linear(6, 6)
        self.second.weight = self.first.weight

    def forward(self, x: Tensor) -> Tensor:
        h = torch.tanh(self.first(x))
        return self.second(h)[:3] + (self.first.weight.T @ h)[:3]


class Buffered(nn.Module):
    """A parameter beside a buffer and a number of each kind of shape."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(0.7))
        self.table = nn.Parameter(torch.randn(4, 2))
        self.register_buffer("offset", torch.randn(2))
        self.register_buffer("index", torch.tensor([2, 0]))

    def forward(self, x: Tensor) -> Tensor:
        return (self.gain * self.table[self.index] @ x[:2] + self.offset) * x[2:4]


class Frozen(nn.Module):
    """A frozen layer between two that are trained."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(6, 4), nn.SiLU(), nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 2, bias=False)
        )
        self.layers[2].requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


def one_after_another(x: Tensor, layer: nn.Module) -> Tensor:
    return layer(x.reshape(3, 2))[0]


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "perceptron": lambda: nn.Sequential(nn.Linear(6, 5), nn.GELU(), nn.Linear(5, 3)),
    "norms": lambda: nn.Sequential(
        nn.Linear(6, 4), nn.LayerNorm(4), nn.PReLU(), nn.RMSNorm(4), nn.Linear(4, 2)
    ),
    "convolutions": lambda: nn.Sequential(
        nn.Unflatten(0, (1, 1, 2, 3)), nn.Conv2d(1, 2, 2, padding=1), nn.BatchNorm2d(2), nn.SiLU(),
        nn.Conv2d(2, 2, 2, groups=2), nn.GroupNorm(2, 2), nn.Flatten(0),
    ),
    "transposed": lambda: Of(
        lambda x, layer: layer(x.reshape(1, 2, 3)),
        nn.ConvTranspose1d(2, 4, 3, stride=2, padding=1, output_padding=1, dilation=2, groups=2),
    ),
    "transposed in a plane": lambda: Of(
        lambda x, layer: layer(x.reshape(1, 1, 2, 3)),
        nn.ConvTranspose2d(1, 2, (2, 3), stride=(2, 1), padding=(0, 1)),
    ),
    "GRUCell": lambda: Of(lambda x, layer: layer(x[:2], x[2:5]), nn.GRUCell(2, 3)),
    "LSTM": lambda: Of(one_after_another, nn.LSTM(2, 2, bidirectional=True)),
    "attention": lambda: Of(
        lambda x, layer: layer(*[x.reshape(3, 2)] * 3)[0], nn.MultiheadAttention(2, 2)
    ),
    "Bilinear": lambda: Of(lambda x, layer: layer(x[:2], x[2:]), nn.Bilinear(2, 4, 3)),
    "Embedding": lambda: Of(
        lambda x, layer: layer(torch.tensor([1, 0, 1])) @ x[:2], nn.Embedding(3, 2)
    ),
    "weight norm": lambda: parametrizations.weight_norm(nn.Linear(6, 3)),
    "tied": Tied,
    "buffers": Buffered,
    "frozen": Frozen,
}  # fmt: skip


def network(name: str) -> nn.Module:
    """In eval mode, of doubles, with numbers that are not the initial ones."""
    torch.manual_seed(3)
    module = NETWORKS[name]().double().eval()
    for tensor in [*module.parameters(), *module.buffers()]:
        if tensor.is_floating_point():
            tensor.data = 0.2 + 0.8 * torch.rand_like(tensor)
    return module


def with_weights(module: nn.Module, w: Tensor, x: Tensor) -> Tensor:
    """The module's result with other weights, by torch's own call."""
    given, start = {}, 0
    for name, p in module.named_parameters():
        if p.requires_grad:
            given[name] = w[start : start + p.numel()].reshape(p.shape)
            start += p.numel()
    assert start == w.numel()
    return functional_call(module, given, (x,)).reshape(-1)


@pytest.mark.parametrize("name", NETWORKS)
def test_values_and_derivatives_by_weights_are_torchs(name: str):
    module = network(name)
    e = torch_to_primitives(module, [ad.var("x", 6)], weights="w")
    w = flat_weights(module).detach()
    np.testing.assert_array_equal(
        w, torch.cat([p.detach().reshape(-1) for p in module.parameters() if p.requires_grad])
    )
    generator = torch.Generator().manual_seed(1)
    other = w + 0.3 * torch.randn(w.shape, generator=generator, dtype=w.dtype)
    for weights in (w, other):
        at = {"x": POINT.numpy(), "w": weights.numpy()}
        true = with_weights(module, weights, POINT)
        np.testing.assert_allclose(e.eval(**at), true.detach(), rtol=1e-10, atol=1e-12)
        by_x, by_w = jacobian(lambda x, w: with_weights(module, w, x), (POINT, weights))
        np.testing.assert_allclose(e.derivative("x", **at), by_x, rtol=1e-9, atol=1e-11)
        np.testing.assert_allclose(e.derivative("w", **at), by_w, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(
        e.eval(x=POINT.numpy(), w=w.numpy()), module(POINT).detach().reshape(-1)
    )


@pytest.mark.parametrize("name", ["norms", "convolutions", "GRUCell"])
def test_gradients_of_gradients_by_weights_are_torchs(name: str):
    """What a loss on derivatives trains with: `d/dw |dy/dx|^2`."""
    module = network(name)
    x, w = ad.var("x", 6), flat_weights(module).detach()
    e = torch_to_primitives(module, [x], weights="w")
    slopes = ad.gradient(ad.sum_(e), "x")
    got = ad.gradient(ad.sum_(slopes * slopes), "w").eval(x=POINT.numpy(), w=w.numpy())

    def loss(w: Tensor) -> Tensor:
        point = POINT.clone().requires_grad_()
        (slope,) = torch.autograd.grad(
            with_weights(module, w, point).sum(), point, create_graph=True
        )
        return (slope * slope).sum()

    (true,) = torch.autograd.grad(loss(w.requires_grad_()), w)
    np.testing.assert_allclose(got, true, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("engine", ["kernel", "torch"])
def test_a_layer_trains_the_module(engine: str):
    """Gradients go through `flat_weights` to the parameters, as torch's own do."""
    module = network("frozen")
    e = torch_to_primitives(module, [ad.var("x", 6)], weights="w")
    layer = ad_to_torch(e, ["x", "w"], engine=engine)
    batch = torch.stack([POINT, -POINT, 2 * POINT])
    layer(batch, flat_weights(module)).square().sum().backward()
    got = [p.grad for p in module.parameters()]
    module.zero_grad()
    module(batch).square().sum().backward()
    for p, ours in zip(module.parameters(), got, strict=True):
        assert (ours is None) == (p.grad is None) == (not p.requires_grad)
        if ours is not None:
            torch.testing.assert_close(ours, p.grad, rtol=1e-10, atol=1e-12)


def test_training_builds_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("ROBOGRAD_CACHE", str(tmp_path))
    module = network("perceptron")
    x = ad.var("x", 6)
    kernel = ad_to_kernel(torch_to_primitives(module, [x], weights="w"), ["x", "w"])
    before, counts = kernel(POINT.numpy(), flat_weights(module).detach().numpy()), []
    counts.append(cache.info().n_libraries)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        module(POINT).square().sum().backward()
        optimizer.step()
        w = flat_weights(module).detach().numpy()
        true = module(POINT).detach()
        np.testing.assert_allclose(kernel(POINT.numpy(), w), true, rtol=1e-12)
        again = ad_to_kernel(torch_to_primitives(module, [x], weights="w"), ["x", "w"])
        np.testing.assert_allclose(again(POINT.numpy(), w), true, rtol=1e-12)
        counts.append(cache.info().n_libraries)
    assert counts == [1, 1, 1]
    assert not np.allclose(before, true)
    constants = ad_to_kernel(torch_to_primitives(module, [x]))  # the weights are in its code
    np.testing.assert_allclose(constants(POINT.numpy()), true, rtol=1e-12)
    assert cache.info().n_libraries == 2


@pytest.mark.parametrize("name", ["norms", "GRUCell"])
def test_on_casadi(name: str):
    module = network(name)
    e = torch_to_primitives(module, [ad.var("x", 6)], weights="w")
    w = flat_weights(module).detach().numpy()
    for symbolic in ("SX", "MX"):
        f = ad_to_casadi(e, ["x", "w"], symbolic=symbolic)
        true = module(POINT).detach()
        np.testing.assert_allclose(f(POINT.numpy(), w).full()[:, 0], true, rtol=1e-10)


def test_weights_may_be_an_expression():
    """Two sets of weights and a number between them: a network between two networks."""
    module = network("perceptron")
    n = flat_weights(module).numel()
    a, b, s = ad.var("a", n), ad.var("b", n), ad.var("s", 1)
    between = (1.0 - s) * a + s * b
    e = torch_to_primitives(module, [ad.var("x", 6)], weights=between)
    one = flat_weights(module).detach()
    two = torch.flip(one, [0])
    got = e.eval(x=POINT.numpy(), a=one.numpy(), b=two.numpy(), s=[0.25])
    true = with_weights(module, 0.75 * one + 0.25 * two, POINT)
    np.testing.assert_allclose(got, true.detach(), rtol=1e-12)


def test_frozen_parameters_and_buffers_are_constants():
    module = network("frozen")
    e = torch_to_primitives(module, [ad.var("x", 6)], weights="w")
    w = flat_weights(module).detach().numpy()
    assert w.size == 6 * 4 + 4 + 4 * 2
    before = module(POINT).detach()
    module.layers[2].weight.data += 1.0
    np.testing.assert_allclose(e.eval(x=POINT.numpy(), w=w), before, rtol=1e-12)
    tied = network("tied")
    assert flat_weights(tied).numel() == 36 + 6 + 6


def test_single_precision():
    module = network("perceptron").float()
    e = torch_to_primitives(module, [ad.var("x", 6)], weights="w")
    w = flat_weights(module).detach()
    assert w.dtype == torch.float32
    got = e.eval(x=POINT.numpy(), w=w.numpy())
    np.testing.assert_allclose(got, module.double()(POINT).detach(), rtol=1e-12)


def test_what_is_refused():
    module, x = network("perceptron"), ad.var("x", 6)
    with pytest.raises(ValueError, match="weights have size 3, expected 53 numbers"):
        torch_to_primitives(module, [x], weights=ad.var("w", 3))
    with pytest.raises(ValueError, match="weights have no size that is known, expected 53 numbers"):
        torch_to_primitives(module, [x], weights=2.0 * ad.var("w"))
    with pytest.raises(ValueError, match="flat_weights: no parameter of Tanh requires gradients"):
        flat_weights(nn.Tanh())
    module.requires_grad_(requires_grad=False)
    message = "torch_to_primitives: no parameter of Sequential requires gradients"
    with pytest.raises(ValueError, match=message):
        torch_to_primitives(module, [x], weights="w")
    with pytest.raises(TypeError, match="flat_weights: argument 'module' is a list"):
        flat_weights([1.0])
