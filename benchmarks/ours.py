"""Our side of the rows: kernels, torch layers, the numpy engine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import ad_core as ad
from ad_core import math as adm
from benchmarks.expressions import POINT, VECTOR, chain, horner
from benchmarks.model import Arrays, Case, Timed, Work, contender
from benchmarks.robots import Robot
from bridges.casadi import ad_to_casadi
from bridges.kernel import Kernel, ad_to_kernel
from bridges.pytorch import ad_to_torch
from robotics_ad import se3
from robotics_ad.dynamics import ForwardDynamics, InverseDynamics, MassMatrix
from robotics_ad.kinematics import WorldTransform
from robotics_ad.trajectory import BSpline, TimeDerivative, uniform_knots

# ------------------------------------------------------------------------------- expressions


def pose(robot: Robot) -> ad.Expression:
    """T_world_tip(q), 12 numbers."""
    return WorldTransform(robot.model.link(robot.end))(ad.var("q", robot.model.nq))


def torques(robot: Robot) -> ad.Expression:
    """tau(q, v, a), nv numbers."""
    nv = robot.model.nv
    return InverseDynamics(robot.model)(
        ad.var("q", robot.model.nq), ad.var("v", nv), ad.var("a", nv)
    )


def accelerations(robot: Robot) -> ad.Expression:
    """a(q, v, tau), nv numbers."""
    nv = robot.model.nv
    return ForwardDynamics(robot.model)(
        ad.var("q", robot.model.nq), ad.var("v", nv), ad.var("tau", nv)
    )


def mass_matrix(robot: Robot) -> ad.Expression:
    """M(q), nv * nv numbers."""
    return MassMatrix(robot.model)(ad.var("q", robot.model.nq))


# ----------------------------------------------------------------------------- kinematics


@contender("kernel")
def fk_kernel(case: Case) -> Timed:
    """Pose of the tip, numpy in and out."""
    kernel = ad_to_kernel(pose(case.arm), dtype=case.dtype)
    return Timed(partial(kernel, case.configurations()), single, work=work(kernel))


@contender("kernel, bound arrays")
def fk_bound(case: Case) -> Timed:
    """The same on arrays that were bound beforehand."""
    kernel = ad_to_kernel(pose(case.arm), dtype=case.dtype)
    return Timed(kernel.bind(case.configurations()), single, work=work(kernel))


def spline_poses() -> NDArray[np.float64]:
    """Ten poses, (10, 12), a quarter turn or so apart."""
    rng = np.random.default_rng(0)
    return se3.exp(rng.normal(scale=0.7, size=(10, 6)))


@contender("spline kernel")
def spline_kernel(case: Case) -> Timed:
    """Pose, velocity and acceleration of an SE(3) spline of degree 5 whose points are numbers."""
    curve = BSpline("se3", 10, 5, uniform_knots(10, 5))
    t, points = ad.var("t", 1), spline_poses().reshape(-1)
    rates = (TimeDerivative(curve, order)(t, points) for order in (1, 2))
    kernel = ad_to_kernel((curve(t, points), *rates), dtype=case.dtype)
    times = np.random.default_rng(1).random((case.batch, 1)).astype(case.dtype)
    return Timed(partial(kernel, times), work=work(kernel))


@contender("kernel on tensors")
def fk_kernel_torch(case: Case) -> Timed:
    """Pose of the tip, tensors in and out, no autograd."""
    kernel = ad_to_kernel(pose(case.arm), dtype=case.dtype)
    q = torch.from_numpy(case.configurations())
    return Timed(partial(kernel, q), single, work=work(kernel))


@contender("vjp kernel")
def fk_vjp_kernel(case: Case) -> Timed:
    """Gradient with respect to q of a weighted sum of the pose's entries."""
    kernel = ad_to_kernel(pose(case.arm), dtype=case.dtype).vjp()
    return Timed(
        partial(kernel, case.configurations(), case.cotangents()), single, work=work(kernel)
    )


@contender("Jacobian kernel")
def fk_jacobian_kernel(case: Case) -> Timed:
    """Jacobian of the pose, 12 rows, a column a joint."""
    kernel = ad_to_kernel(pose(case.arm), dtype=case.dtype).jacobian()
    return Timed(partial(kernel, case.configurations()), single, work=work(kernel))


@contender("float32 kernel")
def fk_kernel_float32(case: Case) -> Timed:
    """Pose of the tip in single precision, in rows of double precision."""
    return fk_kernel.prepare(replace(case, dtype="float32"))


@contender("torch layer")
def fk_layer(case: Case) -> Timed:
    """Pose of the tip through the layer, nothing recorded."""
    layer = ad_to_torch(pose(case.arm))
    q = torch.from_numpy(case.configurations())
    return Timed(partial(layer, q), single, work=work(layer.kernel(q.dtype)))


