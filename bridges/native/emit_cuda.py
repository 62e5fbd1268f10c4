"""`Program` -> CUDA text: one thread computes one sample, over row-major inputs and outputs."""

from __future__ import annotations

from bridges.native.emit_c import COMPARISONS, OPERATORS
from bridges.native.parts import find_pairs
from bridges.native.program import OPERATIONS, Program
from bridges.native.target import DType, Target
from bridges.native.vector_math import c_text

_LOGIC = {"not": "!{0}", "and": "{0} && {1}", "or": "{0} || {1}"}
# Operations whose CUDA function has another name.
_NAMES = {"fmin": "smaller", "fmax": "larger", "sign": "sign_of"}


def emit_cuda(program: Program, dtype: DType) -> str:
    """CUDA C++ text with one entry, `robograd_kernel(samples, inputs..., outputs...)`.

    Input `i` is `(samples, n_i)`, row-major; so are the outputs. The grid may have any size:
    threads walk over the samples in steps of the grid.
    """
    sizes = f"{list(program.input_sizes)} -> {list(program.output_sizes)}"
    real = "double" if dtype == "float64" else "float"
    inputs = [f"const real *__restrict__ x{i}" for i in range(len(program.input_sizes))]
    outputs = [f"real *__restrict__ y{o}" for o in range(len(program.outputs))]
    parameters = ", ".join(["long long samples", *inputs, *outputs])
    body = _Body(program, Target(dtype, 64)).lines()
    return "\n".join(
        [
            f"/* robograd kernel: {sizes}, {program.n_ops} operations, {dtype}. */",
            f"typedef {real} real;",
            c_text("cuda.cuh"),
            f'extern "C" __global__ void robograd_kernel({parameters})',
            "{",
            "    const long long step = (long long)gridDim.x * blockDim.x;",
            "    long long k = (long long)blockIdx.x * blockDim.x + threadIdx.x;",
            "    for (; k < samples; k += step) {",
            *(f"        {line}" for line in body),
            "    }",
            "}",
            "",
        ]
    )


class _Body:
    """Writes the statements that compute sample `k`."""

    def __init__(self, program: Program, target: Target) -> None:
        self._program = program
        self._target = target
        self._pairs = find_pairs(program)

    def lines(self) -> list[str]:
        """The statements in order."""
        lines: list[str] = []
        for k, instruction in enumerate(self._program.instructions):
            lines.extend(self._instruction(k, instruction.op, instruction.args))
        for o, entries in enumerate(self._program.outputs):
            for j, value in enumerate(entries):
                text = "R(0)" if value is None else self._name(value)
                lines.append(f"y{o}[k * {len(entries)} + {j}] = {text};")
        return lines

    def _instruction(self, k: int, op: str, args: tuple[int, ...]) -> list[str]:
        if op == "constant":
            return []
        if op == "input":
            i, j = args
            return [f"const real x{i}_{j} = x{i}[k * {self._program.input_sizes[i]} + {j}];"]
        if k in self._pairs:
            sine, cosine = self._pairs[k]
            if k != min(sine, cosine):
                return []
            call = f"sincos_of({self._name(args[0])}, &v{sine}, &v{cosine});"
            return [f"real v{sine}, v{cosine};", call]
        names = [self._name(a) for a in args]
        if op in COMPARISONS:
            return [f"const bool m{k} = {names[0]} {COMPARISONS[op]} {names[1]};"]
        if op in _LOGIC:
            return [f"const bool m{k} = {_LOGIC[op].format(*map(self._mask, args))};"]
        if op == "if_else_zero":
            return [f"const real v{k} = when({self._mask(args[0])}, {names[1]});"]
        if op == "select":
            return [f"const real v{k} = {self._mask(args[0])} ? {names[1]} : {names[2]};"]
        if op in OPERATORS:
            return [f"const real v{k} = {OPERATORS[op].format(*names)};"]
        return [f"const real v{k} = {_NAMES.get(op, op)}({', '.join(names)});"]

    def _mask(self, k: int) -> str:
        op = self._program.instructions[k].op
        is_mask = op in COMPARISONS or op in _LOGIC
        return f"m{k}" if is_mask else f"({self._name(k)} != R(0))"

    def _name(self, k: int) -> str:
        op, args, value = self._program.instructions[k]
        if op == "constant":
            return self._target.literal(value)
        if op == "input":
            return f"x{args[0]}_{args[1]}"
        assert op in OPERATIONS
        return f"truth(m{k})" if op in COMPARISONS or op in _LOGIC else f"v{k}"
