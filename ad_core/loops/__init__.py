"""Loops in the graph, closed under derivatives: the derivative of a loop is a loop."""

from ad_core.loops.body import CARRY, HELD, ROW
from ad_core.loops.function import scan
from ad_core.loops.kept import kept
from ad_core.loops.known_jacobian import Known, KnownJacobian
from ad_core.loops.scan_op import Scan, loop_steps
from ad_core.loops.solved import Equation, Solved
from ad_core.loops.solves import least_squares, root
from ad_core.loops.turned import Turned

__all__ = [
    "CARRY",
    "HELD",
    "ROW",
    "Equation",
    "Known",
    "KnownJacobian",
    "Scan",
    "Solved",
    "Turned",
    "kept",
    "least_squares",
    "loop_steps",
    "root",
    "scan",
]
