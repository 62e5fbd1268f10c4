"""Loops of MJCF: `connect` and `weld` beside MuJoCo's residuals, Jacobians and accelerations."""

import importlib.metadata
import re
import shutil
from pathlib import Path

import mujoco
import numpy as np
import pytest
from closeness import close
from mujoco_twin import full_mass_matrix, quietly
from scipy.spatial.transform import Rotation

from robograd.info import robot_text
from robotics_ad import load_mjcf, read_mjcf
from robotics_ad.dynamics import BiasForces, ConstrainedDynamics, ContactJacobian
from robotics_ad.kinematics import ClosedConfiguration, LoopError, WorldTransform

GEOM = '<geom type="box" size=".1 .05 .03" pos=".1 .02 0" mass="1.5" contype="0" conaffinity="0"/>'
SITE = '<site name="{}" pos=".1 .2 .3" euler="20 -30 40"/>'
BODIES = f"""
<body name="a" pos="0 0 1" euler="10 20 30"><joint name="ja" axis="0 1 1"/>{GEOM}{SITE.format("sa")}
  <body name="b" pos=".3 0 0"><joint name="jb" type="ball"/>{GEOM}
    <body name="c" pos=".3 .1 0" euler="50 0 0"><joint name="jc" type="slide"/>{GEOM}</body>
  </body>
</body>
<body name="d" pos="1 0 0"><freejoint/>{GEOM}{SITE.format("sd")}
  <body name="e" pos="0 .2 0"><joint name="je" axis="1 0 0"/>{GEOM}</body>
</body>
"""
EQUALITIES = {
    "connect": '<connect name="x" body1="c" body2="e" anchor=".1 .2 .3"/>',
    "connect to the world": '<connect name="x" body1="c" anchor=".1 .2 .3"/>',
    "connect of the world": '<connect name="x" body1="world" body2="c" anchor=".1 .2 .3"/>',
    "connect of sites": '<connect name="x" site1="sd" site2="sa"/>',
    "weld": '<weld name="x" body1="c" body2="e"/>',
    "weld at an anchor": '<weld name="x" body1="c" body2="e" anchor=".3 -.1 .2"/>',
    "weld with a pose": '<weld name="x" body1="e" body2="c" relpose=".1 .2 .3 .5 -.5 .6 .4"/>',
    "weld to the world": '<weld name="x" body1="b" torquescale="0.2"/>',
    "weld of sites": '<weld name="x" site1="sa" site2="sd"/>',
    "weld of a point": '<weld name="x" body1="c" body2="d" torquescale="0"/>',
}


def xml(equality: str, bodies: str = BODIES) -> str:
    return (
        f'<mujoco><option gravity="0 0 -9.81"/><worldbody>{bodies}</worldbody>'
        f"<equality>{equality}</equality></mujoco>"
    )


class State:
    """A state in MuJoCo, and what its equality makes of it."""

    def __init__(self, scene, q, v) -> None:
        self.scene, self.model, self.data = scene, scene.model, mujoco.MjData(scene.model)
        self.q, self.v = q, v
        self.data.qpos[:], self.data.qvel[:] = scene.order.to_q(q), scene.order.to_v(v, q)
        quietly(mujoco.mj_forward, self.model, self.data)
        equality = int(mujoco.mjtConstraint.mjCNSTR_EQUALITY)
        self.rows = np.flatnonzero(self.data.efc_type == equality)

    def jacobian(self) -> np.ndarray:
        """Their rows against our velocities."""
        J = self.data.efc_J.reshape(-1, self.model.nv)[self.rows]
        return np.stack([self.scene.order.from_force(row, self.q) for row in J])

    def axes(self, loop) -> np.ndarray:
        """The rotation of frame a in the world."""
        R = np.eye(3)
        if loop.link_a != "world":
            T = WorldTransform(self.scene.robot.link(loop.link_a))("q").eval(q=self.q)
            R = T[:9].reshape(3, 3).T
        return R @ loop.frame_a[:9].reshape(3, 3).T