@contender("torch layer")
def fk_backward_layer(case: Case) -> Timed:
    """Pose and gradient through the layer and autograd."""
    layer = ad_to_torch(pose(case.arm))
    q = torch.from_numpy(case.configurations()).requires_grad_()
    weights = torch.from_numpy(case.cotangents())

    def call() -> tuple[torch.Tensor, ...]:
        y = layer(q)
        return (y, *torch.autograd.grad(y, q, weights))

    forward = layer.kernel(q.dtype)
    return Timed(call, several, work=added(work(forward), work(forward.vjp())))


# ------------------------------------------------------------------------------- dynamics


@contender("inverse dynamics kernel")
def rnea_kernel(case: Case) -> Timed:
    """Joint torques, numpy in and out."""
    return _dynamics(case, torques(case.arm))


@contender("forward dynamics kernel")
def aba_kernel(case: Case) -> Timed:
    """Joint accelerations, numpy in and out."""
    return _dynamics(case, accelerations(case.arm))


@contender("kernel of all Jacobians")
def rnea_jacobians(case: Case) -> Timed:
    """Jacobians of joint torques by q, v and a."""
    return _jacobians(case, torques(case.arm))


@contender("kernel of all Jacobians")
def aba_jacobians(case: Case) -> Timed:
    """Jacobians of joint accelerations by q, v and tau."""
    return _jacobians(case, accelerations(case.arm))


def _jacobians(case: Case, expression: ad.Expression) -> Timed:
    kernel = ad_to_kernel(expression, dtype=case.dtype).jacobian()
    quaternions = case.arm.model.nq - case.arm.model.nv

    def read(results: Any) -> Arrays:
        by_q, *others = several(results)
        # a base's pose is left out: we count its entries, others its tangents
        return by_q[..., 7 * quaternions :], *others

    return Timed(partial(kernel, *case.states()), read, work=work(kernel))


def _dynamics(case: Case, expression: ad.Expression) -> Timed:
    kernel = ad_to_kernel(expression, dtype=case.dtype)
    return Timed(partial(kernel, *case.states()), single, work=work(kernel))


@contender("graph and SX function")
def rnea_build(case: Case) -> Timed:
    """Inverse dynamics from the model to the CasADi function."""
    return _build(case, torques)


@contender("graph and SX function")
def crba_build(case: Case) -> Timed:
    """The mass matrix from the model to the CasADi function."""
    return _build(case, mass_matrix)


@contender("graph and SX function")
def aba_build(case: Case) -> Timed:
    """Forward dynamics from the model to the CasADi function."""
    return _build(case, accelerations)


def _build(case: Case, build: Callable[[Robot], ad.Expression]) -> Timed:
    return Timed(lambda: ad_to_casadi(build(case.arm), symbolic="SX"))


# ------------------------------------------------------------------------------- numpy engine


@contender("numpy engine")
def polynomial_eval(case: Case) -> Timed:
    """Value of the 20-node polynomial."""
    return _value(horner(ad.var("x")), x=POINT)


@contender("numpy engine")
def polynomial_derivative(case: Case) -> Timed:
    """Derivative of the 20-node polynomial."""
    return _derivative(horner(ad.var("x")), "x", x=POINT)


@contender("numpy engine")
def chain_eval(case: Case) -> Timed:
    """Value of the 1,000-node chain."""
    return _value(chain(ad.var("x"), adm.sin), x=VECTOR)


@contender("numpy engine")
def chain_derivative(case: Case) -> Timed:
    """Derivative of the 1,000-node chain."""
    return _derivative(chain(ad.var("x"), adm.sin), "x", x=VECTOR)


@contender("numpy engine")
def fk_eval(case: Case) -> Timed:
    """Pose of the tip for one configuration."""
    return _value(pose(case.arm), q=case.configurations()[0])


@contender("numpy engine")
def fk_derivative(case: Case) -> Timed:
    """Jacobian of the pose for one configuration."""
    return _derivative(pose(case.arm), "q", q=case.configurations()[0])


def _value(expression: ad.Expression, **values: Any) -> Timed:
    return Timed(partial(expression.eval, **values), lambda y: (np.atleast_1d(y),))


def _derivative(expression: ad.Expression, name: str, **values: Any) -> Timed:
    return Timed(partial(expression.derivative, name, **values), single)


# ------------------------------------------------------------------------------- helpers


def single(result: Any) -> Arrays:
    """One array or tensor as the row's common form."""
    return (as_array(result),)


def several(results: Any) -> Arrays:
    """Several arrays or tensors as the row's common form."""
    return tuple(as_array(result) for result in results)


def as_array(result: Any) -> np.ndarray[Any, Any]:
    """An array of what a call returned, outside of autograd."""
    return result.detach().numpy() if isinstance(result, torch.Tensor) else np.asarray(result)


def work(kernel: Kernel) -> Work:
    """What one sample of a kernel reads, writes and computes."""
    size = np.dtype(kernel.dtype).itemsize
    read = size * sum(kernel.input_sizes)
    return Work(read, kernel.bytes - read, kernel.n_ops)


def added(first: Work, second: Work) -> Work:
    """The work of one after the other."""
    return Work(
        first.bytes_read + second.bytes_read,
        first.bytes_written + second.bytes_written,
        first.operations + second.operations,
    )
