"""The regressor of inverse dynamics: torques are linear in the inertial numbers of the links.

    tau = Y(q, v, a) pi + armature a,     pi_i = [m, m c (3), I (xx, yy, zz, xy, xz, yz)]

for each link i, with its mass m, first moment m c, and rotational inertia I about the origin of its
own frame. (Atkeson, An, Hollerbach: Estimation of inertial parameters of manipulator loads and
links, 1986.)

A joint velocity that moves the body with the twist [w; l] at its origin takes from the body

    tau = w . n + l . f,    f = m A + U m c,    n = m c x A + I alpha + omega x I omega

(A, U, omega, alpha as in `newton_euler`). So each body's motion is found once, each twist is
carried from body to body outwards, and their products are the columns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

import ad_core as ad
from ad_core import math as adm
from ad_core.graph import Expression
from robotics_ad.arrays import COLUMNS, ROWS, Matrix, symmetric
from robotics_ad.dynamics.function import GRAVITY, Gravity, GravityFunction, field_of
from robotics_ad.dynamics.newton_euler import U_TRANSPOSED, BodyState, body_states
from robotics_ad.model import LinkFrame, RobotModel, links_of
from robotics_ad.multibody.function import QVA
from robotics_ad.multibody.motion import JointMotion, joint_motion
from robotics_ad.multibody.optional import full, plus
from robotics_ad.multibody.rigid import Pose, moments_map
from robotics_ad.multibody.tree import WORLD, Tree, merged

TO_PINOCCHIO = (0, 1, 2, 3, 4, 7, 5, 8, 9, 6)
"""pi[TO_PINOCCHIO] is in Pinocchio's order: m, m c, Ixx, Ixy, Iyy, Ixz, Iyz, Izz."""


class InverseDynamicsRegressor(GravityFunction):
    """Y(q, v, a), nv * 10 n entries row by row: ten columns for each of n links.

    With pi the ten numbers of each link one after the other (the module's equation; the parameters
    `"link.moments"` of `RobotModel.parametrize` and `model.ten_numbers` have the same order),
    Y pi is what `InverseDynamics` gives less armature * a, if all links with mass are there.

    Args:
        robot: the model.
        links: the links whose columns are wanted, by name or from `robot.link(name)`; by default
            all links that move, in the order of `robot.link_names`. They are in `column_links`.
        gravity: acceleration of free fall in the world, 3 numbers, m/s^2; or "argument", and it is
            one more argument of the function, `gravity`.
    """

    ARGUMENTS = QVA
    RESULT = ("nv", "columns")

    def __init__(
        self,
        robot: RobotModel,
        links: Sequence[LinkFrame | str] | None = None,
        gravity: Gravity = GRAVITY,
    ) -> None:
        super().__init__(robot, gravity)
        if links is None:
            self.column_links = tuple(robot.link(name) for name in robot.moving_links)
        else:
            self.column_links = links_of(links, robot, "InverseDynamicsRegressor")
            if len(set(self.column_links)) < len(self.column_links):
                raise ValueError("InverseDynamicsRegressor: a link is listed twice")

    def sizes(self) -> Mapping[str, int]:
        return {**super().sizes(), "columns": 10 * len(self.column_links)}

    def tree(self, parameters: Expression | None = None) -> Tree:
        """The bodies in the links' own frames: only there are the columns those of the links."""
        return merged(self.robot, parameters)

    def build(self, tree: Tree, *args: Expression) -> Expression:
        q, v, a = args[:3]
        motions = [joint_motion(body, q) for body in tree.bodies]
        states = body_states(tree, field_of(self, args), motions, v=v, a=a)
        twists = _twists(tree, motions)
        zero = ad.constant(np.zeros(10))
        blocks: dict[int, list[Expression]] = {}
        rows: list[list[Expression]] = [[] for _ in range(tree.nv)]
        for link in self.column_links:
            carrier, pose = tree.links[link.name]
            if carrier != WORLD and carrier not in blocks:
                blocks[carrier] = _columns(states[carrier], twists[carrier])
            for i, row in enumerate(rows):
                row.append(zero if carrier == WORLD else _of_link(blocks[carrier][i], pose))
        return ad.stack(*(entry for row in rows for entry in row))


