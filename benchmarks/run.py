"""One row: prepare every contender, check that they agree, time them in turn."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from benchmarks.model import Arrays, Case, Row, Timed
from benchmarks.robots import Robot, robot
from benchmarks.timing import FULL, QUICK, Effort, measure, quartiles
from bridges.native.errors import BuildError

# Where a contender gives no tolerance of its own.
_TOLERANCE = {"float64": 1e-10, "float32": 1e-4}
_QUICK_BATCH = 64


@dataclass(frozen=True)
class Figure:
    """One contender's figures in one row.

    Attributes:
        role: "ours", "peer", "limit" or "sibling".
        seconds: a sample, one number a round.
        difference: largest difference of results from ours, relative to the largest entry or 1.
        ratios: its time over ours in the same round (for limits: ours over its time).
        goal: what the ratio shall be at least (peers) or at most (limits, siblings); for ours, what
            the seconds shall be at most.
    """

    label: str
    role: str
    remark: str
    seconds: list[float]
    difference: float | None
    ratios: list[float]
    goal: float | None

    @property
    def ratio(self) -> float:
        """The median of the ratios."""
        return quartiles(self.ratios)[1]

    @property
    def meets_goal(self) -> bool | None:
        """Whether the ratio is as it shall be; None without a goal."""
        if self.goal is None:
            return None
        if self.role == "ours":
            return quartiles(self.seconds)[1] <= self.goal
        return self.ratio >= self.goal if self.role == "peer" else self.ratio <= self.goal


@dataclass(frozen=True)
class Outcome:
    """All figures of a row, ours first; `absent`: label and reason of contenders left out."""

    row: Row
    figures: list[Figure]
    absent: list[tuple[str, str]]
    seconds: float = field(compare=False)

    def as_json(self) -> dict[str, Any]:
        """The row and its figures as plain data."""
        row = self.row
        return {
            "name": row.name,
            "what": row.what,
            "robot": row.robot,
            "dtype": row.dtype,
            "batch": row.batch,
            "seconds": self.seconds,
            "absent": dict(self.absent),
            "figures": [
                {**asdict(f), "quartiles": quartiles(f.seconds), "ratio": f.ratio}
                for f in self.figures
            ],
        }


class DisagreementError(Exception):
    """A contender's results are not ours: timing them would compare different work."""


def run_quick(row: Row) -> Outcome:
    """A small batch and one round: shows that the row works, and its figures mean nothing."""
    return run_row(replace(row, batch=min(row.batch, _QUICK_BATCH), goals={}, at_most=None), QUICK)


def run_row(row: Row, effort: Effort = FULL) -> Outcome:
    """Prepare, check and time every contender of `row` that is installed.

    Args:
        row: the workload.
        effort: how long to measure.

    Raises:
        DisagreementError: naming the contender, if its results differ from ours.
        ImportError: if the robot's files are not installed.
    """
    started = time.perf_counter()
    arm: Robot | None = None if row.robot is None else robot(row.robot)
    case = Case(arm, row.batch, row.dtype)
    ours = row.ours.prepare(case)
    ready: dict[str, tuple[str, Timed]] = {row.ours.label: ("ours", ours)}
    absent: list[tuple[str, str]] = []
    for peer in row.peers:
        if peer.is_present:
            ready[peer.label] = ("peer", peer.prepare(case))
        else:
            absent.append((peer.label, f"not installed (pip install {peer.distribution})"))
    for sibling in row.siblings:
        ready[sibling.label] = ("sibling", sibling.prepare(case))
    for limit in row.limits:
        try:
            ready[limit.label] = ("limit", limit.prepare(case, ours.work))
        except BuildError as error:
            absent.append((limit.label, str(error)))
    for _, timed in ready.values():
        timed.call()
    reference = _results(ours)
    differences = {
        label: _difference(row, label, reference, timed) if role == "peer" else None
        for label, (role, timed) in ready.items()
    }
    seconds = measure({label: timed.call for label, (_, timed) in ready.items()}, effort)
    base = seconds[row.ours.label]
    figures = [
        Figure(
            label=label,
            role=role,
            remark=timed.remark,
            seconds=[t / row.batch for t in seconds[label]],
            difference=differences[label],
            ratios=[
                mine / other if role == "limit" else other / mine
                for mine, other in zip(base, seconds[label], strict=True)
            ],
            goal=row.at_most if role == "ours" else row.goals.get(label),
        )
        for label, (role, timed) in ready.items()
    ]
    return Outcome(row, figures, absent, time.perf_counter() - started)


def _results(timed: Timed) -> Arrays:
    """The results of one call in the row's common form, copied; it also warms the call."""
    result = timed.call()
    read: Callable[[Any], Arrays] | None = timed.values
    return () if read is None else tuple(np.array(value) for value in read(result))


def _difference(row: Row, label: str, reference: Arrays, timed: Timed) -> float:
    """The largest difference from ours; raises DisagreementError where it is too large."""
    results = _results(timed)
    shapes, expected = [r.shape for r in results], [r.shape for r in reference]
    if shapes != expected:
        raise DisagreementError(f"{row.name}: {label} gives shapes {shapes}, ours {expected}")
    differences = [
        float(np.max(np.abs(theirs - mine)) / max(1.0, float(np.max(np.abs(mine)))))
        for theirs, mine in zip(results, reference, strict=True)
    ]
    difference = max(differences, default=0.0)
    tolerance = timed.tolerance or _TOLERANCE[row.dtype]
    if not difference <= tolerance:
        raise DisagreementError(
            f"{row.name}: {label} differs from ours by {difference:.1e}, "
            f"expected at most {tolerance:.0e}"
        )
    return difference
