"""The rows as one picture: a group of bars for each, ns a sample on a logarithmic axis."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.run import Figure, Outcome
from benchmarks.timing import quartiles, readable

_COLOURS = {"ours": "#1b6ca8", "sibling": "#8fb8d8", "peer": "#c9c9c9", "limit": "#e8b04a"}
_NAMES = {
    "ours": "robograd",
    "sibling": "robograd, another program",
    "peer": "peer",
    "limit": "physical limit",
}
_REMARKS = {
    "ours": "",
    "sibling": "   {}× as long as ours",
    "peer": "   ours {}× faster",
    "limit": "   ours {}× the limit",
}
_GAP = 1.6  # between groups, in bars


def plot(outcomes: Sequence[Outcome], path: Path, about: str) -> None:
    """Draw the figures of all rows to `path`; the ending gives the format."""
    from matplotlib.figure import Figure as Canvas
    from matplotlib.patches import Patch

    bars = sum(len(outcome.figures) for outcome in outcomes) + _GAP * len(outcomes)
    canvas = Canvas(figsize=(11, 1.6 + 0.24 * bars), layout="constrained")
    axes = canvas.subplots()
    axes.set_xscale("log")
    position, ticks = 0.0, list[tuple[float, str]]()
    left = min(_median(f) for o in outcomes for f in o.figures) / 3
    for outcome in outcomes:
        row = outcome.row
        robot = "" if row.robot is None else f" · {row.robot}"
        axes.text(
            left,
            position,
            f" {row.what}{robot} · batch {row.batch:,} · {row.dtype}",
            weight="bold",
            va="center",
        )
        for figure in outcome.figures:
            position += 1.0
            low, middle, high = (1e9 * t for t in quartiles(figure.seconds))
            axes.barh(position, middle, 0.8, color=_COLOURS[figure.role])
            axes.plot([low, high], [position, position], color="black", lw=1)
            axes.text(max(middle, high) * 1.1, position, _remark(figure), va="center", fontsize=8)
            ticks.append((position, figure.label))
        position += _GAP
    axes.set_ylim(position, -1.0)
    axes.set_xlim(left, max(_median(f) for o in outcomes for f in o.figures) * 20)
    axes.set_yticks([at for at, _ in ticks], [label for _, label in ticks], fontsize=8)
    axes.set_xlabel("ns a sample (median of interleaved rounds; black: quartiles)")
    axes.set_title(about, fontsize=9, loc="left")
    axes.grid(axis="x", alpha=0.3)
    axes.set_axisbelow(True)
    axes.tick_params(axis="y", length=0)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.legend(
        handles=[Patch(color=_COLOURS[role], label=_NAMES[role]) for role in _COLOURS],
        loc="upper right",
    )
    canvas.savefig(path, dpi=130)


def _median(figure: Figure) -> float:
    return 1e9 * quartiles(figure.seconds)[1]


def _remark(figure: Figure) -> str:
    time = f"{readable(_median(figure))} ns"
    return time + _REMARKS[figure.role].format(readable(figure.ratio))
