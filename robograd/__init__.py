"""robograd: robot kinematics and dynamics as one differentiable graph, run by several engines.

The work is done by three packages that this distribution installs beside this one: ``ad_core``
(the expression graph), ``robotics_ad`` (robots as graphs) and ``bridges`` (graphs as torch layers,
CasADi functions and compiled kernels). This package ties them together on the command line.
"""

__all__ = ["__version__"]

__version__ = "0.2.0"
