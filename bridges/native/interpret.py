"""A `Program` run by numpy: one array operation an instruction, over a whole batch."""

# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ad_core.ops.namespace import NUMPY
from bridges.native.program import CARRY, FIXED, ROW, Loop, Program

Array = NDArray[Any]


def interpret(program: Program, inputs: Sequence[Array], outputs: Sequence[Array]) -> None:
    """Fills `outputs` `(samples, size)` from `inputs` `(samples, size)`, all of one dtype."""
    if not outputs:
        return
    samples, dtype = len(outputs[0]), outputs[0].dtype
    last = _last_uses(program)
    values: list[Any] = [None] * len(program.instructions)
    for o, entries in enumerate(program.outputs):
        for j, k in enumerate(entries):
            if k is None:
                outputs[o][:, j] = 0.0
    waiting = _places(program)
    with np.errstate(all="ignore"):
        for k, (op, args, value) in enumerate(program.instructions):
            if op in FIXED:
                values[k] = dtype.type(value) if op == "constant" else value
            elif op == "input":
                values[k] = inputs[args[0]][:, args[1]]
            elif op == "result":
                values[k] = values[args[0]][args[1]]
            elif op == "loop":
                given = [np.broadcast_to(values[a], (samples,)) for a in args]
                values[k] = _run(program.loops[int(value)], given, samples, dtype)
            else:
                values[k] = FUNCTIONS[op](*[values[a] for a in args])
            for o, j in waiting.get(k, ()):
                outputs[o][:, j] = np.broadcast_to(values[k], (samples,))
            for a in last.get(k, ()):
                values[a] = None


def _run(loop: Loop, operands: Sequence[Array], samples: int, dtype: Any) -> list[Array]:
    """The results of a loop, an array each."""
    starts, sizes = loop.starts, loop.body.input_sizes
    given = [
        np.stack(operands[a:b], -1) if a < b else np.empty((samples, 0), dtype)
        for a, b in pairwise(starts)
    ]
    carry, rows = given[loop.carried], {}
    for t in loop.order:
        step = [
            carry if role == CARRY else x[:, t * m : (t + 1) * m] if role == ROW else x
            for x, m, role in zip(given, sizes, loop.roles, strict=True)
        ]
        made = [np.empty((samples, n), dtype) for n in loop.body.output_sizes]
        interpret(loop.body, step, made)
        carry, rows[t] = made[0], made[-1]
        if loop.until is not None and (carry[:, loop.until] == 1.0).all():
            break
    columns = [carry, *(rows[t] for t in range(loop.length))]
    return [column for part in columns for column in part.T]


def _last_uses(program: Program) -> dict[int, list[int]]:
    """The values that are needed no more behind each instruction."""
    last: dict[int, int] = {}
    for k, instruction in enumerate(program.instructions):
        last.update(dict.fromkeys(instruction.operands, k))
    freed: dict[int, list[int]] = {}
    for a, k in last.items():
        freed.setdefault(k, []).append(a)
    return freed


def _places(program: Program) -> dict[int, list[tuple[int, int]]]:
    """The entries of outputs that each instruction gives."""
    places: dict[int, list[tuple[int, int]]] = {}
    for o, entries in enumerate(program.outputs):
        for j, k in enumerate(entries):
            if k is not None:
                places.setdefault(k, []).append((o, j))
    return places


def _nonzero(x: Any) -> Any:
    return np.not_equal(x, 0.0)


def _number(truth: Any, like: Any) -> Any:
    return np.asarray(truth).astype(np.result_type(like))


def _flag(compare: Callable[..., Any]) -> Callable[..., Any]:
    return lambda x, y: _number(compare(x, y), x)


def _remainder(x: Any, y: Any) -> Any:
    """`x - y n` with `n` the integer nearest to `x / y`, the even one of two (IEC 60559)."""
    size = np.abs(y)
    rest = np.fmod(np.abs(x), size)
    half = np.fmod(np.abs(x), size + size) >= size  # whether `n` is odd before rounding
    other = size - rest
    up = (rest > other) | ((rest == other) & half)
    result = np.where(up, rest - size, rest)
    return np.where(np.isinf(y) & np.isfinite(x), x, np.copysign(1.0, x) * result).astype(x.dtype)


_OF_NUMPY = (
    *("neg", "sign", "floor", "ceil", "sqrt", "exp", "expm1", "log", "log1p", "erf", "erfinv"),
    *("sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh", "acosh"),
    *("atanh", "atan2", "add", "sub", "mul"),
)
FUNCTIONS: dict[str, Callable[..., Any]] = {
    **{name: getattr(NUMPY, name) for name in _OF_NUMPY},
    **{name: getattr(np, name) for name in ("fmin", "fmax", "copysign", "fmod", "hypot")},
    "fabs": np.abs,
    "div": np.divide,
    "inv": lambda x: np.divide(np.ones((), np.result_type(x)), x),
    "sq": np.square,
    "twice": lambda x: x + x,
    "pow": np.power,
    "remainder": _remainder,
    "lookup": lambda table, x: NUMPY.lookup(x, table).astype(np.result_type(x)),
    "lt": _flag(np.less),
    "le": _flag(np.less_equal),
    "eq": _flag(np.equal),
    "ne": _flag(np.not_equal),
    "not": lambda x: _number(~_nonzero(x), x),
    "and": lambda x, y: _number(_nonzero(x) & _nonzero(y), x),
    "or": lambda x, y: _number(_nonzero(x) | _nonzero(y), x),
    "if_else_zero": lambda mask, x: np.where(_nonzero(mask), x, np.zeros((), np.result_type(x))),
    "select": lambda mask, x, y: np.where(_nonzero(mask), x, y),
}
