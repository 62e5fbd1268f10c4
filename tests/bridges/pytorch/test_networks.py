"""`torch_to_primitives` on layers and whole modules: torch's numbers, or an error."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.autograd.functional import hessian, jacobian
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

import ad_core as ad
from bridges.casadi import ad_to_casadi
from bridges.pytorch import ad_to_torch, torch_to_primitives

POINT = torch.tensor([0.31, -0.72, 1.13, 0.64, -1.45, 0.26], dtype=torch.float64)


class Of(nn.Module):
    """A function of one vector, with the layers that it uses."""

    def __init__(self, function: Callable[..., Tensor], *layers: nn.Module) -> None:
        super().__init__()
        self.function, self.layers = function, nn.ModuleList(layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x, *self.layers).reshape(-1)


def shaped(layer: nn.Module, *shape: int) -> Of:
    """A layer on the vector in another shape."""
    return Of(lambda x, layer: layer(x.reshape(shape)), layer)


def trained(module: nn.Module) -> nn.Module:
    """In eval mode, of doubles, with parameters and buffers that are not the initial ones."""
    torch.manual_seed(5)
    module = module.double().eval()
    for tensor in [*module.parameters(), *module.buffers()]:
        if tensor.is_floating_point():
            tensor.data = 0.2 + 0.8 * torch.rand_like(tensor)
    return module


def check(module: nn.Module, points: Sequence[Tensor], names: Sequence[str] = ()) -> ad.Expression:
    """Value, first and second derivative are torch's; `names` say which part fails."""
    e = torch_to_primitives(module, [ad.var("x", len(points[0]))])
    weights = torch.linspace(0.5, 1.5, e.size or 0, dtype=torch.float64)
    potential = ad.sum_(e * weights.numpy())
    slope, curvature = ad.gradient(potential, "x"), ad.hessian(potential, "x")
    parts = e.derivative
    for point in points:
        x = point.numpy()
        close(e.eval(x=x), module(point).detach(), f"value at {x}", names)
        close(parts("x", x=x), jacobian(module, point), f"slopes at {x}", names)
        with sdpa_kernel(SDPBackend.MATH):  # the others have no second derivative
            first = jacobian(lambda x: module(x) @ weights, point)
            second = hessian(lambda x: module(x) @ weights, point)
        close(slope.eval(x=x), first, f"gradient at {x}")
        got = np.reshape(curvature.eval(x=x), second.shape)
        assert np.isfinite(got).all(), x
        if second.isfinite().all():  # far out, torch's own is nan
            close(got, second, f"curvature at {x}")
    return e


