"""`ad_to_c`: a graph as C text to take elsewhere, with its derivatives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ad_core.graph import Variable, checked_name, whole_number
from ad_core.lowering import Func
from bridges.casadi.c_names import is_taken
from bridges.casadi.compiled import c_source, vector_bytes_for
from bridges.casadi.lowering import identifier, lowered_for_casadi

VECTOR_BYTES = (16, 32, 64)


def ad_to_c(
    func: Func,
    terminals: Sequence[Variable] | None = None,
    *,
    sizes: Mapping[str, int] | None = None,
    name: str | None = None,
    mapped: int = 1,
    vector_bytes: int | None = None,
) -> str:
    """`func` and its derivatives to second order as the C text of `compiled=True`.

    The text needs a C compiler with GCC's vector types and the C library, nothing else. Its
    functions have CasADi's C interface: `casadi.external(name, library)` loads what is built by

        cc -O2 -march=native -fPIC -shared -fno-math-errno -fno-trapping-math -o f.so f.c -lm

    Args:
        func: An expression, several of them (a dict names the outputs), or a function, of
            primitives alone.
        terminals: The order of the inputs; by default that of first appearance, or of arguments.
        sizes: Sizes of variables that were declared without one.
        name: The C function's name; made from `func` by default.
        mapped: How many stages a call computes.
        vector_bytes: Size of a SIMD vector: 16, 32 or 64 bytes; any runs on any processor. By
            default 32, and 16 for a single stage.

    Raises:
        ValueError: for names or sizes that misfit, a name that C gives to something else,
            `mapped` below 1, other `vector_bytes`.
        NotImplementedError: where the graph holds a user's function.
    """
    mapped = whole_number(mapped, "ad_to_c: mapped", least=1)
    if name is not None:
        checked_name(name, "ad_to_c")
    width = vector_bytes_for(mapped) if vector_bytes is None else vector_bytes
    if whole_number(width, "ad_to_c: vector_bytes") not in VECTOR_BYTES:
        raise ValueError(f"vector_bytes is {width}, expected one of {VECTOR_BYTES}")
    lowered = lowered_for_casadi(func, terminals, sizes)
    title = identifier(name or lowered.title)
    if is_taken(title) and name is None:
        title = f"f_{title}"
    elif is_taken(title):
        raise ValueError(f"name is {title!r}, which C gives to something else; choose another")
    return c_source(lowered, title, mapped, width)
