"""How long built kernels take to load from a graph: each figure from processes of its own.

`python -m benchmarks.loads ROBOT FUNCTION [KIND ...]` imports everything, loads the robot, makes
the graph, and then times `ad_to_kernel(graph)` and its derivatives. It prints operations, and
milliseconds of the clock and of the processor, as JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from statistics import median
from typing import NamedTuple

import bridges.casadi  # noqa: F401 (before the clock runs)
from benchmarks.model import Measured
from benchmarks.ours import accelerations, pose, torques
from benchmarks.robots import robot
from bridges.kernel import Kernel, ad_to_kernel

_GRAPHS = {"pose": pose, "torques": torques, "accelerations": accelerations}

_LOADS: dict[str, tuple[tuple[str, ...], float | None]] = {
    "forward kinematics, panda": (("panda", "pose", "vjp", "jacobian"), 15),
    "inverse dynamics, panda": (("panda", "torques", "vjp", "jacobian"), None),
    "forward dynamics, panda": (("panda", "accelerations", "vjp", "jacobian"), 60),
    "inverse dynamics, g1": (("g1", "torques", "vjp", "jacobian"), None),
    "forward dynamics, g1": (("g1", "accelerations", "vjp", "hessian_vp", "jacobian"), 600),
}
"""Robot, function and derivatives by label; milliseconds that the value shall take at most."""
_WORDS = {
    "value": "",
    "vjp": "vjp of ",
    "hessian_vp": "Hessian product of ",
    "jacobian": "Jacobian of ",
}
_CLOCKS = {"processor_ms": "processor time", "wall_ms": "wall time"}


def load_figures(quick: bool) -> list[Measured]:
    """Milliseconds from a graph to its kernel, and from a kernel to its derivative, all built."""
    figures: list[Measured] = []
    for label, (chosen, goal) in list(_LOADS.items())[: 1 if quick else None]:
        _loaded(chosen)  # builds
        rounds = [_loaded(chosen) for _ in range(1 if quick else 9)]
        for kind, first in rounds[0].items():
            name = f"{_WORDS[kind]}{label}, {first.n_ops:,} operations: load from the graph"
            for clock in ("processor_ms", "wall_ms"):
                times = [getattr(found[kind], clock) for found in rounds]
                spread = f"{min(times):.2f} .. {max(times):.2f}"
                title = f"{name}, {_CLOCKS[clock]} ({spread})"
                at_most = goal if kind == "value" else None
                figures.append(Measured(title, median(times), "ms", at_most=at_most))
    return figures


class _Load(NamedTuple):
    n_ops: int
    wall_ms: float
    processor_ms: float


def _loaded(chosen: tuple[str, ...]) -> dict[str, _Load]:
    """What `_loads` gives, from a new process."""
    command = [sys.executable, "-m", "benchmarks.loads", *chosen]
    ran = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return {kind: _Load(*found) for kind, found in json.loads(ran.stdout).items()}


def _loads(name: str, function: str, *kinds: str) -> dict[str, _Load]:
    graph = _GRAPHS[function](robot(name))
    kernel, value = _timed(lambda: ad_to_kernel(graph))
    found = {"value": value}
    for kind in kinds:
        _, found[kind] = _timed(lambda: getattr(kernel, kind)().build())  # noqa: B023 (called now)
    return found


def _timed(load: Callable[[], Kernel]) -> tuple[Kernel, _Load]:
    wall, spent = time.perf_counter(), time.process_time()
    kernel = load()
    spent, wall = time.process_time() - spent, time.perf_counter() - wall
    return kernel, _Load(kernel.n_ops, 1e3 * wall, 1e3 * spent)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_loads(*sys.argv[1:])))
