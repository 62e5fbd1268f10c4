"""Orders of other libraries: round trips, and the same physics in both."""

import numpy as np
import pinocchio
import pytest

from robotics_ad import Inertia, Joint, Link, RobotModel
from robotics_ad.dynamics import InverseDynamics
from robotics_ad.interop import mujoco_order, pinocchio_order


def test_round_trips_over_batches(twin):
    order, rng = pinocchio_order(twin.robot, twin.model), np.random.default_rng(0)
    q, v = twin.robot.random(rng, (3, 2)), rng.normal(size=(3, 2, twin.robot.nv))
    assert order.to_q(q).shape == (3, 2, twin.model.nq)
    np.testing.assert_allclose(order.from_q(order.to_q(q)), q, atol=1e-14)
    np.testing.assert_array_equal(order.from_v(order.to_v(v)), v)


def test_integrate_and_difference_are_pinocchios(free_twin_of):
    from robot_files import urdf_path

    twin = free_twin_of(urdf_path("g1_description/urdf/g1_29dof_rev_1_0.urdf"), "floating")
    robot, order = twin.robot, twin.order
    for q, v, a in twin.states(5):
        moved = pinocchio.integrate(twin.model, order.to_q(q), order.to_v(v))
        ours = order.to_q(robot.integrate(q, v))
        ours[3:7] *= np.sign(ours[3:7] @ moved[3:7])  # q and -q are one rotation
        np.testing.assert_allclose(ours, moved, atol=1e-13)
        q1 = robot.integrate(q, a)
        theirs = pinocchio.difference(twin.model, order.to_q(q), order.to_q(q1))
        np.testing.assert_allclose(order.to_v(robot.difference(q, q1)), theirs, atol=1e-13)


FREE_BODY_WITH_ARM = """
<mujoco>
  <option gravity="0 0 -9.81"/>
  <worldbody>
    <body name="base">
      <freejoint name="root"/>
      <inertial pos="0.1 0 0.2" mass="3" diaginertia="0.2 0.3 0.4"/>
      <body name="arm" pos="0.1 0.2 0.3">
        <joint name="hinge" axis="0 1 0" type="hinge"/>
        <inertial pos="0 0.1 0.3" mass="2" diaginertia="0.05 0.06 0.07"/>
      </body>
    </body>
  </worldbody>
</mujoco>"""


def free_body_with_arm() -> RobotModel:
    return RobotModel(
        "r",
        [
            Link("world"),
            Link("base", Inertia(3.0, [0.1, 0.0, 0.2], np.diag([0.2, 0.3, 0.4]))),
            Link("arm", Inertia(2.0, [0.0, 0.1, 0.3], np.diag([0.05, 0.06, 0.07]))),
        ],
        [
            Joint("root_joint", "floating", "world", "base"),
            Joint("hinge", "revolute", "base", "arm", translation=[0.1, 0.2, 0.3], axis=[0, 1, 0]),
        ],
    )


def test_inverse_dynamics_in_mujocos_order():
    mujoco = pytest.importorskip("mujoco")
    model = mujoco.MjModel.from_xml_string(FREE_BODY_WITH_ARM)
    data, robot, rng = mujoco.MjData(model), free_body_with_arm(), np.random.default_rng(1)
    order, q = mujoco_order(robot, model), robot.random(rng)
    v, a = rng.normal(size=(2, 7))
    # MuJoCo's linear acceleration is the rate of a world vector: R (a + w x v)
    rate = a.copy()
    rate[3:6] += np.cross(v[:3], v[3:6])
    data.qpos[:], data.qvel[:], data.qacc[:] = order.to_q(q), order.to_v(v, q), order.to_v(rate, q)
    mujoco.mj_inverse(model, data)
    tau = InverseDynamics(robot)("q", "v", "a").eval(q=q, v=v, a=a)
    np.testing.assert_allclose(order.to_v(tau, q), data.qfrc_inverse, atol=1e-12)
    np.testing.assert_allclose(order.from_v(order.to_v(v, q), q), v, atol=1e-14)


def test_what_cannot_be_matched_is_refused(arm):
    order = pinocchio_order(arm.robot, arm.model)
    with pytest.raises(ValueError, match="argument 'v' has size 2, expected"):
        order.to_v(np.zeros(2))
    other = RobotModel("r", [Link("a"), Link("b")], [Joint("j", "revolute", "a", "b")])
    with pytest.raises(ValueError, match="no joint 'j' in the Pinocchio model; joints: universe"):
        pinocchio_order(other, arm.model)
