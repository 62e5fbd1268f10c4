"""Rows about the kernel engine alone: how long kernels take to build and to load, and threads.

The run is bound to one processor, so each of these rows has a process of its own, with all of them:
`python -m benchmarks.builds NAME [quick]` prints the row's figures as JSON.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from statistics import harmonic_mean, median
from typing import Any

import casadi
import numpy as np

from benchmarks.calls import figures as broadcast_figures
from benchmarks.control import figures as swing_figures
from benchmarks.evaluation import figures as evaluation_figures
from benchmarks.inverse_kinematics import figures as ik_figures
from benchmarks.loads import load_figures
from benchmarks.model import Measured, Measurement
from benchmarks.ours import pose, torques
from benchmarks.receding import figures as horizon_figures
from benchmarks.robots import robot
from benchmarks.rollouts import memory_figures
from bridges.casadi import ad_to_casadi
from bridges.kernel import Kernel, ad_to_kernel, casadi_to_kernel


def random_program(n_ops: int, transcendental: float, reach: int, seed: int = 0) -> casadi.Function:
    """50 inputs, `n_ops` sums, products and functions of values at most `reach` back, 50 outputs.

    transcendental: the part of the operations that are sines, roots, logarithms and the like.
    """
    rng = np.random.default_rng(seed)
    functions: list[Callable[..., Any]] = [
        *(casadi.sin, casadi.cos, casadi.atan2, casadi.exp, casadi.tanh),
        *(lambda a: casadi.sqrt(1 + a * a), lambda a: casadi.log(2 + a * a), lambda a, b: a / b),
    ]
    x: Any = casadi.SX.sym("x", 50)
    values: list[Any] = casadi.vertsplit(x)
    for _ in range(n_ops):
        a, b = (values[-1 - int(i)] for i in rng.integers(0, min(reach, len(values)), 2))
        if rng.random() < transcendental:
            function = functions[int(rng.integers(len(functions)))]
            values.append(
                function(a, b) if function in (casadi.atan2, functions[-1]) else function(a)
            )
        else:
            values.append((a + b, a - b, a * b)[int(rng.integers(3))])
    sums = [sum(values[i::50][1:], values[i]) for i in range(50)]  # so that nothing is left out
    return casadi.Function("f", [x], [casadi.vertcat(*sums)])


def _programs(quick: bool) -> dict[str, tuple[casadi.Function, float | None]]:
    """Functions, and the seconds in which they shall build."""
    size = 300 if quick else 20_000  # the sums double it
    arm = robot("panda")
    programs: dict[str, tuple[casadi.Function, float | None]] = {
        "forward kinematics, panda": (ad_to_casadi(pose(arm), symbolic="SX"), 0.6),
        "inverse dynamics, panda": (ad_to_casadi(torques(arm), symbolic="SX"), None),
    }
    if not quick:
        humanoid = ad_to_casadi(torques(robot("g1")), symbolic="SX")
        programs["inverse dynamics, g1"] = (humanoid, 4.0)
    return programs | {
        "random arithmetic": (random_program(size, 0.0, 10**9), 25.0),
        "random, every fifth no arithmetic": (random_program(size, 0.2, 10**9), 25.0),
        "random, half of it no arithmetic": (random_program(size, 0.5, 300), 25.0),
    }


def derivative_figures(quick: bool) -> list[Measured]:
    """Seconds to build inverse dynamics for CasADi with Jacobian and Hessian, then for more stages.

    The wall's: compilers run side by side.
    """
    figures: list[Measured] = []
    goals = {"panda": 4.0} if quick else {"panda": 4.0, "g1": 15.0}
    casadi_to_kernel(random_program(3, 0.5, 50))  # asks the compiler what it can
    for name, seconds in goals.items():
        graph = torques(robot(name))
        label = f"inverse dynamics, {name}, with Jacobian and Hessian"
        for stages, most in ((50, seconds), (20, 1.0)):
            start, begun = time.perf_counter(), _processor_seconds()
            ad_to_casadi(graph, compiled=True, mapped=stages)
            wall, spent = time.perf_counter() - start, _processor_seconds() - begun
            text = f"{label}, {stages} stages{' after 50' * (stages != 50)}"
            figures.append(Measured(f"{text}: wall time", wall, "s", at_most=most))
            figures.append(Measured(f"{text}: processor time", spent, "s"))
    return figures


def build_figures(quick: bool) -> list[Measured]:
    """Seconds to build each kernel in an empty cache, and to load it again."""
    figures: list[Measured] = []
    casadi_to_kernel(random_program(3, 0.5, 50))  # asks the compiler what it can
    for label, (function, seconds) in _programs(quick).items():
        begun, wall = _processor_seconds(), time.perf_counter()
        kernel = casadi_to_kernel(function)
        spent, wall = _processor_seconds() - begun, time.perf_counter() - wall
        name = f"{label}, {kernel.n_ops:,} operations"
        figures.append(Measured(f"{name}: build, processor time", spent, "s", at_most=seconds))
        figures.append(Measured(f"{name}: build, wall time", wall, "s", at_most=seconds))
        loads: list[float] = []
        for _ in range(3 if quick else 15):
            start = time.perf_counter()
            casadi_to_kernel(function)
            loads.append(1e3 * (time.perf_counter() - start))
        figures.append(Measured(f"{name}: load from the CasADi function", median(loads), "ms"))
    used = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024  # kilobytes on Linux
    figures.append(Measured("memory of the compiler", used, "MiB", at_most=1000))
    return figures + load_figures(quick)  # last: their processes are no compilers


def thread_figures(quick: bool) -> list[Measured]:
    """How many times as fast two threads are, and how fast beside two that only copy.

    One thread is timed on one processor and on the other, for these have neighbours of their own;
    the harmonic mean is the time of the mean speed. All are timed in turn, on the same data.
    """
    samples = 4_096 if quick else 1_048_576
    rounds = 2 if quick else 15
    arm = robot("panda")
    rng = np.random.default_rng(1)
    figures: list[Measured] = []
    dynamics = ad_to_kernel(torques(arm))
    kernels: dict[str, tuple[Kernel, float | None]] = {
        "Jacobian of inverse dynamics": (dynamics.jacobian(), 1.7),
        "inverse dynamics": (dynamics, None),
        "forward kinematics": (ad_to_kernel(pose(arm)), None),
    }
    copy = _Copy(2**20 if quick else 2**28)
    for label, (kernel, goal) in kernels.items():
        inputs = [rng.normal(size=(samples, n)) for n in kernel.input_sizes]
        call = partial(_call, kernel, inputs)
        for threads in (2, 1):  # builds, starts the threads, and takes the memory of the results
            call(threads)
        ours: list[tuple[float, float]] = []
        copies: list[tuple[float, float]] = []
        for _ in range(rounds):
            ours.append(_one_and_two(call))
            copies.append(_one_and_two(copy))
        size = kernel.bytes * samples / copy.size
        beside = [theirs * size / two for (_, two), (_, theirs) in zip(ours, copies, strict=True)]
        copied = f"memcpy of as many bytes as {label}"
        for name, ratios, unit, at_least in (
            (f"{label}, batch {samples:,}, two threads", _ratios(ours), "times as fast", goal),
            (f"{copied}, two threads", _ratios(copies), "times as fast", None),
            (f"{copied}, beside it, two threads each", beside, "times as long", None),
        ):
            spread = f"{min(ratios):.2f} .. {max(ratios):.2f}"
            figures.append(Measured(f"{name} ({spread})", median(ratios), unit, at_least=at_least))
    return figures


def _ratios(seconds: list[tuple[float, float]]) -> list[float]:
    return [one / two for one, two in seconds]


def _one_and_two(call: Callable[[int], None]) -> tuple[float, float]:
    """Seconds of a call on one thread and on two."""
    ours = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0]
    ones: list[float] = []
    for processor in ours[:2]:
        if len(ours) > 1:
            os.sched_setaffinity(0, {processor})  # this thread; others have begun
        ones.append(_seconds(call, 1))
    if len(ours) > 1:
        os.sched_setaffinity(0, ours)
    return harmonic_mean(ones), _seconds(call, 2)


def _seconds(call: Callable[[int], None], threads: int) -> float:
    start = time.perf_counter()
    call(threads)
    return time.perf_counter() - start


def _call(kernel: Kernel, inputs: list[Any], threads: int) -> None:
    os.environ["ROBOGRAD_NUM_THREADS"] = str(threads)
    kernel(*inputs)


class _Copy:
    """Copies `size` bytes in two halves, one after the other or at once."""

    def __init__(self, size: int) -> None:
        self.size = size
        source, target = np.ones(size, np.uint8), np.ones(size, np.uint8)
        self._halves = list(zip(np.split(target, 2), np.split(source, 2), strict=True))
        self._pool = ThreadPoolExecutor(2)
        self(2)

    def __call__(self, threads: int) -> None:
        """Copies on so many threads."""
        run = map if threads == 1 else self._pool.map
        list(run(lambda half: np.copyto(*half), self._halves))


def _processor_seconds() -> float:
    own, children = (resource.getrusage(who) for who in (0, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def _elsewhere(name: str, *, builds: bool = False) -> Callable[[bool], list[Measured]]:
    """The figures of a row from a process that may use every processor.

    builds: whether it is given an empty cache.
    """

    def measure(quick: bool) -> list[Measured]:
        with tempfile.TemporaryDirectory() as cache:
            ran = subprocess.run(
                [sys.executable, "-m", "benchmarks.builds", name, *(["quick"] if quick else [])],
                env={**os.environ, **({"ROBOGRAD_CACHE": cache} if builds else {})},
                stdout=subprocess.PIPE,
                text=True,
                check=True,
            )
        return [Measured(**figure) for figure in json.loads(ran.stdout)]

    return measure


_FIGURES = {
    "build": build_figures,
    "build_derivatives": derivative_figures,
    "threads": thread_figures,
    "rollout_memory": memory_figures,
}

MEASUREMENTS = (
    Measurement(
        "build", "building and loading kernels, an empty cache", _elsewhere("build", builds=True)
    ),
    Measurement(
        "build_derivatives",
        "building functions for CasADi, an empty cache",
        _elsewhere("build_derivatives", builds=True),
    ),
    Measurement("threads", "two threads beside one", _elsewhere("threads")),
    Measurement(
        "rollout_memory",
        "memory of the gradient of 4,096 rollouts of 100 steps",
        _elsewhere("rollout_memory"),
    ),
    Measurement("call_broadcast", "one sample beside a batch, more a call", broadcast_figures),
    Measurement("inverse_kinematics", "10,000 poses of Panda to 1 mm and 0.1 degrees", ik_figures),
    Measurement("swing", "Panda's swing of least torque, 50 nodes", swing_figures),
    Measurement(
        "swing_short_of_torque",
        "the same with 23 % of the torques",
        partial(swing_figures, share=0.23),
    ),
    Measurement("evaluation", "the swing's functions, 50 nodes, an iteration", evaluation_figures),
    Measurement("receding_horizon", "Panda in MuJoCo, 20 nodes a control", horizon_figures),
)


if __name__ == "__main__":
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, range(os.cpu_count() or 1))
    row = _FIGURES[sys.argv[1]](sys.argv[2:] == ["quick"])
    sys.stdout.write(json.dumps([figure.as_json() for figure in row]))
