"""Inertias by ten free numbers: whatever they are, a body with that inertia can exist.

The mass moments of a body, m, h = int r dm and S = int r r^T dm, make its pseudo-inertia

    P = [[S, h], [h^T, m]] = U U^T,     U = exp(alpha) [[exp(d1), s12,     s13,     t1],
                                                        [0,       exp(d2), s23,     t2],
                                                        [0,       0,       exp(d3), t3],
                                                        [0,       0,       0,       1 ]]

which is positive definite for all theta = [alpha, d1, d2, d3, s12, s23, s13, t1, t2, t3], and each
positive definite P has one such theta. (Rucker, Wensing: Smooth parameterization of rigid-body
inertia, IEEE Robotics and Automation Letters 7(2), 2022.)

So m = exp(2 alpha) with m in kg, t is the centre of mass in m, and [[exp(d1), s12, s13], ...] is a
square root of the second moment per mass about it, in m.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

import ad_core as ad
from ad_core import math as adm
from ad_core.graph import Expression, as_expression, checked, wrong_size
from robotics_ad.arrays import Vector, frozen
from robotics_ad.model.inertia import Inertia


def log_cholesky(inertia: Inertia) -> Vector:
    """The theta of an inertia, 10 numbers.

    Raises:
        ValueError: where the mass is not positive or the second moment about the centre of mass is
            not positive definite: a point, a rod or a plate without thickness, or an inertia that
            no body can have (`Inertia.is_consistent`).
    """
    checked(inertia, Inertia, "log_cholesky", "inertia", "an Inertia")
    spread = 0.5 * float(np.trace(inertia.rotational)) * np.eye(3) - inertia.rotational
    lowest, _, largest = np.linalg.eigvalsh(spread)
    if inertia.mass <= 0.0 or lowest <= 1e-14 * largest:
        raise ValueError(
            f"log-Cholesky: mass {inertia.mass} and the second moments about the centre of mass "
            f"{np.linalg.eigvalsh(spread).tolist()} are not all positive: no full body has them"
        )
    flipped = np.linalg.cholesky(spread[::-1, ::-1] / inertia.mass)
    U = flipped[::-1, ::-1]  # upper triangular, U U^T = spread / mass
    d = np.log(np.diag(U))
    return np.array(
        [0.5 * np.log(inertia.mass), *d, U[0, 1], U[1, 2], U[0, 2], *inertia.com], dtype=np.float64
    )


def from_log_cholesky(theta: ArrayLike) -> Inertia:
    """The inertia of ten finite numbers: always that of a body which can exist."""
    numbers = frozen(theta, (10,), "log-Cholesky: theta")
    mass = float(np.exp(2.0 * numbers[0]))
    U = np.diag(np.exp(numbers[1:4]))
    U[0, 1], U[1, 2], U[0, 2] = numbers[4:7]
    spread = mass * (U @ U.T)
    rotational = float(np.trace(spread)) * np.eye(3) - spread
    return Inertia(mass, numbers[7:10], 0.5 * (rotational + rotational.T))


def log_cholesky_moments(theta: Expression) -> Expression:
    """The mass moments [m, h (3), S as xx, yy, zz, xy, xz, yz] of theta (10)."""
    theta = as_expression(theta, "theta of log_cholesky_moments")
    if theta.size != 10:
        raise wrong_size("log_cholesky_moments", "theta", theta.size or 0, 10)
    m = adm.exp(2.0 * theta[0])
    d1, d2, d3 = (adm.exp(theta[i]) for i in (1, 2, 3))
    s12, s23, s13, t1, t2, t3 = (theta[i] for i in range(4, 10))
    # rows of U without its scale: (d1, s12, s13, t1), (0, d2, s23, t2), (0, 0, d3, t3)
    return m * ad.stack(
        1.0,
        t1,
        t2,
        t3,
        d1 * d1 + s12 * s12 + s13 * s13 + t1 * t1,
        d2 * d2 + s23 * s23 + t2 * t2,
        d3 * d3 + t3 * t3,
        s12 * d2 + s13 * s23 + t1 * t2,
        s13 * d3 + t1 * t3,
        s23 * d3 + t2 * t3,
    )
