"""From expressions to what engines take: sizes fixed, composites expanded, one tape."""

from ad_core.lowering.lowered import Func, Lowered, lower, lowered_graphs
from ad_core.lowering.scalars import slot_scalars
from ad_core.lowering.tape import Step, Tape

__all__ = ["Func", "Lowered", "Step", "Tape", "lower", "lowered_graphs", "slot_scalars"]
