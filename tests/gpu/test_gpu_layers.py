"""Layers on a GPU pass the table of transforms of the torch bridge, on kernels; and GPU customs."""

from __future__ import annotations

import copy
import os
import pickle
import warnings
from typing import Any

import pytest
import torch
from cuda_emulator import EmulatedDevice, install
from torch_graphs import graph
from torch_transforms import AROUND, EAGER, FEW, REFUSED_BY_TORCH, TOGETHER, straight

import ad_core as ad
from bridges.kernel import gpu
from bridges.kernel.evaluator import _warned  # pyright: ignore[reportPrivateUsage]
from bridges.native.errors import BuildError
from bridges.pytorch import ad_to_torch

real_gpu = pytest.mark.gpu
X = ad.var("x", 3)


def layer_at(place: torch.device, name: str) -> Any:
    """A layer of the graph of that name there."""
    return ad_to_torch(graph(name)).to(place)


def inputs_of(layer: Any, place: torch.device, *batch: int, seed: int = 7) -> tuple[Any, ...]:
    """float64 inputs of the layer's sizes there."""
    generator = torch.Generator().manual_seed(seed)
    draws = (
        torch.randn(*batch, n, dtype=torch.float64, generator=generator) for n in layer.input_sizes
    )
    return tuple((0.3 + 0.5 * x).to(place) for x in draws)


@pytest.mark.parametrize("transform", EAGER)
@pytest.mark.parametrize("name", ["small", "kinematics"])
def test_eager(place: torch.device, name: str, transform: str) -> None:
    layer = layer_at(place, name)
    inputs = inputs_of(layer, place, 3)
    reference = EAGER[transform](straight(layer), inputs)
    torch.testing.assert_close(EAGER[transform](layer, inputs), reference, **TOGETHER)
    runners = [type(run) for run in layer._run.running_on(inputs[0]).values()]
    assert all(kind is gpu.GpuCaller for kind in runners)


@pytest.mark.parametrize("transform", FEW)
def test_compiled_without_graph_breaks(place: torch.device, transform: str) -> None:
    torch._dynamo.reset()
    layer = layer_at(place, "tiny")
    inputs = inputs_of(layer, place, 3)
    rule = EAGER[transform]

    def call() -> Any:
        options = {"fullgraph": True, "backend": "aot_eager"}
        if transform in AROUND:
            return rule(torch.compile(layer, **options), inputs)
        return torch.compile(lambda *a: rule(layer, a), **options)(*inputs)

    if transform in REFUSED_BY_TORCH:
        error, text = REFUSED_BY_TORCH[transform]
        with pytest.raises(error, match=text):
            call()
    else:
        torch.testing.assert_close(call(), rule(straight(layer), inputs), **TOGETHER)


def test_users_functions_run_on_the_host(place: torch.device) -> None:
    layer = layer_at(place, "mixed")
    inputs = inputs_of(layer, place, 4)
    there = [x.requires_grad_() for x in inputs]
    here = [x.detach().cpu().requires_grad_() for x in inputs]
    out = layer(*there)
    assert out.device == there[0].device
    expected = layer_at(torch.device("cpu"), "mixed")(*here)
    torch.testing.assert_close(out.cpu(), expected, **TOGETHER)
    got = torch.autograd.grad((out**2).sum(), there)
    want = torch.autograd.grad((expected**2).sum(), here)
    torch.testing.assert_close([g.cpu() for g in got], list(want), **TOGETHER)


def test_other_dtypes_are_torch_code(place: torch.device) -> None:
    layer = ad_to_torch(X * 2.0).to(place)
    x = torch.ones(4, 3, dtype=torch.bfloat16, device=place)
    assert layer(x).dtype is torch.bfloat16


def test_pickled_and_copied(place: torch.device) -> None:
    layer = layer_at(place, "kinematics")
    (q,) = inputs_of(layer, place, 5)
    expected = layer(q)
    for other in (pickle.loads(pickle.dumps(layer)), copy.deepcopy(layer)):
        torch.testing.assert_close(other(q), expected, rtol=0, atol=0)


