"""Loops in the graph, closed under derivatives: the derivative of a loop is a loop."""

from ad_core.loops.scan import scan

__all__ = ["scan"]
