"""Problems of optimal control: stages from graphs, structure, solvers of CasADi."""

from bridges.casadi.control.phase import Constraint, Phase
from bridges.casadi.control.problem import ControlProblem
from bridges.casadi.control.solution import Solution
from bridges.casadi.control.solver import ControlSolver

__all__ = ["Constraint", "ControlProblem", "ControlSolver", "Phase", "Solution"]
