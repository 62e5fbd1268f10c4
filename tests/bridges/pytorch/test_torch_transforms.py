"""Every transform on every engine, eager and compiled: each cell agrees, or raises what is said.

The reference is the straight torch code of the graph, which torch differentiates by itself.
"""

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch._vmap_internals import _vmap
from torch.func import functional_call
from torch_transforms import AROUND, EAGER, FEW, REFUSED_BY_TORCH, TOGETHER, leaves, straight

NO_FORWARD = (Exception, "inside torch.compile a user's function has no forward mode")

FORWARD = "jvp", "jacfwd", "hessian", "jacfwd(jacrev)", "jvp(grad)", "dual numbers"
REFUSED_FOR_USERS_FUNCTIONS = (
    dict.fromkeys((*FORWARD, "dual numbers around"), NO_FORWARD) | REFUSED_BY_TORCH
)


@pytest.mark.parametrize("transform", EAGER)
@pytest.mark.parametrize("engine", ["auto", "torch"])
@pytest.mark.parametrize("name", ["small", "kinematics", "dynamics"])
def test_eager(layer_of, draw, name, engine, transform):
    layer = layer_of(name, engine)
    inputs = draw(layer, 3)
    reference = EAGER[transform](straight(layer), inputs)
    torch.testing.assert_close(EAGER[transform](layer, inputs), reference, **TOGETHER)


def mixed_in_torch(x, y):
    """The graph `mixed` written with torch's own functions."""
    scale = torch.tensor([1.0, 2.0, 3.0], dtype=x.dtype)
    return torch.sin((torch.sin(x) * y) ** 3) * (x * scale) ** 3 + y


@pytest.mark.parametrize("engine", ["auto", "torch"])
@pytest.mark.parametrize("transform", EAGER)
def test_eager_mixed_with_users_functions(layer_of, draw, transform, engine):
    layer = layer_of("mixed", engine)
    inputs = draw(layer, 3)
    reference = EAGER[transform](mixed_in_torch, inputs)
    torch.testing.assert_close(EAGER[transform](layer, inputs), reference, **TOGETHER)


def check_compiled(layer, inputs, transform, reference, refusals):
    torch._dynamo.reset()
    rule = EAGER[transform]

    def call():
        options = {"fullgraph": True, "backend": "aot_eager"}
        if transform in AROUND:
            return rule(torch.compile(layer, **options), inputs)
        return torch.compile(lambda *a: rule(layer, a), **options)(*inputs)

    if transform in refusals:
        error, text = refusals[transform]
        with pytest.raises(error, match=text):
            call()
    else:
        torch.testing.assert_close(call(), rule(reference, inputs), **TOGETHER)


@pytest.mark.parametrize("transform", EAGER)
def test_compiled_without_graph_breaks(layer_of, draw, transform):
    layer = layer_of("tiny", "auto")
    check_compiled(layer, draw(layer, 3), transform, straight(layer), REFUSED_BY_TORCH)


@pytest.mark.parametrize("transform", FEW)
def test_torch_code_compiled_without_graph_breaks(layer_of, draw, transform):
    layer = layer_of("tiny", "torch")
    check_compiled(layer, draw(layer, 3), transform, straight(layer), REFUSED_BY_TORCH)


@pytest.mark.parametrize("transform", EAGER)
def test_users_functions_compiled_without_graph_breaks(layer_of, draw, transform):
    layer = layer_of("mixed", "auto")
    refusals = REFUSED_FOR_USERS_FUNCTIONS
    check_compiled(layer, draw(layer, 3), transform, mixed_in_torch, refusals)


def test_inductor_calls_the_kernel(layer_of, draw):
    torch._dynamo.reset()
    layer = layer_of("kinematics")
    inputs = draw(layer, 3, requires_grad=True)
    from torch._inductor.utils import run_and_get_code

    def step():
        out = torch.compile(layer, fullgraph=True)(*inputs)
        return out, *torch.autograd.grad(out.sum(), inputs)

    got, texts = run_and_get_code(step)
    assert "robograd.call_program" in "".join(texts)
    out = layer(*inputs)
    expected = out, *torch.autograd.grad(out.sum(), inputs)
    torch.testing.assert_close(got, expected, rtol=0, atol=0)


