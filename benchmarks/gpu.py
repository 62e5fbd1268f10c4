"""`python -m benchmarks.gpu`: kernels and layers on a GPU beside a copy of as many bytes and peers.

    python -m benchmarks.gpu --save FOLDER    where casadi and the robots' files are
    python -m benchmarks.gpu FOLDER           where the GPU is: torch and numpy are enough

The folder holds kernels as `Kernel.save` wrote them, layers as pickles, and robots as text. Every
row is checked against numpy first. Inputs rotate, so that none waits in a cache; times are medians
between events of the GPU.
"""

from __future__ import annotations

import argparse
import pickle
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

from bridges.kernel import Kernel, load
from bridges.kernel.evaluator import NumpyEvaluator
from bridges.native.device import cuda_device

_SETS = 3
_ROUNDS = 15
_TURN_MS = 4.0
_CHECKED = 256


@dataclass(frozen=True)
class Row:
    """What is asked of a kernel: `times` a copy's time, or `millions` of samples a second."""

    kernel: str
    derivative: str | None = None
    batch: int = 1_048_576
    times: float | None = None
    millions: float | None = None


ROWS = {
    "Panda pose": Row("pose", times=1.3),
    "Panda pose, vjp": Row("pose", "vjp"),
    "Panda inverse dynamics": Row("torques", times=2.0),
    "Panda inverse dynamics, vjp": Row("torques", "vjp", times=2.5),
    "Panda forward dynamics": Row("accelerations", times=4.0),
    "Panda rollout, 50 steps": Row("rollout", batch=65_536),
    "Panda rollout, 50 steps, vjp": Row("rollout", "vjp", batch=65_536),
    "G1 inverse dynamics": Row("g1_torques", batch=65_536, millions=500.0),
    "G1 forward dynamics": Row("g1_accelerations", batch=65_536, millions=200.0),
}


# ------------------------------------------------------------------------ where casadi is


def save(folder: Path) -> None:
    """Writes what a bare machine needs."""
    from benchmarks.ours import accelerations, pose, torques
    from benchmarks.robots import robot
    from benchmarks.rollouts import rollout
    from bridges.kernel import ad_to_kernel
    from bridges.pytorch import ad_to_torch

    folder.mkdir(parents=True, exist_ok=True)
    panda, g1 = robot("panda"), robot("g1")
    graphs = {
        "pose": pose(panda),
        "torques": torques(panda),
        "accelerations": accelerations(panda),
        "rollout": rollout(panda, 50, "all"),
        "g1_torques": torques(g1),
        "g1_accelerations": accelerations(g1),
    }
    for name, graph in graphs.items():
        kernel = ad_to_kernel(graph, dtype="float32")
        kernel.save(folder / f"{name}.kernel", [] if name.startswith("g1") else ["vjp"])
    (folder / "pose.layer").write_bytes(pickle.dumps(ad_to_torch(pose(panda))))
    (folder / "panda.urdf").write_text(panda.urdf)


# -------------------------------------------------------------------------- where the GPU is


def seconds(call: Callable[[int], object]) -> float:
    """Median time of `call(k)` on the GPU, k = 0, 1, 2, ... counting through the sets of inputs."""
    for k in range(_SETS):
        call(k)
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))

    def elapsed(calls: int) -> float:
        start.record()
        for k in range(calls):
            call(k % _SETS)
        end.record()
        end.synchronize()
        return start.elapsed_time(end) / calls

    calls = max(_SETS, min(300, int(_TURN_MS / max(elapsed(_SETS), 1e-3))))
    return median(elapsed(calls) for _ in range(_ROUNDS)) * 1e-3


def rotating(run: Callable[[Any], Any], sets: Sequence[Any]) -> Callable[[int], None]:
    """Calls `run` with set k and keeps what it gives, so that results lie in several places too."""
    kept = [run(inputs) for inputs in sets]

    def call(k: int) -> None:
        kept[k] = run(sets[k])

    return call


