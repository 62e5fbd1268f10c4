"""The whole equation of motion: motors where there are some, and forces at points of links."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, TypeAlias

from numpy.typing import ArrayLike

import ad_core as ad
from ad_core.graph import Expression
from robotics_ad.arrays import frozen
from robotics_ad.dynamics.forward import ForwardDynamics
from robotics_ad.dynamics.function import GRAVITY, DynamicsFunction, Gravity
from robotics_ad.dynamics.point_forces import swept_torques
from robotics_ad.kinematics.motion_in_world import WorldMotion
from robotics_ad.model import LinkFrame, RobotModel, link_of, listed
from robotics_ad.model.space import found
from robotics_ad.multibody.function import QV, Sizes
from robotics_ad.multibody.optional import Maybe, cross
from robotics_ad.multibody.tree import Tree

Point: TypeAlias = "LinkFrame | str | tuple[LinkFrame | str, ArrayLike]"


class FullDynamics(DynamicsFunction):
    """a = M(q)^-1 (S^T tau + sum_i J_i(q)^T f_i - C(q, v) v - g(q)), nv entries.

    A function of q (nq), v (nv), `tau`: the torques of the joints that have a motor, and, with
    points that forces act on, `forces`: 3 numbers a point along the world's axes, N. S^T puts each
    torque in its joint's place; J_i is the `PointJacobian` of point i. rad/s^2 and m/s^2.

    `ForwardDynamics` is the same with a torque in every joint and with wrenches in place of forces.

    Args:
        robot: the model.
        forces_on: (link, local) for each point that a force acts on: a link, by name or from
            `robot.link(name)`, and the point in its frame, 3 numbers, m; or the link alone, for
            its origin. A link may come often.
        gravity: acceleration of free fall in the world, 3 numbers, m/s^2; or "argument", and it is
            one more argument of the function, `gravity`.
        actuated: names of the joints that have a motor, in the order of `tau`; all but floating
            ones, in the order of v, if it is not given.
        friction: whether the joints' damping and Coulomb friction act (`JointFriction`).

    Raises:
        ValueError: for unknown or repeated names, and links of another robot.
    """

    ARGUMENTS: ClassVar[Sizes] = {**QV, "tau": "tau"}
    OPTIONS: ClassVar[Sizes] = {"forces": "forces", **DynamicsFunction.OPTIONS}

    def __init__(
        self,
        robot: RobotModel,
        forces_on: Sequence[Point] = (),
        gravity: Gravity = GRAVITY,
        *,
        actuated: Sequence[str] | None = None,
        friction: bool = False,
    ) -> None:
        super().__init__(robot, gravity, friction=friction)
        self.actuated = with_motors(robot, actuated, "FullDynamics")
        self.points = tuple(
            (
                link_of(link, robot, "FullDynamics: 'forces_on'"),
                frozen(local, (3,), "FullDynamics: a point of 'forces_on'"),
            )
            for link, local in map(_pair, listed(forces_on, "FullDynamics: 'forces_on'", "points"))
        )
        self._driven = [
            k for name in self.actuated for k in range(*robot.v_slices[name].indices(robot.nv))
        ]
        self._forward = ForwardDynamics(robot, gravity, friction=friction)

    def sizes(self) -> Mapping[str, int]:
        return {**super().sizes(), "tau": len(self._driven), "forces": 3 * len(self.points)}

    def build(self, tree: Tree, *args: Expression) -> Expression:
        named = self.named(args)
        q, v, tau = named["q"], named["v"], named["tau"]
        place = {k: tau[n] for n, k in enumerate(self._driven)}
        torques: Expression = ad.stack(*(place.get(k, 0.0) for k in range(tree.nv)))
        if self.points:
            torques = torques + self._external(tree, q, named["forces"])
        others = [named["gravity"]] if "gravity" in named else []
        parameters = [] if tree.parameters is None else [tree.parameters]
        return self._forward(q, v, torques, *others, *parameters)

    def _external(self, tree: Tree, q: Expression, forces: Expression) -> Expression:
        motion = WorldMotion(tree.bodies, tree.nv, q)
        wrenches: list[tuple[int, Maybe, Maybe]] = []
        for n, (link, local) in enumerate(self.points):
            index, end = tree.links[link.name]
            force, arm = forces[3 * n : 3 * n + 3], motion.along(index, end.R @ local + end.p)
            wrenches.append((index, cross(arm, force), force))
        return swept_torques(motion, wrenches)


def _pair(point: Point) -> tuple[LinkFrame | str, ArrayLike]:
    if isinstance(point, str | LinkFrame):
        return point, (0.0, 0.0, 0.0)
    if not isinstance(point, tuple | list) or len(point) != 2:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"FullDynamics: 'forces_on' has {point!r}, expected (link, local)")
    return point


def with_motors(robot: RobotModel, actuated: Sequence[str] | None, where: str) -> tuple[str, ...]:
    """Names of joints, each once; those of all joints but floating ones for None.

    Raises:
        ValueError: for unknown and repeated names; the message begins with `where`.
    """
    if actuated is None:
        return tuple(j.name for j in robot.independent_joints if j.type.name != "floating")
    actuated = listed(actuated, f"{where}: 'actuated'", "names")
    for name in actuated:
        found(name, robot.v_slices, "moving joint", f"{where}: ")
    if len(set(actuated)) < len(actuated):
        raise ValueError(f"{where}: a joint is listed twice in 'actuated'")
    return tuple(actuated)
