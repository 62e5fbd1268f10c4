"""`Program` -> C text: functions that compute a block of samples, one vector per value.

The text uses the vector types of GCC and Clang and no intrinsics, so it builds on any processor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import NamedTuple, TypeAlias

from bridges.native.driver import driver_text, facts_text, types_text
from bridges.native.effort import Effort, effort_for
from bridges.native.emit_loop import Function, loop_function, signature
from bridges.native.parts import Layout, Part, Store, lay_out
from bridges.native.program import FIXED, Program
from bridges.native.sweeps import find_sweeps
from bridges.native.tables import table_arguments, tables_text
from bridges.native.target import Target
from bridges.native.transpose import split_columns, suffix, transpose_text
from bridges.native.vector_math import math_text

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


def emit_c(program: Program, target: Target, weight: int | None = None) -> str:
    """C text of the program, complete: the kernel's own and the driver.

    weight: of the parts of the block function (see `parts`); None: by the program's size.
    """
    block = emit_block(program, target, weight=weight, most_blocks=2)
    sizes = f"{list(program.input_sizes)} -> {list(program.output_sizes)}"
    title = f"/* robograd kernel: {sizes}, {program.n_ops} operations, {target.dtype}. */"
    return "\n".join([title, emit_kernel(program, block, target), driver_text()])


def emit_kernel(program: Program, block: Block, target: Target) -> str:
    """C text of a program with its block function: all that a library needs but the driver."""
    return "\n".join(
        [
            emit_preamble(block.called, target, effort_for(program)),
            tables_text([program], target.dtype),
            block.text,
            facts_text(program, block.n_slots, block.n_blocks),
        ]
    )


# Several blocks go through the parts of a program together where their data are small beside the
# instructions that need not be fetched again: so many operations at least for every number that
# parts leave or give as a result, and so many bytes of workspace at most.
_OPERATIONS_A_NUMBER = 12
_NEAR_BYTES = 96 * 1024


class Block(NamedTuple):
    """A block function after those that it calls, and vectors in the workspace of a block.

    called: the math functions that they call.
    n_blocks: how many blocks it computes at most; with one, it takes no number of them.
    """

    functions: tuple[Function, ...]
    called: frozenset[str]
    n_slots: int
    n_blocks: int

    @property
    def text(self) -> str:
        """C text of all functions."""
        return "\n".join(function.text for function in self.functions)


def emit_preamble(called: Iterable[str], target: Target, effort: Effort | None = None) -> str:
    """C text of types, math functions and transpositions that block functions build on.

    effort: says which functions are called, not copied; None: all are copied.
    """
    types = types_text(target, effort)
    return "\n".join([types, math_text(sorted(called)), transpose_text(target)])


def emit_block(
    program: Program,
    target: Target,
    name: str = "block",
    *,
    weight: int | None = None,
    effort: Effort | None = None,
    most_blocks: int = 1,
    vectors: bool = False,
) -> Block:
    """C text of the function `name(x, y, w)` that computes one block of samples.

    x, y: arrays of the pointers to every input and output; w: the workspace.
    most_blocks: `name(x, y, w, blocks)` that computes up to so many instead, where the
    program has several parts: each part then runs for every block before the next part does, so
    that its instructions are fetched once. They do not fit into the processor's first cache.

    effort: that of the whole library, as for `emit_preamble`; None: that of this program.
    weight: of the parts that it is cut into (see `parts`); None: by the program's size.
    vectors: whether inputs and outputs are a vector an entry, as in a loop, and not rows.
    """
    effort = effort or effort_for(program)
    bodies = [
        emit_block(loop.body, target, f"{name}_body_{i}", effort=effort, vectors=True)
        for i, loop in enumerate(program.loops)
    ]
    split = _by_entry if vectors else partial(split_columns, target=target)
    chunks = _chunks(program, split)
    sweeps, stores = find_sweeps(program, chunks, _stores(program, split))
    layout = lay_out(
        program,
        stores,
        effort.part_weight if weight is None else weight,
        copies_functions=not effort.shares_functions,
        loads=_loads(program, chunks, sweeps.skipped),
        body_slots=[body.n_slots for body in bodies],
        swept=sweeps.loaded,
    )
    called: set[str] = {name for body in bodies for name in body.called}
    single = len(layout.parts) == 1
    data = layout.n_slots + sum(program.output_sizes)
    gains = (
        _OPERATIONS_A_NUMBER * data <= program.n_ops
        and most_blocks * layout.n_slots * target.vector_bytes <= _NEAR_BYTES
    )
    n_blocks = most_blocks if gains and not single else 1
    functions = [function for body in bodies for function in body.functions]
    number_type = "vec" if vectors else "real"
    for number, part in enumerate(layout.parts):
        if part.loop is not None:
            loop = loop_function(program, layout, part.loop, target, name, number, vectors, sweeps)
            functions.append(loop)
            continue
        writer = _PartWriter(program, chunks, target, layout, part, vectors, sweeps.skipped)
        body = writer.body()
        called |= writer.called
        comment = _BLOCK_COMMENT if single else f"/* Part {number} of the block. */"
        title = name if single else f"{name}_part_{number}"
        lines = [*writer.pointers(), *body]
        head = signature(title, number_type)
        functions.append(Function(head, "\n".join([comment, head, "{", *lines, "}", ""])))
    if not single:
        functions.append(_sequence(program, layout, name, n_blocks, number_type))
    return Block(tuple(functions), frozenset(called), layout.n_slots, n_blocks)


_BLOCK_COMMENT = (
    "/* LANES samples a block, rows of each input and output one after the other; w is the\n"
    "   workspace. */"
)


def _sequence(
    program: Program, layout: Layout, name: str, n_blocks: int, number_type: str
) -> Function:
    """The block function of a program in several parts."""
    parts = [f"{name}_part_{number}" for number in range(len(layout.parts))]
    calls = tuple(signature(part, number_type) for part in parts)
    if n_blocks == 1:
        lines = [f"    {part}(x, y, w);" for part in parts]
        head = signature(name, number_type)
        return Function(head, "\n".join([_BLOCK_COMMENT, head, "{", *lines, "}", ""]), calls)
    moves = [f"p[b][{i}] = x[{i}] + b * LANES * {n};" for i, n in enumerate(program.input_sizes)]
    moves += [f"q[b][{o}] = y[{o}] + b * LANES * {n};" for o, n in enumerate(program.output_sizes)]
    every = "    for (int b = 0; b < blocks; b++)"
    lines = [
        f"    const real *p[{n_blocks}][{len(program.input_sizes) + 1}];",
        f"    real *q[{n_blocks}][{len(program.output_sizes) + 1}];",
        every + " {",
        *(f"        {move}" for move in moves),
        "    }",
    ]
    for part in parts:
        lines += [every, f"        {part}(p[b], q[b], w + b * {layout.n_slots});"]
    head = signature(name, more=", int blocks")
    return Function(head, "\n".join([_BLOCK_COMMENT, head, "{", *lines, "}", ""]), calls)


Split: TypeAlias = "Callable[[int], Iterable[tuple[int, int]]]"
"""First columns and widths of what is moved at once, of so many columns."""


def _by_entry(count: int) -> list[tuple[int, int]]:
    return [(j, 1) for j in range(count)]


def _stores(program: Program, split: Split) -> Iterator[Store]:
    for o, entries in enumerate(program.outputs):
        for first, width in split(len(entries)):
            yield Store(o, first, entries[first : first + width])


_Chunks = list[list[tuple[int, int]]]


def _chunks(program: Program, split: Split) -> _Chunks:
    """First column and width of the `load_w` that brings an entry, by input and entry."""
    table: _Chunks = []
    for size in program.input_sizes:
        by_entry: list[tuple[int, int]] = []
        for first, width in split(size):
            by_entry.extend([(first, width)] * (first + width - len(by_entry)))
        table.append(by_entry)
    return table


def _loads(program: Program, chunks: _Chunks, skipped: set[int]) -> Iterator[tuple[int, ...]]:
    """Positions of the inputs that one `load_w` brings."""
    groups: dict[tuple[int, int], list[int]] = {}
    for k, (op, args, _) in enumerate(program.instructions):
        if op == "input" and k not in skipped:
            i, entry = args
            groups.setdefault((i, chunks[i][entry][0]), []).append(k)
    yield from map(tuple, groups.values())


class _PartWriter:
    """Writes the statements of one part, and notes which functions they call."""

    def __init__(  # noqa: PLR0917
        self,
        program: Program,
        chunks: _Chunks,
        target: Target,
        layout: Layout,
        part: Part,
        vectors: bool,
        skipped: set[int],
    ) -> None:
        self.called: set[str] = set()
        self._skipped = skipped
        self._vectors = vectors
        self._program = program
        self._chunks = chunks
        self._target = target
        self._layout = layout
        self._part = part
        self._lines: list[str] = []
        self._known: set[int] = set()
        self._inputs: set[int] = set()
        self._outputs: set[int] = set()

    def body(self) -> list[str]:
        """The statements, each with its indentation."""
        self._store_ready(-1)
        for k in range(self._part.begin, self._part.end):
            self._instruction(k)
            self._store_ready(k)
        return [f"    {line}" for line in self._lines]

    def pointers(self) -> list[str]:
        """Declarations of the inputs and outputs that the statements name, from arrays of them."""
        kind = "vec" if self._vectors else "real"
        inputs = [f"    const {kind} *restrict const x{i} = x[{i}];" for i in sorted(self._inputs)]
        outputs = [f"    {kind} *restrict const y{o} = y[{o}];" for o in sorted(self._outputs)]
        return [*inputs, *outputs]

    def _instruction(self, k: int) -> None:
        op, args, _ = self._program.instructions[k]
        if op in FIXED or op == "result" or self._layout.made_at(k) != k:
            return
        if op == "input":
            if k not in self._skipped:
                self._load(self._layout.loads[k])
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
        elif op == "select":
            chosen = ", ".join(map(self._vector, args[1:]))
            self._define(k, f"choose({self._mask(args[0])}, {chosen})")
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
        for slot in self._layout.feeds.get(k, ()):
            self._lines.append(f"w[{slot}] = {self._vector(k)};")

    def _bring(self, k: int) -> None:
        """Makes sure that a value is at hand: loads inputs, and values of earlier parts."""
        op, args, _ = self._program.instructions[k]
        if op in FIXED or k in self._known:
            return
        slot = f"w[{self._part.imports[k]}]"
        if self._is_mask(k):
            self._lines.append(f"const ivec m{k} = (ivec){slot};")
        else:
            name = f"x{args[0]}_{args[1]}" if op == "input" else f"v{k}"
            self._lines.append(f"const vec {name} = {slot};")
        self._known.add(k)

    def _load(self, positions: Sequence[int]) -> None:
        """Loads the columns with the inputs at these positions."""
        i, entry = self._program.instructions[positions[0]].args
        self._inputs.add(i)
        n = self._program.input_sizes[i]
        first, width = self._chunks[i][entry]
        if self._vectors:
            self._lines.append(f"const vec x{i}_{entry} = x{i}[{entry}];")
            self._made(positions[0], f"x{i}_{entry}")
            return
        names = [
            f"x{i}_{j}" if self._chunks[i][j] == (first, width) else f"again{i}_{j}"
            for j in range(first, first + width)
        ]
        pointers = ", ".join(f"&{name}" for name in names)
        self._lines.append(f"vec {', '.join(names)};")
        self._lines.append(f"load_{suffix(width, n)}(x{i} + {first}, {n}, {pointers});")
        for k in positions:
            self._made(k, f"x{i}_{self._program.instructions[k].args[1]}")

    def _store_ready(self, position: int) -> None:
        for store in self._part.stores.get(position, ()):
            self._outputs.add(store.output)
            values = ["splat(0)" if k is None else self._vector(k) for k in store.values]
            width, n = len(values), len(self._program.outputs[store.output])
            if self._vectors:
                self._lines.append(f"y{store.output}[{store.first}] = {values[0]};")
                continue
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
        if op == "table":
            return table_arguments(value)
        if op == "input":
            return f"x{args[0]}_{args[1]}"
        return f"truth(m{k})" if self._is_mask(k) else f"v{k}"
