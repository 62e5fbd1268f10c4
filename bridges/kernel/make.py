"""Kernels of `ad_core` graphs and of CasADi functions."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ad_core.graph import Expression, checked
from ad_core.lowering import Func, lower
from bridges.kernel.file import MOST_BYTES, read
from bridges.kernel.kernel import Kernel, kernel_of
from bridges.kernel.source import GraphSource, building
from bridges.native.target import check_dtype

if TYPE_CHECKING:
    import casadi


def ad_to_kernel(
    func: Func,
    terminals: Sequence[Any] | None = None,
    *,
    sizes: Mapping[str, int] | None = None,
    dtype: Any = "float64",
) -> Kernel:
    """An `ad_core` expression, several of them or a function as a built kernel.

    Several expressions (a tuple, list or generator, or a dict by the results' names), one of them
    too, make a kernel that gives a tuple.

    Args:
        func: An expression, several of them, or a function.
        terminals: The order of the inputs; by default that of first appearance, or of arguments.
        sizes: Sizes of variables that were declared without one.
        dtype: float64 or float32, as text, numpy or torch dtype.

    Raises:
        ValueError: for names, sizes or a dtype that misfit.
        NotImplementedError: where the graph holds a user's function.
    """
    number = check_dtype(dtype)
    several = isinstance(func, Iterable) and not isinstance(func, Expression)
    lowered = lower(func, terminals, sizes)
    return Kernel(GraphSource.of(lowered), number, is_tuple=several).build()


def casadi_to_kernel(function: casadi.Function, dtype: Any = "float64") -> Kernel:
    """A CasADi function as a built kernel; derivatives are those of its graph.

    function: of SX, or one that CasADi can expand to SX; several inputs and outputs. Matrices count
    as dense column vectors, entries column by column.

    Raises ValueError for an unknown dtype and for free symbols, TypeError for what is no function,
    NotImplementedError for an operation that no kernel has.
    """
    from bridges.kernel.from_casadi import casadi_source

    number = check_dtype(dtype)
    with building():  # CasADi's expressions are not safe to build in several threads at once
        source = casadi_source(function)
    return Kernel(source, number).build()


def load(path: str | os.PathLike[str]) -> Kernel:
    """The kernel that `Kernel.save` wrote, built for this machine.

    It has the derivatives that were saved with it. The file needs no trust: what it says is
    checked, and it holds no code but arithmetic.

    Raises ValueError for a file that is no kernel, or was cut or changed, OSError where it cannot
    be read.
    """
    checked(path, (str, bytes, os.PathLike), "load", "path", "a path")
    try:
        with open(path, "rb") as file:
            saved = read(file.read(MOST_BYTES))
    except ValueError as error:
        raise ValueError(f"{os.fspath(path)}: {error}") from error
    return kernel_of(saved).build()
