"""Robot files that other packages bring, as they are, against Pinocchio (URDF) and MuJoCo (MJCF).

The packages are those of the extra `sweep`, of which the files alone are read:
`pip install --no-deps airo-models ...`. What is not installed is left out. Poses of all
links, mass matrix, inverse dynamics and centre of mass at random states, to 1e-9 relative. A file
that a reader refuses is skipped with its reason (`pytest -m slow -rs`); a file that we alone refuse
is an error, unless `REFUSED` tells why.
"""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
import pinocchio
import pytest
from mujoco_twin import Oracle, compare

import ad_core as ad
from robotics_ad import RobotModel, load_urdf, read_mjcf
from robotics_ad.dynamics import CenterOfMass, InverseDynamics, MassMatrix
from robotics_ad.interop import pinocchio_order
from robotics_ad.kinematics import WorldTransforms

PACKAGES = ("airo-models", "armar", "dexmate-urdf", "dm-control", "hello-robot-stretch-urdf",
            "icub-models", "pybullet", "robosuite")  # fmt: skip
STATES = 2
TOLERANCE = 1e-9
REFUSED = {
    # ends of paths of files that only we refuse -> our reason
    "pybullet_data/cube_no_rotation.urdf": r"lower limit \[1.0\] is above upper limit \[-1.0\]",
    "quadruped/spirit40newer.urdf": "joint 'RL_lower_joint' has more than one <axis>",
    "mjcf/striker.xml": "armature 0.04 on a free joint",
}

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::UserWarning")]


def files(root: str, ending: str) -> Iterator[Path]:
    """The files of the packages whose first element is `root`."""
    for package in PACKAGES:
        try:
            listed = importlib.metadata.files(package) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        for file in listed:
            path = Path(str(file.locate()))
            if "random_urdfs" in path.parts:  # a thousand bodies without joints
                continue
            if file.name.endswith(ending) and path.exists():
                first = re.search(rb"<(\w[\w:]*)", re.sub(rb"<!--.*?-->", b"", path.read_bytes(),
                                                          flags=re.DOTALL))  # fmt: skip
                if first is not None and first[1].decode() == root:
                    yield path


def named(path: Path) -> str:
    return "/".join(path.parts[-4:])


@pytest.fixture(autouse=True)
def no_log() -> Iterator[None]:
    """MuJoCo prints its warnings, and writes them to a file where it runs."""
    before = mujoco.get_mju_user_warning()
    mujoco.set_mju_user_warning(lambda text: None)
    yield
    mujoco.set_mju_user_warning(before)


def read(path: Path, ours: Callable[[Path], Any], theirs: Callable[[str], Any]) -> tuple[Any, Any]:
    """What both readers make of a file; skips those that the other one refuses."""
    try:
        oracle = theirs(str(path))
    except Exception as error:  # of any kind: the readers of others
        with pytest.raises((ValueError, OSError)):  # noqa: PT012
            ours(path)
            pytest.skip(f"refused by the other reader alone: {str(error).splitlines()[0][:150]}")
        pytest.skip(f"refused by both: {str(error).splitlines()[0][:150]}")
    for ending, reason in REFUSED.items():
        if str(path).endswith(ending):
            with pytest.raises(ValueError, match=reason):
                ours(path)
            pytest.skip(f"refused by us alone: {reason}")
    return ours(path), oracle


def close(ours: Any, theirs: Any, scale: float = 0.0) -> None:
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    assert np.isfinite(theirs).all()
    scale = max(scale, float(np.abs(theirs).max(initial=0.0)))
    np.testing.assert_allclose(ours, theirs, rtol=0.0, atol=TOLERANCE * max(scale, 1e-12))


@pytest.mark.parametrize("path", sorted(files("robot", ".urdf")), ids=named)
def test_urdf(path):
    def theirs(name: str) -> Any:
        return pinocchio.buildModelFromUrdf(name, mimic=True)

    robot, model = read(path, load_urdf, theirs)
    if robot.nv == 0:
        pytest.skip("nothing moves")
    robot, model = without_mimics_that_pinocchio_drops(path, robot, model)
    data, order, rng = model.createData(), pinocchio_order(robot, model), np.random.default_rng(0)
    links = [name for name in robot.link_names if model.existBodyName(name)]
    frames = [model.getFrameId(name, pinocchio.FrameType.BODY) for name in links]
    q, v, a = robot.random(rng, STATES), *rng.normal(size=(2, STATES, robot.nv))
    G = order.to_v(np.eye(robot.nv)).T
    values = {"q": q, "v": v, "a": a}
    functions = {
        "poses": WorldTransforms(robot, links)("q"),
        "mass matrix": MassMatrix(robot)("q"),
        "inverse dynamics": InverseDynamics(robot)("q", "v", "a"),
    }
    if robot.mass > 0.0:
        functions["centre of mass"] = CenterOfMass(robot)("q")
    ours = {
        what: ad.Expression.eval_batch(f, **{n: values[n] for n in f.terminals()})
        for what, f in functions.items()
    }
    for n, state in enumerate(zip(order.to_q(q), order.to_v(v), order.to_v(a), strict=True)):
        pinocchio.framesForwardKinematics(model, data, state[0])
        poses = [[*data.oMf[i].rotation.T.ravel(), *data.oMf[i].translation] for i in frames]
        close(ours["poses"][n], np.ravel(poses))
        M = np.triu(pinocchio.crba(model, data, state[0]))
        close(ours["mass matrix"][n], np.ravel(G.T @ (M + np.triu(M, 1).T) @ G))
        close(ours["inverse dynamics"][n], G.T @ pinocchio.rnea(model, data, *state))
        if robot.mass > 0.0:
            close(ours["centre of mass"][n], pinocchio.centerOfMass(model, data, state[0]))


def without_mimics_that_pinocchio_drops(
    path: Path, robot: RobotModel, model: Any
) -> tuple[RobotModel, Any]:
    """Pinocchio leaves out a mimic whose leader comes later in its order: both without, then."""
    kept = {joint.shortname() for joint in model.joints}
    if any("Mimic" in name for name in kept) or not any(j.mimic for j in robot.joints):
        return robot, model
    return robot.release_mimics(), pinocchio.buildModelFromUrdf(str(path))


@pytest.mark.parametrize("path", sorted(files("mujoco", ".xml")), ids=named)
def test_mjcf(path):
    scene, _ = read(path, read_mjcf, mujoco.MjModel.from_xml_path)
    robot = scene.robot
    if robot.nv == 0:
        pytest.skip("nothing moves")
    scene.model.tendon_stiffness[:] = scene.model.tendon_damping[:] = 0.0  # these are left out
    compare(scene, range(STATES), TOLERANCE)
    if robot.mass > 0.0:
        state = Oracle(scene, 0)
        moving = [name in robot.moving_links for name in state.poses()][: scene.model.nbody]
        mass = scene.model.body_mass * moving
        close(CenterOfMass(robot)("q").eval(q=state.q), mass @ state.data.xipos / mass.sum(), 1.0)
