"""Real numbers only, everywhere: no dates, complex numbers, text, None, masked arrays, objects."""

import casadi
import numpy as np
import pytest
import torch

import ad_core as ad
from ad_core import math as adm
from bridges.kernel import ad_to_kernel
from bridges.pytorch import ad_to_torch
from robotics_ad import Inertia, Joint, Mimic, packaged_arm
from robotics_ad.dynamics import (
    ConstrainedDynamics,
    FullDynamics,
    GravityForces,
    PointContact,
)
from robotics_ad.interop import Order
from robotics_ad.kinematics import KinematicsBuilder, WorldPosition
from robotics_ad.model import from_log_cholesky

ROBOT = packaged_arm()
Q = ROBOT.neutral()
TOOL = ROBOT.link("tool")
ORDER = Order(ROBOT, "mujoco", [], 7, 7)
VARIED = ROBOT.parametrize(["tool.com"])
X = ad.var("x", 3)
KERNEL = ad_to_kernel(X * 2.0)
WRONG = {
    "dates": np.array(["2020-01-01"] * 9, "M8[D]"),
    "durations": np.array([3] * 9, "m8[s]"),
    "complex": np.full(9, 1 + 2j),
    "text": ["1"] * 9,
    "None": [None] * 9,
    "masked": np.ma.masked_array(np.ones(9), [True] + [False] * 8),
    "listed masked": [np.ma.masked_array(1.0, True)] * 9,
    "symbols": [casadi.SX.sym("s")] * 9,
    "tensors of gradients": [torch.ones((), requires_grad=True)] * 9,
    "generator": (1.0 for _ in range(9)),
    "sets": [{1.0}] * 9,
    "objects": [object()] * 9,
    "nested": [[1.0], [1.0, 2.0]],
}
# Each takes the first n of the wrong numbers; one number where n is 0.
TAKING = {
    "constant": (3, ad.constant),
    "eval": (3, lambda x: (X * 2.0).eval(x=x)),
    "eval_batch": (3, lambda x: (X * 2.0).eval_batch(x=x)),
    "derivative": (3, lambda x: adm.sin(X).derivative("x", x=x)),
    "tangent": (3, lambda x: adm.sin(X).jvp({"x": x}, x=np.ones(3))),
    "cotangent": (3, lambda x: adm.sin(X).vjp(x, x=np.ones(3))),
    "replacement": (3, lambda x: (X * 2.0).replace(x=x)),
    "argument": (3, lambda x: adm.dot(X, x)),
    "table": (3, lambda x: ad.lookup(x, X)),
    "summand": (3, lambda x: X + x),
    "linear": (3, lambda x: adm.linear([x], X)),
    "bilinear": (3, lambda x: adm.bilinear(X, [x, x, x], X)),
    "function": (3, lambda x: ad.function(lambda y: x)(X).eval(x=np.ones(3))),
    "one number": (0, lambda x: ad.function(lambda y: x)(X).eval(x=np.ones(3))),
    "slope": (3, lambda x: sloped(derivative=[lambda y: x])),
    "product": (3, lambda x: sloped(jvp=[lambda t, y: x])),
    "second slope": (3, lambda x: sloped(gen_derivative={(0,): x})),
    "differences": (3, lambda x: ad.finite_differences(lambda y: x, np.ones(3))),
    "differences at": (3, lambda x: ad.finite_differences(lambda y: y, x)),
    "checked": (3, lambda x: ad.check_derivatives(X * 2.0, {"x": x})),
    "kernel": (3, KERNEL),
    "trainable": (3, lambda x: ad_to_torch(X * 2.0, trainable={"x": x})),
    "gravity": (3, lambda x: GravityForces(ROBOT, x)),
    "point": (3, lambda x: WorldPosition(TOOL, x)),
    "builder's point": (3, lambda x: KinematicsBuilder(ROBOT).world_position(TOOL, x)),
    "contact": (3, lambda x: PointContact(TOOL, x)),
    "force at": (3, lambda x: FullDynamics(ROBOT, [(TOOL, x)])),
    "interpolate": (0, lambda x: ROBOT.interpolate(Q, Q, x)),
    "integrate": (7, lambda x: ROBOT.integrate(Q, x)),
    "difference": (7, lambda x: ROBOT.difference(x, Q)),
    "clamp": (7, ROBOT.clamp),
    "joint_positions": (7, ROBOT.joint_positions),
    "configuration": (0, lambda x: ROBOT.configuration({"joint1": x})),
    "lock_joints": (0, lambda x: ROBOT.lock_joints({"joint1": x})),
    "replace_joints": (7, lambda x: ROBOT.replace_joints(damping=x)),
    "replace_joints by name": (0, lambda x: ROBOT.replace_joints(damping={"joint1": x})),
    "to_q": (7, ORDER.to_q),
    "parameters": (3, VARIED.with_parameters),
    "multiplier": (0, lambda x: Mimic("a", x, 0.0)),
    "offset": (0, lambda x: Mimic("a", 1.0, x)),
    "mass": (0, Inertia),
    "com": (3, lambda x: Inertia(1.0, x)),
    "damping": (0, lambda x: Joint("j", "revolute", "a", "b", damping=x)),
    "pitch": (0, lambda x: Joint("j", "helical", "a", "b", pitch=x)),
    "axis": (3, lambda x: Joint("j", "revolute", "a", "b", axis=x)),
    "lower": (0, lambda x: Joint("j", "revolute", "a", "b", lower=x)),
    "contact damping": (0, lambda x: ConstrainedDynamics(ROBOT, [PointContact(TOOL)], damping=x)),
    "log_cholesky": (9, lambda x: from_log_cholesky([*x, 0.0])),
}


@pytest.mark.parametrize("kind", WRONG)
@pytest.mark.parametrize("name", TAKING)
def test_other_things_are_no_numbers(name, kind):
    n, take = TAKING[name]
    whole = kind in ("nested", "generator")
    given = WRONG[kind] if whole else (WRONG[kind][:n] if n else WRONG[kind][0])
    if name == "lower" and given is None:
        pytest.skip("None is no limit")
    if name == "log_cholesky" and kind == "generator":
        pytest.skip("the list takes the numbers out")
    with pytest.raises((TypeError, ValueError), match=r"not made of real|not a rect|dtype"):
        take(given)


def sloped(**derivatives):
    """The derivative of a function of a number with these rules, at 1."""
    function = ad.function(lambda y: 2.0 * y, outspec=3, **derivatives)
    return function(ad.var("y", 1)).derivative("y", y=1.0)
