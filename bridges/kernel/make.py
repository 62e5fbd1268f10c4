"""Kernels of CasADi functions and of `ad_core` expressions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import casadi as ca

from bridges.kernel.kernel import Kernel


def casadi_to_kernel(function: ca.Function, dtype: str = "float64") -> Kernel:
    """The function as a built kernel.

    function: of SX, or one that CasADi can expand to SX; several inputs and outputs. Matrices count
    as dense column vectors, entries column by column.

    Raises ValueError for an unknown dtype and for free symbols, TypeError for what is no function.
    """
    if not isinstance(function, ca.Function):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"got {type(function).__name__}, expected a casadi.Function")
    return Kernel(function, dtype).build()


def ad_to_kernel(
    func: Any,
    terminals: Sequence[Any] | None = None,
    *,
    sizes: dict[str, int] | None = None,
    dtype: str = "float64",
) -> Kernel:
    """An `ad_core` expression, tuple of expressions or function as a kernel.

    A tuple or list makes a kernel that gives a tuple, of one expression too.

    terminals: names in the order of the kernel's inputs; sizes: sizes of terminals that have none.
    """
    from bridges.casadi import ad_to_casadi

    function = ad_to_casadi(func, terminals, sizes=sizes, symbolic="SX")
    return Kernel(function, dtype, is_tuple=isinstance(func, (tuple, list))).build()
