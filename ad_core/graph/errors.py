"""The wording of errors: they name the place, the argument, what was expected, and what came."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from typing import SupportsIndex, cast


def wrong_size(place: str, argument: str, got: int, expected: int | str) -> ValueError:
    """An argument or value whose number of entries does not fit."""
    return ValueError(f"{place}: argument '{argument}' has size {got}, expected {expected}")


def wrong_count(place: str, got: int, expected: int | str) -> ValueError:
    """A call with too many or too few arguments."""
    return ValueError(f"{place}: got {got} arguments, expected {expected}")


def whole_shape(place: str, shape: Sequence[object]) -> tuple[int, int]:
    """A matrix's shape `(rows, columns)` as two whole numbers of 0 or more, else ValueError."""
    try:
        rows, columns = (operator.index(cast("SupportsIndex", n)) for n in shape)
    except (TypeError, ValueError):
        rows, columns = -1, -1
    if rows < 0 or columns < 0 or any(isinstance(n, bool) for n in shape):
        raise ValueError(f"{place}: a shape is two whole numbers of 0 or more, not {shape!r}")
    return rows, columns


def unknown_name(kind: str, name: str, choices: Iterable[str]) -> ValueError:
    """A name that does not exist, with the ones that do."""
    listed = ", ".join(choices) or "none"
    return ValueError(f"no {kind} '{name}'; {kind}s: {listed}")


def unknown_size(place: str, argument: str) -> ValueError:
    """A size that is needed now and was never given."""
    return ValueError(
        f"{place}: the size of '{argument}' is not known; "
        f"declare it with var('{argument}', size) or pass sizes={{'{argument}': size}}"
    )
