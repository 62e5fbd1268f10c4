"""CasADi: graphs as `casadi.Function` and back, with full sparsity and exact derivatives."""

from bridges.casadi.codegen import ad_to_c
from bridges.casadi.control import Constraint, ControlProblem, ControlSolver, Phase, Solution
from bridges.casadi.errors import raise_callback_errors
from bridges.casadi.from_casadi import casadi_to_ad
from bridges.casadi.function import ad_to_casadi

__all__ = [
    "Constraint",
    "ControlProblem",
    "ControlSolver",
    "Phase",
    "Solution",
    "ad_to_c",
    "ad_to_casadi",
    "casadi_to_ad",
    "raise_callback_errors",
]
