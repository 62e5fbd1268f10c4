"""What the emitted text depends on: the number type and the width of a vector."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

DType = Literal["float64", "float32"]


@dataclass(frozen=True)
class Target:
    """Number type and vector width of a kernel; `lanes` samples are computed at a time."""

    dtype: DType
    vector_bytes: int

    @property
    def itemsize(self) -> int:
        """Bytes of one number."""
        return 8 if self.dtype == "float64" else 4

    @property
    def lanes(self) -> int:
        """Samples per vector."""
        return self.vector_bytes // self.itemsize

    def literal(self, value: float) -> str:
        """C text of a constant, exact to the last bit in float64."""
        if math.isnan(value):
            return "(real)NAN"
        if math.isinf(value):
            return "(real)INFINITY" if value > 0 else "(-(real)INFINITY)"
        text = repr(value) if self.dtype == "float64" else f"{value!r}f"
        return f"({text})" if text.startswith("-") else text


def check_dtype(dtype: object) -> DType:
    """A dtype as text, numpy or torch dtype. Raises ValueError that names the choices."""
    text = dtype if isinstance(dtype, str) else str(getattr(dtype, "name", dtype))
    name = getattr(dtype, "__name__", text) if isinstance(dtype, type) else text
    name = name.removeprefix("torch.")
    if name not in get_args(DType):
        raise ValueError(f"dtype {name!r}, expected one of {', '.join(get_args(DType))}")
    return name  # type: ignore[return-value]
