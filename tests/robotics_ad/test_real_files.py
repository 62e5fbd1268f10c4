"""What files of strangers have: planar bases, chains of mimics, motors of many inputs."""

import mujoco
import numpy as np
import pinocchio
import pytest

from robotics_ad import Inertia, Joint, Link, Mimic, RobotModel, load_urdf, read_mjcf
from robotics_ad.dynamics import CenterOfMass, CenterOfMassVelocity, KineticEnergy
from robotics_ad.interop import pinocchio_order
from robotics_ad.kinematics import DriversToLinks, WorldTransform, WorldVelocity
from robotics_ad.model import topology


def mobile(axis: str = "0 0 1", mimic: str = "") -> str:
    return (
        '<robot name="r"><link name="world"/><link name="base"><inertial><mass value="3"/>'
        '<inertia ixx="1" ixy="0" ixz="0" iyy="1" iyz="0" izz="1"/></inertial></link>'
        '<link name="arm"><inertial><mass value="2"/><origin xyz=".1 .2 .3"/>'
        '<inertia ixx="1" ixy="0" ixz="0" iyy="1" iyz="0" izz="1"/></inertial></link>'
        '<joint name="drive" type="planar"><origin xyz="1 2 3" rpy=".1 .2 .3"/>'
        f'<parent link="world"/><child link="base"/><axis xyz="{axis}"/></joint>'
        '<joint name="j" type="continuous"><origin xyz="0 0 .5"/><parent link="base"/>'
        f'<child link="arm"/><axis xyz="0 1 0"/>{mimic}</joint></robot>'
    )


def test_a_planar_base_in_the_order_of_pinocchio():
    robot, model = load_urdf(mobile()), pinocchio.buildModelFromXML(mobile())
    order, data, rng = pinocchio_order(robot, model), model.createData(), np.random.default_rng(0)
    for q, v in zip(robot.random(rng, 5), rng.normal(size=(5, robot.nv)), strict=True):
        theirs = order.to_q(q)
        np.testing.assert_allclose(np.hypot(*theirs[2:4]), 1.0)
        np.testing.assert_allclose(order.from_q(theirs), q, atol=1e-15)
        np.testing.assert_array_equal(order.from_v(order.to_v(v)), v)
        pinocchio.forwardKinematics(model, data, theirs, order.to_v(v))
        frame = pinocchio.updateFramePlacement(model, data, model.getFrameId("arm"))
        T = WorldTransform(robot.link("arm"))("q").eval(q=q)
        np.testing.assert_allclose(
            T, np.r_[frame.rotation.T.ravel(), frame.translation], atol=1e-12
        )
        moved = pinocchio.getFrameVelocity(
            model, data, model.getFrameId("arm"), pinocchio.LOCAL_WORLD_ALIGNED
        )
        ours = WorldVelocity(robot.link("arm"))("q", "v").eval(q=q, v=v)
        np.testing.assert_allclose(ours, moved.linear, atol=1e-12)
        energy = KineticEnergy(robot)("q", "v").eval(q=q, v=v)
        expected = pinocchio.computeKineticEnergy(model, data, theirs, order.to_v(v))
        np.testing.assert_allclose(energy, expected, rtol=1e-12)
    batch = robot.random(rng, (2, 3))
    np.testing.assert_allclose(order.from_q(order.to_q(batch)), batch, atol=1e-15)


@pytest.mark.parametrize("axis", ["1 0 0", "0 0 -1", "0 0.6 0.8"])
def test_pinocchio_knows_planar_joints_about_z_only(axis):
    model = pinocchio.buildModelFromXML(mobile(axis))
    with pytest.raises(ValueError, match="joint 'drive': Pinocchio's planar joint moves"):
        pinocchio_order(load_urdf(mobile(axis)), model)


def test_a_mimic_of_a_joint_with_several_numbers_says_so():
    with pytest.raises(ValueError, match="'j' mimics 'drive', which has 3 numbers, expected one"):
        load_urdf(mobile(mimic='<mimic joint="drive"/>'))
    fixed = mobile(mimic='<mimic joint="drive"/>').replace("planar", "fixed")
    with pytest.raises(ValueError, match="joint 'j' mimics 'drive', which does not move"):
        load_urdf(fixed)


