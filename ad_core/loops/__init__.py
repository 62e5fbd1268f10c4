"""Loops in the graph, closed under derivatives: the derivative of a loop is a loop."""

from ad_core.loops.body import CARRY, HELD, ROW
from ad_core.loops.function import scan
from ad_core.loops.scan_op import Scan, loop_steps

__all__ = ["CARRY", "HELD", "ROW", "Scan", "loop_steps", "scan"]