@pytest.mark.parametrize("kind", EQUALITIES)
def test_gaps_are_mujocos_residuals(kind):
    """Anywhere: positions less along the world's axes, and half the rotation as a quaternion's."""
    scene = read_mjcf(xml(EQUALITIES[kind]))
    robot, (loop,) = scene.robot, scene.robot.loops
    assert (loop.name, scene.left_out) == ("x", ())
    assert loop.rows == (3 if "connect" in kind or "point" in kind else 6)
    rng = np.random.default_rng(0)
    for _ in range(4):
        q = robot.random(rng)
        state, gap = State(scene, q, np.zeros(robot.nv)), LoopError(robot).eval(q)
        theirs, R = state.data.efc_pos[state.rows], state.axes(loop)
        np.testing.assert_allclose(-R @ gap[-3:], theirs[:3], atol=1e-12)
        if loop.rows == 6:
            half = Rotation.from_rotvec(gap[:3]).as_quat(canonical=True)[:3]
            scale = state.model.eq_data[0, 10]
            # the vector part is along b's axes there, which are a's turned by the gap
            turned = Rotation.from_rotvec(gap[:3]).inv().apply(-half)
            sign = np.sign(turned @ theirs[3:6])
            np.testing.assert_allclose(scale * turned, sign * theirs[3:6], atol=1e-9)


@pytest.mark.parametrize(
    "kind", ["connect", "connect of sites", "weld with a pose", "weld of sites"]
)
def test_motions_at_closed_configurations_are_mujocos(kind):
    """Their rows span ours where the loop is closed, and their rule gives ours in the limit."""
    hard = 'solref="-1 -1" solimp="0.9999 0.9999 0.001 0.5 1"/>'
    scene = read_mjcf(xml(EQUALITIES[kind].replace("/>", " " + hard)))
    robot, (loop,) = scene.robot, scene.robot.loops
    rng = np.random.default_rng(1)
    # the free body follows the others
    joints = [name for name in robot.joint_names if name in {"ja", "jb", "jc", "je"}]
    if loop.rows == 6:
        closed = ClosedConfiguration(robot, joints, status=True)
        start = robot.random(rng)
        given = np.concatenate([start[robot.q_slices[name]] for name in joints])
        *q, found = closed.eval(given, start)
        assert found
    else:
        closed = ClosedConfiguration(robot)
        start = robot.random(rng)
        given = np.concatenate([start[robot.q_slices[name]] for name in closed.independent])
        q = closed.eval(given, start)
    q = np.array(q)
    state = State(scene, q, np.zeros(robot.nv))
    J, theirs = ContactJacobian(robot, robot.loops)("q").eval(q=q), state.jacobian()
    J = J.reshape(loop.rows, robot.nv)
    R = state.axes(loop)
    close(-R @ J[-3:], theirs[:3])
    both = np.concatenate([J, theirs])
    assert np.linalg.matrix_rank(both, tol=1e-8) == loop.rows
    a = ConstrainedDynamics(robot, robot.loops, scene.gravity).eval(q, 0 * state.v, 0 * state.v)
    qacc = scene.order.from_a(state.data.qacc, q, state.v)
    np.testing.assert_allclose(a, qacc, atol=2e-2 * np.abs(qacc).max())
    # the rule (A + R) f = a_ref - a_0 gives theirs with the compliance R that is left, ours without
    M = scene.order.from_mass_matrix(full_mass_matrix(state.model, state.data), q)
    free = np.linalg.solve(M, -BiasForces(robot, scene.gravity).eval(q, state.v))
    A, R = theirs @ np.linalg.solve(M, theirs.T), np.diag(state.data.efc_R[state.rows])
    wanted = state.data.efc_aref[state.rows] - theirs @ free
    for soft, expected, error in ((R, qacc, 1e-6), (0 * R, a, 1e-8)):
        moved = free + np.linalg.solve(M, theirs.T @ np.linalg.solve(A + soft, wanted))
        np.testing.assert_allclose(moved, expected, atol=error * np.abs(expected).max())


def test_equalities_that_are_no_loops_are_named():
    scene = read_mjcf(
        xml(
            '<weld name="off" body1="a" body2="e" active="false"/>'
            '<joint name="curved" joint1="ja" joint2="je" polycoef="0 1 1 0 0"/>'
            '<connect body1="a" body2="e" anchor="0 0 0"/>'
        )
    )
    assert [loop.name for loop in scene.robot.loops] == ["equality2"]
    assert scene.left_out == ("equality 'off'", "equality 'curved'")
    for part in ("constraint", "equality"):
        text = xml(EQUALITIES["weld"]).replace(
            "<worldbody>", f'<option><flag {part}="disable"/></option><worldbody>'
        )
        scene = read_mjcf(text)
        assert (scene.robot.loops, scene.left_out) == ((), ("equality 'x'",))