@pytest.mark.parametrize("step", [1, -1])
def test_chains_of_mimics_are_followed_once(step):
    n, looked = 400, 0

    class Names(dict):  # counts how often a joint's mimic is looked up
        def __getitem__(self, name):
            nonlocal looked
            looked += 1
            return super().__getitem__(name)

    factors = np.random.default_rng(0).uniform(0.98, 1.02, n)
    mimics = {f"j{i}": Mimic(f"j{i + step}", factors[i], 0.1) for i in range(n)}
    last = "j-1" if step < 0 else f"j{n}"
    mimics[last] = None
    resolved = topology.resolve_mimics(Names(mimics), dict.fromkeys(mimics, 1))
    assert looked < 3 * n
    first = f"j{n - 1}" if step < 0 else "j0"
    assert resolved[first].joint == last
    np.testing.assert_allclose(resolved[first].multiplier, np.prod(factors), rtol=1e-12)


def test_a_chain_of_mimics_moves_as_each_link_says():
    names = [f"l{i}" for i in range(6)]
    joints = [
        Joint(f"j{i}", "revolute", names[i], names[i + 1], axis=[0, 0, 1],
              mimic=None if i == 2 else Mimic(f"j{i + 1 if i < 2 else i - 1}", 1.0 + i, 0.1 * i))
        for i in range(5)
    ]  # fmt: skip
    robot = RobotModel("r", [Link(name) for name in names], joints)
    q = DriversToLinks(robot)("q").eval(q=[0.7])
    expected = {2: 0.7}
    for i in (1, 0, 3, 4):
        expected[i] = (1.0 + i) * expected[i + 1 if i < 2 else i - 1] + 0.1 * i
    np.testing.assert_allclose(q, [expected[i] for i in range(5)], rtol=1e-14)
    ring = [Joint(f"j{i}", "revolute", names[i], names[i + 1], mimic=Mimic(f"j{(i + 1) % 3}"))
            for i in range(3)]  # fmt: skip
    with pytest.raises(ValueError, match="joints mimic each other in a ring: j0, j1, j2"):
        RobotModel("r", [Link(name) for name in names[:4]], ring)


ACTUATORS = {
    "orientation": '<orientation name="o" joint="ball" kp="1" input="quat"/>',
    "dcmotor": '<dcmotor name="o" joint="hinge" motorconst="1" resistance="1" input="pos vel" '
    'controller="10 0 5"/>',
}


@pytest.mark.parametrize("kind", ACTUATORS)
@pytest.mark.parametrize("motors", [0, 2])
def test_actuators_with_several_inputs_are_counted_once(kind, motors):
    plain = '<motor joint="hinge" gear="3"/>' * motors
    xml = (
        '<mujoco><worldbody><body><joint name="ball" type="ball"/><geom size=".1"/>'
        '<body pos="1 0 0"><joint name="hinge"/><geom size=".1"/></body></body></worldbody>'
        f"<actuator>{plain}{ACTUATORS[kind]}</actuator></mujoco>"
    )
    try:
        model = mujoco.MjModel.from_xml_string(xml)
    except ValueError as error:
        pytest.skip(f"this MuJoCo has no such actuator: {error}")
    assert model.nu > motors + 1
    scene = read_mjcf(xml)
    assert scene.left_out == (f"{motors + 1} actuators",)
    assert scene.robot.joint_names == ("ball", "hinge")


def test_links_fixed_to_the_world_belong_to_it():
    def body(name: str, mass: float, x: float) -> Link:
        return Link(name, Inertia(mass, [x, 0.0, 0.0], 0.1 * np.eye(3)))

    links = [body("base", 50.0, 0.5), body("post", 7.0, 0.1), body("arm", 2.0, 0.3),
             body("held", 4.0, 0.2)]  # fmt: skip
    joints = [
        Joint("screw", "fixed", "base", "post"),
        Joint("turn", "revolute", "post", "arm", axis=[0, 0, 1]),
        Joint("hold", "fixed", "arm", "held"),
    ]
    robot = RobotModel("r", links, joints)
    assert robot.moving_links == ("arm", "held")
    assert robot.mass == CenterOfMass(robot).mass == CenterOfMassVelocity(robot).mass == 6.0
    c = CenterOfMass(robot)("q").eval(q=[0.0])
    np.testing.assert_allclose(c, [(2.0 * 0.3 + 4.0 * 0.2) / 6.0, 0.0, 0.0], atol=1e-15)
    assert robot.floating().mass == CenterOfMass(robot.floating()).mass == 63.0
    assert robot.lock_joints({"turn": 0.2}).mass == 0.0
    still = RobotModel("r", links[1:3], [Joint("turn", "revolute", "post", "arm",
                       mimic=None)]).lock_joints({"turn": 0.0})  # fmt: skip
    assert still.moving_links == ()
