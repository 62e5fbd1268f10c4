"""robograd: robot kinematics and dynamics as one differentiable graph, run by several engines.

The work is done by three packages that this distribution installs beside this one: ``ad_core``
(the expression graph), ``robotics_ad`` (robots as graphs) and ``bridges`` (graphs as torch layers,
CasADi functions and compiled kernels). This package ties them together on the command line, and
draws robots: ``robograd.show(robot)`` (extra ``view``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from robograd.viewer import Force, Viewer, show

__all__ = ["Force", "Viewer", "__version__", "show"]

__version__ = "0.2.0"

_OF_VIEWER = ("Force", "Viewer", "show")


def __getattr__(name: str) -> object:
    """The viewer's names, imported when they are asked for: they need the extra ``view``."""
    if name in _OF_VIEWER:
        from robograd import viewer

        return getattr(viewer, name)
    raise AttributeError(f"module 'robograd' has no attribute '{name}'")
