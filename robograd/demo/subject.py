"""Which robot and which link the demonstration is about.

A file often holds more than the arm that moves the chosen link: fingers, a second arm, joints
without range. They are locked, so that every number that the demonstration varies moves the link.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from robograd.robots import File, Mappings, chosen_robot
from robotics_ad import Joint, LinkFrame, RobotModel

Vector = NDArray[np.float64]

# Joints that are one number; a floating base or a ball joint in the file is locked.
_SINGLE = ("revolute", "continuous", "prismatic")


@dataclass(frozen=True)
class Subject:
    """A robot of which every joint moves `link`.

    Attributes:
        robot: the model; joints of the file that do not move the link are locked.
        link: the link to place, a link of `robot`.
        locked: names of the joints that were locked.
    """

    robot: RobotModel
    link: LinkFrame
    locked: tuple[str, ...]


def choose_subject(
    urdf: File = None,
    link: str | None = None,
    *,
    mjcf: File = None,
    mappings: Mappings | None = None,
) -> Subject:
    """The robot of a file (none given: the packaged arm) and one of its links (None: its tool).

    `mappings` are the arguments of a xacro file.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is not of its format, has no such link, or no joint that moves the link.
    """
    robot, _ = chosen_robot(urdf, mjcf, mappings)
    name = tool_name(robot) if link is None else robot.link(link).name
    moving = _moving_joints(robot, name)
    if not moving:
        raise ValueError(f"no joint of '{robot.name}' that has a range moves link '{name}'")
    locked = tuple(joint for joint in robot.joint_names if joint not in moving)
    kept = robot.lock_joints({joint: _resting(robot, joint) for joint in locked})
    return Subject(kept, kept.link(name), locked)


def tool_name(robot: RobotModel) -> str:
    """The last link of the longest chain, counted in moving joints; the palm where fingers part.

    Where the way forks into branches with at most half as many joints ahead as lie behind, they
    are fingers, and the chain ends before them. Links fixed to the last body are followed to the
    end.
    """
    ahead = _joints_ahead(robot)
    behind, name = 0, robot.links[0].name
    while True:
        outward = [joint for joint in robot.joints if joint.parent == name]
        counts = {joint.name: _moves(joint) + ahead[joint.child] for joint in outward}
        branches = sum(count > 0 for count in counts.values())
        if branches > 1 and 2 * max(counts.values()) <= behind:
            outward = [joint for joint in outward if counts[joint.name] == 0]
        if not outward:
            return name
        # The first of equally long branches; among links without joints ahead, the last.
        longest = max(counts[joint.name] for joint in outward)
        ties = [joint for joint in outward if counts[joint.name] == longest]
        step = ties[0] if longest else ties[-1]
        behind, name = behind + _moves(step), step.child


def _joints_ahead(robot: RobotModel) -> Mapping[str, int]:
    """For every link, the moving joints on the longest chain from it to a leaf."""
    ahead = dict.fromkeys(robot.link_names, 0)
    for joint in reversed(robot.joints):  # children first
        ahead[joint.parent] = max(ahead[joint.parent], _moves(joint) + ahead[joint.child])
    return ahead


def _moves(joint: Joint) -> int:
    return int(joint.kind in _SINGLE)


def _moving_joints(robot: RobotModel, link: str) -> set[str]:
    """Names of the joints of `q` that have a range and move the link."""
    parent_joint = {joint.child: joint for joint in robot.joints}
    names: set[str] = set()
    while link in parent_joint:
        joint = parent_joint[link]
        leader = joint if joint.mimic is None else robot.joint(joint.mimic.joint)
        if _moves(leader) and np.all(np.asarray(leader.lower) < np.asarray(leader.upper)):
            names.add(leader.name)
        link = joint.parent
    return names


def _resting(robot: RobotModel, joint: str) -> Vector:
    """The joint's neutral position, or the limit nearest to it."""
    where = robot.q_slices[joint]
    return np.clip(robot.neutral()[where], robot.q_lower[where], robot.q_upper[where])


def position_range(robot: RobotModel) -> tuple[Vector, Vector]:
    """Position limits, (nq,) each; +-pi rad or +-1 m where there is none."""
    slides = np.array([robot.joint(name).kind == "prismatic" for name in robot.joint_names])
    usual = np.where(slides, 1.0, np.pi)
    lower = np.where(np.isinf(robot.q_lower), -usual, robot.q_lower)
    return lower, np.where(np.isinf(robot.q_upper), usual, robot.q_upper)
