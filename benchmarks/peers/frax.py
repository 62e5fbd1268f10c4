"""frax: kinematics and dynamics in JAX, compiled by XLA over a mapped batch."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from benchmarks.model import Arrays, Case, Timed, contender
from benchmarks.peers.poses import cotangent_matrix, pose_vector
from benchmarks.robots import Robot

_named = contender("frax", "frax")


@_named
def fk(case: Case) -> Timed:
    """Pose of the tip: `jit(vmap(ee_transform))`."""
    arm = manipulator(case.arm)
    return _compiled(case, arm.ee_transform, (case.configurations(),), _poses)


@_named
def fk_vjp(case: Case) -> Timed:
    """Gradient of a weighted sum of the pose's entries: `jit(vmap(vjp))`."""
    import jax

    arm = manipulator(case.arm)

    def gradient(q: Any, weights: Any) -> Any:
        return jax.vjp(arm.ee_transform, q)[1](weights)[0]

    return _compiled(case, gradient, _with_weights(case), lambda g: (np.asarray(g),))


@_named
def fk_backward(case: Case) -> Timed:
    """Pose and gradient in one compiled function."""
    import jax

    arm = manipulator(case.arm)

    def both(q: Any, weights: Any) -> Any:
        y, pull = jax.vjp(arm.ee_transform, q)
        return y, pull(weights)[0]

    return _compiled(case, both, _with_weights(case), lambda r: (*_poses(r[0]), np.asarray(r[1])))


@_named
def rnea(case: Case) -> Timed:
    """Joint torques: `jit(vmap(rnea))`."""
    import jax.numpy as jnp

    arm = manipulator(case.arm)
    # Gravity as the upward acceleration of the base; spatial vectors are [linear; angular].
    upwards = np.array([0.0, 0.0, 9.81, 0.0, 0.0, 0.0])

    def inverse_dynamics(q: Any, v: Any, a: Any) -> Any:
        return arm.rnea(q, v, a, jnp.asarray(upwards), None)

    return _compiled(case, inverse_dynamics, case.states(), lambda tau: (np.asarray(tau),))


@_named
def aba(case: Case) -> Timed:
    """Joint accelerations: `jit(vmap(forward_dynamics))`, by its mass matrix."""
    arm = manipulator(case.arm)

    def forward_dynamics(q: Any, v: Any, tau: Any) -> Any:
        return arm.forward_dynamics(q, v, tau, None)

    return _compiled(case, forward_dynamics, case.states(), lambda a: (np.asarray(a),))


def manipulator(robot: Robot) -> Any:
    """Its model of the arm, the tip given as an offset from the last joint."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it advises older releases of JAX at each import
        from frax import Manipulator
    arm = robot.model
    last = arm.joints[-1]
    offset = np.eye(4)
    if last.type.nq == 0:
        offset[:3, :3], offset[:3, 3] = last.rotation, last.translation
    return Manipulator(str(robot.path()), ee_offset=offset)


def _with_weights(case: Case) -> tuple[Any, ...]:
    return case.configurations(), cotangent_matrix(case.cotangents())


def _compiled(
    case: Case,
    function: Callable[..., Any],
    inputs: tuple[Any, ...],
    values: Callable[[Any], Arrays],
) -> Timed:
    """`jit(vmap(function))`, on arrays that are already JAX's, waiting for the result."""
    import jax

    wide = case.dtype == "float64"

    def call() -> Any:
        return jax.block_until_ready(mapped(*arrays))

    with jax.enable_x64(wide):
        arrays = [jax.device_put(x) for x in inputs]
        # Compiled ahead of time, so that the calls need not be made under `enable_x64`.
        mapped = jax.jit(jax.vmap(function)).lower(*arrays).compile()
    return Timed(call, values, 1e-9 if wide else 1e-4)


_poses = partial(lambda matrices: (pose_vector(np.asarray(matrices)),))
