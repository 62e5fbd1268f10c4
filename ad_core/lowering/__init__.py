"""From expressions to what engines take: sizes fixed, composites expanded, one tape."""

from ad_core.lowering.guards import guarded
from ad_core.lowering.lowered import (
    Func,
    Lowered,
    Step,
    Tape,
    applied,
    fix_sizes,
    lower,
    lowered_graphs,
    make_tape,
    slot_scalars,
)

__all__ = [
    "Func",
    "Lowered",
    "Step",
    "Tape",
    "applied",
    "fix_sizes",
    "guarded",
    "lower",
    "lowered_graphs",
    "make_tape",
    "slot_scalars",
]