def copy_seconds(n_bytes: int) -> float:
    """Time of a device-to-device copy that reads half of the bytes and writes the other half."""
    sources = [torch.randn(max(n_bytes // 8, 1), device="cuda") for _ in range(_SETS)]
    target = [torch.empty_like(x) for x in sources]
    return seconds(lambda k: target[k].copy_(sources[k]))


def draw(kernel: Kernel, batch: int, seed: int) -> list[torch.Tensor]:
    """float32 inputs; for G1's 36 numbers, of which the base has 7, with a unit quaternion."""
    generator = torch.Generator(device="cuda").manual_seed(seed)
    inputs = [torch.randn(batch, n, device="cuda", generator=generator) for n in kernel.input_sizes]
    if kernel.input_sizes[0] == 36:
        inputs[0][:, 3:7] = torch.nn.functional.normalize(inputs[0][:, 3:7], dim=1)
    return inputs


def wrong_by(kernel: Kernel, inputs: Sequence[torch.Tensor]) -> float:
    """Largest difference from numpy in float64, relative to the largest result."""
    few = [x[:_CHECKED].double().cpu().numpy() for x in inputs]
    expected = [np.empty((_CHECKED, *shape)) for shape in kernel.output_shapes]
    NumpyEvaluator(kernel.program).run(few, (_CHECKED,), expected)
    results = kernel.on_gpu(0)([x[:_CHECKED] for x in inputs])
    pairs = zip(results, expected, strict=True)
    return max(float(np.abs(r.cpu().numpy() - e).max() / np.abs(e).max()) for r, e in pairs)


def kernel_rows(folder: Path) -> None:
    """The rows of kernels."""
    print(f"{'':30} {'ns':>8} {'GB/s':>6} {'M/s':>7} {'copies':>7} {'asked':>12}  error")
    for name, row in ROWS.items():
        kernel = load(folder / f"{row.kernel}.kernel")
        kernel = kernel if row.derivative is None else kernel._derivative(row.derivative, None)
        sets = [draw(kernel, row.batch, seed) for seed in range(_SETS)]
        began = time.perf_counter()
        run = kernel.on_gpu(0)
        built = time.perf_counter() - began
        error = wrong_by(kernel, sets[0])
        took = seconds(rotating(run, sets))
        copied = copy_seconds(kernel.bytes * row.batch)
        asked = f">= {row.millions} M/s" if row.millions else ""
        asked = f"<= {row.times} copies" if row.times else asked
        print(
            f"{name:30} {took / row.batch * 1e9:8.4f} {kernel.bytes * row.batch / took / 1e9:6.0f} "
            f"{row.batch / took / 1e6:7.0f} {took / copied:7.2f} {asked:>12}  {error:.0e}, "
            f"built in {built:.1f} s",
            flush=True,
        )


def layer_rows(folder: Path) -> None:
    """Pose and backward through the layer, and what a call costs."""
    layer: Any = pickle.loads((folder / "pose.layer").read_bytes()).cuda()
    batch = 1_048_576
    qs = [torch.randn(batch, 7, device="cuda").requires_grad_() for _ in range(_SETS)]
    weights = torch.randn(batch, 12, device="cuda")

    def both(k: int) -> Any:
        return torch.autograd.grad(layer(qs[k]), qs[k], weights)

    replays = [captured(lambda k=k: both(k)).replay for k in range(_SETS)]
    copied = copy_seconds((7 + 12 + 7 + 12 + 7) * 4 * batch)
    ones = [torch.ones_like(q) for q in qs]
    times = {
        "in a CUDA graph (<= 1.5)": seconds(lambda k: replays[k]()),
        "launched from Python": seconds(both),
        "torch.sin and backward, launched": seconds(
            lambda k: torch.autograd.grad(torch.sin(qs[k]), qs[k], ones[k])
        ),
    }
    for name, took in times.items():
        print(f"pose and backward, {name}: {took / copied:.2f} copies, {took * 1e6:.1f} us")
    code = torch_code(layer)
    with torch.no_grad():
        took = seconds(rotating(layer, qs))
        print(f"pose, layer: {took / batch * 1e9:.4f} ns a sample")
        for name, engine in {"torch code": code, "compiled": torch.compile(code)}.items():
            other = seconds(rotating(engine, qs)) / took
            print(f"pose, {name}: {other:.1f} times the layer's", flush=True)
    for batch in (1, 1024):
        latency(layer, torch.randn(batch, 7, device="cuda"))


def torch_code(layer: Any) -> Callable[[torch.Tensor], torch.Tensor]:
    """The straight-line torch code of a layer of one input."""
    return lambda q: layer._run.straight((q,))[0]


def captured(call: Callable[[], object]) -> torch.cuda.CUDAGraph:
    """A CUDA graph of the call, warmed up on a stream of its own as torch asks for."""
    side = torch.cuda.Stream()
    with torch.cuda.stream(side):
        call()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        call()
    return graph


def latency(layer: Any, q: torch.Tensor) -> None:
    """Microseconds of a call, of a step with its gradient, and of a call in a CUDA graph."""
    with torch.no_grad():
        layer(q)
        replay = captured(lambda: layer(q)).replay
        calls = {"forward": lambda: layer(q), "in a CUDA graph": replay}
        kernel = layer.kernel(q.dtype).on_gpu(0)
        calls["kernel alone"] = lambda: kernel([q])
        calls["torch.sin"] = lambda: torch.sin(q)
        figures = {name: per_call(call) for name, call in calls.items()}
    text = ", ".join(f"{name} {us:.1f} us" for name, us in figures.items())
    print(f"layer at batch {len(q)}: {text} (asked: 15, 5)", flush=True)


def per_call(call: Callable[[], object], calls: int = 2000) -> float:
    """Median microseconds a call, of calls in a row that the GPU has finished."""

    def once() -> float:
        torch.cuda.synchronize()
        began = time.perf_counter()
        for _ in range(calls):
            call()
        torch.cuda.synchronize()
        return (time.perf_counter() - began) / calls * 1e6

    return median(once() for _ in range(7))


def peers(folder: Path) -> None:
    """pytorch_kinematics and frax on the same card, where they are installed."""
    from benchmarks.robots import Robot
    from robotics_ad import load_urdf

    text = (folder / "panda.urdf").read_text()
    panda = Robot("panda", "panda_link8", "fixed", load_urdf(text), text)
    kernel = load(folder / "pose.kernel")
    cases = ((pytorch_kinematics, 65_536), (pytorch_kinematics, 1_048_576), (frax, 1_048_576))
    for peer, batch in cases:
        sets = [draw(kernel, batch, seed) for seed in range(_SETS)]
        try:
            theirs = peer(panda, [x for (x,) in sets])
        except ImportError as error:
            print(f"{peer.__name__}: not here ({error})")
            continue
        run = kernel.on_gpu(0)
        ours = seconds(rotating(run, sets))
        print(
            f"{peer.__name__}, pose, batch {batch}: {theirs / batch * 1e9:.3f} ns a sample, "
            f"{theirs / ours:.0f} times ours",
            flush=True,
        )


def pytorch_kinematics(panda: Any, qs: Sequence[torch.Tensor]) -> float:
    """Seconds of a batch of poses."""
    import pytorch_kinematics as pk

    chain = pk.build_serial_chain_from_urdf(panda.urdf, panda.end)
    chain = chain.to(dtype=torch.float32, device="cuda")
    with torch.no_grad():
        return seconds(lambda k: chain.forward_kinematics(qs[k], end_only=True).get_matrix())


def frax(panda: Any, qs: Sequence[torch.Tensor]) -> float:
    """Seconds of a batch of poses, compiled by XLA: time on the clock over many calls."""
    import jax

    from benchmarks.peers.frax import manipulator

    arm = manipulator(panda)
    f = jax.jit(jax.vmap(arm.ee_transform))
    given = [jax.numpy.asarray(q.cpu().numpy()) for q in qs]
    for x in given:
        f(x).block_until_ready()

    def once() -> float:
        began = time.perf_counter()
        for k in range(60):
            y = f(given[k % _SETS])
        y.block_until_ready()
        return (time.perf_counter() - began) / 60

    return median(once() for _ in range(7))


def main(argv: Sequence[str] | None = None) -> int:
    """Save, or measure. Returns 0, or 1 where a test of the GPU fails."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=Path("build/gpu"))
    parser.add_argument("--save", action="store_true", help="write the folder, measure nothing")
    parser.add_argument("--no-tests", action="store_true", help="the table alone")
    chosen = parser.parse_args(argv)
    if chosen.save:
        save(chosen.folder)
        return 0
    device: Any = cuda_device(0)
    print(f"{device.name}, {device.architecture}, {device.versions}, torch {torch.__version__}")
    status = 0
    if not chosen.no_tests:
        command = [sys.executable, "-m", "pytest", "-q", "-m", "gpu", "-n", "6", "tests/gpu"]
        status = subprocess.run(command, check=False).returncode
    kernel_rows(chosen.folder)
    layer_rows(chosen.folder)
    peers(chosen.folder)
    return min(status, 1)


if __name__ == "__main__":
    sys.exit(main())
