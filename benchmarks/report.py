"""What a run prints, and what it keeps as JSON."""

from __future__ import annotations

import datetime
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from importlib import metadata
from typing import Any

from benchmarks.model import Comparison, Count, Measured, Measurement
from benchmarks.run import Figure, Outcome
from benchmarks.timing import quartiles, readable
from robograd.info import environment

# How the ratio reads: ours is so many times faster; ours takes so many times the limit's time; the
# sibling takes so many times as long as ours.
_KINDS = {"peer": "faster", "limit": "its time", "sibling": "as long"}
_PEERS = (
    "adam-robotics",
    "crocoddyl",
    "example-robot-data",
    "frax",
    "jax",
    "klampt",
    "mink",
    "pin",
    "pin-pink",
    "pytorch-kinematics",
)


def outcome_text(outcome: Outcome) -> str:
    """A row as a small table: time a sample, quartiles, and how ours compares."""
    row = outcome.row
    where = "" if row.robot is None else f", {row.robot}"
    title = f"{row.name}: {row.what}{where}, batch {row.batch:,}, {row.dtype}"
    # rows with a goal in seconds take longer than the others by six orders
    unit, scale = ("ns", 1e9) if row.at_most is None else ("ms", 1e3)
    heading = f"{unit} a sample"
    lines = [title, f"  {heading:>48}{'quartiles':>18}{'beside ours':>22}"]
    lines += [_figure_text(figure, scale) for figure in outcome.figures]
    lines += [f"  {label:<40}{reason}" for label, reason in outcome.absent]
    return "\n".join(lines)


def count_text(count: Count, ours: int) -> str:
    """A row of exact numbers."""
    cited = ", ".join(f"{who} {n:,} ({n / ours:.2f}x)" for who, n in count.cited.items())
    return (
        f"{count.name}: {count.what}, {count.robot}, SX instructions\n"
        f"  ours {ours:,}; {cited}; {_goal('at most', f'{count.goal:,}', ours <= count.goal)}"
    )


def comparison_text(row: Comparison, ours: int, formulas: Mapping[str, int]) -> str:
    """A row of exact numbers beside those of formulas that are counted here."""
    others = ", ".join(f"{label} {count:,}" for label, count in formulas.items())
    return f"{row.name}: {row.what}, SX instructions\n  ours {ours:,}; {others}"


def measurement_text(row: Measurement, figures: Sequence[Measured]) -> str:
    """A row of single figures."""
    lines = [f"{row.name}: {row.what}"]
    for figure in figures:
        text = f"  {figure.label:<74}{readable(figure.value):>9} {figure.unit}"
        for bound, words in ((figure.at_most, "at most"), (figure.at_least, "at least")):
            if bound is not None:
                text += f", {_goal(words, f'{bound:g}', figure.meets_goal)}"
        lines.append(text)
    return "\n".join(lines)


def machine() -> dict[str, Any]:
    """Where, when and with what the figures were taken."""
    has_affinity = hasattr(os, "sched_getaffinity")
    return {
        "command": shlex.join([sys.executable, "-m", "benchmarks", *sys.argv[1:]]),
        "time": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        **dict(environment()),
        **{name: _version(name) for name in _PEERS},
        "processors used": sorted(os.sched_getaffinity(0)) if has_affinity else "any",
        "load average": os.getloadavg(),
    }


def as_json(
    about: dict[str, Any],
    outcomes: Sequence[Outcome],
    counts: Sequence[tuple[Count, int]],
    comparisons: Sequence[tuple[Comparison, int, Mapping[str, int]]] = (),
    measurements: Sequence[tuple[Measurement, Sequence[Measured]]] = (),
) -> dict[str, Any]:
    """Everything that a run found, as plain data."""
    return {
        "machine": about,
        "rows": [outcome.as_json() for outcome in outcomes],
        "counts": [
            {
                "name": count.name,
                "what": count.what,
                "robot": count.robot,
                "ours": ours,
                "cited": dict(count.cited),
                "goal": count.goal,
            }
            for count, ours in counts
        ],
        "comparisons": [
            {"name": row.name, "what": row.what, "ours": ours, "formulas": dict(formulas)}
            for row, ours, formulas in comparisons
        ],
        "measurements": [
            {
                "name": row.name,
                "what": row.what,
                "figures": [figure.as_json() for figure in figures],
            }
            for row, figures in measurements
        ],
    }


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "not installed"


def _figure_text(figure: Figure, scale: float) -> str:
    low, middle, high = (readable(scale * t) for t in quartiles(figure.seconds))
    label = f"{figure.label} ({figure.remark})" if figure.remark else figure.label
    text = f"  {label:<38}{middle:>10}{low:>12} .. {high:<10}"
    reached = figure.meets_goal is not False
    if figure.role == "ours":
        goal = "" if figure.goal is None else f"  {_goal('at most', f'{figure.goal:g} s', reached)}"
        return text.rstrip() + goal
    low, middle, high = (readable(ratio) for ratio in quartiles(figure.ratios))
    kind = _KINDS[figure.role]
    text += f"{middle:>7}x {kind:<9} ({low} .. {high})"
    if figure.goal is not None:
        bound = "at least" if figure.role == "peer" else "at most"
        text += f", {_goal(bound, f'{figure.goal:g}', reached)}"
    return text


def _goal(bound: str, value: str, reached: bool) -> str:
    return f"goal: {bound} {value}{'' if reached else ', NOT REACHED'}"
