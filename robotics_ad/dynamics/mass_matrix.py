"""The joint-space mass matrix: M(q) with kinetic energy v^T M v / 2.

M_ij is the work that the momentum of a unit velocity of joint i does on a unit velocity of joint j,
j being i or on the way from it to the base (`composite`). Masses are first moved towards the base
where no joint can feel it (`frames.regrouped`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import ad_core as ad
from ad_core import math as adm
from ad_core.graph import Expression
from robotics_ad.arrays import Vector
from robotics_ad.dynamics.composite import composites, momenta
from robotics_ad.multibody.function import RobotFunction
from robotics_ad.multibody.motion import entries_of, joint_motion
from robotics_ad.multibody.tree import Body, Tree


class MassMatrix(RobotFunction):
    """M(q), nv * nv entries row by row: symmetric, positive definite; kg m^2, kg m, kg.

    Args:
        robot: the model.
    """

    RESULT = ("nv", "nv")

    def build(self, tree: Tree, *args: Expression) -> Expression:
        entries = mass_entries(tree, args[0])
        nv = self.robot.nv
        zero = ad.constant(0.0)
        return ad.stack(*(entries.get((i, j), zero) for i in range(nv) for j in range(nv)))


def mass_entries(tree: Tree, q: Expression) -> dict[tuple[int, int], Expression]:
    """The entries of M that are not zero for every q; (i, j) and (j, i) hold the same node."""
    bodies = tree.bodies
    motions = [joint_motion(body, q) for body in bodies]
    carrying = composites(bodies, motions, q)
    entries: dict[tuple[int, int], Expression] = {}
    for i, body in enumerate(bodies):
        for column, v_index in enumerate(range(*body.v_slice.indices(tree.nv))):
            axis = body.type.subspace(body.axis)[:, column]
            felt = momenta(bodies, motions, carrying, i, axis)
            for other, work in _works(bodies, (i, v_index), felt):
                old = entries.get((v_index, other))
                total = work if old is None else old + work
                entries[v_index, other] = entries[other, v_index] = total
    for i, armature in entries_of(tree.armature, tree.nv):
        entries[i, i] = entries[i, i] + armature
    return entries


def _works(
    bodies: tuple[Body, ...],
    start: tuple[int, int],
    felt: Iterable[tuple[int, Expression, Expression]],
) -> Iterator[tuple[int, Expression]]:
    """What the momentum of one velocity does on every joint from its own to the base.

    `start` is the body and the index of that velocity, `felt` its `momenta`; yields (index of a
    velocity, work).
    """
    first, v_index = start
    for i, n, f in felt:
        body = bodies[i]
        for column, other in enumerate(range(body.v_slice.start, body.v_slice.stop)):
            if i == first and other > v_index:
                continue  # the block of one joint is symmetric: its lower half is enough
            axis = body.type.subspace(body.axis)[:, column]
            work = _work(axis * (bodies[first].multiplier * body.multiplier), n, f)
            # joints that follow one leader share an index: M_ij and M_ji fall on the same entry
            yield other, work + work if i != first and other == v_index else work


def _work(axis: Vector, n: Expression, f: Expression) -> Expression:
    """axis^T [n; f]."""
    terms = [
        adm.linear(part_axis[None, :], part)[0]
        for part_axis, part in ((axis[:3], n), (axis[3:], f))
        if part_axis.any()
    ]
    return terms[0] if len(terms) == 1 else terms[0] + terms[1]
