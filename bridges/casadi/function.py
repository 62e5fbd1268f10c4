"""`ad_to_casadi`: a graph as a `casadi.Function`."""

# casadi's stubs leave most functions of symbols untyped; the public signatures are still checked.
# pyright: reportUnknownArgumentType=false, reportUnknownLambdaType=false
# pyright: reportUnknownVariableType=false, reportCallIssue=false, reportArgumentType=false

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import casadi

from ad_core.expr import ADTerminal
from ad_core.lower import Tape
from ad_core.op import Op
from ad_core.signature import Func, signature
from bridges.casadi.namespace import CasadiNamespace

Symbolic = Literal["auto", "SX", "MX"]


def ad_to_casadi(
    func: Func,
    terminals: Sequence[str | ADTerminal] | None = None,
    *,
    sizes: Mapping[str, int] | None = None,
    name: str | None = None,
    symbolic: Symbolic = "auto",
    options: Mapping[str, Any] | None = None,
) -> casadi.Function:
    """`func` as a `casadi.Function` of columns `(n_i, 1)`, one output column for each expression.

    Args:
        func: An expression, a tuple of expressions, or a function.
        terminals: The order of the inputs; by default that of first appearance, or of arguments.
        sizes: Sizes of variables that were declared without one.
        name: The function's name; made from `func` by default.
        symbolic: Build with scalar symbols (`"SX"`: smallest programs) or matrix ones (`"MX"`).
        options: Passed to `casadi.Function`.

    Raises:
        ValueError: for names or sizes that misfit.
        NotImplementedError: where the graph holds a function that CasADi cannot look into.
    """
    chosen = signature(func, terminals)
    tape = chosen.tape(sizes)
    symbol = casadi.MX if symbolic == "MX" else casadi.SX
    inputs = [symbol.sym(_identifier(n), size) for n, size in tape.inputs]
    outputs = lower_tape(tape, inputs, symbol)
    if symbol is casadi.SX:
        outputs = casadi.cse(outputs)
    return casadi.Function(
        _identifier(name or chosen.title),
        inputs,
        outputs,
        _distinct([_identifier(n) for n, _ in tape.inputs]),
        ["out"] if chosen.single else [f"out_{i}" for i in range(len(outputs))],
        dict(options or {}),
    )


def lower_tape(tape: Tape, inputs: Sequence[Any], symbol: type[Any]) -> list[Any]:
    """The tape's outputs as dense columns of symbols, given its inputs as columns."""
    xp = CasadiNamespace(symbol)
    slots: list[Any] = [None] * len(tape.sizes)
    slots[: len(inputs)] = inputs
    for slot, value in tape.constants:
        slots[slot] = xp.constant(value)
    for step in tape.steps:
        if not isinstance(step.func, Op):
            raise NotImplementedError(f"{step.func}: CasADi cannot look into this function")
        slots[step.out] = step.func.bind(xp)(*(slots[a] for a in step.args))
    return [_sized(slots[o], tape.sizes[o]) for o in tape.outputs]


def _sized(value: Any, size: int) -> Any:
    """A column of the tape's size; a scalar that stands for a vector is repeated."""
    return casadi.repmat(value, size, 1) if value.numel() == 1 and size != 1 else value


def _identifier(text: str) -> str:
    """`text` made fit for CasADi's names: letters, digits and single underscores."""
    word = re.sub(r"[^A-Za-z0-9]+", "_", text).strip("_") or "f"
    return word if word[0].isalpha() else f"f_{word}"


def _distinct(words: Sequence[str]) -> list[str]:
    seen: dict[str, int] = {}
    result: list[str] = []
    for word in words:
        seen[word] = seen.get(word, 0) + 1
        result.append(word if seen[word] == 1 else f"{word}_{seen[word]}")
    return result
