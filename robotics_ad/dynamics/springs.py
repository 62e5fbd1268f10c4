"""Springs in joints: the torques with which they resist being displaced."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

import ad_core as ad
from ad_core import math as adm
from ad_core.graph import Expression
from robotics_ad import so3
from robotics_ad.arrays import Matrix, Vector
from robotics_ad.model import Joint
from robotics_ad.multibody.function import RobotFunction
from robotics_ad.multibody.tree import Tree


class JointSprings(RobotFunction):
    """stiffness * displacement(q), nv entries, N m and N: what the joints' springs take.

    The displacement leads from the joint's `spring_reference` to its configuration: q - reference
    for angles and lengths; the rotation vector of R_reference^T R for a turn in space; for what
    slides in a plane or in space, p - p_reference along the child's axes.

    Add it to `InverseDynamics`, or take it off the torques that go into `ForwardDynamics`. The
    springs of joints that mimic count for the joint that they follow.
    """

    def build(self, tree: Tree, *args: Expression) -> Expression:
        (q,) = args
        robot = self.robot
        forces: dict[str, Expression] = {}
        for joint in robot.joints:
            stiffness = tree.springs.get(joint.name)
            if stiffness is None:
                continue
            leader, ratio = joint.follows.joint, joint.follows.multiplier
            own = q[robot.q_slices[leader]]
            if joint.mimic is not None:
                own = own * ratio + joint.mimic.offset
            force = (stiffness * ratio) * _displacement(joint, own)
            forces[leader] = forces[leader] + force if leader in forces else force
        return ad.stack(
            *(
                forces.get(joint.name, ad.constant(np.zeros(joint.type.nv)))
                for joint in robot.independent_joints
            )
        )


def _displacement(joint: Joint, q: Expression) -> Expression:
    reference = np.asarray(joint.spring_reference, dtype=np.float64)
    elsewhere = _DISPLACEMENTS.get(joint.kind)
    return q - reference if elsewhere is None else elsewhere(q, reference)


def _in_the_plane(q: Expression, reference: Vector) -> Expression:
    """Its velocity is [vx, vy, w] in the child's axes: R(angle)^T (p - p_reference), and angle."""
    c, s, d = adm.cos(q[2]), adm.sin(q[2]), q - reference
    return ad.stack(c * d[0] + s * d[1], c * d[1] - s * d[0], d[2])


def _about_a_point(q: Expression, reference: Vector) -> Expression:
    """The rotation vector of the quaternion conj(reference) q."""
    return so3.rotation_vector(so3.from_quaternion(adm.linear(_conjugate_times(reference), q)))


def _in_space(q: Expression, reference: Vector) -> Expression:
    turn = _about_a_point(q[3:7], reference[3:])
    return ad.stack(turn, so3.apply_inv(so3.from_quaternion(q[3:7]), q[0:3] - reference[:3]))


def _conjugate_times(p: Vector) -> Matrix:
    """The (4, 4) matrix B with conj(p) q = B q for unit quaternions."""
    w, x, y, z = p / np.linalg.norm(p)
    return np.array([[w, x, y, z], [-x, w, z, -y], [-y, -z, w, x], [-z, y, -x, w]])


_DISPLACEMENTS: Mapping[str, Callable[[Expression, Vector], Expression]] = MappingProxyType(
    {"planar": _in_the_plane, "spherical": _about_a_point, "floating": _in_space}
)
