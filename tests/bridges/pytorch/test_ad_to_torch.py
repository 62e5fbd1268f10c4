"""The torch bridge: values, derivatives and transforms on both engines, inputs, customs, errors."""

import copy
import pickle

import numpy as np
import pytest
import torch
from torch.func import grad, hessian, jacfwd, jacrev, jvp, vmap

import ad_core as ad
from ad_core import math as adm
from bridges.pytorch import ad_to_torch

ENGINES = ["kernel", "torch"]


def mixed():
    x, y = ad.var("x", 3), ad.var("y", 1)
    return ad.stack(
        adm.dot(x, adm.sin(x)) * y,
        adm.cross(x, [0.0, 1.0, 2.0]),
        adm.matmul(x, x, (3, 1), (1, 3)),
        ad.cond(x, adm.exp(x), x),
        adm.atan2(x, 1.0 + y * y),
        x[[2, 0]],
    )


@pytest.fixture(scope="module")
def layers():
    return {engine: ad_to_torch(mixed(), engine=engine) for engine in [*ENGINES, "auto"]}


@pytest.fixture
def inputs():
    generator = torch.Generator().manual_seed(3)
    return tuple(
        torch.randn(4, n, dtype=torch.float64, generator=generator).requires_grad_() for n in (3, 1)
    )


