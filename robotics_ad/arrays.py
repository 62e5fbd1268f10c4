"""Small numeric helpers on 3-vectors and 3x3 matrices: numpy in, numpy out, nothing symbolic."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ad_core.graph import number, real

Vector: TypeAlias = NDArray[np.float64]
Matrix: TypeAlias = NDArray[np.float64]

PAIRS = ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))
"""The entries of a symmetric 3x3 matrix in the order of 6-vectors: xx, yy, zz, xy, xz, yz."""
ROWS, COLUMNS = ([pair[side] for pair in PAIRS] for side in (0, 1))
FULL = [0, 3, 4, 3, 1, 5, 4, 5, 2]
"""Where the nine entries of the matrix, row by row, stand in the 6-vector."""

_SNAP = 2.0 * float(np.finfo(np.float64).eps)


def not_negative(value: ArrayLike, what: str) -> float:
    """One finite number, 0 or more."""
    found = number(value, what)
    if not 0.0 <= found < float("inf"):
        raise ValueError(f"{what} is {found}, expected 0 or more")
    return found


def last_axis(value: ArrayLike, size: int, what: str) -> NDArray[np.float64]:
    """Real numbers (..., size); the message begins with `what`."""
    array = real(value, what)
    got = array.shape[-1] if array.ndim else 1
    if array.ndim == 0 or got != size:
        raise ValueError(f"{what} has size {got}, expected {size}")
    return array


def frozen(value: ArrayLike, shape: tuple[int, ...], what: str) -> NDArray[np.float64]:
    """A read-only float64 copy of `value`, which must be finite and have `shape`."""
    array = finite_or_infinite(value, shape, what)
    if not np.all(np.isfinite(array)):
        raise ValueError(f"{what} has an entry that is not finite: {array.tolist()}")
    return array


def finite_or_infinite(value: ArrayLike, shape: tuple[int, ...], what: str) -> NDArray[np.float64]:
    """As `frozen`, with infinite entries allowed; NaN is refused."""
    array = real(value, what).copy()
    if array.shape != shape:
        raise ValueError(f"{what} has shape {array.shape}, expected {shape}")
    if np.any(np.isnan(array)):
        raise ValueError(f"{what} is NaN: {array.tolist()}")
    array.setflags(write=False)
    return array


def skew(a: Vector) -> Matrix:
    """[a]x, the 3x3 matrix with [a]x b = a x b."""
    x, y, z = (float(entry) for entry in a)
    return np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])


def six(S: Matrix) -> Vector:
    """A symmetric 3x3 matrix as xx, yy, zz, xy, xz, yz."""
    return S[ROWS, COLUMNS]


def symmetric(numbers: Vector) -> Matrix:
    """The 3x3 matrix of xx, yy, zz, xy, xz, yz."""
    return numbers[FULL].reshape(3, 3)


INERTIA: Matrix = np.stack(
    [(np.trace(S) * np.eye(3) - S).reshape(9) for S in map(symmetric, np.eye(6))], axis=1
)
"""The (9, 6) matrix that takes the six numbers of S to tr(S) 1 - S, row by row."""


def congruence(R: Matrix, pairs: Sequence[tuple[int, int]] = PAIRS) -> Matrix:
    """The matrix that takes the entries `pairs` of a symmetric X to those of R X R^T."""
    B = np.zeros((len(pairs), len(pairs)))
    for n, (i, j) in enumerate(pairs):
        unit = np.zeros_like(R)
        unit[i, j] = unit[j, i] = 1.0
        turned = R @ unit @ R.T
        B[:, n] = [turned[pair] for pair in pairs]
    return B


def column_major(R: Matrix) -> Vector:
    """The nine entries of R, column after column (the order of `so3` elements)."""
    return np.ascontiguousarray(R.T).reshape(9)


def rotation_from_rpy(rpy: ArrayLike) -> Matrix:
    """R = Rz(yaw) Ry(pitch) Rx(roll), entries snapped (see `snap`). `rpy` in radians, 3 numbers."""
    roll, pitch, yaw = (float(angle) for angle in real(rpy, "rpy"))
    (cr, cp, cy), (sr, sp, sy) = np.cos([roll, pitch, yaw]), np.sin([roll, pitch, yaw])
    return snap(
        np.array(
            [
                [cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr],
                [sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr],
                [-sp, cp * sr, cp * cr],
            ]
        )
    )


def snap(R: Matrix) -> Matrix:
    """R with entries within 2 ulp(1) of 0, 1 or -1 set to that number.

    Angles such as pi/2 have no exact double, so a rotation by them carries entries of about 6e-17.
    With exact zeros and ones in their place, expressions built from R drop those terms.
    """
    nearest = np.round(R)
    return np.where(np.abs(R - nearest) <= _SNAP, nearest, R) + 0.0
