"""How frozen data is copied and pickled."""

from __future__ import annotations

from dataclasses import fields
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
        names = [field.name for field in fields(self)]  # type: ignore[arg-type]  # a data class
        return type(self), tuple(getattr(self, name) for name in names)
