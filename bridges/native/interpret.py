"""A `Program` run by numpy: one array operation an instruction, over a whole batch."""

# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bridges.native.program import Program

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
            if op == "constant":
                values[k] = dtype.type(value)
            elif op == "input":
                values[k] = inputs[args[0]][:, args[1]]
            else:
                values[k] = FUNCTIONS[op](*[values[a] for a in args])
            for o, j in waiting.get(k, ()):
                outputs[o][:, j] = np.broadcast_to(values[k], (samples,))
            for a in last.get(k, ()):
                values[a] = None


def _last_uses(program: Program) -> dict[int, list[int]]:
    """The values that are needed no more behind each instruction."""
    last: dict[int, int] = {}
    for k, (op, args, _) in enumerate(program.instructions):
        if op not in ("constant", "input"):
            last.update(dict.fromkeys(args, k))
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


def _one_by_one(function: Callable[[float], float]) -> Callable[..., Any]:
    every = np.vectorize(function, otypes=[np.float64])
    return lambda x: every(x).astype(np.result_type(x))


def _erfinv(x: float) -> float:
    """By Newton's method from the quantile of the normal distribution."""
    size = abs(x)
    if not 0.0 < size < 1.0:
        return x if size == 0.0 else math.copysign(math.inf, x) if size == 1.0 else math.nan
    y = -NormalDist().inv_cdf((1.0 - size) / 2.0) / math.sqrt(2.0)
    for _ in range(2):
        excess = math.erf(y) - size if size < 0.5 else (1.0 - size) - math.erfc(y)
        y -= excess * math.exp(y * y) * math.sqrt(math.pi) / 2.0
    return math.copysign(y, x)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "neg": np.negative,
    "inv": lambda x: np.divide(np.ones((), np.result_type(x)), x),
    "sq": np.square,
    "twice": lambda x: x + x,
    "sqrt": np.sqrt,
    "fabs": np.abs,
    "sign": np.sign,
    "floor": np.floor,
    "ceil": np.ceil,
    "fmin": np.fmin,
    "fmax": np.fmax,
    "lt": _flag(np.less),
    "le": _flag(np.less_equal),
    "eq": _flag(np.equal),
    "ne": _flag(np.not_equal),
    "not": lambda x: _number(~_nonzero(x), x),
    "and": lambda x, y: _number(_nonzero(x) & _nonzero(y), x),
    "or": lambda x, y: _number(_nonzero(x) | _nonzero(y), x),
    "if_else_zero": lambda mask, x: np.where(_nonzero(mask), x, np.zeros((), np.result_type(x))),
    "select": lambda mask, x, y: np.where(_nonzero(mask), x, y),
    "copysign": np.copysign,
    "fmod": np.fmod,
    "remainder": _remainder,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "asin": np.arcsin,
    "acos": np.arccos,
    "atan": np.arctan,
    "atan2": np.arctan2,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "tanh": np.tanh,
    "asinh": np.arcsinh,
    "acosh": np.arccosh,
    "atanh": np.arctanh,
    "exp": np.exp,
    "log": np.log,
    "expm1": np.expm1,
    "log1p": np.log1p,
    "pow": np.power,
    "hypot": np.hypot,
    "erf": _one_by_one(math.erf),
    "erfinv": _one_by_one(_erfinv),
}
