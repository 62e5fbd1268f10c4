"""What calibration can identify: known counts, the rank of Pinocchio's regressor, a robot found."""

import numpy as np
import parametrized_robot as parts
import pinocchio
import pytest
from robot_files import urdf_path

from robotics_ad import Joint, Link, RobotModel, load_urdf, packaged_arm
from robotics_ad.kinematics import WorldTransform, base_parameters

ARMS = {
    "ur5": ("ur_description/urdf/ur5_robot.urdf", "tool0"),
    "panda": ("panda_description/urdf/panda.urdf", "panda_link8"),
    "kinova": ("kinova_description/robots/kinova.urdf", "j2s6s200_end_effector"),
}


def puma() -> RobotModel:
    """An arm like the PUMA 560: axes 2 and 3 are parallel, the last three meet."""
    rows = [
        ([0, 0, 0.6], [0, 0, 1]), ([0, 0.24, 0], [0, 1, 0]), ([0.43, -0.09, 0], [0, 1, 0]),
        ([0.02, 0, 0.43], [0, 0, 1]), ([0, 0, 0], [0, 1, 0]), ([0, 0, 0], [0, 0, 1]),
    ]  # fmt: skip
    joints = [
        Joint(f"j{i}", "revolute", f"l{i - 1}", f"l{i}", translation=place, axis=axis)
        for i, (place, axis) in enumerate(rows, 1)
    ]
    tool = Joint("mount", "fixed", "l6", "tool", translation=[0.05, 0.02, 0.1])
    links = [*(Link(f"l{i}") for i in range(7)), Link("tool")]
    return RobotModel("puma", links, [*joints, tool])


def slider() -> RobotModel:
    """Two joints that turn and one that slides, then a tool."""
    joints = [
        Joint("a", "revolute", "w", "1", axis=[0, 0, 1]),
        Joint("b", "prismatic", "1", "2", translation=[0.1, 0.2, 0.3], axis=[1, 0, 0]),
        Joint("c", "continuous", "2", "3", translation=[0.3, 0.1, 0.2], axis=[0, 1, 1]),
        Joint("mount", "fixed", "3", "tool", translation=[0.05, 0.02, 0.1]),
    ]
    return RobotModel("slider", [Link(n) for n in ("w", "1", "2", "3", "tool")], joints)


@pytest.mark.parametrize(
    ("robot", "tip", "turning", "sliding"),
    [(puma(), "tool", 6, 0), (slider(), "tool", 2, 1), (packaged_arm(), "tool", 7, 0)],
    ids=["puma", "slider", "arm7"],
)
def test_poses_tell_the_known_count(robot, tip, turning, sliding):
    """4 R + 2 P + 6 with a frame at the end; positions of a point off the last axis three less."""
    varied = robot.parametrize(["*.placement"])
    base = base_parameters(varied, tip)
    assert base.count == 4 * turning + 2 * sliding + 6
    assert len(base.names) == varied.n_parameters
    if robot.name != "arm7":  # its tool is on the last axis
        assert base_parameters(varied, tip, "position").count == base.count - 3
    np.testing.assert_allclose(base.combination[:, base.columns], np.eye(base.count), atol=1e-9)


@pytest.mark.parametrize("measured", ["pose", "position"])
@pytest.mark.parametrize("name", ARMS)
def test_as_many_as_the_rank_of_pinocchios_regressor(name, measured):
    """The regressor of placements of joints, and of the frame at the end, at other configurations.

    The combinations of our parameters that are found span as much as all of them do.
    """
    path, tip = ARMS[name]
    robot = load_urdf(urdf_path(path)).subchain(tip)
    model = pinocchio.buildModelFromUrdf(str(urdf_path(path)))
    data, frame = model.createData(), model.getFrameId(tip, pinocchio.FrameType.BODY)
    rng, rows = np.random.default_rng(1), []
    for _ in range(40):
        q = pinocchio.integrate(model, pinocchio.neutral(model), rng.normal(size=model.nv))
        pinocchio.framesForwardKinematics(model, data, q)
        pinocchio.computeJointJacobians(model, data, q)
        own = pinocchio.computeFrameKinematicRegressor(model, data, frame, pinocchio.LOCAL)
        rows.append(np.hstack([own, np.eye(6)])[: 6 if measured == "pose" else 3])
    rank = np.linalg.matrix_rank(np.concatenate(rows), rtol=1e-9)
    assert base_parameters(robot.parametrize(["*.placement"]), tip, measured).count == rank


def test_a_robot_is_found_by_its_base_parameters():
    """Poses of an arm whose placements are all off, by the columns alone; the others stay."""
    robot = puma().parametrize(["*.placement"])
    base, rng = base_parameters(robot, "tool"), np.random.default_rng(2)
    true = robot.parameters + 0.01 * rng.normal(size=robot.n_parameters)
    pose = WorldTransform(robot.link("tool"))("q", "parameters")
    q = robot.random(rng, 60)
    seen = pose.eval_batch(q=q, parameters=true)
    found, columns = robot.parameters.copy(), list(base.columns)
    for _ in range(6):
        rest = (seen - pose.eval_batch(q=q, parameters=found)).reshape(-1)
        J = pose.derivative_batch("parameters", q=q, parameters=found).reshape(rest.size, -1)
        found[columns] += np.linalg.lstsq(J[:, columns], rest, rcond=None)[0]
    kept = np.setdiff1d(np.arange(robot.n_parameters), columns)
    np.testing.assert_array_equal(found[kept], robot.parameters[kept])
    other = robot.random(rng, 20)
    np.testing.assert_allclose(
        pose.eval_batch(q=other, parameters=found),
        pose.eval_batch(q=other, parameters=true),
        atol=1e-9,
    )


def test_names_of_the_numbers():
    robot = packaged_arm().parametrize(
        ["joint2.translation", "joint3.rotation", "link4.length", "link5.stretch", "link6.mass"]
    )
    base = base_parameters(robot, "tool")
    assert base.names == (
        *("joint2.x", "joint2.y", "joint2.z", "joint3.rx", "joint3.ry", "joint3.rz"),
        "link4.length",
        *(f"link5.stretch[{i}]" for i in range(4)),
        "link6.mass",
    )
    told = {base.names[i] for i in base.columns}
    assert not told & {"link5.stretch[0]", "link6.mass"}  # densities and masses move nothing
    assert "joint2.x" in told


def test_a_part_that_is_not_on_the_way_tells_nothing():
    robot = parts.robot("fixed").parametrize(["tip.placement", "finger.placement"])
    base = base_parameters(robot, "left")
    assert {name.split(".")[0] for name in (base.names[i] for i in base.columns)} == {"finger"}


def test_what_is_refused():
    robot = packaged_arm()
    with pytest.raises(ValueError, match="robot 'arm7' has no parameters; parametrize"):
        base_parameters(robot, "tool")
    varied = robot.parametrize(["joint1.placement"])
    with pytest.raises(ValueError, match="'measured' is 'angle', expected one of pose, position"):
        base_parameters(varied, "tool", "angle")
    with pytest.raises(ValueError, match="base_parameters: no link 'hand'; links: base"):
        base_parameters(varied, "hand")
