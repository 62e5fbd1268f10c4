"""The natural shape of a flat result, by numpy and by the words of `MatrixLayout` alone."""

import numpy as np

from ad_core.graph import MatrixLayout


def natural(flat: np.ndarray, layout: MatrixLayout) -> np.ndarray:
    batch, shape = flat.shape[:-1], layout.shape
    if layout.order == "rows":
        return flat.reshape(*batch, *shape)
    if layout.order == "columns":
        turned = flat.reshape(*batch, *shape[:-2], shape[-1], shape[-2])
        return np.swapaxes(turned, -1, -2)
    entries = flat.reshape(*batch, *shape[:-2], 4, 3)  # the three columns of R, and t
    T = np.zeros((*batch, *shape))
    T[..., :3, :] = np.swapaxes(entries, -1, -2)
    T[..., 3, 3] = 1.0
    return T
