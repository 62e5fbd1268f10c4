"""Numbers as the graph takes them: float64 arrays of known shape, strictly from real numbers."""

from __future__ import annotations

import operator
from typing import SupportsIndex, TypeAlias, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array: TypeAlias = NDArray[np.float64]


def as_value(value: object, name: str) -> Array:
    """A float64 array of at most one axis; ints are promoted, anything but numbers is refused."""
    if type(value) is float:
        return cast("Array", np.float64(value))
    if isinstance(value, np.ndarray) and value.dtype == np.float64:
        array = cast("Array", value)
    else:
        array = _numbers(cast("object", value), name)
    if array.ndim > 1:
        raise ValueError(f"'{name}' has shape {array.shape}; values are scalars or 1-D arrays")
    return array


def as_batch(value: object, name: str) -> Array:
    """A float64 array `(*batch, n)`: as `as_value`, with any number of leading axes."""
    array = _numbers(value, name)
    return array.reshape(1) if array.ndim == 0 else array


def is_scalar(value: ArrayLike) -> bool:
    """Whether a value is a plain number rather than a vector."""
    return as_value(value, "value").ndim == 0


def whole_number(value: object) -> int:
    """An int from anything that is exactly one; raises TypeError for booleans and the rest."""
    if isinstance(value, (bool, np.bool_)):
        raise TypeError("a boolean is not a number here")
    return operator.index(cast("SupportsIndex", value))


class NotNumbers(TypeError):
    """What an expression raises where numpy would take it for an array."""


def _numbers(value: object, name: str) -> Array:
    """Promote real numbers to float64; name the variable when the value is something else."""
    try:
        raw = np.asarray(cast("ArrayLike", value))
    except NotNumbers as error:
        message = f"'{name}' holds expressions where numbers are expected; see ad.stack"
        raise TypeError(message) from error
    except (ValueError, RuntimeError) as error:  # RuntimeError: a tensor that requires grad
        raise ValueError(f"'{name}' is not a rectangular array of numbers: {error}") from error
    if raw.dtype.kind not in "fiub":
        raise TypeError(f"'{name}' is not made of real numbers (dtype {raw.dtype})")
    return raw.astype(np.float64, copy=False)
