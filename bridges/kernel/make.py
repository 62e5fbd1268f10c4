"""Kernels of CasADi functions and of `ad_core` expressions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import casadi as ca

from ad_core.content import content_of
from ad_core.lowering.signature import Signature, signature
from bridges.kernel.formula import Formula
from bridges.kernel.identity import identity_of_graph
from bridges.kernel.kernel import Kernel
from bridges.native.target import DType, check_dtype


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
    number = check_dtype(dtype)
    formula = _known(signature(func, terminals), sizes, number)
    if formula is None:
        function = _lowered(func, terminals, sizes, None)
        formula = Formula.of(function, number)
    return Kernel(formula, dtype, is_tuple=isinstance(func, (tuple, list))).build()


def _known(chosen: Signature, sizes: Mapping[str, int] | None, dtype: DType) -> Formula | None:
    """The formula of a graph that tells by itself what it computes; None for others.

    It is made from what the graph says now, so that no later change to the objects in it counts.
    """
    content = content_of(chosen, sizes)
    identity = None if content is None else identity_of_graph(content)
    if content is None or identity is None:
        return None

    def make() -> ca.Function:
        again, given = content.read()
        roots = again.roots[0] if again.single else again.roots
        return _lowered(roots, again.names, given, again.title)

    formula = Formula(make, dtype, identity)
    if not formula.is_noted:
        try:
            content.read()
        except Exception:  # objects that cannot be read back say so in any way
            return None
    return formula


def _lowered(
    func: Any, terminals: Any, sizes: Mapping[str, int] | None, name: str | None
) -> ca.Function:
    from bridges.casadi import ad_to_casadi

    return ad_to_casadi(func, terminals, sizes=sizes, name=name, symbolic="SX")
