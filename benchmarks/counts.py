"""How many instructions our graphs come to: exact numbers, so nothing is timed."""

from __future__ import annotations

from typing import Any

import casadi

import ad_core as ad
from benchmarks.model import Count
from benchmarks.ours import pose, torques
from benchmarks.robots import Robot
from bridges.casadi import ad_to_casadi
from bridges.kernel import casadi_to_kernel

# Counted in the same way on the graphs that Pinocchio's algorithms build over casadi.SX.
PINOCCHIO = "Pinocchio 4.1 over casadi.SX"


def instructions(function: casadi.Function) -> int:
    """SX instructions less inputs and outputs, equal ones counted once."""
    arguments: Any = function.sx_in()
    merged = casadi.Function("merged", arguments, casadi.cse(function.call(arguments, True, False)))
    moves = (casadi.OP_INPUT, casadi.OP_OUTPUT)
    return sum(merged.instruction_id(k) not in moves for k in range(merged.n_instructions()))


def _value(expression: ad.Expression) -> int:
    return instructions(ad_to_casadi(expression, symbolic="SX"))


def _vjp(expression: ad.Expression) -> int:
    """Of the gradients with respect to all variables."""
    kernel = casadi_to_kernel(ad_to_casadi(expression, symbolic="SX"))
    return instructions(kernel.vjp().function)


def _fk(robot: Robot) -> int:
    return _value(pose(robot))


def _rnea(robot: Robot) -> int:
    return _value(torques(robot))


def _rnea_vjp(robot: Robot) -> int:
    return _vjp(torques(robot))


COUNTS = (
    Count("count_fk", "pose of the tip, 12 numbers", "panda", _fk, {PINOCCHIO: 270}, 150),
    Count("count_rnea", "inverse dynamics", "panda", _rnea, {PINOCCHIO: 1_319}, 800),
    Count(
        "count_rnea_vjp",
        "gradient of inverse dynamics in q, v and a",
        "panda",
        _rnea_vjp,
        {PINOCCHIO: 3_101},
        2_000,
    ),
)
