"""Torch modules as nodes, and as primitives: values, derivatives, dtype, modes, errors."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.func import hessian, jacrev, vmap

import ad_core as ad
from ad_core import math as adm
from bridges.pytorch import ad_to_torch, torch_to_ad

POINT = np.array([0.3, -0.7, 1.1])


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(5)


def network(dtype=torch.float64):
    return nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 2)).to(dtype)


class Joined(nn.Linear):
    """A linear layer of two vectors."""

    def __init__(self):
        super().__init__(5, 2)

    def forward(self, x, y):
        return super().forward(torch.cat([x, y]))


def close(got, expected, tolerance=1e-12):
    np.testing.assert_allclose(got, expected.detach().numpy(), rtol=tolerance, atol=tolerance)


def test_a_module_is_a_node_with_derivatives_of_every_order():
    net, x = network(), torch.from_numpy(POINT)
    node = torch_to_ad(net, [ad.var("x", 3)])
    assert node.size == 2
    close(node.eval(x=POINT), net(x))
    close(node.derivative("x", x=POINT), jacrev(net)(x))
    close(node.gen_derivative(["x", "x"], x=POINT), hessian(net)(x))
    close(node.gen_derivative(["x"] * 3, x=POINT), jacrev(hessian(net))(x))
    close(node.jvp({"x": [1.0, 2.0, 3.0]}, x=POINT), jacrev(net)(x) @ torch.arange(1.0, 4).double())


def test_a_function_of_several_tensors_mixes_with_primitives():
    def f(x, y):
        return torch.cat([x * y, (x * x).sum(0, keepdim=True)])

    x, y = ad.var("x", 3), ad.var("y", 1)
    e = adm.sin(torch_to_ad(f, [x * 2.0, y]))
    layer = ad_to_torch(e)
    inputs = tuple(torch.rand(2, n, dtype=torch.float64, requires_grad=True) for n in (3, 1))

    def reference(x, y):
        return torch.sin(f(2 * x, y))

    close(layer(*inputs).detach(), vmap(reference)(*inputs))
    assert torch.autograd.gradcheck(layer, inputs, check_forward_ad=True, check_batched_grad=True)
    assert torch.autograd.gradgradcheck(layer, inputs)
    one = tuple(z[0].detach() for z in inputs)
    for got, expected in zip(hessian(layer)(*one), hessian(reference)(*one), strict=True):
        close(got, expected)


@pytest.mark.parametrize("shape", [(), (4,), (2, 3), (0,)])
def test_in_a_layer_the_modules_parameters_train(shape):
    net = network()
    x = ad.var("x", 3)
    layer = ad_to_torch(2.0 * torch_to_ad(net, [adm.sin(x)]))
    assert dict(layer.named_parameters()).keys() >= {"module0.0.weight", "module0.2.bias"}
    q = torch.rand(*shape, 3, dtype=torch.float64, requires_grad=True)
    out = layer(q)
    torch.testing.assert_close(out, 2 * net(q.sin()))
    wrt = [q, *net.parameters()]
    got = torch.autograd.grad(out.square().sum(), wrt)
    expected = torch.autograd.grad((2 * net(q.sin())).square().sum(), wrt)
    torch.testing.assert_close(got, expected)


def test_a_module_in_a_layer_keeps_its_dtype_and_takes_constants():
    net = Joined()
    layer = ad_to_torch(torch_to_ad(net, [ad.var("x", 3), [1.0, 2.0]]))
    x = torch.rand(5, 3, dtype=torch.float64)
    out = layer(x)
    assert out.dtype == torch.float64
    expected = vmap(lambda x: net(x, torch.tensor([1.0, 2.0])))(x.float())
    torch.testing.assert_close(out.float(), expected)


def test_a_module_of_constants_alone():
    net = nn.Linear(2, 3).double()
    layer = ad_to_torch(torch_to_ad(net, [[1.0, 2.0]]) + ad.var("x", 3))
    out = layer(torch.zeros(4, 3, dtype=torch.float64))
    expected = net(torch.tensor([1.0, 2.0], dtype=torch.float64)).expand(4, 3)
    torch.testing.assert_close(out, expected)


def test_a_layer_with_a_module_compiles_without_graph_breaks():
    net = network()
    layer = ad_to_torch(torch_to_ad(net, [ad.var("x", 3) * 2.0]))
    x = torch.rand(5, 3, dtype=torch.float64, requires_grad=True)
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    got = torch.autograd.grad(compiled(x).sum(), [x, *net.parameters()])
    torch.testing.assert_close(got, torch.autograd.grad(net(2 * x).sum(), [x, *net.parameters()]))


def test_parameters_are_read_when_called_and_dtype_is_the_modules():
    net = network(torch.float32)
    node = torch_to_ad(net, [ad.var("x", 3)])
    x32 = torch.from_numpy(POINT).float()
    assert np.array_equal(node.eval(x=POINT), net(x32).detach().double().numpy())
    with torch.no_grad():
        net[0].weight.mul_(2.0)
    assert np.array_equal(node.eval(x=POINT), net(x32).detach().double().numpy())
    assert net[0].weight.dtype == torch.float32


def test_the_mode_is_kept_and_finding_the_size_leaves_no_trace():
    net = nn.Sequential(nn.Dropout(0.5), nn.Linear(3, 2), nn.Unflatten(0, (1, 2)))
    net = nn.Sequential(net, nn.BatchNorm1d(2, momentum=0.5), nn.Flatten(0)).double()
    net.eval()
    state = {k: v.clone() for k, v in net.state_dict().items()}
    before = torch.get_rng_state()
    node = torch_to_ad(net, [ad.var("x", 3)])
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(v, net.state_dict()[k]) for k, v in state.items())
    assert not net.training
    close(node.eval(x=POINT), net(torch.from_numpy(POINT)))
    drop = nn.Dropout(0.5)
    torch_to_ad(drop, [ad.var("x", 50)]).eval(x=np.ones(50))
    assert drop.training


def test_what_is_no_vector_is_refused():
    x = ad.var("x", 4)
    with pytest.raises(ValueError, match=r"Unflatten: gave shape \(2, 2\), expected a vector"):
        torch_to_ad(nn.Unflatten(0, (2, 2)), [x])
    with pytest.raises(TypeError, match="gave tuple, expected a tensor"):
        torch_to_ad(lambda x: (x, x), [x])
    with pytest.raises(TypeError, match="argument 'module' is a int, expected a callable"):
        torch_to_ad(3, [x])
    open_size = torch_to_ad(network(), ["q"])
    assert open_size.size is None
    assert open_size.eval(q=POINT).shape == (2,)