@pytest.mark.parametrize("engine", [*ENGINES, "auto"])
def test_value_equals_the_numpy_engine(layers, inputs, engine):
    x, y = (t.detach() for t in inputs)
    expected = mixed().eval_batch(x=x.numpy(), y=y.numpy())
    np.testing.assert_allclose(layers[engine](x, y), expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize("engine", ENGINES)
def test_gradcheck_reverse_forward_and_twice(layers, inputs, engine):
    assert torch.autograd.gradcheck(layers[engine], inputs, check_forward_ad=True)
    assert torch.autograd.gradgradcheck(layers[engine], inputs)


@pytest.mark.parametrize("engine", ENGINES)
def test_gradients_equal_the_numpy_engine(layers, inputs, engine):
    x, y = inputs
    weight = torch.arange(1.0, 22.0, dtype=torch.float64)
    got = torch.autograd.grad((layers[engine](x, y) * weight).sum(), inputs)
    for row in range(4):
        values = {"x": x[row].detach().numpy(), "y": y[row].detach().numpy()}
        expected = mixed().vjp(weight.numpy(), **values)
        for gradient, name in zip(got, "xy", strict=True):
            np.testing.assert_allclose(gradient[row], expected[name], rtol=1e-12, atol=1e-12)


TRANSFORMS = {
    "vmap(jacrev)": lambda f, x, y: vmap(jacrev(f))(x, y),
    "hessian": lambda f, x, y: hessian(f)(x[0], y[0]),
    "jacfwd(jacrev)": lambda f, x, y: jacfwd(jacrev(f))(x[0], y[0]),
    "vmap(vmap)": lambda f, x, y: vmap(vmap(f))(x.expand(2, 4, 3), y.expand(2, 4, 1)),
    "vmap with one input held": lambda f, x, y: vmap(f, in_dims=(0, None))(x, y[0]),
    "vmap over the last axis": lambda f, x, y: vmap(f, in_dims=(1, None))(x.mT, y[0]),
    "jvp(grad)": lambda f, x, y: jvp(grad(lambda z: f(z, y[0]).sum()), (x[0],), (x[1],))[1],
    "vmap(grad), per sample": lambda f, x, y: vmap(grad(lambda u, v: f(u, v).sum(), (0, 1)))(x, y)[
        1
    ],
}


@pytest.mark.parametrize("name", TRANSFORMS)
def test_transforms_agree_across_engines(layers, inputs, name):
    x, y = (t.detach() for t in inputs)
    kernel, torch_code = (TRANSFORMS[name](layers[engine], x, y) for engine in ENGINES)
    torch.testing.assert_close(kernel, torch_code, rtol=1e-10, atol=1e-10)


def test_only_the_gradients_that_are_asked_for_are_made(layers, inputs):
    x, y = inputs[0], inputs[1].detach()
    layers["kernel"](x, y).sum().backward()
    assert x.grad is not None
    assert y.grad is None


@pytest.mark.parametrize("engine", ENGINES)
def test_batch_axes_broadcast_and_their_gradients_sum(layers, engine):
    x = torch.randn(2, 1, 3, dtype=torch.float64, requires_grad=True)
    y = torch.randn(5, 1, dtype=torch.float64, requires_grad=True)
    out = layers[engine](x, y)
    assert out.shape == (2, 5, 21)
    assert torch.autograd.gradcheck(layers[engine], (x, y))


@pytest.mark.parametrize("engine", ENGINES)
def test_empty_batches_and_transposed_inputs(layers, engine):
    layer = layers[engine]
    empty = layer(torch.zeros(0, 3, dtype=torch.float64), torch.zeros(0, 1, dtype=torch.float64))
    assert empty.shape == (0, 21)
    x = torch.randn(3, 6, dtype=torch.float64).mT
    y = torch.randn(6, 1, dtype=torch.float64)
    torch.testing.assert_close(layer(x, y), layer(x.contiguous(), y))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_dtype_follows_the_inputs(layers, dtype):
    x, y = torch.ones(2, 3, dtype=dtype), torch.ones(2, 1, dtype=dtype)
    out = layers["auto"](x, y)
    assert out.dtype == dtype
    exact = layers["torch"](x.double(), y.double())
    torch.testing.assert_close(out.double(), exact, rtol=4 * torch.finfo(dtype).eps, atol=0)


def test_moving_to_another_dtype_keeps_the_constants_exact():
    x = ad.var("x", 3)
    layer = ad_to_torch(x * [0.1, 0.2, 0.3], engine="torch").half().double()
    ones = torch.ones(3, dtype=torch.float64)
    assert layer(ones).tolist() == [0.1, 0.2, 0.3]


def test_mixed_dtypes_are_promoted_and_integers_become_floats(layers):
    x, y = torch.ones(2, 3, dtype=torch.float64), torch.ones(2, 1, dtype=torch.float32)
    assert layers["auto"](x, y).dtype == torch.float64
    assert layers["auto"](x.long(), y.long()).dtype == torch.get_default_dtype()


def test_inputs_by_name_or_by_position(layers, inputs):
    x, y = inputs
    layer = layers["auto"]
    assert torch.equal(layer(x, y), layer(y=y, x=x))
    assert torch.equal(layer(x, y), layer(x, y=y))


def test_the_last_axis_is_always_the_vectors():
    layer = ad_to_torch(ad.var("a", 1) * ad.var("b", 1))
    a = torch.arange(5.0)
    assert layer(a[:, None], a[:, None]).shape == (5, 1)
    assert layer(torch.tensor(3.0), torch.tensor(2.0)).tolist() == [6.0]
    with pytest.raises(ValueError, match=r"'a' has size 5, expected 1; .* shape \(5, 1\)"):
        layer(a, a)


@pytest.mark.parametrize("shape", [(), (1,), (5, 1), (0, 1), (2, 5, 1)])
@pytest.mark.parametrize("engine", ENGINES)
def test_the_rank_of_a_result_does_not_depend_on_the_batch(shape, engine):
    s = ad.var("s", 1)
    assert ad_to_torch(ad.stack(s, 2 * s), engine=engine)(torch.ones(shape)).shape == (
        *shape[:-1],
        2,
    )
    assert ad_to_torch(3 * s, engine=engine)(torch.ones(shape)).shape == (*shape[:-1], 1)


def test_a_tuple_of_expressions_gives_a_tuple():
    x = ad.var("x", 2)
    first, second = ad_to_torch((x * 2.0, ad.sum_(x)))(torch.tensor([[1.0, 2.0]]))
    assert first.tolist() == [[2.0, 4.0]]
    assert second.tolist() == [[3.0]]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_constant_output_is_spread_over_the_batch(engine):
    layer = ad_to_torch((ad.var("x", 2) * 0.0, ad.constant([1.0, 2.0])), ["x"], engine=engine)
    zeros, constant = layer(torch.ones(3, 2))
    assert zeros.shape == constant.shape == (3, 2)


def test_fullgraph_compile_agrees_forward_and_backward(layers, inputs):
    compiled = torch.compile(layers["auto"], fullgraph=True, backend="aot_eager")
    out = compiled(*inputs)
    torch.testing.assert_close(out, layers["kernel"](*inputs))
    got = torch.autograd.grad(out.sum(), inputs)
    expected = torch.autograd.grad(layers["kernel"](*inputs).sum(), inputs)
    torch.testing.assert_close(got, expected)


def test_a_fake_cuda_trace_stays_on_the_device():
    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode(), torch.device("cuda"):
        out = ad_to_torch(mixed())(torch.empty(4, 3), torch.empty(4, 1))
        assert out.device.type == "cuda"


def test_pickle_and_deepcopy_keep_the_function(layers, inputs):
    for other in (pickle.loads(pickle.dumps(layers["auto"])), copy.deepcopy(layers["auto"])):
        assert torch.equal(other(*inputs), layers["auto"](*inputs))


def test_the_layer_has_no_state(layers):
    assert layers["auto"].state_dict() == {}
    assert list(layers["auto"].parameters()) == []


def test_repr_names_inputs_and_engine(layers):
    assert "x: 3, y: 1, engine='auto'" in repr(layers["auto"])


@pytest.mark.parametrize(
    ("args", "named", "error", "text"),
    [
        (("x",), {}, ValueError, "no value for y"),
        (("x", "y", "y"), {}, ValueError, "got 3 arguments, expected 2"),
        (("x", "y"), {"y": "y"}, ValueError, "by position and by name"),
        (("x",), {"z": "y"}, ValueError, "no input 'z'; inputs: x, y"),
        (("y", "x"), {}, ValueError, "argument 'x' has size 1, expected 3"),
    ],
)
def test_wrong_inputs_are_refused(layers, inputs, args, named, error, text):
    tensors = dict(zip("xy", inputs, strict=True))
    for engine in ("auto", "torch"):
        with pytest.raises(error, match=text):
            layers[engine](*(tensors[a] for a in args), **{k: tensors[v] for k, v in named.items()})


def test_kinds_that_are_no_real_tensors_are_refused(layers, inputs):
    with pytest.raises(TypeError, match="input 'x' is a ndarray, expected a tensor"):
        layers["auto"](np.ones(3), inputs[1])
    with pytest.raises(TypeError, match="inputs are real"):
        layers["auto"](inputs[0].to(torch.complex128), inputs[1])
    with pytest.raises(ValueError, match="engine 'kernel' takes"):
        layers["kernel"](inputs[0].half(), inputs[1].half())
    with pytest.raises(ValueError, match="engine is 'cuda', expected one of auto, kernel, torch"):
        ad_to_torch(mixed(), engine="cuda")


@pytest.mark.gpu
def test_cuda_agrees_with_the_cpu(layers, inputs):
    layer = ad_to_torch(mixed()).to("cuda")
    out = layer(*(t.detach().cuda() for t in inputs))
    torch.testing.assert_close(out.cpu(), layers["kernel"](*inputs).detach())


def test_errors_of_sizes_say_that_a_layer_was_called():
    layer = ad_to_torch(ad.var("x", 3) * 2.0)
    with pytest.raises(ValueError, match=r"^layer: argument 'x' has size 4, expected 3$"):
        layer(torch.ones(4))
