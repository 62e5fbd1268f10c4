"""`casadi.Function` -> scalar `Program`: the functions of SX instruction by instruction.

CasADi lists its instructions over a work vector whose slots are reused; here each has a number of
its own.
"""

# casadi's stubs leave most functions untyped; the public signatures are still checked.
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

import casadi as ca

from bridges.native.builder import Builder
from bridges.native.program import OPERATIONS, Program


def read_program(function: ca.Function) -> Program:
    """The program of an SX function.

    Matrices count as dense column vectors, and entries that are structurally zero in an input are
    never read. A function that is not of SX is expanded first.

    Raises NotImplementedError, naming it, for an operation that no kernel can run, and ValueError
    for a function with free symbols.
    """
    function = expand(function)
    operation_of = _operations_by_code()
    builder = Builder()
    slots: dict[int, int] = {}
    outputs: list[list[int | None]] = [
        [None] * function.numel_out(o) for o in range(function.n_out())
    ]
    output_rows = [_dense_positions(function.sparsity_out(o)) for o in range(function.n_out())]
    input_rows = [_dense_positions(function.sparsity_in(i)) for i in range(function.n_in())]
    for k in range(function.n_instructions()):
        code: int = function.instruction_id(k)
        if code == ca.OP_CONST:
            (slot,) = function.instruction_output(k)
            slots[slot] = builder.constant(function.instruction_constant(k))
            continue
        source: list[int] = function.instruction_input(k)
        target: list[int] = function.instruction_output(k)
        if code == ca.OP_INPUT:
            i, nonzero = source
            slots[target[0]] = builder.input(i, input_rows[i][nonzero])
        elif code == ca.OP_OUTPUT:
            o, nonzero = target
            outputs[o][output_rows[o][nonzero]] = slots[source[0]]
        elif code in (ca.OP_ASSIGN, ca.OP_LIFT):
            slots[target[0]] = slots[source[0]]
        elif code in operation_of:
            name = operation_of[code]
            args = [slots[s] for s in source[: OPERATIONS[name][0]]]
            slots[target[0]] = builder.apply(name, *args)
        else:
            raise NotImplementedError(
                f"SX operation {_operation_name(code)!r} (instruction {k}) has no kernel form"
            )
    return builder.program([function.numel_in(i) for i in range(function.n_in())], outputs)


def expand(function: ca.Function) -> ca.Function:
    """The function itself if it is one of SX, else its expansion into scalar operations.

    Raises ValueError for free symbols, NotImplementedError where CasADi cannot expand.
    """
    if function.has_free():
        raise ValueError(f"{function.name()}: free symbols {function.get_free()}, expected none")
    if function.is_a("SXFunction"):
        return function
    try:
        return function.expand()
    except RuntimeError as error:
        raise NotImplementedError(
            f"{function.name()}: not an SX function, and CasADi cannot expand it into one"
        ) from error


def _dense_positions(sparsity: ca.Sparsity) -> list[int]:
    """Position of each nonzero in the dense column-major vector."""
    rows, columns = sparsity.get_triplet()
    height: int = sparsity.size1()
    return [row + column * height for row, column in zip(rows, columns, strict=True)]


def _operations_by_code() -> dict[int, str]:
    named = OPERATIONS.keys() - {"select", "lookup"}  # which scalars of CasADi lack
    table = {int(getattr(ca, f"OP_{name.upper()}")): name for name in named}
    table[int(ca.OP_CONSTPOW)] = "pow"
    return table


def _operation_name(code: int) -> str:
    names = (n for n in dir(ca) if n.startswith("OP_") and getattr(ca, n) == code)
    return next(names, f"OP {code}")[3:].lower()
