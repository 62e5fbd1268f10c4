"""How frozen data is copied and pickled."""

from __future__ import annotations

from dataclasses import fields
from functools import cache
from typing import Any, TypeVar

R = TypeVar("R", bound="Rebuilt")


class Rebuilt:
    """Frozen data classes that are their own copies, and that are unpickled by their constructor.

    Python's own way would restore the fields as they are, with arrays that can be written to and
    nothing checked.
    """

    def __copy__(self: R) -> R:
        """The object itself: nothing in it can change."""
        return self

    def __deepcopy__(self: R, memo: dict[int, Any]) -> R:
        """The object itself: nothing in it can change."""
        return self

    def __reduce__(self) -> tuple[type, tuple[Any, ...]]:
        """The class and its fields, in order."""
        return type(self), tuple([getattr(self, name) for name in _field_names(type(self))])


@cache
def _field_names(kind: type[Any]) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))
