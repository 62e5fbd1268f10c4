"""`Program`: straight-line scalar instructions in a good order, what the emitters read.

instructions with operands before their readers -> `schedule_program` -> `Program` -> C or CUDA text

Every instruction has a name of its own (static single assignment); what no output needs is gone,
and the order keeps few values alive at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from bridges.native.schedule import Timing, depth_first, overlapped, spills

# Arity and arithmetic weight (flops, transcendental functions by their usual polynomial length)
# of every operation, by the name that the emitters use.
_BY_WEIGHT = {
    (1, 1): "neg inv sq twice sqrt fabs floor ceil not",
    (2, 1): "add sub mul div fmin fmax lt le eq ne and or if_else_zero copysign",
    (3, 1): "select",
    (1, 2): "sign",
    (2, 5): "hypot lookup",
    (1, 20): "sin cos exp log",
    (2, 20): "fmod remainder",
    (1, 25): "sinh cosh tanh expm1 log1p",
    (1, 30): "tan asin acos atan atanh",
    (1, 35): "asinh acosh",
    (2, 35): "atan2",
    (1, 40): "erf",
    (2, 50): "pow",
    (1, 60): "erfinv",
}
OPERATIONS = {name: kind for kind, names in _BY_WEIGHT.items() for name in names.split()}

FIXED = frozenset({"constant", "table"})
LEAVES = FIXED | {"input"}
"""Instructions without operands, which compute nothing; those of `FIXED` take no register."""

# Operations up to which a program's order is worth a search. Larger ones wait for values in memory
# more than for each other.
SEARCHED = 1_250
# Vector registers that a block function has for values, and what part more of the values may go
# through memory for the sake of instructions that do not wait for each other.
_REGISTERS = 30
_OVERLAP_WORTH = 1.25
_SLOW = {"div", "inv", "sqrt"}


class Instruction(NamedTuple):
    """`value[k] = op(value[args[0]], ...)`, where `k` is the position in the program.

    `op` is a key of `OPERATIONS`, or "constant" (with `value`), or "input": entry `args[1]` of
    input `args[0]`. The first operand of "lookup", and of nothing else, is a "table" (with
    `value`). "loop" is number `value` of the program's loops with its operands, "result" entry
    `args[1]` of what the loop at `args[0]` gives.
    """

    op: str
    args: tuple[int, ...] = ()
    value: Any = 0.0  # a number or a Table

    @property
    def operands(self) -> tuple[int, ...]:
        """The instructions whose values it reads."""
        if self.op in OPERATIONS or self.op == "loop":
            return self.args
        return self.args[:1] if self.op == "result" else ()


CARRY, ROW, HELD = "carry", "row", "held"
"""What an input of the body is."""


@dataclass(frozen=True)
class Program:
    """A straight-line scalar program: `instructions` in order, then the outputs.

    `outputs[o][j]` is the position of the instruction that gives entry `j` of output `o`, or None
    where the output is structurally zero.
    """

    input_sizes: tuple[int, ...]
    instructions: tuple[Instruction, ...]
    outputs: tuple[tuple[int | None, ...], ...]
    loops: tuple[Loop, ...] = ()

    @property
    def output_sizes(self) -> tuple[int, ...]:
        """Length of each output, structural zeros included."""
        return tuple(len(entries) for entries in self.outputs)

    @property
    def n_ops(self) -> int:
        """How many operations run per sample (inputs and constants are not operations)."""
        return self._own_ops + sum(loop.length * loop.body.n_ops for loop in self.loops)

    @property
    def text_ops(self) -> int:
        """How many operations are written down: those of loops once."""
        return self._own_ops + sum(loop.body.text_ops for loop in self.loops)

    @property
    def longest(self) -> int:
        """Operations of the longest straight line: those of the program itself, or of a body."""
        return max([self._own_ops, *(loop.body.longest for loop in self.loops)])

    @property
    def all_instructions(self) -> Iterator[Instruction]:
        """Those of loops' bodies, too."""
        yield from self.instructions
        for loop in self.loops:
            yield from loop.body.all_instructions

    @property
    def _own_ops(self) -> int:
        return sum(i.op in OPERATIONS for i in self.instructions)

    @property
    def flops(self) -> int:
        """Floating point operations per sample, each transcendental weighed by its polynomial."""
        own = sum(OPERATIONS[i.op][1] for i in self.instructions if i.op in OPERATIONS)
        return own + sum(loop.length * loop.body.flops for loop in self.loops)


