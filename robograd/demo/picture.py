"""The demonstration's figure: training curve, path in space, and every joint with its limits."""

# matplotlib's stubs leave keywords of axes and most 3-D methods untyped.
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import ad_core as ad
from robograd.demo.subject import Subject, Vector
from robograd.demo.swing import Swing
from robograd.demo.training import Training
from robotics_ad import kinematics

# Okabe and Ito's colours, which people with colour-blindness tell apart; one a joint.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_GREY, _LIMIT = "#8c8c8c", "#b2182b"
_STYLE: Any = {
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 8,
}


def draw(subject: Subject, training: Training, swing: Swing, path: Path) -> None:
    """Draw the figure and write it to `path`, at 200 dots per inch."""
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    n = subject.robot.nq
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(12.5, max(6.8, 1.6 + 1.05 * n)), layout="constrained")
        FigureCanvasAgg(figure)
        halves: Any = figure.subfigures(1, 2, width_ratios=(0.42, 0.58), wspace=0.02)
        left = halves[0].subfigures(2, 1, height_ratios=(0.38, 0.62))
        _draw_training(left[0], training)
        _draw_path(left[1], subject, swing)
        _draw_joints(halves[1], subject, swing)
        figure.savefig(path, dpi=200)


def _draw_training(figure: Any, training: Training) -> None:
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    _set_heading(figure, "a  Inverse kinematics trained through the FK layer")
    axes = figure.subplots()
    errors = 1e3 * np.array(training.errors)
    axes.plot(training.steps, errors, color=_COLOURS[0], lw=1.8)
    for step, error, align in (
        (training.steps[0], errors[0], "left"),
        (training.steps[-1], errors[-1], "right"),
    ):
        axes.plot(step, error, "o", color=_COLOURS[0], ms=4)
        axes.annotate(
            f"{error:.3g} mm", (step, error), (0, 6), textcoords="offset points", ha=align
        )
    axes.set_xlabel("training step")
    axes.set_ylabel("mean position error\non held-out poses [mm]")
    axes.grid(which="major")
    axes.margins(x=0.03, y=0.12)
    if errors.min() > 0.0:  # not where the link turns on the spot
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())


def _draw_path(figure: Any, subject: Subject, swing: Swing) -> None:
    _set_heading(figure, f"b  Path of '{subject.link.name}' in the swing")
    axes = figure.add_subplot(projection="3d")
    _, q = swing.motion.sampled(8)
    _, q_guess = swing.guess.sampled(8)
    position = kinematics.WorldPosition(subject.link)("q")
    path, path_guess = (position.eval_batch(q=x.T) for x in (q, q_guess))
    arms = _skeletons(subject, swing.motion.q.T)
    shown = np.linspace(0, len(arms) - 1, 6).round().astype(int)
    for place, node in enumerate(shown):
        end = place in (0, len(shown) - 1)
        axes.plot(
            *arms[node].T, color="#4d4d4d" if end else "#c4c4c4", lw=2.2 if end else 1.1,
            marker="o", ms=3 if end else 1.6, zorder=1,
        )  # fmt: skip
    axes.plot(*path_guess.T, color=_GREY, lw=1.2, ls=":", label="minimum jerk (first guess)")
    axes.plot(*path.T, color=_COLOURS[0], lw=2.2, label="minimum torque")
    for point, marker, colour, label in (
        (path[0], "o", _COLOURS[2], "start"),
        (path[-1], "s", _COLOURS[1], "goal"),
    ):
        axes.plot(*point[:, None], marker, color=colour, ms=6, label=label, ls="none")
    for axis in "xyz":
        getattr(axes, f"set_{axis}label")(f"{axis} [m]")
    _equal_scales(axes, np.concatenate([arms.reshape(-1, 3), path, path_guess]))
    figure.legend(loc="outside lower center", ncols=4, columnspacing=1.2)


