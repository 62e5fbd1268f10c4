"""The scalar program of a CasADi `SX` function: what the emitters read.

`casadi.Function` (SX) -> `read_program` -> `Program` -> C or CUDA text.

CasADi lists its instructions over a work vector whose slots are reused. Here every instruction
has a name of its own (static single assignment), equal instructions are merged, what no output
needs is gone, and the order keeps few values alive at a time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import casadi as ca

from bridges.native.schedule import Timing, depth_first, overlapped, spills

# Arity and arithmetic weight (flops, transcendental functions by their usual polynomial length)
# of every SX operation, by the name that the emitters use.
OPERATIONS: dict[str, tuple[int, int]] = {
    "add": (2, 1),
    "sub": (2, 1),
    "mul": (2, 1),
    "div": (2, 1),
    "neg": (1, 1),
    "inv": (1, 1),
    "sq": (1, 1),
    "twice": (1, 1),
    "sqrt": (1, 1),
    "fabs": (1, 1),
    "sign": (1, 2),
    "floor": (1, 1),
    "ceil": (1, 1),
    "fmin": (2, 1),
    "fmax": (2, 1),
    "lt": (2, 1),
    "le": (2, 1),
    "eq": (2, 1),
    "ne": (2, 1),
    "not": (1, 1),
    "and": (2, 1),
    "or": (2, 1),
    "if_else_zero": (2, 1),
    "select": (3, 1),
    "copysign": (2, 1),
    "fmod": (2, 20),
    "remainder": (2, 20),
    "sin": (1, 20),
    "cos": (1, 20),
    "tan": (1, 30),
    "asin": (1, 30),
    "acos": (1, 30),
    "atan": (1, 30),
    "atan2": (2, 35),
    "sinh": (1, 25),
    "cosh": (1, 25),
    "tanh": (1, 25),
    "asinh": (1, 35),
    "acosh": (1, 35),
    "atanh": (1, 30),
    "exp": (1, 20),
    "log": (1, 20),
    "expm1": (1, 25),
    "log1p": (1, 25),
    "pow": (2, 50),
    "hypot": (2, 5),
    "erf": (1, 40),
    "erfinv": (1, 60),
}

# Operations up to which a program's order is worth a search. Larger ones wait for values in memory
# more than for each other.
SEARCHED = 1_250
# Vector registers that a block function has for values, and what part more of the values may go
# through memory for the sake of instructions that do not wait for each other.
_REGISTERS = 30
_OVERLAP_WORTH = 1.25
_SLOW = {"div", "inv", "sqrt"}

_COMMUTATIVE = {"add", "mul", "eq", "ne", "and", "or", "hypot"}


class Instruction(NamedTuple):
    """`value[k] = op(value[args[0]], ...)`, where `k` is the position in the program.

    `op` is a key of `OPERATIONS`, or "constant" (with `value`), or "input": entry `args[1]` of
    input `args[0]`.
    """

    op: str
    args: tuple[int, ...] = ()
    value: float = 0.0


@dataclass(frozen=True)
class Program:
    """A straight-line scalar program: `instructions` in order, then the outputs.

    `outputs[o][j]` is the position of the instruction that gives entry `j` of output `o`, or None
    where the output is structurally zero.
    """

    input_sizes: tuple[int, ...]
    instructions: tuple[Instruction, ...]
    outputs: tuple[tuple[int | None, ...], ...]

    @property
    def output_sizes(self) -> tuple[int, ...]:
        """Length of each output, structural zeros included."""
        return tuple(len(entries) for entries in self.outputs)

    @property
    def n_ops(self) -> int:
        """How many operations run per sample (inputs and constants are not operations)."""
        return sum(i.op not in ("input", "constant") for i in self.instructions)

    @property
    def flops(self) -> int:
        """Floating point operations per sample, each transcendental weighed by its polynomial."""
        return sum(OPERATIONS[i.op][1] for i in self.instructions if i.op in OPERATIONS)


def read_program(function: ca.Function) -> Program:
    """The program of an SX function.

    Matrices count as dense column vectors, and entries that are structurally zero in an input are
    never read. A function that is not of SX is expanded first.

    Raises NotImplementedError, naming it, for an operation that no kernel can run, and ValueError
    for a function with free symbols.
    """
    function = expand(function)
    operation_of = _operations_by_code()
    read = _Reader()
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
            slots[slot] = read.constant(function.instruction_constant(k))
            continue
        source: list[int] = function.instruction_input(k)
        target: list[int] = function.instruction_output(k)
        if code == ca.OP_INPUT:
            i, nonzero = source
            slots[target[0]] = read.add("input", (i, input_rows[i][nonzero]))
        elif code == ca.OP_OUTPUT:
            o, nonzero = target
            outputs[o][output_rows[o][nonzero]] = slots[source[0]]
        elif code in (ca.OP_ASSIGN, ca.OP_LIFT):
            slots[target[0]] = slots[source[0]]
        elif code in operation_of:
            name = operation_of[code]
            args = tuple(slots[s] for s in source[: OPERATIONS[name][0]])
            slots[target[0]] = read.add(name, args)
        else:
            raise NotImplementedError(
                f"SX operation {_operation_name(code)!r} (instruction {k}) has no kernel form"
            )
    return schedule_program(
        tuple(function.numel_in(i) for i in range(function.n_in())),
        read.instructions,
        tuple(tuple(entries) for entries in outputs),
    )


def schedule_program(
    input_sizes: tuple[int, ...],
    instructions: list[Instruction],
    outputs: tuple[tuple[int | None, ...], ...],
) -> Program:
    """The program with dead instructions removed and the others ordered for short live ranges."""
    operands = [i.args if i.op in OPERATIONS else () for i in instructions]
    roots = [k for entries in outputs for k in entries if k is not None]
    order = _order(instructions, operands, roots)
    position = {old: new for new, old in enumerate(order)}
    moved: list[Instruction] = []
    for old in order:
        op, args, value = instructions[old]
        if op in OPERATIONS:
            args = tuple(position[a] for a in args)
        moved.append(Instruction(op, args, value))
    return Program(
        input_sizes,
        tuple(moved),
        tuple(tuple(None if k is None else position[k] for k in entries) for entries in outputs),
    )


def _order(
    instructions: Sequence[Instruction], operands: Sequence[tuple[int, ...]], roots: Sequence[int]
) -> list[int]:
    """Few values alive in a large program; in a small one also few instructions that wait."""
    order = depth_first(operands, roots)
    if sum(instructions[k].op in OPERATIONS for k in order) > SEARCHED:
        return order
    walked = depth_first(operands, [*_early(instructions, order), *roots])
    woven = overlapped(operands, roots, [_timing(i.op) for i in instructions], _REGISTERS)
    in_registers = [tuple(a for a in args if instructions[a].op != "constant") for args in operands]
    fewest = spills(in_registers, walked, _REGISTERS)
    return woven if spills(in_registers, woven, _REGISTERS) <= _OVERLAP_WORTH * fewest else walked


def _early(instructions: Sequence[Instruction], order: Sequence[int]) -> list[int]:
    """Functions such as sines of little more than inputs, by argument: they are best done first.

    Where they are copied or called, they take most registers for themselves.
    """
    near: dict[int, int] = {}  # operations between inputs and a value without functions
    early: list[int] = []
    for k in order:
        op, args, _ = instructions[k]
        if op not in OPERATIONS:
            near[k] = 0
        elif all(a in near for a in args):
            if _is_function(op):
                early.append(k)
            elif (steps := 1 + max(near[a] for a in args)) <= 3:
                near[k] = steps
    return sorted(early, key=lambda k: (instructions[k].args, k))


def _timing(op: str) -> Timing:
    if op == "constant":
        return Timing(0, 0)
    if op == "input":
        return Timing(10, 4)
    if _is_function(op):
        return Timing(60, OPERATIONS[op][1])
    return Timing(14, 8) if op in _SLOW else Timing(4, 1)


def _is_function(op: str) -> bool:
    return OPERATIONS[op][1] >= 20


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


class _Reader:
    """Collects instructions, each distinct one once."""

    def __init__(self) -> None:
        self.instructions: list[Instruction] = []
        self._known: dict[Any, int] = {}

    def add(self, op: str, args: tuple[int, ...]) -> int:
        if op in _COMMUTATIVE and args[0] > args[1]:
            args = (args[1], args[0])
        return self._once((op, args), Instruction(op, args))

    def constant(self, value: float) -> int:
        # 0.0 and -0.0 are equal keys but different constants; so is nan unequal to itself.
        key = ("constant", "nan" if math.isnan(value) else value.hex())
        return self._once(key, Instruction("constant", (), value))

    def _once(self, key: Any, instruction: Instruction) -> int:
        index = self._known.get(key)
        if index is None:
            index = self._known[key] = len(self.instructions)
            self.instructions.append(instruction)
        return index


def _dense_positions(sparsity: ca.Sparsity) -> list[int]:
    """Position of each nonzero in the dense column-major vector."""
    rows, columns = sparsity.get_triplet()
    height: int = sparsity.size1()
    return [row + column * height for row, column in zip(rows, columns, strict=True)]


def _operations_by_code() -> dict[int, str]:
    named = [name for name in OPERATIONS if name != "select"]
    table = {int(getattr(ca, f"OP_{name.upper()}")): name for name in named}
    table[int(ca.OP_CONSTPOW)] = "pow"
    return table


def _operation_name(code: int) -> str:
    names = (n for n in dir(ca) if n.startswith("OP_") and getattr(ca, n) == code)
    return next(names, f"OP {code}")[3:].lower()
