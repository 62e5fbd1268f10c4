"""gradcheck, gradgradcheck and opcheck of kernels, users' functions and graphs that mix them."""

import gc

import numpy as np
import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck
from torch.func import hessian, jacfwd, jacrev

import ad_core as ad
from bridges.pytorch import ad_to_torch
from bridges.pytorch.program import Primitives
from bridges.pytorch.recorded import call_program, find

GRAPHS = ["kinematics", "dynamics", "opaque", "opaque, exact", "opaque, jvp only", "mixed"]


def programs(layer):
    """What the layer hands to torch's dispatcher: (input sizes, key) of each."""
    run = layer._run
    if isinstance(run, Primitives):
        return [(run.sizes_in, run.key)]
    return [(tuple(n for _, n in stage.tape.inputs), part.key) for stage, part in run.stages]


@pytest.mark.parametrize("name", GRAPHS)
def test_gradcheck_reverse_forward_and_batched(layer_of, draw, name):
    layer = layer_of(name)
    inputs = draw(layer, 2, requires_grad=True)
    assert gradcheck(
        layer,
        inputs,
        check_forward_ad=True,
        check_batched_grad=True,
        check_batched_forward_grad=True,
    )


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=pytest.mark.slow) if n == "dynamics" else n for n in GRAPHS],
)
def test_gradgradcheck_with_batched_gradients(layer_of, draw, name):
    layer = layer_of(name)
    inputs = draw(layer, 1, requires_grad=True)
    # The second derivatives of `opaque` and of the pushforward are finite differences.
    near = 1e-4 if name in ("opaque", "opaque, jvp only") else 1e-6
    fast = name == "dynamics"  # along random directions: it has 21 inputs
    assert gradgradcheck(
        layer, inputs, check_batched_grad=True, atol=near, rtol=1e-3, fast_mode=fast
    )


@pytest.mark.filterwarnings("ignore:The .grad attribute:UserWarning")  # of torch 2.15's own check
@pytest.mark.parametrize("name", ["kinematics", "dynamics", "opaque", "mixed"])
def test_opcheck(layer_of, draw, name):
    for sizes, key in programs(layer_of(name)):
        inputs = [torch.rand(2, n, dtype=torch.float64, requires_grad=True) for n in sizes]
        torch.library.opcheck(call_program, (inputs, key))


def test_programs_die_with_their_layer():
    layer = ad_to_torch(ad.var("x", 2) * 3.0)
    ((_, key),) = programs(layer)
    del layer
    gc.collect()
    with pytest.raises(ValueError, match="no module in this process has program"):
        find(key)


def test_equal_graphs_have_equal_keys_and_different_ones_have_not():
    x = ad.var("x", 2)
    first, same, other = (programs(ad_to_torch(x * c))[0][1] for c in (3.0, 3.0, 4.0))
    assert first == same != other


@pytest.mark.parametrize("transform", [hessian, lambda f: jacfwd(jacrev(f))])
def test_third_derivatives_of_a_user_function_are_its_own(layer_of, transform):
    x = torch.tensor([0.5, -1.0, 2.0], dtype=torch.float64)
    layer = layer_of("opaque, exact")
    expected = torch.zeros(3, 3, 3, 3, dtype=torch.float64)
    expected[range(3), range(3), range(3), range(3)] = 6.0
    torch.testing.assert_close(jacrev(transform(layer))(x), expected, rtol=0, atol=0)


def test_a_derivative_that_cannot_exist_raises_where_differences_are_refused(layer_of):
    x = torch.ones(3, dtype=torch.float64, requires_grad=True)
    y = torch.ones(1, dtype=torch.float64)
    (gradient,) = torch.autograd.grad(layer_of("opaque")(x, y).sum(), x, create_graph=True)
    with (
        ad.finite_difference_policy("error"),
        pytest.raises(NotImplementedError, match=r"products: the derivative w\.r\.t\. 'x', 'x'"),
    ):
        torch.autograd.grad(gradient.sum(), x)


def test_a_user_error_keeps_its_type_and_text():
    def refuse(x):
        raise ZeroDivisionError("no such point")

    layer = ad_to_torch(ad.function(refuse, argspec=(2,), outspec=2)(ad.var("x", 2)))
    with pytest.raises(ZeroDivisionError, match="no such point"):
        layer(torch.ones(2))


def test_a_user_function_cannot_change_its_inputs():
    def spoil(x):
        x[0] = 0.0
        return x

    layer = ad_to_torch(ad.function(spoil, argspec=(2,), outspec=2)(ad.var("x", 2)))
    with pytest.raises(ValueError, match="read-only"):
        layer(torch.ones(2, dtype=torch.float64))


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_users_functions_keep_the_dtype(layer_of, dtype):
    layer = layer_of("mixed")
    x, y = torch.full((2, 3), 0.5, dtype=dtype), torch.ones(1, dtype=dtype)
    out = layer(x, y)
    assert out.dtype == dtype
    exact = layer(x.double(), y.double())
    eps = torch.finfo(dtype).eps
    torch.testing.assert_close(out.double(), exact, rtol=20 * eps, atol=20 * eps)


def test_a_function_of_constants_and_a_constant_result():
    x = ad.var("x", 2)
    double = ad.function(lambda v: 2 * v, name="double", argspec=(2,), outspec=2)
    layer = ad_to_torch((double(ad.constant([1.0, 2.0])) + x, ad.constant([5.0])))
    total, constant = layer(torch.ones(3, 2))
    assert total.tolist() == [[3.0, 5.0]] * 3
    assert constant.tolist() == [[5.0]] * 3


def test_each_part_is_called_once_for_each_sample():
    calls = []

    def watched(x):
        calls.append(np.array(x))
        return x * x

    x = ad.var("x", 2)
    f = ad.function(watched, argspec=(2,), outspec=2, derivative=lambda arg, x: np.diag(2 * x))
    layer = ad_to_torch(f(x) + f(x) * 2.0)
    inputs = torch.rand(5, 2, dtype=torch.float64, requires_grad=True)
    layer(inputs).sum().backward()
    assert len(calls) == 5
    torch.testing.assert_close(inputs.grad, 6 * inputs.detach())
