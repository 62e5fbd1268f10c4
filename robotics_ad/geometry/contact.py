"""What is known of a pair of shapes: signed distance and closest points, as expressions."""

from __future__ import annotations

from dataclasses import dataclass

import ad_core as ad
from ad_core import math as adm
from ad_core.graph import Expression

# What is added to a squared length (m^2), so that the length has derivatives at 0: 1e-15 m there,
# and nothing but rounding elsewhere. A choice between two formulas would take twice the operations.
SQUARED_ZERO = 1e-30


@dataclass(frozen=True, eq=False)
class Contact:
    """The signed distance of two shapes, and a point on each, with `b - a` = distance * normal.

    Attributes:
        distance: one entry, m; where they penetrate, minus the least translation that parts them.
        points: on a, then on b, in the world, 3 entries each, m.
        squared: max(distance, 0)^2, m^2, twice differentiable also where the shapes touch.
    """

    distance: Expression
    points: tuple[Expression, Expression]
    squared: Expression

    def swapped(self) -> Contact:
        """The contact of the pair in the opposite order."""
        return Contact(self.distance, (self.points[1], self.points[0]), self.squared)


def rounded(
    a: Expression,
    b: Expression,
    gap: Expression,
    radii: tuple[float, float],
    normal: Expression,
) -> Contact:
    """The contact of shapes that are all points within `radii` of cores which do not penetrate.

    Args:
        a: the closest point of the first core.
        b: that of the second.
        gap: b - a, as what is differentiated.
        radii: those of a and b, m.
        normal: the direction from a to b where the gap is 0; there the distance has no derivative,
            and 0 is taken for it.
    """
    distance = adm.sqrt(adm.normSquared(gap) + SQUARED_ZERO) - sum(radii)
    true_gap = b - a
    direction = ad.cond(adm.normSquared(true_gap), adm.unit(true_gap), normal)
    points = (a + radii[0] * direction, b - radii[1] * direction)
    return Contact(distance, points, squared_of(distance, adm.normSquared(gap), sum(radii)))


def squared_of(distance: Expression, squared_gap: Expression, radius: float) -> Expression:
    """max(distance, 0)^2; of bare cores their squared gap, smooth where they touch."""
    if radius == 0.0:
        return squared_gap
    above = ad.maximum(distance, 0.0)
    return above * above
