"""Klampt's autodiff: graphs of numpy functions, walked at every evaluation."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from benchmarks.expressions import POINT, VECTOR, chain, horner
from benchmarks.model import Arrays, Case, Timed, contender

_named = contender("Klampt graph", "klampt", "klampt")
_native = contender("Klampt, C++ function", "klampt", "klampt")


@_named
def polynomial_eval(case: Case) -> Timed:
    """Value of the 20-node polynomial."""
    return _value(horner(_var("x")), x=POINT)


@_named
def polynomial_derivative(case: Case) -> Timed:
    """Derivative of the 20-node polynomial."""
    return _derivative(horner(_var("x")), "x", x=POINT)


@_named
def chain_eval(case: Case) -> Timed:
    """Value of the 1,000-node chain."""
    return _roomy(_value(_chain(), x=VECTOR))


@_named
def chain_derivative(case: Case) -> Timed:
    """Derivative of the 1,000-node chain."""
    return _roomy(_derivative(_chain(), "x", x=VECTOR))


@_named
def fk_eval(case: Case) -> Timed:
    """Pose of the tip from a graph of its rotations and transforms."""
    return _value(_fk_graph(case), q=case.configurations()[0])


@_named
def fk_derivative(case: Case) -> Timed:
    """Jacobian of the pose from the same graph."""
    return _derivative(_fk_graph(case), "q", q=case.configurations()[0])


@_native
def fk_eval_native(case: Case) -> Timed:
    """Pose of the tip by `WorldTransform`, one node that calls Klampt's C++.

    Its derivative is no peer: it holds angular velocities, not the derivative of the value.
    """
    node, q = _fk_node(case)
    return _value(node, q=q)


# ------------------------------------------------------------------------------------- helpers


def _var(name: str) -> Any:
    from klampt.math.autodiff import ad

    return ad.var(name)


def _chain() -> Any:
    from klampt.math.autodiff import math_ad

    return chain(_var("x"), math_ad.sin)


def _fk_graph(case: Case) -> Any:
    """The product of the joints' transforms, written with Klampt's `se3_ad` and `so3_ad`."""
    from klampt.math.autodiff import se3_ad, so3_ad

    q, pose, moved = _var("q"), None, 0
    for joint in case.arm.model.joints:
        R = joint.rotation.ravel(order="F")
        if joint.type.nq == 1:
            R = so3_ad.mul(R, so3_ad.from_axis_angle(joint.axis, q[moved]))
            moved += 1
        step = se3_ad.join(R, joint.translation)
        pose = step if pose is None else se3_ad.mul(pose, step)
    return pose


def _fk_node(case: Case) -> tuple[Any, Any]:
    """The node, and the configuration of Klampt's links, six of which it adds for the base."""
    from klampt import WorldModel
    from klampt.math.autodiff.kinematics_ad import WorldTransform

    world = WorldModel()
    with _quiet():
        arm = world.loadRobot(str(case.arm.path()))
    children = {joint.name: joint.child for joint in case.arm.model.joints}
    moving = [arm.link(children[name]).getIndex() for name in case.arm.model.joint_names]
    q = np.zeros(arm.numLinks())
    q[moving] = case.configurations()[0]
    function = WorldTransform(arm.link(case.arm.end))
    function.world = world  # the robot lives as long as its world
    return function(_var("q")), q


def _value(expression: Any, **values: Any) -> Timed:
    return Timed(partial(expression.eval, **values), _row, tolerance=1e-9)


def _derivative(expression: Any, name: str, **values: Any) -> Timed:
    return Timed(partial(expression.derivative, name, **values), _matrix, tolerance=1e-9)


def _roomy(timed: Timed) -> Timed:
    """The same with a higher limit of recursion: it takes two frames a node."""

    def call() -> Any:
        limit = sys.getrecursionlimit()
        sys.setrecursionlimit(100_000)
        try:
            return timed.call()
        finally:
            sys.setrecursionlimit(limit)

    return replace(timed, call=call, remark="recursion limit raised")


def _row(y: Any) -> Arrays:
    return (np.atleast_1d(y),)


def _matrix(J: Any) -> Arrays:
    return (np.atleast_2d(J),)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without what Klampt's C++ prints while it reads a file."""
    kept = os.dup(1)
    with open(os.devnull, "w", encoding="utf-8") as null:
        os.dup2(null.fileno(), 1)
        try:
            yield
        finally:
            os.dup2(kept, 1)
            os.close(kept)