def close(got: object, true: Tensor, text: str, names: Sequence[str] = ()):
    got, want = np.asarray(got), true.numpy()
    wrong = ~np.isclose(got, want, rtol=1e-9, atol=1e-10)
    if wrong.any():
        rows = np.unique(np.nonzero(wrong)[0])
        parts = {names[r * len(names) // len(want)] for r in rows} if names else rows
        raise AssertionError(f"{text}: {parts}\n{got[wrong]}\n{want[wrong]}")


ACTIVATIONS: dict[str, nn.Module] = {
    type(layer).__name__: layer
    for layer in (
        *(nn.ReLU(), nn.ReLU6(), nn.LeakyReLU(), nn.ELU(0.7), nn.SELU(), nn.CELU(2.0), nn.GELU()),
        *(nn.Mish(), nn.SiLU(), nn.Sigmoid(), nn.LogSigmoid(), nn.Tanh(), nn.Softplus(2.0, 1.5)),
        *(nn.Hardswish(), nn.Hardtanh(), nn.Threshold(0.5, 20.0), nn.PReLU()),
        *(nn.Softshrink(), nn.Hardshrink(), nn.Tanhshrink(), nn.Softsign(), nn.RReLU()),
        *(nn.Softmin(0), nn.Softmax(0), nn.LogSoftmax(0), nn.Identity(), nn.Dropout(0.5)),
    )
}
ACTIVATIONS |= {"GELU(tanh)": nn.GELU(approximate="tanh"), "ReLU(inplace)": nn.ReLU(inplace=True)}


def test_activations_also_at_their_kinks_and_far_out():
    def all_of(x: Tensor, *layers: nn.Module) -> Tensor:
        return torch.cat([layer(x * 1) for layer in layers])

    names = list(ACTIVATIONS)
    module = Of(all_of, *ACTIVATIONS.values()).double().eval()
    kinks = ([0.0, 0.5, -0.5, 1.0, -1.0, 3.0], [-3.0, 6.0, 0.0, 0.25, 0.0, -6.0])
    far = [-900.0, 800.0, 40.0, -40.0, 20.0, -20.0]
    e = check(module, [POINT, *(torch.tensor(k).double() for k in (*kinks, far))], names)
    layer = ad_to_torch(e, engine="kernel")
    close(layer(POINT).numpy(), module(POINT).detach(), "kernel", names)


def test_hardsigmoid():
    """torch has its slope 1/6 in single precision, and no second derivative."""
    e = torch_to_primitives(nn.Hardsigmoid(), [ad.var("x", 6)])
    for x in (POINT, torch.tensor([0.0, 3.0, -3.0, 2.9, -3.1, 9.0]).double()):
        close(e.eval(x=x.numpy()), functional.hardsigmoid(x), "value")
        slopes = jacobian(functional.hardsigmoid, x).numpy()
        np.testing.assert_allclose(e.derivative("x", x=x.numpy()), slopes, rtol=1e-7)


class Residual(nn.Module):
    """A network whose input goes past its layers, too."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm, self.second = nn.Linear(6, 4), nn.LayerNorm(4), nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        h = torch.relu(self.first(x))
        h = h + functional.gelu(self.second(self.norm(h)), approximate="tanh")
        return torch.cat([h, h[:2] * x[-1] - 1.0]).softmax(-1)


LAYERS: dict[str, nn.Module] = {
    "Linear": nn.Linear(6, 4),
    "residual": Residual(),
    "convolutional": nn.Sequential(
        *(nn.Linear(6, 16), nn.Unflatten(0, (1, 1, 4, 4)), nn.Conv2d(1, 2, 3, padding=1)),
        *(nn.BatchNorm2d(2), nn.SiLU(), nn.AvgPool2d(2), nn.Conv2d(2, 3, 2), nn.Flatten(0)),
    ),
    "hypot": Of(lambda x: torch.hypot(x[:3], x[3:])),
    "Bilinear": Of(lambda x, layer: layer(x[:2], x[2:]), nn.Bilinear(2, 4, 3)),
    "GLU": nn.GLU(0),
    "RMSNorm": nn.RMSNorm(6),
    "LayerNorm": shaped(nn.LayerNorm(3), 2, 3),
    "GroupNorm": shaped(nn.GroupNorm(2, 2), 1, 2, 3),
    "InstanceNorm1d": shaped(nn.InstanceNorm1d(2, affine=True), 1, 2, 3),
    "InstanceNorm2d": shaped(nn.InstanceNorm2d(1, track_running_stats=True), 1, 1, 2, 3),
    "BatchNorm1d": shaped(nn.BatchNorm1d(3), 2, 3),
    "BatchNorm2d": shaped(nn.BatchNorm2d(1), 1, 1, 2, 3),
    "Conv1d": shaped(nn.Conv1d(2, 3, 2, padding=1), 2, 3),
    "Conv1d grouped": shaped(nn.Conv1d(2, 4, 2, groups=2, dilation=2), 1, 2, 3),
    "Conv2d": shaped(nn.Conv2d(1, 2, (1, 3), padding="same"), 1, 1, 2, 3),
    "ConvTranspose1d": shaped(nn.ConvTranspose1d(2, 3, 2, stride=2), 1, 2, 3),
    "AvgPool1d": shaped(nn.AvgPool1d(2), 1, 6),
    "AvgPool2d": shaped(nn.AvgPool2d(2, 1), 1, 2, 3),
    "MaxPool1d": shaped(nn.MaxPool1d(2, ceil_mode=True), 2, 3),
    "MaxPool2d": shaped(nn.MaxPool2d(2, 1, padding=1), 1, 2, 3),
    "AdaptiveAvgPool1d": shaped(nn.AdaptiveAvgPool1d(4), 1, 6),
    "AdaptiveAvgPool2d": shaped(nn.AdaptiveAvgPool2d((1, 2)), 1, 2, 3),
    "AdaptiveMaxPool1d": shaped(nn.AdaptiveMaxPool1d(4), 1, 6),
    "AdaptiveMaxPool2d": shaped(nn.AdaptiveMaxPool2d((1, 2)), 1, 2, 3),
    "LPPool1d": shaped(nn.LPPool1d(2, 2), 1, 6),
    "Upsample": shaped(nn.Upsample(scale_factor=2, mode="bilinear"), 1, 1, 2, 3),
    "PixelShuffle": Of(lambda x, layer: layer(x[:4].reshape(1, 4, 1, 1)), nn.PixelShuffle(2)),
    "CosineSimilarity": Of(lambda x, layer: layer(x[:3], x[3:]), nn.CosineSimilarity(0)),
    "RNNCell": Of(lambda x, layer: layer(x[:2], x[2:5]), nn.RNNCell(2, 3)),
    "LSTMCell": Of(lambda x, layer: torch.cat(layer(x[:2], (x[2:4], x[4:]))), nn.LSTMCell(2, 2)),
    "GRUCell": Of(lambda x, layer: layer(x[:2], x[2:5]), nn.GRUCell(2, 3)),
    "RNN": Of(lambda x, layer: layer(x.reshape(3, 2))[0], nn.RNN(2, 2, nonlinearity="relu")),
    "LSTM": Of(lambda x, layer: layer(x.reshape(3, 2))[0], nn.LSTM(2, 3, bidirectional=True)),
    "GRU": Of(
        lambda x, layer: layer(x.reshape(1, 3, 2))[0], nn.GRU(2, 2, num_layers=2, batch_first=True)
    ),
    "MultiheadAttention": Of(
        lambda x, layer: layer(*[x.reshape(3, 2)] * 3)[0], nn.MultiheadAttention(2, 2)
    ),
    "TransformerEncoderLayer": shaped(nn.TransformerEncoderLayer(2, 1, 3), 3, 2),
    "scaled_dot_product_attention": Of(
        lambda x: functional.scaled_dot_product_attention(*[x.reshape(1, 3, 2)] * 3, is_causal=True)
    ),
}


# Of these there are quick rows in the plane, which torch makes of those on the line.
ON_A_LINE = ("InstanceNorm1d", "BatchNorm1d", "AvgPool1d", "AdaptiveAvgPool1d", "AdaptiveMaxPool1d")


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=pytest.mark.slow if n in ON_A_LINE else ()) for n in LAYERS],
)
def test_a_layer_is_torchs(name: str):
    check(trained(LAYERS[name]), [POINT, -POINT])


@pytest.mark.parametrize("name", ["residual", "convolutional", "LSTM", "MultiheadAttention"])
def test_a_network_runs_on_casadi_and_in_a_batch_on_the_kernel(name: str):
    module = trained(LAYERS[name])
    e = torch_to_primitives(module, [ad.var("x", 6)])
    close(ad_to_casadi(e, symbolic="SX")(POINT.numpy()).full()[:, 0], module(POINT).detach(), "SX")
    batch = torch.stack([POINT, -POINT])
    true = torch.stack([module(x) for x in batch]).detach()
    close(ad_to_torch(e, engine="kernel")(batch).detach().numpy(), true, "kernel")


def in_place(x: Tensor) -> Tensor:
    y = 2 * x
    y[:3].add_(1)
    y[1::2] *= x[:3]
    return y


def filled_in_place(x: Tensor) -> Tensor:
    y = torch.zeros(2, 3, dtype=x.dtype)
    y[0] = x[:3]
    y[:, 1] = x[4] * x[5]
    return y.T


def without_gradient(x: Tensor) -> Tensor:
    with torch.no_grad():
        scale = x * x
        scale.add_(1)
    return scale * x


def enabled_within(x: Tensor) -> Tensor:
    with torch.no_grad():
        square = x * x
        with torch.enable_grad():
            return square * x


def products(x: Tensor) -> Tensor:
    m = x[:3].reshape(1, 3) * x[3:].reshape(3, 1)
    n = torch.stack([m.sum(0), x[:3] / (1 + x[3:] ** 2), x[:3].clamp(-0.5, 0.5)], 1)
    return (m @ n).transpose(0, 1).flatten() @ torch.eye(9, dtype=x.dtype) + 2 * n.flatten()


PLAIN: dict[str, Callable[[Tensor], Tensor]] = {
    "products": products,
    "in place on a view": in_place,
    "rows written": filled_in_place,
    "detach": lambda x: x.detach() * x,
    "detach of a part": lambda x: (x * x)[:3].detach().exp() * x[3:],
    "no_grad": without_gradient,
    "enable_grad within": enabled_within,
    "straight-through": lambda x: x + (x.round() - x).detach(),
    "in place before detach": lambda x: (x * 2).add_(x).detach() * x,
    "norm": torch.linalg.vector_norm,
    "cross": lambda x: torch.linalg.cross(x[:3], x[3:]),
    "normalize": lambda x: functional.normalize(x, dim=0),
    "triu": lambda x: x[:4].reshape(2, 2).tril() @ x[2:].reshape(2, 2).triu(),
    "masked_fill": lambda x: x.masked_fill(torch.tensor([True, False] * 3), 2.5),
    "einsum": lambda x: torch.einsum("ij,kj,i->ik", x.reshape(2, 3), x.reshape(2, 3), x[:2]),
    "cumprod": lambda x: x.cumsum(0) * x.flip(0).roll(2),
    "unfold": lambda x: x.unfold(0, 3, 1) @ x[:3],
    "median": lambda x: x.sort()[0][2:4].mean() * x,
    "huber": lambda x: functional.huber_loss(x, torch.ones_like(x)),
    "logsumexp": lambda x: torch.logsumexp(x, 0),
    "where": lambda x: torch.where(x > 0, x.exp(), x),
    "std": lambda x: x.std() * x.var(),
    "embedding": lambda x: functional.embedding(torch.tensor([1, 0, 1]), x.reshape(2, 3)),
}


@pytest.mark.parametrize("name", PLAIN)
def test_a_function_is_torchs(name: str):
    check(Of(PLAIN[name]), [POINT])


def test_detach_has_no_derivative_on_any_engine_to_any_order():
    x = ad.var("x", 3)
    e = torch_to_primitives(Of(lambda x: x.detach() * x * x), [x])
    point = POINT[:3].numpy()
    np.testing.assert_allclose(e.derivative("x", x=point), np.diag(2 * point * point))
    third = e.gen_derivative(["x", "x", "x"], x=point)
    np.testing.assert_allclose(third, np.zeros((3, 3, 3, 3)))
    for symbolic in ("SX", "MX"):
        f = ad_to_casadi(e, symbolic=symbolic)
        jacobian_of = f.jacobian()
        got = jacobian_of(point, f(point)).full()
        np.testing.assert_allclose(got, np.diag(2 * point * point))
    for engine in ("torch", "kernel"):
        got = jacobian(ad_to_torch(e, engine=engine), POINT[:3])
        np.testing.assert_allclose(got, np.diag(2 * point * point))


def test_integer_buffers_stay_integers():
    module = Of(lambda x, holder: x[holder.idx] * holder.mask, nn.Module())
    module.layers[0].register_buffer("idx", torch.tensor([2, 0]))
    module.layers[0].register_buffer("mask", torch.tensor([True, False]))
    check(module, [POINT])


def test_single_precision_modules_are_computed_in_double():
    module = nn.Sequential(nn.Linear(6, 3), nn.LayerNorm(3), nn.GELU())
    e = torch_to_primitives(module, [ad.var("x", 6)])
    close(e.eval(x=POINT.numpy()), module.double()(POINT).detach(), "value")


class Rounded(torch.autograd.Function):
    """A rounding that hands its gradient through."""

    @staticmethod
    def forward(ctx, x):
        return x.round()

    @staticmethod
    def backward(ctx, grad):
        return grad


class Counting(nn.Module):
    """A module that changes its buffer."""

    def __init__(self):
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x):
        self.calls.add_(1)
        return x * self.calls


def written_after_detach(x: Tensor) -> Tensor:
    y = 2 * x
    kept = y.detach()
    y.add_(1)
    return kept * x


MISTAKES: dict[str, tuple[object, object, type[Exception], str]] = {
    "class": (nn.ReLU, ["x"], TypeError, "an instance of nn.Module, got the class ReLU"),
    "function": (torch.sin, ["x"], TypeError, "nn.Module, got .*; torch_to_ad takes functions"),
    "number": (3, ["x"], TypeError, "expected an instance of nn.Module, got 3"),
    "one expression": (nn.ReLU(), ad.var("x", 6), TypeError, "a list of expressions.*write .x."),
    "array": (nn.ReLU(), np.zeros(3), TypeError, "a list of expressions.*got ndarray"),
    "no size": (nn.ReLU(), [ad.var("y")], ValueError, "argument 0"),
    "batch axis": (nn.BatchNorm1d(6).eval(), ["x"], ValueError, "BatchNorm1d does not take inputs"),
    "sizes": (
        nn.Linear(5, 2),
        ["x"],
        ValueError,
        r"Linear does not take inputs of the shapes \(6,\)",
    ),
    "count": (nn.Bilinear(6, 6, 2), ["x"], ValueError, "missing 1 required positional argument"),
    "matrix": (nn.Unflatten(0, (2, 3)), ["x"], ValueError, r"the result has shape \(2, 3\)"),
    "two results": (nn.LSTMCell(6, 2), ["x"], ValueError, "gives a tuple, expected one tensor"),
    "dropout": (nn.Dropout(0.5), ["x"], NotImplementedError, "dropout depends on chance"),
    "noise": (Of(lambda x: x + torch.randn(6)), ["x"], NotImplementedError, "depends on chance"),
    "train mode": (
        shaped(nn.BatchNorm1d(3), 2, 3),
        ["x"],
        NotImplementedError,
        "batch normalisation is in train",
    ),
    "buffers": (Counting(), ["x"], NotImplementedError, "Counting changes its buffers"),
    "own slope": (Of(Rounded.apply), ["x"], NotImplementedError, "Rounded has its own derivative"),
    "branch": (
        Of(lambda x: x if x.sum() > 0 else -x),
        ["x"],
        NotImplementedError,
        "torch.export cannot record",
    ),
    "complex": (Of(lambda x: torch.fft.fft(x).abs()), ["x"], NotImplementedError, "aten._fft_r2c"),
    "counts": (Of(lambda x: x.nonzero().sum() * x), ["x"], NotImplementedError, "torch_to_ad"),
    "written": (
        Of(written_after_detach),
        ["x"],
        NotImplementedError,
        "in place on what is detached",
    ),
    "checks of matrices": (
        Of(lambda x: torch.linalg.solve(torch.outer(x, x) + torch.eye(6), x)),
        ["x"],
        NotImplementedError,
        "aten._linalg_solve_ex.*no rule",
    ),
    "unknown": (Of(torch.special.i0), ["x"], NotImplementedError, "aten.*i0.*no rule"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_what_cannot_be_taken_is_named(name: str):
    module, args, kind, text = MISTAKES[name]
    x = ad.var("x", 6)
    given = [x if a == "x" else a for a in args] if isinstance(args, list) else args
    with pytest.raises(kind, match=text):
        torch_to_primitives(module, given)


def test_the_module_is_as_it_was():
    module = Counting()
    with pytest.raises(NotImplementedError):
        torch_to_primitives(module, [ad.var("x", 6)])
    assert module.calls == 0
    assert not list(module.parameters())
