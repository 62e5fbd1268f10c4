"""The layer among torch's own: state, files, loaders, processes, ensembles, parameters."""

import copy
import io
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.func import functional_call, grad, hessian, jacrev, stack_module_state, vmap
from torch.utils.data import DataLoader, Dataset

import ad_core as ad
from bridges.pytorch import ad_to_torch
from bridges.pytorch.tracing import constant_to_compilers

ROOT = Path(__file__).parents[3]


def spring(**options):
    """`f = k (x - l)`, with stiffness and length held by the layer."""
    x, k, length = ad.var("x", 3), ad.var("k", 1), ad.var("length", 3)
    held = {"k": torch.tensor([2.0]), "length": torch.tensor([0.1, 0.2, 0.3])}
    return ad_to_torch(k * (x - length), ["x", "k", "length"], trainable=held, **options)


@pytest.mark.parametrize("engine", ["kernel", "torch", "auto"])
def test_held_variables_are_parameters_and_train(engine):
    layer = spring(engine=engine)
    assert layer.input_names == ("x",)
    assert dict(layer.named_parameters()).keys() == {"k", "length"}
    x = torch.rand(32, 3, generator=torch.manual_seed(1))
    wanted = 5.0 * (x - torch.tensor([0.4, 0.0, -0.2]))
    optimizer = torch.optim.LBFGS(layer.parameters(), line_search_fn="strong_wolfe")

    def loss():
        optimizer.zero_grad()
        value = (layer(x) - wanted).square().mean()
        value.backward()
        return value

    for _ in range(3):
        optimizer.step(loss)
    torch.testing.assert_close(layer.k.detach(), torch.tensor([5.0]), atol=1e-3, rtol=0)
    expected = torch.tensor([0.4, 0.0, -0.2])
    torch.testing.assert_close(layer.length.detach(), expected, atol=1e-3, rtol=0)


def test_a_parameter_may_be_shared_and_a_buffer_held():
    x, k = ad.var("x", 2), ad.var("k", 1)
    shared = nn.Parameter(torch.tensor([3.0]))
    first = ad_to_torch(x * k, ["x", "k"], trainable={"k": shared})
    second = ad_to_torch(x + k, ["x", "k"], trainable={"k": shared})
    assert first.k is second.k is shared
    (first(torch.ones(2)).sum() + second(torch.ones(2)).sum()).backward()
    assert shared.grad.item() == 4.0
    fixed = ad_to_torch(x * k, ["x", "k"], trainable={"k": nn.Buffer(torch.tensor([3.0]))})
    assert not list(fixed.parameters())
    assert fixed.state_dict().keys() == {"k"}


def test_held_variables_are_checked():
    x, k = ad.var("x", 2), ad.var("k", 1)
    with pytest.raises(ValueError, match="no variable 'm'; variables: x, k"):
        ad_to_torch(x * k, trainable={"m": torch.ones(1)})
    with pytest.raises(ValueError, match="argument 'k' has size 2, expected 1"):
        ad_to_torch(x * k, trainable={"k": torch.ones(2)})
    with pytest.raises(ValueError, match="'training' cannot be held"):
        ad_to_torch(ad.var("training", 1) * x, trainable={"training": torch.ones(1)})
    with pytest.raises(ValueError, match="no input 'k'; inputs: x"):
        ad_to_torch(x * k, trainable={"k": torch.ones(1)})(torch.ones(2), k=torch.ones(1))


def test_a_variable_may_be_named_as_a_method_of_modules_is():
    x, k = ad.var("x", 2), ad.var("parameters", 1)
    layer = ad_to_torch(x * k, ["x", "parameters"], trainable={"parameters": torch.ones(1)})
    assert layer.state_dict().keys() == {"parameters_"}
    assert [name for name, _ in layer.named_parameters()] == ["parameters_"]
    layer(torch.tensor([2.0, 3.0])).sum().backward()
    assert layer.parameters_.grad.tolist() == [5.0]


def test_numbers_become_parameters_of_the_default_dtype():
    layer = ad_to_torch(ad.var("k", 1) * ad.var("x", 2), trainable={"k": torch.tensor(3)})
    assert layer.k.dtype == torch.get_default_dtype()
    assert layer.k.tolist() == [3.0]


def test_held_variables_train_in_a_compiled_layer():
    torch._dynamo.reset()
    layer, x = spring(), torch.rand(4, 3)
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    own = list(layer.parameters())
    got = torch.autograd.grad(compiled(x).square().sum(), own)
    torch.testing.assert_close(got, torch.autograd.grad(layer(x).square().sum(), own))


def test_a_layer_that_holds_everything_needs_no_input():
    layer = ad_to_torch(ad.var("a", 2) * 3.0, trainable={"a": torch.ones(2)})
    layer().sum().backward()
    assert layer.a.grad.tolist() == [3.0, 3.0]


def test_state_goes_through_a_file_that_holds_tensors_only():
    layer, other = spring(), spring()
    with torch.no_grad():
        layer.k.fill_(7.0)
    file = io.BytesIO()
    torch.save(layer.state_dict(), file)
    file.seek(0)
    other.load_state_dict(torch.load(file, weights_only=True))
    assert other.k.item() == 7.0


def test_copies_have_parameters_of_their_own():
    layer = spring()
    twin = copy.deepcopy(layer)
    with torch.no_grad():
        twin.k.fill_(7.0)
    x = torch.ones(2, 3)
    assert layer.k.item() == 2.0
    torch.testing.assert_close(twin(x), 3.5 * layer(x))


