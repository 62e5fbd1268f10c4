"""Which combinations of the links' inertial numbers torques can tell apart.

    tau = Y(q, v, a) pi = Y_b(q, v, a) B pi,      Y_b: columns of Y that are independent

The columns of Y are dependent for every motion: mass on the axis of a joint may as well belong to
the body before it. B pi are the base parameters, all that can be identified from torques. (Gautier:
Numerical calculation of the base inertial parameters of robots, 1991.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from robotics_ad.arrays import Matrix, not_negative
from robotics_ad.dynamics.regressor import InverseDynamicsRegressor
from robotics_ad.model import LinkFrame, RobotModel


@dataclass(frozen=True, eq=False)
class BaseParameters:
    """The base parameters B pi of a robot.

    Attributes:
        names: a name "link.m", "link.mx", ..., "link.Iyz" for each entry of pi.
        columns: the columns of the regressor that Y_b holds; numbers of links near the base first.
        combination: B, as many rows as base parameters; the columns `columns` make the identity.
    """

    names: tuple[str, ...]
    columns: tuple[int, ...]
    combination: Matrix

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.columns)


_NUMBERS = ("m", "mx", "my", "mz", "Ixx", "Iyy", "Izz", "Ixy", "Ixz", "Iyz")


def base_parameters(
    robot: RobotModel, links: Sequence[LinkFrame | str] | None = None, *, tolerance: float = 1e-9
) -> BaseParameters:
    """The base parameters, from the regressor at random motions.

    Args:
        robot: the model, without parameters.
        links: the links whose numbers are unknown; by default all that move.
        tolerance: the part of a column, relative to it, that may be left over where it counts as a
            combination of those before it; columns that are smaller by it than the largest are 0.
    """
    tolerance = not_negative(tolerance, "base_parameters: argument 'tolerance'")
    regressor = InverseDynamicsRegressor(robot, links)
    size = 10 * len(regressor.column_links)
    rng = np.random.default_rng(0)
    samples = 2 * -(-size // robot.nv) + 10
    q, v, a = robot.random(rng, samples), *rng.normal(size=(2, samples, robot.nv))
    W = regressor("q", "v", "a").eval_batch(q=q, v=v, a=a).reshape(-1, size)
    columns = _independent(W, tolerance)
    combination = np.zeros((len(columns), size))
    if columns:
        combination = np.asarray(np.linalg.lstsq(W[:, columns], W, rcond=None)[0], dtype=np.float64)
        combination[np.abs(combination) < 1e-10] = 0.0
    names = [f"{link.name}.{number}" for link in regressor.column_links for number in _NUMBERS]
    return BaseParameters(tuple(names), tuple(columns), combination)


def _independent(W: Matrix, tolerance: float) -> list[int]:
    """The columns that are no combination of those before them."""
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