Twist = tuple[Expression, Expression]


def _twists(tree: Tree, motions: Sequence[JointMotion]) -> list[list[Twist | None]]:
    """For each body and each velocity, the twist [w; l] at the body's origin, in its axes."""
    found: list[list[Twist | None]] = []
    for body, motion in zip(tree.bodies, motions, strict=True):
        at_parent = [None] * tree.nv if body.parent == WORLD else found[body.parent]
        mine = [None if twist is None else motion.twist_to_body(*twist) for twist in at_parent]
        for i, axis in body.axes():
            own, before = body.multiplier * axis, mine[i]
            w, l = ad.constant(own[:3]), ad.constant(own[3:])
            mine[i] = (w, l) if before is None else (before[0] + w, before[1] + l)
        found.append(mine)
    return found


def _columns(state: BodyState, twists: Sequence[Twist | None]) -> list[Expression]:
    """[l . A, U^T l + A x w, the six of w . (I alpha + omega x I omega)] for each twist."""
    u = None if state.u is None else adm.linear(U_TRANSPOSED, state.u)
    gyration = None if state.u is None else _gyration(state)
    found: list[Expression] = []
    for twist in twists:
        if twist is None:
            found.append(ad.constant(np.zeros(10)))
            continue
        w, l = twist
        swept = None if u is None else adm.matmul(u, l, (3, 3), (3, 1))
        second = None if gyration is None else adm.matmul(gyration, w, (6, 3), (3, 1))
        first = full(plus(adm.cross(state.lift, w), swept))
        found.append(ad.stack(adm.dot(l, state.lift), first, full(second, 6)))
    return found


def _gyration(state: BodyState) -> Expression:
    """I alpha + omega x I omega for the six units I, a (6, 3) matrix row by row."""
    G = np.zeros((18, 9))  # from [xx, yy, zz, xy, xz, yz of omega omega^T; alpha]
    units = [symmetric(numbers) for numbers in np.eye(6)]
    for k, unit in enumerate(units):
        G[3 * k : 3 * k + 3, 6:] = unit
        for n, square in enumerate(units):
            G[3 * k : 3 * k + 3, n] = _vee(unit @ square)
    w, alpha = state.w, state.alpha
    parts: list[tuple[Matrix, Expression]] = []
    if w is not None:
        parts.append((G[:, :6], w[ROWS] * w[COLUMNS]))
    if alpha is not None:
        parts.append((G[:, 6:], alpha))
    maps = np.concatenate([part for part, _ in parts], axis=1)
    return adm.linear(maps, ad.stack(*(numbers for _, numbers in parts)))


def _vee(product: Matrix) -> Matrix:
    """The vector omega x (I omega) from the matrix I omega omega^T."""
    turned = product.T - product
    return np.array([turned[1, 2], turned[2, 0], turned[0, 1]])


def _of_link(block: Expression, pose: Pose) -> Expression:
    """The columns of a link that is fixed to the body at `pose`."""
    if np.array_equal(pose.R, np.eye(3)) and not pose.p.any():
        return block
    return adm.linear((_FROM_MOMENTS @ moments_map(pose) @ _TO_MOMENTS).T, block)


def _about_origin() -> Matrix:
    """The (10, 10) matrix that takes [m, h, S] to [m, h, I]: I = tr(S) 1 - S."""
    B = np.eye(10)
    B[4:, 4:] = -np.eye(6)
    B[4:7, 4:7] += 1.0
    return B


_FROM_MOMENTS = _about_origin()
_TO_MOMENTS = np.linalg.inv(_FROM_MOMENTS)
