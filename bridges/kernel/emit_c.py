"""`Program` -> C text: one function that computes a block of samples, one vector per value.

The text uses the vector types of GCC and Clang and no intrinsics, so it builds on any processor.
"""

from __future__ import annotations

from collections.abc import Iterator

from bridges.kernel.driver import driver_text, types_text
from bridges.kernel.program import OPERATIONS, Program
from bridges.kernel.target import Target
from bridges.kernel.transpose import split_columns, transpose_text
from bridges.kernel.vector_math import math_text

# Operators, over operands of which at least one is a vector.
_OPERATORS = {
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
_COMPARISONS = {"lt": "<", "le": "<=", "eq": "==", "ne": "!="}
_COMMENT = "/* One block: LANES samples, rows of each input and output one after the other. */"
_LOGIC = {"not": "~{0}", "and": "{0} & {1}", "or": "{0} | {1}"}


def emit_c(program: Program, target: Target) -> str:
    """C text of the program: types, the functions it needs, the block function, the driver."""
    block = _Block(program, target)
    body = block.body()
    sizes = f"{list(program.input_sizes)} -> {list(program.output_sizes)}"
    parts = [
        f"/* robograd kernel: {sizes}, {program.n_ops} operations, {target.dtype}. */",
        types_text(target),
        math_text(block.functions),
        transpose_text(target),
        _signature(program),
        "{",
        *body,
        "}",
        "",
        driver_text(program),
    ]
    return "\n".join(parts)


def _signature(program: Program) -> str:
    inputs = [f"const real *restrict x{i}" for i in range(len(program.input_sizes))]
    outputs = [f"real *restrict y{o}" for o in range(len(program.outputs))]
    arguments = ", ".join([*inputs, *outputs]) or "void"
    return f"{_COMMENT}\nstatic NOINLINE void block({arguments})"


class _Block:
    """Writes the statements of the block function, and notes which functions they call."""

    def __init__(self, program: Program, target: Target) -> None:
        self.program = program
        self.target = target
        self.functions: dict[str, None] = {}
        self._lines: list[str] = []
        self._loaded: set[tuple[int, int]] = set()
        self._paired = self._find_pairs()
        self._masked: set[int] = set()
        self._as_value = self._find_value_uses()

    def body(self) -> list[str]:
        """The statements, each with its indentation."""
        stores = self._stores_by_position()
        for line in stores.get(-1, ()):
            self._lines.append(line)
        for k in range(len(self.program.instructions)):
            self._instruction(k)
            self._lines.extend(stores.get(k, ()))
        return [f"    {line}" for line in self._lines]

    def _find_pairs(self) -> dict[int, tuple[int, int]]:
        """Positions of `sin a` and `cos a` that share `a`, under both positions."""
        sines: dict[int, int] = {}
        cosines: dict[int, int] = {}
        for k, instruction in enumerate(self.program.instructions):
            if instruction.op == "sin":
                sines[instruction.args[0]] = k
            elif instruction.op == "cos":
                cosines[instruction.args[0]] = k
        pairs = {a: (k, cosines[a]) for a, k in sines.items() if a in cosines}
        return {k: pair for pair in pairs.values() for k in pair}

    def _find_value_uses(self) -> set[int]:
        """Masks that are read as numbers 0 and 1 as well."""
        uses = {k for entries in self.program.outputs for k in entries if k is not None}
        for op, args, _ in self.program.instructions:
            if op in OPERATIONS and op not in _LOGIC:
                uses.update(args[1:] if op == "if_else_zero" else args)
        return uses

    def _instruction(self, k: int) -> None:
        op, args, _ = self.program.instructions[k]
        if op == "constant":
            return
        if op == "input":
            self._load(*args)
        elif k in self._paired:
            self._sincos(k)
        elif op in _COMPARISONS or op in _LOGIC:
            self._mask(k)
        elif op == "if_else_zero":
            self._call("when")
            self._define(k, f"when({self._mask_of(args[0])}, {self._vector(args[1])})")
        elif op in _OPERATORS:
            self._define(k, _OPERATORS[op].format(*self._operands(args)))
        else:
            self._call(op)
            self._define(k, f"v_{op}({', '.join(map(self._vector, args))})")

    def _load(self, i: int, entry: int) -> None:
        if (i, entry) in self._loaded:
            return
        n = self.program.input_sizes[i]
        chunks = split_columns(n, self.target)
        first, width = next(c for c in chunks if c[0] <= entry < c[0] + c[1])
        names = [
            f"x{i}_{j}" if (i, j) not in self._loaded else f"again{i}_{j}"
            for j in range(first, first + width)
        ]
        self._loaded.update((i, j) for j in range(first, first + width))
        pointers = ", ".join(f"&{name}" for name in names)
        self._lines.append(f"vec {', '.join(names)};")
        self._lines.append(f"load_{width}(x{i} + {first}, {n}, {pointers});")

    def _sincos(self, k: int) -> None:
        sine, cosine = self._paired[k]
        if k != min(sine, cosine):
            return
        self._call("sincos")
        argument = self._vector(self.program.instructions[k].args[0])
        self._lines.append(f"vec v{sine}, v{cosine};")
        self._lines.append(f"v_sincos({argument}, &v{sine}, &v{cosine});")

    def _mask(self, k: int) -> None:
        op, args, _ = self.program.instructions[k]
        if op in _COMPARISONS:
            a, b = self._operands(args)
            text = f"(ivec)({a} {_COMPARISONS[op]} {b})"
        else:
            text = _LOGIC[op].format(*map(self._mask_of, args))
        self._lines.append(f"const ivec m{k} = {text};")
        self._masked.add(k)
        if k in self._as_value:
            self._call("truth")
            self._define(k, f"truth(m{k})")

    def _mask_of(self, k: int) -> str:
        if k in self._masked:
            return f"m{k}"
        return f"(ivec)({self._vector(k)} != R(0))"

    def _operands(self, args: tuple[int, ...]) -> list[str]:
        """Operands of an operator: constants stay scalars beside a vector."""
        if all(self.program.instructions[a].op == "constant" for a in args):
            return [self._vector(a) for a in args]
        return [self._name(a) for a in args]

    def _vector(self, k: int) -> str:
        name = self._name(k)
        if self.program.instructions[k].op == "constant":
            self._call("splat")
            return f"splat({name})"
        return name

    def _name(self, k: int) -> str:
        op, args, value = self.program.instructions[k]
        if op == "constant":
            return self.target.literal(value)
        if op == "input":
            return f"x{args[0]}_{args[1]}"
        return f"v{k}"

    def _define(self, k: int, text: str) -> None:
        self._lines.append(f"const vec v{k} = {text};")

    def _call(self, name: str) -> None:
        self.functions[name] = None

    def _stores_by_position(self) -> dict[int, list[str]]:
        """Store statements, under the position after which all their values exist."""
        stores: dict[int, list[str]] = {}
        for position, line in self._stores():
            stores.setdefault(position, []).append(line)
        return stores

    def _stores(self) -> Iterator[tuple[int, str]]:
        for o, entries in enumerate(self.program.outputs):
            for first, width in split_columns(len(entries), self.target):
                values = entries[first : first + width]
                names: list[str] = []
                for k in values:
                    if k is None:
                        self._call("splat")
                        names.append("splat(0)")
                    else:
                        names.append(self._vector(k))
                ready = max((self._ready(k) for k in values if k is not None), default=-1)
                text = f"store_{width}(y{o} + {first}, {len(entries)}, {', '.join(names)});"
                yield ready, text

    def _ready(self, k: int) -> int:
        """Position after which a value exists: a pair exists when its first one is computed."""
        return min(self._paired.get(k, (k,)))
