"""Rigid bodies: mass, centre of mass, rotational inertia about it; and links, which have them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from ad_core.graph import checked, listed
from robotics_ad.arrays import Matrix, Vector, frozen, number
from robotics_ad.model.rebuilt import Rebuilt
from robotics_ad.model.shapes import PlacedShape, placed_shapes


@dataclass(frozen=True, eq=False)
class Inertia(Rebuilt):
    """Mass properties of a body, written in a frame fixed to it.

    Attributes:
        mass: kg, not negative.
        com: centre of mass, 3 numbers, m.
        rotational: 3x3 inertia about the centre of mass along the frame's axes, kg m^2, symmetric.

    Raises:
        ValueError: for wrong shapes, entries that are not finite, a negative mass or an asymmetric
            matrix. `is_consistent` says whether the moments can belong to a body: files
            from the field break that rule, and kinematics does not care.
    """

    mass: float
    com: Vector = field(default_factory=lambda: np.zeros(3))
    rotational: Matrix = field(default_factory=lambda: np.zeros((3, 3)))

    def __post_init__(self) -> None:
        mass = number(self.mass, "inertia: mass")
        if not np.isfinite(mass) or mass < 0.0:
            raise ValueError(f"inertia: mass is {mass}, expected a finite number, 0 or more")
        rotational = frozen(self.rotational, (3, 3), "inertia: rotational inertia")
        if not np.array_equal(rotational, rotational.T):
            raise ValueError(f"inertia: rotational inertia is not symmetric: {rotational.tolist()}")
        object.__setattr__(self, "mass", mass)
        object.__setattr__(self, "com", frozen(self.com, (3,), "inertia: centre of mass"))
        object.__setattr__(self, "rotational", rotational)

    @property
    def first_moment(self) -> Vector:
        """First moment h = m c, kg m."""
        return self.mass * self.com

    @property
    def second_moment(self) -> Matrix:
        """Second moment S = integral of r r^T dm about the frame's origin, 3x3, kg m^2.

        S = tr(I_c) / 2 - I_c + m c c^T, and I_origin = tr(S) - S.
        """
        about_com = 0.5 * float(np.trace(self.rotational)) * np.eye(3) - self.rotational
        return about_com + self.mass * np.outer(self.com, self.com)

    def transformed(self, R: Matrix, p: Vector) -> Inertia:
        """The same body written in a frame in which the present one has pose (R, p)."""
        rotated = R @ self.rotational @ R.T
        return Inertia(self.mass, R @ self.com + p, 0.5 * (rotated + rotated.T))

    def is_consistent(self, tolerance: float = 1e-9) -> bool:
        """Whether a body with these numbers can exist.

        Its mass is positive and its principal moments are positive and satisfy I1 + I2 >= I3, which
        is S >= 0 about the centre of mass. `tolerance` is relative to the largest moment.
        (Traversaro, Brossette, Escande, Nori: Identification of fully physical consistent
        inertial parameters using optimization on manifolds, IROS 2016.)
        """
        tolerance = number(tolerance, "is_consistent: tolerance")
        moments = np.linalg.eigvalsh(self.rotational)
        slack = float(moments[0] + moments[1] - moments[2])
        largest = float(moments[2])
        return self.mass > 0.0 and float(moments[0]) > 0.0 and slack >= -tolerance * largest


@dataclass(frozen=True, eq=False)
class Link(Rebuilt):
    """A rigid body: its name, mass properties and shapes, in its own frame.

    Attributes:
        inertia: the mass properties; None: massless.
        collisions: what it touches others with, as far as a loader was asked for it.
        visuals: what is drawn.
    """

    name: str
    inertia: Inertia | None = None
    collisions: Sequence[PlacedShape] = ()
    visuals: Sequence[PlacedShape] = ()

    def __post_init__(self) -> None:
        for what in ("collisions", "visuals"):
            shapes = placed_shapes(getattr(self, what), "link", what)
            object.__setattr__(self, what, shapes)


def combined(bodies: Iterable[Inertia]) -> Inertia:
    """The inertia of several bodies joined rigidly, all written in the same frame.

    m = sum m_i,  m c = sum m_i c_i,  I_c = sum (I_i + m_i (|d_i|^2 - d_i d_i^T)),  d_i = c_i - c.
    """
    parts = [
        checked(body, Inertia, "combined", "bodies", "a list of Inertia")
        for body in listed(bodies, "combined", "Inertia")
    ]
    mass = sum(part.mass for part in parts)
    if mass == 0.0:
        rotational = sum((part.rotational for part in parts), np.zeros((3, 3)))
        return Inertia(0.0, np.zeros(3), rotational)
    com = sum((part.first_moment for part in parts), np.zeros(3)) / mass
    total = np.zeros((3, 3))
    for part in parts:
        offset = part.com - com
        spread = float(offset @ offset) * np.eye(3) - np.outer(offset, offset)
        total += part.rotational + part.mass * spread
    return Inertia(mass, com, total)


def inertia_matrix(ixx: float, iyy: float, izz: float, products: ArrayLike = (0, 0, 0)) -> Matrix:
    """The 3x3 matrix of moments ixx, iyy, izz and products (ixy, ixz, iyz)."""
    ixy, ixz, iyz = frozen(products, (3,), "products of inertia").tolist()
    return np.array([[ixx, ixy, ixz], [ixy, iyy, iyz], [ixz, iyz, izz]])
