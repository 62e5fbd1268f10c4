"""Loops in the graph, closed under derivatives: the derivative of a loop is a loop."""

from ad_core.loops.scan import scan
from ad_core.loops.scan_op import Scan

__all__ = ["Scan", "scan"]
