"""A tape as CasADi symbols: primitives become symbols, users' functions become calls."""

# casadi's stubs leave most functions of symbols untyped; the public signatures are still checked.
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false
# pyright: reportCallIssue=false, reportArgumentType=false

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import casadi

from ad_core.graph.nodes import ADFunctionInterface, Variable
from ad_core.loops import CARRY, ROW, Scan, loop_steps
from ad_core.lowering import Func, Lowered, Tape, guarded, lower, slot_scalars
from ad_core.ops.primitive import Op
from ad_core.ops.tables import Lookup
from bridges.casadi.namespace import CasadiNamespace

HostCall: TypeAlias = "Callable[[ADFunctionInterface, tuple[int, ...], int, tuple[bool, ...]], Any]"
"""A user's function, its sizes in and out, which arguments are floats -> a CasADi function."""


def lower_tape(
    tape: Tape, inputs: Sequence[Any], symbol: type[Any], host: HostCall | None = None
) -> list[Any]:
    """The tape's outputs as dense columns of symbols, given its inputs as columns.

    Raises NotImplementedError where the tape holds a user's function and no `host` is given.
    """
    xp = CasadiNamespace(symbol, _loop if symbol is casadi.MX else None)
    slots: list[Any] = [None] * len(tape.sizes)
    slots[: len(inputs)] = inputs
    for slot, value in tape.constants:
        slots[slot] = xp.constant(value)
    scalars = slot_scalars(tape)
    for step in tape.steps:
        args = [slots[a] for a in step.args]
        if isinstance(step.func, Op):
            slots[step.out] = step.func.bind(xp)(*args)
        elif host is None:
            raise NotImplementedError(
                f"{step.func}: a function that the graph cannot look into has no SX form; "
                "use symbolic='MX' or 'auto'"
            )
        else:
            sizes = tuple(tape.sizes[a] for a in step.args)
            floats = tuple(scalars[a] for a in step.args)
            call = host(step.func, sizes, tape.sizes[step.out], floats)
            columns = [sized(x, n) for x, n in zip(args, sizes, strict=True)]
            slots[step.out] = call(*(casadi.densify(x) for x in columns))
    return [sized(slots[o], tape.sizes[o]) for o in tape.outputs]


def _loop(op: Scan) -> Callable[..., Any]:
    """A loop as CasADi's own, whose derivatives are loops."""
    body = guarded(op.body.lowered)
    symbol = symbol_for(body.tape)
    inputs, _ = input_symbols(body.tape, symbol)
    following, row = lower_tape(body.tape, inputs, symbol)
    outputs = [following] if op.body.keeps else [following, row]
    first = inputs.pop(op.body.carried)
    step = casadi.Function("step", [first, *inputs], outputs)
    loop = step.mapaccum(op.length)
    sizes = [n for i, n in enumerate(body.sizes_in) if i != op.body.carried]
    roles = [r for r in op.body.roles if r != CARRY]

    def kernel(*values: Any) -> Any:
        others = list(values)
        carry = sized(others.pop(op.body.carried), op.body.size)
        given: list[Any] = []
        for x, n, role in zip(others, sizes, roles, strict=True):
            if role == ROW:
                columns = casadi.reshape(sized(x, n * op.length), n, op.length)
                given.append(columns[:, ::-1] if op.backwards else columns)
            else:
                given.append(casadi.repmat(sized(x, n), 1, op.length))
        found = loop(carry, *given)
        carries, rows = (found, found) if op.body.keeps else found
        if op.backwards:
            rows = rows[:, ::-1]
        return casadi.vertcat(carries[:, -1], casadi.vec(rows))

    return kernel


def symbolic_function(
    f: Lowered, name: str, symbol: type[Any], options: dict[str, Any]
) -> casadi.Function:
    """A function of primitives alone."""
    inputs, names = input_symbols(f.tape, symbol)
    values = lower_tape(guarded(f).tape, inputs, symbol)
    if symbol is casadi.SX:
        values = casadi.cse(values)
    return casadi.Function(name, inputs, values, names, f.names_out, options)


# steps of a tape up to which its loops are written out
_WRITTEN_OUT = 5_000


def symbol_for(tape: Tape) -> type[Any]:
    """SX, whose programs are the smallest; MX for long loops and tables, which SX has not."""
    return casadi.MX if looks_up(tape) or loop_steps(tape) > _WRITTEN_OUT else casadi.SX


def looks_up(tape: Tape) -> bool:
    """Whether a table is looked up, in a loop or outside."""
    return any(
        isinstance(step.func, Lookup)
        or (isinstance(step.func, Scan) and looks_up(step.func.body.lowered.tape))
        for step in tape.steps
    )


def input_symbols(tape: Tape, symbol: type[Any]) -> tuple[list[Any], list[str]]:
    """A column of symbols for each input, and the inputs' names."""
    names = input_names(tape)
    return [symbol.sym(n, size) for n, (_, size) in zip(names, tape.inputs, strict=True)], names


def input_names(tape: Tape) -> list[str]:
    """The inputs' names, fit for CasADi."""
    return distinct([identifier(name) for name, _ in tape.inputs])


def lowered_for_casadi(
    func: Func, terminals: Sequence[Variable] | None, sizes: Mapping[str, int] | None
) -> Lowered:
    """`lower`, with names of results that are fit for CasADi.

    Raises ValueError where a result has the name of an input, which CasADi refuses.
    """
    lowered = lower(func, terminals, sizes)
    names = distinct([identifier(name) for name in lowered.names_out])
    for name in set(names) & set(input_names(lowered.tape)):
        raise ValueError(f"{lowered.title}: '{name}' is the name of an input and of a result")
    return replace(lowered, names_out=tuple(names))


def sized(value: Any, size: int) -> Any:
    """A column of the tape's size; a scalar that stands for a vector is repeated."""
    return casadi.repmat(value, size, 1) if value.numel() == 1 and size != 1 else value


def identifier(text: str) -> str:
    """`text` made fit for CasADi's names: letters, digits and single underscores."""
    word = re.sub(r"[^A-Za-z0-9]+", "_", text).strip("_") or "f"
    return word if word[0].isalpha() else f"f_{word}"


def distinct(words: Sequence[str]) -> list[str]:
    """The words, with a number behind each that stood before."""
    seen: dict[str, int] = {}
    result: list[str] = []
    for word in words:
        seen[word] = seen.get(word, 0) + 1
        result.append(word if seen[word] == 1 else f"{word}_{seen[word]}")
    return result
