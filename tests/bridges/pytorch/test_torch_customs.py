"""Names, shapes and lives of layers: natural shapes, tuples, shared programs, devices that wait."""

import copy
import gc
import pickle

import numpy as np
import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

import ad_core as ad
from ad_core import math as adm
from ad_core.graph import MatrixLayout
from bridges.pytorch import ad_to_torch, torch_to_ad
from bridges.pytorch.namespace import TORCH
from robotics_ad import packaged_arm
from robotics_ad.kinematics import WorldTransform

X = ad.var("x", 2)
TWICE = nn.Linear(2, 2, bias=False).double().requires_grad_(False)


def square(v):
    return v**2


def slope_of_square(arg, v):
    return np.diag(2 * v)


class Rotation(ad.Composite):
    """A rotation in the plane, column by column."""

    layout = MatrixLayout((2, 2), "columns")

    def n_args(self):
        return 1

    def argname(self, arg):
        return "angle"

    def n_in(self, arg):
        return 1

    def n_out(self):
        return 4

    def expand(self, angle):
        c, s = adm.cos(angle), adm.sin(angle)
        return ad.stack(c, s, -s, c)


@pytest.mark.parametrize("engine", ["kernel", "torch"])
@pytest.mark.parametrize("batch", [(), (3,), (2, 3)])
def test_natural_shapes_are_matrices(engine, batch):
    layer = ad_to_torch(Rotation(), engine=engine, shapes="natural")
    angle = torch.rand(*batch, 1, dtype=torch.float64, requires_grad=True)
    c, s = torch.cos(angle)[..., 0], torch.sin(angle)[..., 0]
    expected = torch.stack([torch.stack([c, -s], -1), torch.stack([s, c], -1)], -2)
    for _ in range(2):  # at first the general way, then the direct one
        out = layer(angle)
        torch.testing.assert_close(out, expected)
        assert out.is_contiguous()
    flat = ad_to_torch(Rotation(), engine=engine)(angle)
    assert flat.shape == (*batch, 4)
    (got,) = torch.autograd.grad(out[..., 0, 1].sum(), angle)
    torch.testing.assert_close(got, -torch.cos(angle).detach())


def test_natural_shapes_of_several_and_of_none():
    angle = ad.var("angle", 1)
    rotation, vector = ad_to_torch((Rotation()(angle), 2.0 * angle), shapes="natural")(
        torch.zeros(5, 1)
    )
    assert rotation.shape == (5, 2, 2)
    assert vector.shape == (5, 1)
    copied = pickle.loads(pickle.dumps(ad_to_torch(Rotation(), shapes="natural")))
    assert copied(torch.zeros(5, 1)).shape == (5, 2, 2)
    with pytest.raises(ValueError, match="shapes is 'matrix', expected one of flat, natural"):
        ad_to_torch(Rotation(), shapes="matrix")


def test_poses_are_homogeneous_matrices():
    arm = packaged_arm()
    function = WorldTransform(arm.link("tool"))
    q = torch.rand(5, arm.nq, dtype=torch.float64)
    pose, flat = ad_to_torch(function, shapes="natural")(q), ad_to_torch(function)(q)
    assert pose.shape == (5, 4, 4)
    assert torch.equal(pose[:, :3, :3], flat[:, :9].reshape(5, 3, 3).mT)
    assert torch.equal(pose[:, :3, 3], flat[:, 9:])
    assert pose[:, 3].tolist() == [[0.0, 0.0, 0.0, 1.0]] * 5


@pytest.mark.parametrize("make", [tuple, list, iter, lambda roots: (r for r in roots)])
def test_one_expression_in_a_sequence_gives_a_tuple(make):
    (only,) = ad_to_torch(make([X * 2.0]))(torch.ones(3, 2))
    assert only.tolist() == [[2.0, 2.0]] * 3


def test_errors_are_titled_by_the_function():
    layer = ad_to_torch(Rotation())
    with pytest.raises(ValueError, match=r"Rotation: argument 'angle' has size 3, expected 1"):
        layer(torch.ones(2, 3))
    pair = ad_to_torch(X + ad.var("y", 2))
    with pytest.raises(ValueError, match=r"do not broadcast .*x: \(4, 2\), y: \(5, 2\)"):
        pair(torch.ones(4, 2), torch.ones(5, 2))


