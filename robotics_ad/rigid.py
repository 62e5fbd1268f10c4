"""Constant rigid transforms, and the mass moments that they carry from frame to frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from robotics_ad.arrays import Matrix, Vector


@dataclass(frozen=True, eq=False)
class Pose:
    """A constant rigid transform: p_parent = R p_child + p."""

    R: Matrix
    p: Vector

    def __matmul__(self, other: Pose) -> Pose:
        return Pose(self.R @ other.R, self.R @ other.p + self.p)

    def inverse(self) -> Pose:
        """The pose of the parent in the child."""
        return Pose(self.R.T, -self.R.T @ self.p)


def identity_pose() -> Pose:
    """R = 1, p = 0."""
    return Pose(np.eye(3), np.zeros(3))


@dataclass(frozen=True, eq=False)
class Moments:
    """Mass moments of a body about its frame's origin: they add, and may be split at will.

    Attributes:
        mass: integral of dm, kg.
        first: integral of r dm, 3 numbers, kg m.
        second: integral of r r^T dm, 3x3, kg m^2.
    """

    mass: float
    first: Vector
    second: Matrix

    def __add__(self, other: Moments) -> Moments:
        return Moments(self.mass + other.mass, self.first + other.first, self.second + other.second)

    def __sub__(self, other: Moments) -> Moments:
        return Moments(self.mass - other.mass, self.first - other.first, self.second - other.second)

    def seen_from(self, pose: Pose) -> Moments:
        """The moments about the parent frame in which this body's frame has `pose`.

        h' = R h + m p,   S' = R S R^T + (R h) p^T + p (R h)^T + m p p^T.
        """
        h, p = pose.R @ self.first, pose.p
        mixed = np.outer(h, p)
        second = pose.R @ self.second @ pose.R.T + mixed + mixed.T + self.mass * np.outer(p, p)
        return Moments(self.mass, h + self.mass * p, 0.5 * (second + second.T))


def no_moments() -> Moments:
    """Nothing: zero mass."""
    return Moments(0.0, np.zeros(3), np.zeros((3, 3)))
