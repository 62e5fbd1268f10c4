"""Robots to test on, and Pinocchio as the outside oracle for each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pinocchio
import pytest
from robot_files import urdf_path

from ad_core import Expression
from robotics_ad import Mimic, RobotModel, load_urdf, packaged_arm
from robotics_ad.data import packaged_arm_text
from robotics_ad.interop import Order, pinocchio_order

ROBOTS = ("arm7", "panda", "ur5", "kinova", "z1", "pr2", "g1")


URDF_FILES = {
    "panda": "panda_description/urdf/panda.urdf",
    "ur5": "ur_description/urdf/ur5_robot.urdf",
    "kinova": "kinova_description/robots/kinova.urdf",
    "z1": "z1_description/urdf/z1.urdf",
    "pr2": "pr2_description/urdf/pr2.urdf",
    "g1": "g1_description/urdf/g1_29dof_rev_1_0.urdf",
}


@dataclass(frozen=True)
class Twin:
    """Our model of a robot beside Pinocchio's, with the maps between their coordinates."""

    robot: RobotModel
    model: Any
    data: Any

    @cached_property
    def order(self) -> Order:
        """The map between both orders of coordinates."""
        return pinocchio_order(self.robot, self.model)

    def to_pin_q(self, q: np.ndarray) -> np.ndarray:
        """Pinocchio's q."""
        return self.order.to_q(q)

    def to_pin_v(self, v: np.ndarray) -> np.ndarray:
        """Pinocchio's v, without what belongs to joints that mimic."""
        return self.order.to_v(v)

    def from_pin_v(self, v: np.ndarray) -> np.ndarray:
        """Our v, from Pinocchio's; over leading axes."""
        return self.order.from_v(v)

    def frame_pose(self, q: np.ndarray, link: str) -> tuple[np.ndarray, np.ndarray]:
        """(R, p) of a link in the world."""
        pinocchio.framesForwardKinematics(self.model, self.data, self.to_pin_q(q))
        pose = self.data.oMf[self.model.getFrameId(link, pinocchio.FrameType.BODY)]
        return pose.rotation.copy(), pose.translation.copy()

    def states(self, count: int, seed: int = 0) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Random (q, v, a)."""
        rng = np.random.default_rng(seed)
        nv = self.robot.nv
        return [
            (self.robot.random(rng), rng.normal(size=nv), rng.normal(size=nv)) for _ in range(count)
        ]


def make_twin(name: str) -> Twin:
    if name == "arm7":
        robot = packaged_arm()
        model = pinocchio.buildModelFromXML(packaged_arm_text())
    else:
        path = urdf_path(URDF_FILES[name])
        robot = load_urdf(path)
        model = pinocchio.buildModelFromUrdf(str(path), mimic=True)
    return Twin(robot, model, model.createData())


@cache
def _free_robot(path: Path, base: str) -> RobotModel:
    return load_urdf(path, base=base).release_mimics()


def free_twin(path: Path, base: str) -> Twin:
    """A robot without mimics, on a fixed or floating base: the whole of Pinocchio serves then."""
    robot = _free_robot(path, base)
    root = [pinocchio.JointModelFreeFlyer()] if base == "floating" else []
    model = pinocchio.buildModelFromUrdf(str(path), *root)
    return Twin(robot, model, model.createData())


_TWINS: dict[str, Twin] = {}


def twin_of(name: str) -> Twin:
    if name not in _TWINS:
        _TWINS[name] = make_twin(name)
    return _TWINS[name]


def _numeric_pose(robot: RobotModel, q: np.ndarray, link: str) -> np.ndarray:
    """4x4 pose of a link by walking up the tree with the numeric joint motions."""
    by_child, T = {joint.child: joint for joint in robot.joints}, np.eye(4)
    while link in by_child:
        joint = by_child[link]
        value = np.zeros(0)
        if joint.type.nq:
            leader = joint.mimic or Mimic(joint.name)
            value = leader.multiplier * q[robot.q_slices[leader.joint]] + leader.offset
        step, motion = np.eye(4), np.eye(4)
        step[:3, :3], step[:3, 3] = joint.rotation, joint.translation
        motion[:3, :3], motion[:3, 3] = joint.type.transform(joint.axis, value)
        T, link = step @ motion @ T, joint.parent
    return T


@pytest.fixture
def numeric_pose() -> Callable[[RobotModel, np.ndarray, str], np.ndarray]:
    """The function `_numeric_pose`."""
    return _numeric_pose


@pytest.fixture
def once() -> Callable[..., Expression]:
    """`once(kind, *given)`: the function `kind(*given)` of variables by its arguments' names.

    Equal calls give one graph, so that a test at several states builds each once.
    """
    made: dict[Any, Expression] = {}

    def graph(kind: Callable[..., Any], *given: Any) -> Expression:
        key = (kind, *(x.tobytes() if isinstance(x, np.ndarray) else x for x in given))
        if key not in made:
            function = kind(*given)
            made[key] = function(*function.arguments())
        return made[key]

    return graph


@pytest.fixture(params=ROBOTS)
def twin(request: pytest.FixtureRequest) -> Twin:
    """Each test robot in turn."""
    return twin_of(request.param)


@pytest.fixture
def free_twin_of() -> Callable[[Path, str], Twin]:
    """The function `free_twin`."""
    return free_twin


@pytest.fixture
def twin_named() -> Callable[[str], Twin]:
    """A test robot by its name."""
    return twin_of


@pytest.fixture(params=["panda", "ur5", "arm7"])
def arm(request: pytest.FixtureRequest) -> Twin:
    """The serial arms in turn."""
    return twin_of(request.param)


@pytest.fixture
def panda() -> Twin:
    return twin_of("panda")


FREE_CASES = [
    ("panda_description/urdf/panda.urdf", "fixed"),
    ("kinova_description/robots/kinova.urdf", "floating"),
    ("anymal_c_simple_description/urdf/anymal.urdf", "floating"),
    ("g1_description/urdf/g1_29dof_rev_1_0.urdf", "floating"),
]


@pytest.fixture(params=FREE_CASES, ids=lambda case: f"{case[0].split('/')[-1]}-{case[1]}")
def free(request: pytest.FixtureRequest) -> Twin:
    """The robots of `FREE_CASES`, without mimics, beside Pinocchio's."""
    path, base = request.param
    return free_twin(urdf_path(path), base)
