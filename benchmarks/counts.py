"""How many instructions our graphs come to: exact numbers, so nothing is timed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import casadi

import ad_core as ad
from benchmarks.model import Count
from benchmarks.ours import accelerations, mass_matrix, pose, torques
from benchmarks.robots import Robot
from bridges.casadi import ad_to_casadi

# Counted in the same way on the graphs that Pinocchio's algorithms build over casadi.SX; cited, for
# the wheel of Pinocchio on PyPI comes without that part.
PINOCCHIO = "Pinocchio 4.1 over casadi.SX"


def instructions(function: casadi.Function) -> int:
    """SX instructions less inputs and outputs, equal ones counted once."""
    arguments: Any = function.sx_in()
    merged = casadi.Function("merged", arguments, casadi.cse(function.call(arguments, True, False)))
    moves = (casadi.OP_INPUT, casadi.OP_OUTPUT)
    return sum(merged.instruction_id(k) not in moves for k in range(merged.n_instructions()))


def value(build: Callable[[Robot], ad.Expression]) -> Callable[[Robot], int]:
    """Counts the expression's value."""
    return lambda robot: instructions(ad_to_casadi(build(robot), symbolic="SX"))


def vjp(build: Callable[[Robot], ad.Expression]) -> Callable[[Robot], int]:
    """Counts the gradients with respect to all variables for a cotangent of the value."""

    def count(robot: Robot) -> int:
        function = ad_to_casadi(build(robot), symbolic="SX")
        inputs: Any = function.sx_in()
        cotangent = casadi.SX.sym("cotangent", function.numel_out(0))
        (output,) = function.call(inputs, True, False)
        gradient = casadi.jtimes(output, casadi.vertcat(*inputs), cotangent, True)
        return instructions(casadi.Function("vjp", [*inputs, cotangent], [gradient]))

    return count


# Name, what, robot, ours, Pinocchio's, asked for at most.
_TABLE = (
    ("fk", "pose of the tip", "panda", value(pose), 270, 150),
    ("rnea", "inverse dynamics", "panda", value(torques), 1_319, 800),
    ("rnea_vjp", "inverse dynamics, gradient", "panda", vjp(torques), 3_101, 2_000),
    ("crba", "mass matrix", "panda", value(mass_matrix), 1_188, 850),
    ("aba", "forward dynamics", "panda", value(accelerations), 2_843, 2_000),
    ("aba_vjp", "forward dynamics, gradient", "panda", vjp(accelerations), 7_407, 5_200),
    ("g1_rnea", "inverse dynamics", "g1", value(torques), 6_171, 4_300),
    ("g1_rnea_vjp", "inverse dynamics, gradient", "g1", vjp(torques), 14_560, 10_200),
    ("g1_crba", "mass matrix", "g1", value(mass_matrix), 5_840, 4_100),
    ("g1_aba", "forward dynamics", "g1", value(accelerations), 14_338, 10_000),
    ("g1_aba_vjp", "forward dynamics, gradient", "g1", vjp(accelerations), 38_166, 26_700),
)

COUNTS = tuple(
    Count(f"count_{name}", what, robot, ours, {PINOCCHIO: cited}, goal)
    for name, what, robot, ours, cited, goal in _TABLE
)
