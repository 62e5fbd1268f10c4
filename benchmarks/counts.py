"""How many instructions our graphs come to: exact numbers, so nothing is timed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import casadi

import ad_core as ad
from benchmarks import straight
from benchmarks.model import Comparison, Count
from benchmarks.ours import accelerations, mass_matrix, pose, torques
from benchmarks.robots import Robot
from bridges.casadi import ad_to_casadi
from robotics_ad import se3, so3

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


# Name, what, robot, ours, Pinocchio's, goal.
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


def _of(function: ad.Composite) -> Callable[[], int]:
    return lambda: instructions(ad_to_casadi(function, symbolic="SX"))


def _of_formula(formula: straight.Formula, function: ad.Composite) -> Callable[[], int]:
    sizes = [function.n_in(i) for i in range(function.n_args())]
    return lambda: instructions(straight.function(formula, sizes))


# Name, function, its formula, and a formula that has no value at some rotations.
_FORMULAS: tuple[tuple[str, ad.Composite, straight.Formula, straight.Formula | None], ...] = (
    ("so3.mul", so3.mul, straight.mul, None),
    ("so3.inv", so3.inv, straight.inv, None),
    ("so3.apply", so3.apply, straight.apply, None),
    ("so3.exp", so3.exp, straight.guarded_exp, straight.bare_exp),
    ("so3.log", so3.log, straight.guarded_log, straight.bare_log),
    ("so3.quaternion", so3.quaternion, straight.guarded_quaternion, straight.bare_quaternion),
    ("so3.from_quaternion", so3.from_quaternion, straight.from_quaternion, None),
    ("se3.mul", se3.mul, straight.se3_mul, None),
    ("se3.inv", se3.inv, straight.se3_inv, None),
    ("se3.apply", se3.apply, straight.se3_apply, None),
    ("se3.exp", se3.exp, straight.guarded_se3_exp, straight.bare_se3_exp),
    ("se3.log", se3.log, straight.guarded_se3_log, straight.bare_se3_log),
)

STRAIGHT = "straight formula"
GUARDED = "straight formula with guards"
WITHOUT_GUARDS = "without them (nan at some rotations)"

COMPARISONS = tuple(
    Comparison(
        f"count_{name.replace('.', '_')}",
        name,
        _of(function),
        {STRAIGHT: _of_formula(formula, function)}
        if bare is None
        else {
            GUARDED: _of_formula(formula, function),
            WITHOUT_GUARDS: _of_formula(bare, function),
        },
    )
    for name, function, formula, bare in _FORMULAS
)
"""The operations of rotations and rigid transforms beside textbook formulas, counted alike."""