@pytest.mark.parametrize("dtype", ["float32", np.float32, np.dtype("float32"), torch.float32])
def test_dtypes_of_kernels_in_any_form(dtype):
    assert ad_to_torch(X * 2.0).kernel(dtype).dtype == "float32"
    with pytest.raises(ValueError, match="expected one of float64, float32"):
        ad_to_torch(X * 2.0).kernel("float16")


SQUARES = ad.function(square, "square", (2,), 2, derivative=slope_of_square)
SHARED = {
    "primitives": X * 3.5,
    "mixed": SQUARES(X) * torch_to_ad(TWICE, [X]),
}
OTHERS = {
    "deepcopy": lambda kind, layer: copy.deepcopy(layer),
    "pickle": lambda kind, layer: pickle.loads(pickle.dumps(layer)),
    "second": lambda kind, _: ad_to_torch(SHARED[kind]),
}


@pytest.mark.parametrize("freed", ["first", "second"])
@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize("kind", SHARED)
def test_layers_of_one_graph_outlive_each_other(kind, other, freed):
    """One is compiled, differentiated and freed; then the other is."""
    torch._dynamo.reset()
    layers = [ad_to_torch(SHARED[kind])]
    layers.append(OTHERS[other](kind, layers[0]))
    assert kind != "primitives" or layers[0]._run is layers[1]._run
    if freed == "first":
        layers.reverse()
    x = torch.rand(4, 2, dtype=torch.float64, requires_grad=True)
    gradients = []
    while layers:
        layer = layers.pop()
        compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
        gradients += [torch.autograd.grad(f(x).sum(), x)[0] for f in (compiled, layer)]
        del layer, compiled
        gc.collect()
    for gradient in gradients:
        torch.testing.assert_close(gradient, gradients[1])


def test_names_of_inputs_are_each_layers_own():
    first, second = ad_to_torch(ad.var("a", 2) * 3.0), ad_to_torch(ad.var("b", 2) * 3.0)
    assert [f.kernel().arguments[0].name for f in (first, second)] == ["a", "b"]


def test_users_functions_have_shapes_on_meta_and_fake_tensors():
    double = ad.function(lambda v: 2 * v, name="double", argspec=(2,), outspec=2)
    layer = ad_to_torch(double(X) + X)
    assert layer(torch.ones(5, 2, device="meta")).shape == (5, 2)
    with FakeTensorMode():
        out = layer(torch.ones(5, 2))
    assert out.shape == (5, 2)


@pytest.mark.parametrize("engine", ["auto", "torch"])
def test_constants_of_a_layer_that_was_made_on_the_meta_device(engine):
    with torch.device("meta"):
        layer = ad_to_torch(X * [0.1, 0.2], engine=engine)
    layer = layer.to_empty(device="cpu")
    assert layer.half().double()(torch.ones(2, dtype=torch.float64)).tolist() == [0.1, 0.2]
    assert next(layer.buffers()).tolist() == [0.1, 0.2]


@pytest.mark.parametrize("strict", [True, False])
def test_export_with_a_module_and_a_dynamic_batch(strict):
    net = nn.Linear(2, 3).double()
    layer = ad_to_torch(torch_to_ad(net, [X * 2.0]))
    batch = torch.export.Dim("batch")
    inputs = (torch.rand(4, 2, dtype=torch.float64),)
    program = torch.export.export(layer, inputs, dynamic_shapes=(({0: batch},),), strict=strict)
    more = torch.rand(7, 2, dtype=torch.float64)
    torch.testing.assert_close(program.module()(more), net(2.0 * more))


def test_the_error_function_is_torchs():
    x = torch.linspace(-0.9, 0.9, 5)
    torch.testing.assert_close(TORCH.erfinv(TORCH.erf(x)), x)


@pytest.mark.parametrize("around", [lambda layer: layer, nn.Sequential])
def test_scripting_is_refused_with_what_to_use(around):
    layer = ad_to_torch(adm.sin(ad.var("x", 2)))
    words = "layer: torch.jit.script cannot read.*use torch.export or torch.jit.trace"
    with pytest.raises(NotImplementedError, match=words):
        torch.jit.script(around(layer))