def test_loops_are_printed_and_read_from_strangers(tmp_path):
    file = tmp_path / "robot.xml"
    file.write_text(xml(EQUALITIES["weld"] + EQUALITIES["connect"].replace('"x"', '"y"')))
    text = robot_text(str(file), "fixed", 100)
    assert text.splitlines()[-2:] == [
        "loop x: c ~ e (held: xyz rotations, xyz translations)",
        "loop y: c ~ e (held: xyz translations)",
    ]
    mine, theirs = load_mjcf(file), load_mjcf(file, untrusted=True)
    for a, b in zip(mine.loops, theirs.loops, strict=True):
        assert str(a) == str(b)
        np.testing.assert_array_equal(a.frame_a, b.frame_a)
        np.testing.assert_array_equal(a.frame_b, b.frame_b)


def gripper(folder: Path) -> Path:
    """The xArm gripper of `robosuite`, without an attribute that MuJoCo 4 does not know."""
    try:
        files = importlib.metadata.files("robosuite") or []
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("needs robosuite: pip install --no-deps '.[sweep]'")
    (found,) = (f for f in files if str(f).endswith("grippers/xarm7_gripper.xml"))
    path = Path(str(found.locate()))
    text = re.sub(r'(<default[^>]*?) group="\d+"', r"\1", path.read_text(encoding="utf-8"))
    meshes = {Path(name) for name in re.findall(r'file="([^"]+)"', text)}
    for name in meshes:
        (folder / name.parent).mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path.parent / name, folder / name)
    (folder / path.name).write_text(text, encoding="utf-8")
    return folder / path.name


def finger(side: str, x: float) -> str:
    """A parallelogram in the plane xy: driver, pad on it, follower."""
    joint = f'<joint name="{side} {{}}" axis="0 0 -1"/>{GEOM}'
    return (
        f'<body name="{side} driver" pos="{0.02 * x} 0 0">{joint.format("driver")}'
        f'<body name="{side} pad" pos="0 .06 0">{joint.format("pad")}</body></body>'
        f'<body name="{side} follower" pos="{0.05 * x} 0 0">{joint.format("follower")}</body>'
    )


def test_fingers_that_mimic_each_other_close_together():
    """Two rings in one plane, each with an idle row, and a joint that follows another."""
    bodies = finger("right", 1.0) + finger("left", -1.0)
    pins = "".join(
        f'<connect body1="{side} pad" body2="{side} follower" anchor="{0.03 * x} 0 0"/>'
        for side, x in (("right", 1), ("left", -1))
    )
    tie = '<joint joint1="left driver" joint2="right driver" polycoef="0 -1 0 0 0"/>'
    scene = read_mjcf(xml(pins + tie, bodies))
    robot = scene.robot
    assert (robot.nv, [loop.rows for loop in robot.loops], scene.left_out) == (5, [3, 3], ())
    closed = ClosedConfiguration(robot, ["right driver"], status=True)
    assert len(closed.solved) == 4
    for angle in (-0.4, 0.3, 1.0):
        *q, found = closed.eval([angle], scene.home)
        state = State(scene, np.array(q), np.zeros(robot.nv))
        assert found
        np.testing.assert_allclose(state.data.efc_pos[state.rows], 0.0, atol=1e-9)
        assert q[robot.q_slices["left follower"].start] == pytest.approx(-angle)


def test_a_real_gripper_closes(tmp_path):
    """Two four-bars in one plane, and fingers that mimic each other: one freedom is left."""
    scene = read_mjcf(gripper(tmp_path))
    robot = scene.robot
    assert [loop.rows for loop in robot.loops] == [3, 3]
    assert "equality" not in " ".join(scene.left_out)
    closed = ClosedConfiguration(robot, ["right_driver_joint"], status=True)
    assert len(closed.solved) == 4
    home = scene.home
    for angle in (0.0, 0.3, 0.6):
        *q, found = closed.eval([angle], home)
        state = State(scene, np.array(q), np.zeros(robot.nv))
        assert found
        np.testing.assert_allclose(state.data.efc_pos[state.rows], 0.0, atol=1e-9)
