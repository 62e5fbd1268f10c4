"""When two results count as equal."""

import numpy as np
from numpy.typing import ArrayLike


def close(ours: ArrayLike, theirs: ArrayLike, size: float = 1.0) -> None:
    """Equal to 1e-9 of the largest entry of `theirs`, or of `size` where that is larger."""
    scale = max(size, float(np.abs(theirs).max(initial=0.0)))
    np.testing.assert_allclose(ours, theirs, atol=1e-9 * scale)
