"""The joint-space mass matrix: M(q) with kinetic energy v^T M v / 2.

M_ij is the work that the momentum of a unit velocity of joint i does on a unit velocity of joint j,
j being i or on the way from it to the base (`composite`). Masses are first moved towards the base
where no joint can feel it (`frames.regrouped`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import ad_core as ad
from ad_core.graph import Expression
from robotics_ad.dynamics.composite import Carrying, carrying_of, momenta
from robotics_ad.multibody.frames import rescaled
from robotics_ad.multibody.function import RobotFunction
from robotics_ad.multibody.motion import entries_of
from robotics_ad.multibody.optional import full, work
from robotics_ad.multibody.tree import Body, Tree


class MassMatrix(RobotFunction):
    """M(q), nv * nv entries row by row: symmetric, positive definite; kg m^2, kg m, kg."""

    RESULT = ("nv", "nv")

    def tree(self, parameters: Expression | None = None) -> Tree:
        return rescaled(super().tree(parameters))

    def build(self, tree: Tree, *args: Expression) -> Expression:
        entries = mass_entries(tree, carrying_of(tree, args[0]))
        nv = self.robot.nv
        zero = ad.constant(0.0)
        return ad.stack(*(entries.get((i, j), zero) for i in range(nv) for j in range(nv)))


def mass_entries(tree: Tree, carrying: Carrying) -> dict[tuple[int, int], Expression]:
    """The entries of M that are not zero for every q; (i, j) and (j, i) hold the same node."""
    bodies = tree.bodies
    entries: dict[tuple[int, int], Expression] = {}
    for i, body in enumerate(bodies):
        for v_index, axis in body.axes():
            felt = momenta(bodies, carrying, i, axis)
            for other, done in _works(bodies, (i, v_index), felt):
                old = entries.get((v_index, other))
                total = done if old is None else old + done
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
        for other, axis in body.axes():
            if i == first and other > v_index:
                continue  # the block of one joint is symmetric: its lower half is enough
            done = full(work(axis * (bodies[first].multiplier * body.multiplier), n, f), 1)
            # joints that follow one leader share an index: M_ij and M_ji fall on the same entry
            yield other, done + done if i != first and other == v_index else done
