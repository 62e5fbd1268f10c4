"""Between our 12-vectors (rotation column by column, then translation) and others' matrices."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def pose_vector(matrix: NDArray[Any]) -> NDArray[Any]:
    """(batch, 3 or 4, 4) -> (batch, 12): the columns of the upper three rows, one after another."""
    return matrix[:, :3, :].transpose(0, 2, 1).reshape(-1, 12)


def cotangent_matrix(weights: NDArray[Any]) -> NDArray[Any]:
    """(batch, 12) -> (batch, 4, 4): the weights where `pose_vector` reads, zero in the last row."""
    matrix = np.zeros((len(weights), 4, 4), weights.dtype)
    matrix[:, :3, :] = weights.reshape(-1, 4, 3).transpose(0, 2, 1)
    return matrix