def test_gradients_of_batched_gradients(layer_of, draw):
    """A graph is recorded under the older vmap, too."""

    def twice(f, a):
        a = leaves(a)
        out = f(*a)
        basis = torch.stack([torch.ones_like(out), 2 * torch.ones_like(out)])
        (first,) = torch.autograd.grad(out, a[0], basis, is_grads_batched=True, create_graph=True)
        return torch.autograd.grad((first**2).sum(), a[0])[0]

    inputs = draw(layer_of("small"), 3)
    reference = twice(straight(layer_of("small")), inputs)
    for engine in ("auto", "torch"):
        got = twice(layer_of("small", engine), inputs)
        torch.testing.assert_close(got, reference, **TOGETHER)


@pytest.mark.parametrize("strategy", ["reverse-mode", "forward-mode"])
def test_vectorized_jacobians_of_autograd(layer_of, draw, strategy):
    def jacobian(f):
        return torch.autograd.functional.jacobian(f, inputs, vectorize=True, strategy=strategy)

    inputs = draw(layer_of("mixed"), 2)
    torch.testing.assert_close(jacobian(layer_of("mixed")), jacobian(mixed_in_torch), **TOGETHER)


@pytest.mark.parametrize("name", ["kinematics", "dynamics"])
def test_a_fake_gpu_traces_forward_and_backward(layer_of, draw, name):
    """Torch aborts where it makes autograd nodes for a device that it is not built for. So the
    gradient is traced to plain operators first, and those run on the fake device."""
    from torch._subclasses.fake_tensor import FakeTensorMode
    from torch.fx.experimental.proxy_tensor import make_fx

    layer = layer_of(name, "torch")
    inputs = [*draw(layer, 4)]
    constants = dict(layer.named_buffers())

    def both(inputs, constants):
        inputs = leaves(inputs)
        out = functional_call(layer, constants, tuple(inputs))
        return out, *torch.autograd.grad(out.sum(), inputs)

    traced = make_fx(both, tracing_mode="fake")(inputs, constants)
    assert all(node.op != "get_attr" for node in traced.graph.nodes)  # no tensor is baked in
    with FakeTensorMode(), torch.device("cuda"):
        fake = [torch.empty(x.shape, dtype=x.dtype) for x in inputs]
        moved = {k: torch.empty(v.shape, dtype=v.dtype) for k, v in constants.items()}
        results = traced(fake, moved)
    assert {r.device.type for r in results} == {"cuda"}
    assert [r.shape for r in results[1:]] == [x.shape for x in inputs]


def test_compiled_with_dynamic_shapes(layer_of, draw):
    torch._dynamo.reset()
    layer = layer_of("mixed")
    compiled = torch.compile(layer, fullgraph=True, dynamic=True, backend="aot_eager")
    for batch in (3, 5, 7):
        inputs = draw(layer, batch, requires_grad=True)
        got = torch.autograd.grad((compiled(*inputs) ** 2).sum(), inputs)
        expected = torch.autograd.grad((mixed_in_torch(*inputs) ** 2).sum(), inputs)
        torch.testing.assert_close(got, expected, **TOGETHER)


def test_export_refuses_users_functions(layer_of, draw):
    layer = layer_of("mixed")
    with pytest.raises(NotImplementedError, match="a user's function cannot be exported"):
        torch.export.export(layer, draw(layer, 3))


def test_export_makes_a_program_of_torch_alone(layer_of, draw):
    layer = layer_of("kinematics")
    inputs = draw(layer, 3)
    batch = torch.export.Dim("batch")
    program = torch.export.export(layer, inputs, dynamic_shapes=(({0: batch},),))
    assert not any("robograd" in str(node.target) for node in program.graph.nodes)
    more = draw(layer, 5)
    torch.testing.assert_close(program.module()(*more), layer(*more), **TOGETHER)


def test_the_older_vmap_in_a_thread_that_does_not_know_its_level(layer_of):
    """So backward passes of GPUs run."""
    layer = layer_of("kinematics", "auto")
    x = torch.randn(2, 5, 4, layer.input_sizes[0], dtype=torch.float64)
    with ThreadPoolExecutor(1) as pool:
        once = _vmap(lambda t: pool.submit(layer, t).result())(x)
        twice = _vmap(_vmap(lambda t: pool.submit(layer, t).result(), in_dims=1))(x)
    torch.testing.assert_close(once, layer(x), **TOGETHER)
    torch.testing.assert_close(twice, layer(x).transpose(1, 2), **TOGETHER)
