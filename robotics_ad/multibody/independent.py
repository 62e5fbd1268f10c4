"""Which of many numbers measurements can tell apart: independent columns of a stacked matrix.

    W theta = W_b B theta,      W_b: columns of W that are no combination of those before them

W holds the rows of many samples, B theta are the base parameters. (Gautier: Numerical calculation
of the base inertial parameters of robots, 1991; Khalil, Gautier, Enguehard: Identifiable parameters
and optimum configurations for robots calibration, Robotica 9, 1991.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from robotics_ad.arrays import Matrix


@dataclass(frozen=True, eq=False)
class BaseParameters:
    """The base parameters B theta.

    Attributes:
        names: a name for each entry of theta.
        columns: those of theta that the columns of W_b belong to; the first that will do.
        combination: B, as many rows as base parameters; the columns `columns` make the identity.
    """

    names: tuple[str, ...]
    columns: tuple[int, ...]
    combination: Matrix

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.columns)


def base_of(W: Matrix, names: Sequence[str], tolerance: float) -> BaseParameters:
    """The base parameters of the columns of W; `tolerance` as `independent` takes it."""
    columns = independent(W, tolerance)
    combination = np.zeros((len(columns), W.shape[1]))
    if columns:
        combination = np.asarray(np.linalg.lstsq(W[:, columns], W, rcond=None)[0], dtype=np.float64)
        combination[np.abs(combination) < 1e-10] = 0.0
    return BaseParameters(tuple(names), tuple(columns), combination)


def independent(W: Matrix, tolerance: float) -> list[int]:
    """The columns that are no combination of those before them.

    `tolerance` is the part of a column, relative to it, that may be left over where it counts as
    one; columns that are smaller by it than the largest are 0.
    """
    basis, kept = np.zeros((W.shape[0], 0)), list[int]()
    lengths = np.linalg.norm(W, axis=0)
    for i in np.flatnonzero(lengths > tolerance * lengths.max(initial=0.0)):
        rest = W[:, i]
        for _ in range(2):  # once more: what rounding leaves of the projection
            rest = rest - basis @ (basis.T @ rest)
        length = float(np.linalg.norm(rest))
        if length > tolerance * lengths[i]:
            basis = np.column_stack([basis, rest / length])
            kept.append(int(i))
    return kept