def _set_heading(figure: Any, text: str) -> None:
    figure.suptitle(text, x=0.01, ha="left", fontsize=10, fontweight="bold")


def _skeletons(subject: Subject, q: Vector) -> Vector:
    """Origins of the links from the root to the chosen one, (batch, links, 3)."""
    robot = subject.robot
    names = [subject.link.name]
    parents = {joint.child: joint.parent for joint in robot.joints}
    while names[-1] in parents:
        names.append(parents[names[-1]])
    origins = [kinematics.WorldPosition(robot.link(name))("q") for name in reversed(names)]
    return ad.stack(*origins).eval_batch(q=q).reshape(len(q), len(names), 3)


def _equal_scales(axes: Any, points: Vector) -> None:
    """The same scale along x, y and z, with a little room around the points."""
    low, high = points.min(axis=0), points.max(axis=0)
    middle, half = (low + high) / 2, np.maximum((high - low) / 2, 0.3 * np.max(high - low)) * 1.05
    half = np.maximum(half, 1e-3)
    axes.set(
        xlim=(middle[0] - half[0], middle[0] + half[0]),
        ylim=(middle[1] - half[1], middle[1] + half[1]),
        zlim=(middle[2] - half[2], middle[2] + half[2]),
    )
    axes.set_box_aspect(half, zoom=0.92)
    axes.locator_params(nbins=5)


def _draw_joints(figure: Any, subject: Subject, swing: Swing) -> None:
    _set_heading(figure, "c  Joint positions (left) and torques (right) in the swing")
    robot, limits = subject.robot, swing.task.limits
    grid = figure.subplots(robot.nq, 2, sharex=True, squeeze=False)
    motion, guess = swing.motion, swing.guess
    times, q = motion.sampled(8)
    times_guess, q_guess = guess.sampled(8)
    for i, name in enumerate(robot.joint_names):
        colour = _COLOURS[i % len(_COLOURS)]
        slides = robot.joint(name).kind == "prismatic"
        left, right = grid[i]
        _draw_strip(left, (times, q[i]), (times_guess, q_guess[i]), colour)
        _draw_strip(right, (motion.middles, motion.tau[i]), (guess.middles, guess.tau[i]), colour)
        _draw_limits(left, limits.lower[i], limits.upper[i])
        _draw_limits(right, -limits.effort[i], limits.effort[i])
        left.set_ylabel("m" if slides else "rad")
        right.set_ylabel("N" if slides else "N m")
        for axes in (left, right):
            axes.set_title(name, color=colour, fontsize=8, fontweight="normal", pad=2)
    for axes in grid[-1]:
        axes.set_xlabel("time [s]")
        axes.set_xlim(0, motion.times[-1])
    figure.align_ylabels()
    _add_legend(figure)


def _draw_strip(
    axes: Any, optimum: tuple[Vector, Vector], guess: tuple[Vector, Vector], colour: str
) -> None:
    axes.plot(*guess, color=_GREY, lw=1.0, ls=":")
    axes.plot(*optimum, color=colour, lw=1.7)
    axes.grid()
    axes.locator_params(axis="y", nbins=4)


def _draw_limits(axes: Any, lower: float, upper: float) -> None:
    """Dashed lines at finite limits, with room beyond them."""
    for limit in (lower, upper):
        if np.isfinite(limit):
            axes.axhline(limit, color=_LIMIT, lw=1.0, ls="--")
    axes.margins(x=0, y=0.14)


def _add_legend(figure: Any) -> None:
    from matplotlib.lines import Line2D

    figure.legend(
        handles=[
            Line2D([], [], color="#404040", lw=1.7, label="minimum torque"),
            Line2D([], [], color=_GREY, lw=1.0, ls=":", label="minimum jerk (first guess)"),
            Line2D([], [], color=_LIMIT, lw=1.0, ls="--", label="limit"),
        ],
        loc="outside lower center",
        ncols=3,
    )
