"""Kernels for the trials: known ones, whose results are checked, and random ones, of any operation.

Neither needs torch or CasADi.
"""

from __future__ import annotations

import numpy as np
from numpy.testing import assert_allclose

import ad_core as ad
from ad_core.ops.tables import Table
from bridges.kernel import Kernel, ad_to_kernel
from bridges.kernel.file import LoadedSource
from bridges.kernel.signature import Signature
from bridges.native.program import OPERATIONS, Instruction, Program, schedule_program
from bridges.native.target import DType

X = np.linspace(-1.0, 1.0, 27).reshape(9, 3)  # nine rows: no multiple of the lanes
Y = np.arange(9.0)[:, None]
_CONSTANTS = [0.0, 1.0, -0.75, 3.0, 1e8, 1e-300, np.inf, np.nan]


def known_expression(factor: float) -> ad.Expression:
    """`factor x + y`, which compiles fast."""
    return ad.var("x", 3) * factor + ad.var("y", 1)


def known_kernel(factor: float) -> Kernel:
    """Its kernel, built or found in the cache."""
    return ad_to_kernel(known_expression(factor))


def check_known(kernel: Kernel, factor: float, native: bool = True) -> None:
    """Raises AssertionError where the kernel is not the known one, or not compiled."""
    assert_allclose(kernel(X, Y), factor * X + Y, rtol=1e-14, atol=1e-14)
    if native and not kernel.is_native:
        raise AssertionError("numpy runs the kernel")


def build_and_check(factor: float) -> None:
    """Both at once."""
    check_known(known_kernel(factor), factor)


def random_kernel(rng: np.random.Generator, dtype: DType, n_steps: int = 60) -> Kernel:
    """A kernel of random operations on random inputs."""
    program = random_program(rng, list(OPERATIONS), n_steps)
    sizes, outputs = program.input_sizes, program.outputs
    names_in = tuple(f"x{i}" for i in range(len(sizes)))
    names_out = tuple(f"y{o}" for o in range(len(outputs)))
    signature = Signature("random", names_in, sizes, names_out, program.output_sizes)
    return Kernel(LoadedSource(signature, program, None), dtype)


def random_program(rng: np.random.Generator, names: list[str], n_steps: int = 60) -> Program:
    """Random ones of these operations; some outputs are wide, some entries zero or an input."""
    sizes = tuple(rng.integers(1, 7, rng.integers(1, 4)).tolist())
    made = [Instruction("input", (i, j)) for i, n in enumerate(sizes) for j in range(n)]
    made += [Instruction("constant", (), float(v)) for v in rng.choice(_CONSTANTS, 2)]
    values, table = list(range(len(made))), len(made)
    made.append(Instruction("table", (), Table(_CONSTANTS)))
    for _ in range(n_steps):
        op = names[rng.integers(len(names))]
        arguments = rng.choice(values, OPERATIONS[op][0]).tolist()
        if op == "lookup":
            arguments[0] = table
        values.append(len(made))
        made.append(Instruction(op, tuple(arguments)))
    outputs = [_random_entries(rng, values) for _ in range(rng.integers(1, 4))]
    return schedule_program(sizes, made, outputs)


def random_inputs(rng: np.random.Generator, kernel: Kernel, rows: int) -> list[np.ndarray]:
    """A row-major array for each input, ordinary and special numbers mixed."""
    special = np.array([0.0, -0.0, 1.0, -1.0, 1e-30, 1e30, np.inf, -np.inf, np.nan])
    inputs: list[np.ndarray] = []
    for n in kernel.input_sizes:
        values = rng.normal(size=(rows, n)) * 3.0
        odd = rng.random((rows, n)) < 0.1
        values[odd] = rng.choice(special, odd.sum())
        inputs.append(values.astype(kernel.dtype))
    return inputs


def _random_entries(rng: np.random.Generator, values: list[int]) -> list[int | None]:
    """Values of an output: 1 to 40 of them, the last ones made more often than the first."""
    size = int(rng.choice([1, 2, 3, 5, 8, 17, 40]))
    places = len(values) - 1 - (rng.random(size) ** 2 * len(values)).astype(int)
    return [None if rng.random() < 0.1 else values[k] for k in places]