def test_functional_call_and_an_ensemble():
    layers = [spring() for _ in range(3)]
    for i, layer in enumerate(layers):
        nn.init.constant_(layer.k, float(i))
    parameters, _ = stack_module_state(layers)
    x = torch.rand(5, 3)
    together = vmap(lambda p: functional_call(layers[0], p, (x,)))(parameters)
    torch.testing.assert_close(together, torch.stack([layer(x) for layer in layers]))

    def loss(p, sample):
        return functional_call(layers[1], p, (sample,)).square().sum()

    own = {k: v.detach() for k, v in layers[1].named_parameters()}
    per_sample = vmap(grad(loss), in_dims=(None, 0))(own, x)
    torch.testing.assert_close(per_sample["k"], 2 * (x - own["length"]).square().sum(1)[:, None])


class Reached(Dataset):
    """Each item runs the layer in the worker."""

    def __init__(self, layer):
        self.layer = layer

    def __len__(self):
        return 8

    def __getitem__(self, i):
        return self.layer(torch.full((7,), 0.1 * i))


@pytest.mark.parametrize("start", ["fork", "spawn"])
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_data_loader_workers(layer_of, start):
    layer = layer_of("kinematics")
    loader = DataLoader(Reached(layer), 4, num_workers=1, multiprocessing_context=start)
    got = torch.cat(list(loader))
    torch.testing.assert_close(got, layer(torch.arange(8.0)[:, None].expand(8, 7) * 0.1))


def test_two_nodes_of_a_process_each_train_together():
    """As on two machines: each has a launcher of its own, and they meet at an address."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    launch = [sys.executable, "-m", "torch.distributed.run", "--nnodes=2", "--nproc-per-node=1"]
    meet = ["--rdzv-backend=c10d", f"--rdzv-endpoint=localhost:{port}", "--rdzv-id=robograd"]
    command = [*launch, *meet, str(ROOT / "examples" / "23_ddp.py")]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    nodes = [subprocess.Popen(command, env=environment, **pipes) for _ in range(2)]
    try:
        done = [node.communicate(timeout=300) for node in nodes]
    finally:
        for node in nodes:
            node.kill()
    assert [node.returncode for node in nodes] == [0, 0], done
    assert "2 processes: loss" in done[0][0] + done[1][0]


def test_in_a_sequential_with_hooks_and_gradient_checkpoints(layer_of):
    from torch.utils.checkpoint import checkpoint

    net = nn.Sequential(nn.Linear(3, 7), layer_of("kinematics"), nn.Linear(12, 1))
    seen = []
    handle = net[1].register_forward_hook(lambda _, __, out: seen.append(out.shape))
    x = torch.rand(4, 3, requires_grad=True)
    (direct,) = torch.autograd.grad(net(x).sum(), x)
    (again,) = torch.autograd.grad(checkpoint(net, x, use_reentrant=False).sum(), x)
    handle.remove()
    torch.testing.assert_close(direct, again)
    assert seen[0] == (4, 12)


def test_autocast_leaves_the_inputs_dtype(layer_of):
    layer = layer_of("kinematics")
    q = torch.rand(4, 7)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(layer(q), layer_of("kinematics")(q))
        torch.testing.assert_close(layer_of("kinematics", "torch")(q), layer(q))
        assert layer(nn.Linear(7, 7)(q)).dtype == torch.bfloat16


class TestWherePeersFail:
    """Faults of other kinematics layers, held here as tests of this one."""

    def test_second_gradients_are_those_of_the_function(self, layer_of):
        layer = layer_of("kinematics")
        q = torch.rand(7, dtype=torch.float64)
        step = 1e-6 * torch.eye(7, dtype=torch.float64)
        gradient = grad(lambda q: layer(q)[9:].sum())
        differences = torch.stack([(gradient(q + s) - gradient(q - s)) / 2e-6 for s in step])
        second = hessian(lambda q: layer(q)[9:].sum())(q)
        torch.testing.assert_close(second, differences, rtol=1e-6, atol=1e-8)

    def test_single_samples_map(self, layer_of):
        layer, q = layer_of("kinematics"), torch.rand(5, 7, dtype=torch.float64)
        assert layer(q[0]).shape == (12,)
        torch.testing.assert_close(vmap(layer)(q), layer(q), rtol=0, atol=0)
        assert vmap(jacrev(layer))(q).shape == (5, 12, 7)

    def test_float64_is_kept_and_no_default_is_touched(self, layer_of):
        before = torch.get_default_dtype(), torch.get_default_device()
        q = torch.rand(5, 7, dtype=torch.float64)
        out = layer_of("kinematics")(q)
        assert out.dtype == torch.float64
        expected = layer_of("kinematics", "torch")(q)
        torch.testing.assert_close(out, expected, rtol=0, atol=1e-15)
        assert (torch.get_default_dtype(), torch.get_default_device()) == before

    def test_shapes_may_change_from_call_to_call(self, layer_of):
        layer = layer_of("kinematics")
        for shape in [(3, 7), (7,), (2, 4, 7), (0, 7), (1, 7), (3, 7)]:
            q = torch.rand(*shape, requires_grad=True)
            out = layer(q)
            assert out.shape == (*shape[:-1], 12)
            out.sum().backward()
            assert q.grad.shape == shape

    def test_results_are_fresh_and_inputs_untouched(self, layer_of):
        layer, q = layer_of("kinematics"), torch.rand(3, 7)
        kept = q.clone()
        first = layer(q)
        copied = first.clone()
        layer(q + 1)
        assert torch.equal(first, copied)
        assert torch.equal(q, kept)
        assert np.shares_memory(q.numpy(), kept.numpy()) is False


def test_compilers_take_our_mark_for_torchs_own():
    def of_torch():
        return 0

    def ours():
        return 0

    torch.compiler.assume_constant_result(of_torch)
    assert constant_to_compilers(ours) is ours
    assert vars(ours) == vars(of_torch) != {}