def test_without_a_builder_torch_code_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch)

    def absent(_: int) -> EmulatedDevice:
        raise BuildError("kernels for GPUs are built by cuda-core: pip install 'robograd[cuda]'")

    monkeypatch.setattr(gpu, "device_at", absent)
    _warned.clear()
    layer = ad_to_torch(X * 3.0)
    x = torch.ones(4, 3, dtype=torch.float64)
    with pytest.warns(RuntimeWarning, match=r"pip install 'robograd\[cuda\]'"):
        torch.testing.assert_close(layer(x), 3.0 * x)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # it is said once
        torch.testing.assert_close(layer(x), 3.0 * x)
    with pytest.raises(RuntimeError, match="engine 'kernel': kernels for GPUs are built by"):
        ad_to_torch(X * 3.0, engine="kernel")(x)


# ---------------------------------------------------------------------------- real GPUs only


@real_gpu
def test_on_a_stream_of_its_own() -> None:
    place = torch.device("cuda", 0)
    layer = layer_at(place, "kinematics")
    (q,) = inputs_of(layer, place, 100_000)
    expected = layer(q)
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(20):
            moved = q * 1.0  # on this stream: a kernel on another one would read too early
            out = layer(moved)
            moved.zero_()
    stream.synchronize()
    torch.testing.assert_close(out, expected, rtol=0, atol=0)


@real_gpu
def test_captured_in_a_graph() -> None:
    place = torch.device("cuda", 0)
    layer = layer_at(place, "kinematics")
    (q,) = inputs_of(layer, place, 1000)
    q.requires_grad_()

    def step() -> Any:
        out = layer(q)
        return out.detach(), *torch.autograd.grad((out**2).sum(), q)

    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        step()
    torch.cuda.current_stream().wait_stream(side)
    captured = torch.cuda.CUDAGraph()
    with torch.cuda.graph(captured):
        results = step()
    with torch.no_grad():
        q.copy_(inputs_of(layer, place, 1000, seed=8)[0])
    captured.replay()
    torch.cuda.synchronize()
    torch.testing.assert_close(list(results), list(step()), rtol=0, atol=0)


@real_gpu
def test_inductor_calls_the_kernel() -> None:
    place = torch.device("cuda", 0)
    torch._dynamo.reset()
    layer = layer_at(place, "kinematics")
    (q,) = inputs_of(layer, place, 50)
    q.requires_grad_()
    compiled = torch.compile(layer, fullgraph=True)
    got = torch.autograd.grad((compiled(q) ** 2).sum(), q)
    torch.testing.assert_close(got, torch.autograd.grad((layer(q) ** 2).sum(), q), **TOGETHER)


@real_gpu
def test_exported_programs_need_torch_alone() -> None:
    place = torch.device("cuda", 0)
    layer = layer_at(place, "kinematics")
    (q,) = inputs_of(layer, place, 5)
    program = torch.export.export(layer, (q,))
    torch.testing.assert_close(program.module()(q), layer(q), **TOGETHER)


@real_gpu
def test_autocast_leaves_the_dtype() -> None:
    place = torch.device("cuda", 0)
    layer = layer_at(place, "kinematics")
    (q,) = inputs_of(layer, place, 5)
    with torch.autocast("cuda", dtype=torch.float16):
        out = layer(q.float())
    torch.testing.assert_close(out, layer(q.float()), rtol=0, atol=0)


@real_gpu
def test_distributed_data_parallel() -> None:
    os.environ.setdefault("MASTER_ADDR", "127.0.0.1")
    os.environ.setdefault("MASTER_PORT", "29531")
    torch.distributed.init_process_group("nccl", rank=0, world_size=1)
    try:
        place = torch.device("cuda", 0)
        layer = ad_to_torch(X * ad.var("s", 3), trainable={"s": torch.ones(3)}).to(place)
        model = torch.nn.parallel.DistributedDataParallel(layer, device_ids=[0])
        model(torch.ones(4, 3, device=place)).sum().backward()
        torch.testing.assert_close(layer.s.grad, torch.full((3,), 4.0, device=place))
    finally:
        torch.distributed.destroy_process_group()


@real_gpu
@pytest.mark.parametrize("library", ["cupy", "jax"])
def test_arrays_of_other_libraries(library: str) -> None:
    module = pytest.importorskip(library)
    numbers = module.numpy if library == "jax" else module
    from bridges.kernel import ad_to_kernel

    x = numbers.ones((5, 3), dtype="float32")
    result = ad_to_kernel(X * 2.0, dtype="float32")(x)
    assert isinstance(result, type(x))
    assert (result == 2.0).all()
