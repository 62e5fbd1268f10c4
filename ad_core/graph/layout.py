"""How matrices lie in the flat results of functions."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Literal


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
