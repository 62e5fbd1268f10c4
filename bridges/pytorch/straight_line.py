"""A tape as straight-line torch code: one line a step, nothing but tensor functions.

Constants of one entry stand in the text, which keeps the inputs' dtype and device; longer ones and
tables are arguments, so that the caller decides where they live.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from ad_core.graph import Array
from ad_core.lowering import Step, Tape
from ad_core.ops import Op
from ad_core.ops.tables import Lookup, Table
from bridges.pytorch.namespace import TORCH

INFIX = {"add": "+", "sub": "-", "mul": "*", "div": "/"}
TAKES_FLOATS = {
    "cond": (1, 2),
    **dict.fromkeys((*INFIX, "pow", "less", "less_equal", "equal"), (0, 1)),
}
"""The places where torch takes a Python float if a tensor is in another of them, by primitive."""


Vector: TypeAlias = "tuple[int | Table, Array]"
"""What an argument beside the inputs stands for, a constant's slot or a table, and its numbers."""


@dataclass(frozen=True)
class StraightLine:
    """Generated code: `run(*inputs, *vectors)` gives the outputs as a tuple."""

    source: str
    run: Callable[..., tuple[Any, ...]]


def straight_line(tape: Tape, vectors: Sequence[Vector]) -> StraightLine:
    """Torch code of a tape of primitives; `vectors` are its longer constants and its tables."""
    return _Writer(tape, vectors).written()


class _Writer:
    def __init__(self, tape: Tape, vectors: Sequence[Vector]) -> None:
        self._tape = tape
        self._arguments = [f"x{i}" for i in range(len(tape.inputs))]
        self._names: dict[int | Table, str] = dict(enumerate(self._arguments))
        for i, (key, _) in enumerate(vectors):
            self._names[key] = f"c{i}"
            self._arguments.append(f"c{i}")
        self._numbers = {slot: float(v[0]) for slot, v in tape.constants if v.size == 1}
        self._bound: dict[str, Any] = {"inf": math.inf, "nan": math.nan}
        self._lines: list[str] = []

    def written(self) -> StraightLine:
        for step in self._tape.steps:
            text = self._call(step)
            self._names[step.out] = f"v{step.out}"
            self._lines.append(f"v{step.out} = {text}")
        results = "".join(f"{self._tensor(slot)}, " for slot in self._tape.outputs)
        body = "".join(f"    {line}\n" for line in [*self._lines, f"return ({results})"])
        source = f"def run({', '.join(self._arguments)}):\n{body}"
        space = dict(self._bound)
        exec(compile(source, "<robograd torch program>", "exec"), space)
        return StraightLine(source, space["run"])

    def _call(self, step: Step) -> str:
        """What a step computes; what is not plain arithmetic is bound under a name of its own."""
        func = step.func
        if not isinstance(func, Op):
            raise NotImplementedError(f"{func}: torch code cannot look into this function")
        floats = TAKES_FLOATS.get(func.name, ())
        if func.name == "div" and self._numbers.get(step.args[0]) != 1.0:
            floats = (1,)  # torch's `c / x` is `c * (1 / x)`, which may overflow
        operands = self._operands(step.args, floats)
        if isinstance(func, Lookup):
            self._bound["lookup"] = TORCH.lookup
            return f"lookup({operands[0]}, {self._names[func.table]})"
        if func.name in INFIX:
            return f" {INFIX[func.name]} ".join(operands)
        static = "_".join(str(p) for p in func.params if isinstance(p, int))
        name = f"{func.name}_{static}" if static else func.name
        if func.params and not all(isinstance(p, int) for p in func.params):
            name = f"{func.name}_{step.out}"
        self._bound.setdefault(name, func.bind(TORCH))
        return f"{name}({', '.join(operands)})"

    def _operands(self, slots: tuple[int, ...], floats: tuple[int, ...]) -> list[str]:
        """Names; a number may stand as it is in the places `floats`, but not in all of them."""
        alone = len(floats) > 1 and all(slots[place] in self._numbers for place in floats)
        return [
            repr(self._numbers[slot])
            if slot in self._numbers and place in floats and not alone
            else self._tensor(slot)
            for place, slot in enumerate(slots)
        ]

    def _tensor(self, slot: int) -> str:
        """The name of a value as a tensor; a number becomes one of the inputs' dtype and device."""
        if slot in self._numbers and slot not in self._names:
            like = self._arguments[0] if self._arguments else None
            self._bound["number"] = TORCH.number
            self._lines.append(f"n{slot} = number({self._numbers[slot]!r}, {like})")
            self._names[slot] = f"n{slot}"
        return self._names[slot]
