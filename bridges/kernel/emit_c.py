"""`Program` -> C text: functions that compute a block of samples, one vector per value.

The text uses the vector types of GCC and Clang and no intrinsics, so it builds on any processor.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from bridges.kernel.driver import driver_text, types_text
from bridges.kernel.parts import PART_WEIGHT, Layout, Part, Store, lay_out
from bridges.kernel.program import Program
from bridges.kernel.target import Target
from bridges.kernel.transpose import split_columns, suffix, transpose_text
from bridges.kernel.vector_math import math_text

# Operators, over operands of which at least one is a vector.
OPERATORS = {
    "add": "{0} + {1}",
    "sub": "{0} - {1}",
    "mul": "{0} * {1}",
    "div": "{0} / {1}",
    "neg": "-{0}",
    "inv": "R(1) / {0}",
    "sq": "{0} * {0}",
    "twice": "{0} + {0}",
}
# Operations whose result is a mask: all bits set where true.
COMPARISONS = {"lt": "<", "le": "<=", "eq": "==", "ne": "!="}
_LOGIC = {"not": "~{0}", "and": "{0} & {1}", "or": "{0} | {1}"}


def emit_c(program: Program, target: Target, weight: int = PART_WEIGHT) -> str:
    """C text of the program: types, the functions it needs, the block function, the driver.

    weight: of the parts of the block function (see `parts`).
    """
    block = emit_block(program, target, weight=weight)
    sizes = f"{list(program.input_sizes)} -> {list(program.output_sizes)}"
    return "\n".join(
        [
            f"/* robograd kernel: {sizes}, {program.n_ops} operations, {target.dtype}. */",
            emit_preamble(block.called, target),
            block.text,
            driver_text(program, block.n_slots),
        ]
    )


class Block(NamedTuple):
    """C text of a block function, the math functions it calls, vectors in its workspace."""

    text: str
    called: frozenset[str]
    n_slots: int


def emit_preamble(called: Iterable[str], target: Target) -> str:
    """C text of types, math functions and transpositions that block functions build on."""
    return "\n".join([types_text(target), math_text(sorted(called)), transpose_text(target)])


def emit_block(
    program: Program, target: Target, name: str = "block", *, weight: int = PART_WEIGHT
) -> Block:
    """C text of the function `name(x0, ..., y0, ..., w)` that computes one block of samples.

    weight: of the parts that it is cut into (see `parts`).
    """
    layout = lay_out(program, list(_stores(program, target)), weight)
    called: set[str] = set()
    single = len(layout.parts) == 1
    functions: list[str] = []
    for number, part in enumerate(layout.parts):
        writer = _PartWriter(program, target, layout, part)
        body = writer.body()
        called |= writer.called
        comment = _BLOCK_COMMENT if single else f"/* Part {number} of the block. */"
        title = name if single else f"{name}_part_{number}"
        functions.append("\n".join([comment, _signature(program, title), "{", *body, "}", ""]))
    if not single:
        functions.append(_sequence(program, len(layout.parts), name))
    return Block("\n".join(functions), frozenset(called), layout.n_slots)


_BLOCK_COMMENT = (
    "/* One block: LANES samples, rows of each input and output one after the other; w is the\n"
    "   workspace. */"
)


def _signature(program: Program, name: str) -> str:
    inputs = [f"const real *restrict x{i}" for i in range(len(program.input_sizes))]
    outputs = [f"real *restrict y{o}" for o in range(len(program.outputs))]
    return f"static NOINLINE void {name}({', '.join([*inputs, *outputs, 'vec *restrict w'])})"


def _sequence(program: Program, n_parts: int, name: str) -> str:
    """The block function of a program in several parts."""
    inputs = [f"x{i}" for i in range(len(program.input_sizes))]
    outputs = [f"y{o}" for o in range(len(program.outputs))]
    arguments = ", ".join([*inputs, *outputs, "w"])
    calls = [f"    {name}_part_{number}({arguments});" for number in range(n_parts)]
    return "\n".join([_BLOCK_COMMENT, _signature(program, name), "{", *calls, "}", ""])


def _stores(program: Program, target: Target) -> Iterator[Store]:
    for o, entries in enumerate(program.outputs):
        for first, width in split_columns(len(entries), target):
            yield Store(o, first, entries[first : first + width])


class _PartWriter:
    """Writes the statements of one part, and notes which functions they call."""

    def __init__(self, program: Program, target: Target, layout: Layout, part: Part) -> None:
        self.called: set[str] = set()
        self._program = program
        self._target = target
        self._layout = layout
        self._part = part
        self._lines: list[str] = []
        self._known: set[int] = set()
        self._loaded: set[tuple[int, int]] = set()

    def body(self) -> list[str]:
        """The statements, each with its indentation."""
        self._store_ready(-1)
        for k in range(self._part.begin, self._part.end):
            self._instruction(k)
            self._store_ready(k)
        return [f"    {line}" for line in self._lines]

    def _instruction(self, k: int) -> None:
        op, args, _ = self._program.instructions[k]
        if op in ("constant", "input") or self._layout.made_at(k) != k:
            return
        if k in self._layout.pairs:
            self._sincos(k)
        elif op in COMPARISONS:
            a, b = self._operands(args)
            self._define_mask(k, f"(ivec)({a} {COMPARISONS[op]} {b})")
        elif op in _LOGIC:
            self._define_mask(k, _LOGIC[op].format(*map(self._mask, args)))
        elif op == "if_else_zero":
            self._define(k, f"when({self._mask(args[0])}, {self._vector(args[1])})")
        elif op in OPERATORS:
            self._define(k, OPERATORS[op].format(*self._operands(args)))
        else:
            self.called.add(op)
            self._define(k, f"v_{op}({', '.join(map(self._vector, args))})")

    def _sincos(self, k: int) -> None:
        sine, cosine = self._layout.pairs[k]
        self.called.add("sincos")
        argument = self._vector(self._program.instructions[k].args[0])
        self._lines.append(f"vec v{sine}, v{cosine};")
        self._lines.append(f"v_sincos({argument}, &v{sine}, &v{cosine});")
        for value in (sine, cosine):
            self._made(value, f"v{value}")

    def _define(self, k: int, text: str) -> None:
        self._lines.append(f"const vec v{k} = {text};")
        self._made(k, f"v{k}")

    def _define_mask(self, k: int, text: str) -> None:
        self._lines.append(f"const ivec m{k} = {text};")
        self._made(k, f"(vec)m{k}")

    def _made(self, k: int, text: str) -> None:
        """Notes that a value exists, and keeps it if a later part needs it."""
        self._known.add(k)
        if k in self._part.exports:
            self._lines.append(f"w[{self._part.exports[k]}] = {text};")

    def _bring(self, k: int) -> None:
        """Makes sure that a value is at hand: loads inputs, and values of earlier parts."""
        op, args, _ = self._program.instructions[k]
        if op == "input":
            self._load(*args)
        elif op != "constant" and k not in self._known:
            slot = f"w[{self._part.imports[k]}]"
            if self._is_mask(k):
                self._lines.append(f"const ivec m{k} = (ivec){slot};")
            else:
                self._lines.append(f"const vec v{k} = {slot};")
            self._known.add(k)

    def _load(self, i: int, entry: int) -> None:
        if (i, entry) in self._loaded:
            return
        n = self._program.input_sizes[i]
        chunks = split_columns(n, self._target)
        first, width = next(c for c in chunks if c[0] <= entry < c[0] + c[1])
        names = [
            f"x{i}_{j}" if (i, j) not in self._loaded else f"again{i}_{j}"
            for j in range(first, first + width)
        ]
        self._loaded.update((i, j) for j in range(first, first + width))
        pointers = ", ".join(f"&{name}" for name in names)
        self._lines.append(f"vec {', '.join(names)};")
        self._lines.append(f"load_{suffix(width, n)}(x{i} + {first}, {n}, {pointers});")

    def _store_ready(self, position: int) -> None:
        for store in self._part.stores.get(position, ()):
            values = ["splat(0)" if k is None else self._vector(k) for k in store.values]
            width, n = len(values), len(self._program.outputs[store.output])
            target = f"y{store.output} + {store.first}"
            self._lines.append(f"store_{suffix(width, n)}({target}, {n}, {', '.join(values)});")

    def _is_mask(self, k: int) -> bool:
        op = self._program.instructions[k].op
        return op in COMPARISONS or op in _LOGIC

    def _mask(self, k: int) -> str:
        """A value as a mask: comparisons are masks already."""
        if self._is_mask(k):
            self._bring(k)
            return f"m{k}"
        return f"(ivec)({self._vector(k)} != R(0))"

    def _operands(self, args: tuple[int, ...]) -> list[str]:
        """Operands of an operator: constants stay scalars beside a vector."""
        if all(self._program.instructions[a].op == "constant" for a in args):
            return [self._vector(a) for a in args]
        return [self._name(a) for a in args]

    def _vector(self, k: int) -> str:
        name = self._name(k)
        return f"splat({name})" if self._program.instructions[k].op == "constant" else name

    def _name(self, k: int) -> str:
        op, args, value = self._program.instructions[k]
        self._bring(k)
        if op == "constant":
            return self._target.literal(value)
        if op == "input":
            return f"x{args[0]}_{args[1]}"
        return f"truth(m{k})" if self._is_mask(k) else f"v{k}"