@dataclass(frozen=True)
class Loop:
    """A program that runs a known number of times inside of another one.

        carry, rows, held -> next carry, row of the result

    Its results are the last carry, then all rows. The body's inputs are as `roles` says, one of
    them the carry. Its outputs are the next carry and the result's row; or the one that is both.

    Attributes:
        length: how often it runs, 1 or more.
        backwards: whether the last row is the first.
        until: an entry of the carry: where it is 1 in all samples, later steps change nothing.
    """

    body: Program
    roles: tuple[str, ...]
    length: int
    backwards: bool
    until: int | None = None

    @property
    def carried(self) -> int:
        """Which input the carry is."""
        return self.roles.index(CARRY)

    @property
    def keeps(self) -> bool:
        """Whether the result's row is the next carry."""
        return len(self.body.outputs) == 1

    @property
    def size(self) -> int:
        """Entries of the carry."""
        return len(self.body.outputs[0])

    @property
    def size_row(self) -> int:
        """Entries of the result's row."""
        return len(self.body.outputs[-1])

    @property
    def starts(self) -> tuple[int, ...]:
        """Where among the operands each input's begin, and how many there are."""
        starts = [0]
        for size, role in zip(self.body.input_sizes, self.roles, strict=True):
            starts.append(starts[-1] + size * (self.length if role == ROW else 1))
        return tuple(starts)

    @property
    def n_results(self) -> int:
        """The last carry and all rows."""
        return self.size + self.length * self.size_row

    @property
    def order(self) -> range:
        """The rows in the order in which they are read."""
        times = range(self.length)
        return times[::-1] if self.backwards else times


def schedule_program(
    input_sizes: tuple[int, ...],
    instructions: Sequence[Instruction],
    outputs: Sequence[Sequence[int | None]],
    loops: Sequence[Loop] = (),
) -> Program:
    """The program with dead instructions removed and the others ordered for short live ranges."""
    operands = [instruction.operands for instruction in instructions]
    roots = [k for entries in outputs for k in entries if k is not None]
    order = _order(instructions, operands, roots)
    position = [0] * len(instructions)
    for new, old in enumerate(order):
        position[old] = new
    moved: list[Instruction] = []
    for old in order:
        instruction = instructions[old]
        args = operands[old]
        if args:
            new = tuple([position[a] for a in args])
            instruction = instruction._replace(args=(*new, *instruction.args[len(new) :]))
        moved.append(instruction)
    return Program(
        input_sizes,
        tuple(moved),
        tuple(tuple([None if k is None else position[k] for k in ks]) for ks in outputs),
        tuple(loops),
    )


def _order(
    instructions: Sequence[Instruction], operands: Sequence[tuple[int, ...]], roots: Sequence[int]
) -> list[int]:
    """Few values alive in a large program; in a small one also few instructions that wait."""
    order = depth_first(operands, roots)
    looping = any(instructions[k].op == "loop" for k in order)
    if looping or sum(instructions[k].op in OPERATIONS for k in order) > SEARCHED:
        return order
    walked = depth_first(operands, [*_early(instructions, order), *roots])
    woven = overlapped(operands, roots, [_timing(i.op) for i in instructions], _REGISTERS)
    in_registers = [tuple(a for a in args if instructions[a].op not in FIXED) for args in operands]
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
    if op in FIXED:
        return Timing(0, 0)
    if op == "input":
        return Timing(10, 4)
    if _is_function(op):
        return Timing(60, OPERATIONS[op][1])
    return Timing(14, 8) if op in _SLOW else Timing(4, 1)


def _is_function(op: str) -> bool:
    return OPERATIONS[op][1] >= 20
