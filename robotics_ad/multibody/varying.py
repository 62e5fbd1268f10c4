"""A model's parameters as expressions: what `tree.merged` puts in the place of numbers.

`RobotModel.parametrized` and the argument `parameters` -> `VaryingNumbers` -> bodies of a `Tree`
"""

from __future__ import annotations

import numpy as np

import ad_core as ad
from ad_core import math as adm
from ad_core.graph import Expression
from robotics_ad import so3
from robotics_ad.arrays import COLUMNS, ROWS, Matrix, Vector, six
from robotics_ad.model import Inertia, Joint, Link, RobotModel
from robotics_ad.model.pseudo_inertia import log_cholesky_moments
from robotics_ad.multibody.rigid import (
    AnyMoments,
    Moments,
    Pose,
    VaryingMoments,
    VaryingPose,
    moments_from,
    no_moments,
)

# S = tr(I) / 2 - I on the entries xx, yy, zz, xy, xz, yz
_SPREAD: Matrix = np.diag([-1.0] * 6)
_SPREAD[:3, :3] += 0.5


class VaryingNumbers:
    """The numbers of a robot, those that are parameters among them, which have `values` (np)."""

    def __init__(self, robot: RobotModel, values: Expression | None) -> None:
        self._robot = robot
        self._links: dict[str, dict[str, Expression]] = {}
        self._joints: dict[str, dict[str, Expression]] = {}
        if values is None:
            return
        for parameter in robot.parametrized:
            owners = self._links if parameter.kind.of == "link" else self._joints
            value = values[robot.parameter_slices[parameter.name]]
            owners.setdefault(parameter.owner, {})[parameter.kind.name] = value

    def placement(self, joint: Joint) -> tuple[Pose, VaryingPose] | None:
        """What stands in the place of the joint's translation; None if nothing varies there.

        The joint frame's pose in the parent link is the product of the two returned and of the
        joint's nominal rotation.
        """
        own, parent = self._joints.get(joint.name, {}), self._links.get(joint.parent, {})
        placed = own.get("placement")
        moved = own.get("translation") if placed is None else placed[0:3]
        turned = own.get("rotation") if placed is None else placed[3:6]
        factor = parent.get("length", parent.get("size"))
        if "stretch" in parent:
            factor = parent["stretch"][1:4]
        if factor is not None and (moved is not None or joint.translation.any()):
            moved = factor * (ad.constant(joint.translation) if moved is None else moved)
        if moved is None and turned is None:
            return None
        before = Pose(np.eye(3), joint.translation if moved is None else np.zeros(3))
        return before, VaryingPose(
            None if turned is None else so3.from_rotation_vector(turned), moved
        )

    def moments(self, link: Link) -> AnyMoments | None:
        """The link's mass moments about its own frame; None if it has none."""
        given, inertia = self._links.get(link.name, {}), link.inertia or Inertia(0.0)
        constant = Moments(inertia.mass, inertia.first_moment, inertia.second_moment)
        nothing = no_moments()
        own = constant.vector()
        if "log_cholesky" in given:
            theta = given["log_cholesky"]
            return VaryingMoments(nothing, ((np.eye(10), log_cholesky_moments(theta)),))
        if "moments" in given:
            A = np.eye(10)
            A[4:, 4:] = _SPREAD
            return VaryingMoments(nothing, ((A, given["moments"]),))
        if "density" in given:
            s = given["density"]
            if "com" not in given:
                return VaryingMoments(nothing, ((own[:, None], s),))
            about_com = six(inertia.rotational)[:, None]
            scaled = {"mass": s * inertia.mass, "inertia": adm.linear(about_com, s)}
            return _assembled(inertia, {"com": given["com"], **scaled})
        if "size" in given and own.any():
            s = given["size"]
            cube = s * s * s
            return VaryingMoments(
                nothing, ((_by_power(own), ad.stack(cube, cube * s, cube * s * s)),)
            )
        if "stretch" in given and own.any():
            return VaryingMoments(nothing, ((np.diag(own), _stretched(given["stretch"])),))
        if given.keys() & {"mass", "com", "inertia"}:
            return _assembled(inertia, given)
        return None if link.inertia is None else constant

    def springs(self) -> dict[str, float | Expression]:
        """The stiffnesses by joint, where they are not 0."""
        found: dict[str, float | Expression] = {}
        for joint in self._robot.joints:
            stiffness = self._joints.get(joint.name, {}).get("stiffness", joint.stiffness)
            if joint.type.nv > 0 and (isinstance(stiffness, Expression) or stiffness != 0.0):
                found[joint.name] = stiffness
        return found

    def rates(self, what: str) -> Vector | Expression:
        """The nv numbers of damping, friction or armature, with those of mimics added."""
        robot = self._robot
        power = 1 if what == "friction" else 2
        constant, total = np.zeros(robot.nv), None
        for joint in robot.joints:
            if joint.type.nv == 0:
                continue
            column = np.zeros((robot.nv, 1))
            column[robot.v_slices[joint.follows.joint]] = abs(joint.follows.multiplier) ** power
            value = self._joints.get(joint.name, {}).get(what)
            if value is None:
                constant += column[:, 0] * float(getattr(joint, what))
            else:
                part = adm.linear(column, value)
                total = part if total is None else total + part
        if total is None:
            return constant
        return total + constant if constant.any() else total


def _stretched(factors: Expression) -> Expression:
    """What [m, m c, S about the origin] are multiplied by: r -> A r, A = diag(x, y, z)."""
    scale = factors[1:4]
    mass = factors[0] * factors[1] * factors[2] * factors[3]
    return mass * ad.stack(1.0, scale, scale[ROWS] * scale[COLUMNS])


def _by_power(own: Vector) -> Matrix:
    """The (10, 3) matrix that spreads a body's moments over s^3, s^4 and s^5."""
    A = np.zeros((10, 3))
    A[0, 0], A[1:4, 1], A[4:, 2] = own[0], own[1:4], own[4:]
    return A


def _assembled(inertia: Inertia, given: dict[str, Expression]) -> VaryingMoments:
    """[m, m c, tr(I_c) / 2 - I_c + m c c^T] with one or more of m, c, I_c varying."""
    constant = np.zeros(10)
    terms: list[tuple[Matrix, Expression]] = []
    mass, com, rotational = (given.get(what) for what in ("mass", "com", "inertia"))
    if rotational is None:
        constant[4:] = _SPREAD @ six(inertia.rotational)
    else:
        terms.append((np.concatenate([np.zeros((4, 6)), _SPREAD]), rotational))
    point = np.array([1.0, *inertia.com, *six(np.outer(inertia.com, inertia.com))])
    if com is not None:
        point[1:] = 0.0
        first = com * (inertia.mass if mass is None else mass)
        terms.append((np.eye(10)[:, 1:], ad.stack(first, first[ROWS] * com[COLUMNS])))
    if mass is None:
        constant += inertia.mass * point
    else:
        terms.append((point[:, None], mass))
    return VaryingMoments(moments_from(constant), tuple(terms))
