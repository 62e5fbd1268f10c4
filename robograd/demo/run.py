"""The demonstration from start to end: what runs in which order, and what is printed."""

from __future__ import annotations

import math
import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from robograd.demo.endpoints import choose_swing
from robograd.demo.picture import draw
from robograd.demo.report import heading, require, row
from robograd.demo.subject import Subject, choose_subject
from robograd.demo.swing import Swing, solve_swing
from robograd.demo.throughput import measure_throughput
from robograd.demo.training import Training, train_inverse_kinematics
from robograd.robots import Mappings


@dataclass(frozen=True)
class Settings:
    """How much work the demonstration does."""

    samples: int = 65_536
    steps: int = 2_000
    batch: int = 256
    nodes: int = 50
    progress: bool = True


@dataclass(frozen=True)
class Outcome:
    """What the demonstration found, for whoever calls it from Python."""

    subject: Subject
    training: Training
    swing: Swing


def run_demo(
    *,
    urdf: str | os.PathLike[str] | None = None,
    mjcf: str | os.PathLike[str] | None = None,
    link: str | None = None,
    output: str | os.PathLike[str] = "demo.png",
    seed: int = 0,
    settings: Settings | None = None,
    mappings: Mappings | None = None,
) -> Outcome:
    """Run every part on one robot, print the figures and draw them into `output`.

    Args:
        urdf: a URDF or xacro file.
        mjcf: an MJCF file; where neither is given, the robot is the packaged arm.
        link: the link to place; None stands for the tool of the longest chain.
        output: the picture to write; its suffix chooses the format.
        seed: of all random numbers.
        settings: sizes of the parts.
        mappings: arguments of a xacro file.

    Raises:
        FileNotFoundError, ValueError: for a file or link that will not do, or a negative seed.
        ImportError: naming the extra to install, where matplotlib or tqdm is missing.
    """
    began = time.perf_counter()
    if seed < 0:
        raise ValueError(f"the seed is {seed}, expected 0 or more")
    chosen = settings or Settings()
    require("matplotlib", "tqdm")
    picture = _writable(output)
    subject = choose_subject(urdf, link, mjcf=mjcf, mappings=mappings)
    _introduce(subject)
    rng = np.random.default_rng(seed)
    _kinematics(subject, chosen, rng)
    training = _training(subject, chosen, seed)
    swing = _swing(subject, chosen, rng)
    _picture(subject, training, swing, picture)
    print(f"\ndone in {time.perf_counter() - began:.1f} s")
    return Outcome(subject, training, swing)


def _introduce(subject: Subject) -> None:
    heading(f"Robot '{subject.robot.name}'")
    row("link to place", subject.link.name)
    row("joints that move it", ", ".join(subject.robot.joint_names))
    if subject.locked:
        row("locked", ", ".join(subject.locked))


def _kinematics(subject: Subject, settings: Settings, rng: np.random.Generator) -> None:
    heading("1  Forward kinematics in batches (kernel)")
    found = measure_throughput(subject, settings.samples, rng)
    how = "compiled kernel" if found.native else "no compiled kernel: CasADi's evaluator"
    row("made in", f"{found.build_seconds:.2f} s ({how}, float64)")
    row("configurations", f"{found.samples:,}, random within the limits")
    row("throughput", f"{found.per_second / 1e6:.3g} million poses/s")
    row("time per pose", f"{found.nanoseconds:.3g} ns")
    row("largest deviation", f"{found.deviation:.1e} from the numpy engine")


def _training(subject: Subject, settings: Settings, seed: int) -> Training:
    heading("2  Inverse kinematics, learned through the FK layer (torch)")
    result = train_inverse_kinematics(
        subject,
        steps=settings.steps,
        batch=settings.batch,
        seed=seed,
        progress=settings.progress,
    )
    row("network", f"{result.parameters:,} weights, {result.heads} proposals for a pose")
    row("trained on", f"{result.poses:,} fresh random poses, in {result.seconds:.1f} s")
    row("held-out poses", f"{result.before.position.numel():,}")
    for what, unit, scale in (("position", "mm", 1e3), ("rotation", "deg", 180 / math.pi)):
        before, after = getattr(result.before, what), getattr(result.after, what)
        for statistic in ("mean", "median"):
            old, new = (scale * float(getattr(x, statistic)()) for x in (before, after))
            fall = f"  ({old / new:.1f} times less)" if new > 0 and what == "position" else ""
            row(f"{what} error, {statistic}", f"{old:.1f} -> {new:.1f} {unit}{fall}")
    return result


def _swing(subject: Subject, settings: Settings, rng: np.random.Generator) -> Swing:
    heading("3  Minimum-torque swing (CasADi, IPOPT)")
    task = choose_swing(subject, rng)
    for remark in task.limits.remarks:
        row("note", remark)
    with np.printoptions(precision=2, suppress=True, linewidth=200):
        row("from", str(task.start))
        row("to", str(task.goal))
    row("duration", f"{task.duration:.2f} s, {settings.nodes} nodes")
    swing = solve_swing(subject.robot, task, nodes=settings.nodes)
    row("program", f"{swing.variables:,} variables, {swing.constraints:,} equations, exact Hessian")
    row("set up in", f"{swing.build_seconds:.2f} s")
    row(
        "status", f"{swing.status} after {swing.iterations} iterations, {swing.solve_seconds:.2f} s"
    )
    row("objective", f"{swing.objective:.4g} s (squared share of the torque limits, integrated)")
    row("minimum-jerk motion", f"{swing.guess_objective:.4g} s")
    return swing


def _picture(subject: Subject, training: Training, swing: Swing, path: Path) -> None:
    heading("4  Picture")
    draw(subject, training, swing, path)
    row("written to", str(path))


def _writable(output: str | os.PathLike[str]) -> Path:
    """The path, known before the work starts to be one that a picture can be written to."""
    from matplotlib.backend_bases import FigureCanvasBase

    path = Path(output)
    formats = FigureCanvasBase.get_supported_filetypes()
    if path.suffix[1:].lower() not in formats:
        raise ValueError(f"'{path}' has no suffix of a picture; suffixes: {', '.join(formats)}")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"no folder '{path.parent}' to write '{path.name}' into")
    if path.is_dir() or (path.exists() and not os.access(path, os.W_OK)):
        raise ValueError(f"'{path}' cannot be written")
    return path
