"""Numbers as the graph takes them, strictly real, and how matrices lie in flat vectors."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, Literal, SupportsIndex, TypeAlias, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array: TypeAlias = NDArray[np.float64]


def as_value(value: object, name: str) -> Array:
    """A float64 array of at most one axis; ints are promoted, anything but numbers is refused."""
    if type(value) is float:
        return cast("Array", np.float64(value))
    if type(value) is np.ndarray and value.dtype == np.float64:  # the most frequent, without delay
        array = cast("Array", value)
    else:
        array = real(value, f"'{name}'")
    if array.ndim > 1:
        raise ValueError(f"'{name}' has shape {array.shape}; values are scalars or 1-D arrays")
    return array


def as_batch(value: object, name: str) -> Array:
    """A float64 array `(*batch, n)`: as `as_value`, with any number of leading axes."""
    array = real(value, f"'{name}'")
    return array.reshape(1) if array.ndim == 0 else array


@dataclass(frozen=True, slots=True)
class MatrixLayout:
    """How the entries of a matrix, or of several of one shape, lie in a flat result.

    Attributes:
        shape: the natural shape: (6, 7), (4, 4), (n, 4, 4).
        order: of each matrix's entries: "rows" or "columns", one after the other; "transform": of
            [[R, t], [0, 1]], 4 x 4, the 12 entries [R column by column, t].
    """

    shape: tuple[int, ...]
    order: Literal["rows", "columns", "transform"] = "rows"

    @property
    def size(self) -> int:
        """The number of entries of the flat result."""
        return prod(self.shape) // 16 * 12 if self.order == "transform" else prod(self.shape)


def is_scalar(value: ArrayLike) -> bool:
    """Whether a value is a plain number rather than a vector."""
    return as_value(value, "value").ndim == 0


def whole_number(value: object, what: str, least: int = 0) -> int:
    """An int from anything that is exactly one and not below `least`; a boolean is none.

    Raises ValueError for others; the message begins with `what`.
    """
    try:
        number = operator.index(cast("SupportsIndex", value))
    except TypeError:
        number = least - 1
    if number < least or isinstance(value, (bool, np.bool_)):
        raise ValueError(f"{what} is {value!r}, expected a whole number, {least} or more")
    return number


def flag(value: object, what: str) -> bool:
    """True or False, also as 1 or 0; the message about others begins with `what`."""
    if isinstance(value, (bool, int)) or np.bool_ is type(value):
        return bool(value)
    raise TypeError(f"{what} is {value!r}, expected True or False")


class NotNumbers(TypeError):
    """What an expression raises where numpy would take it for an array."""


def number(value: object, what: str) -> float:
    """One real number, as `real` reads it."""
    array = real(value, what)
    if array.ndim:
        raise ValueError(f"{what} has shape {array.shape}, expected one number")
    return float(array)


def real(value: object, what: str) -> Array:
    """A float64 array of any shape from real numbers; `what` begins the message about others.

    Booleans are the numbers 0 and 1.

    Raises:
        TypeError: for text, dates, complex numbers, None, masked arrays and other objects.
        ValueError: for what is no rectangular array.
    """
    return plain(value, what).astype(np.float64, copy=False)


def plain(value: object, what: str) -> NDArray[Any]:
    """As `real`, with numbers of the type that they have."""
    if _is_masked(value):
        raise TypeError(f"{what} is not made of real numbers (masked array)")
    try:
        array = np.asarray(cast("ArrayLike", value))
    except NotNumbers as error:
        raise TypeError(
            f"{what} holds expressions where numbers are expected; see ad.stack"
        ) from error
    except ValueError as error:
        raise ValueError(f"{what} is not a rectangular array of numbers: {error}") from error
    except (TypeError, RuntimeError) as error:  # as a tensor says that requires grad
        raise TypeError(f"{what} is not made of real numbers: {error}") from error
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{what} is not made of real numbers (dtype {array.dtype})")
    return array


def _is_masked(value: object) -> bool:
    """Whether a masked array is there, which numpy would read past its mask."""
    if isinstance(value, (list, tuple)):
        entries = cast("Sequence[object]", value)
        return any(_is_masked(v) for v in entries if type(v) is not float)  # the most frequent
    return isinstance(value, np.ma.MaskedArray)
