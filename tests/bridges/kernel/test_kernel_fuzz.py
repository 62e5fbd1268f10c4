"""Random programs over every operation: the kernel equals numpy, nan and inf included."""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import casadi as ca
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridges.kernel import Kernel, casadi_to_kernel
from bridges.native.emit_c import emit_c
from bridges.native.parts import lay_out
from bridges.native.program import OPERATIONS, Instruction, Program, schedule_program
from bridges.native.target import Target

N = 3
UNARY = [name for name, (arity, _) in OPERATIONS.items() if arity == 1 and name != "erfinv"]
BINARY = [name for name, (arity, _) in OPERATIONS.items() if arity == 2 and name != "lookup"]

# CasADi's names where they differ from ours.
CASADI: dict[str, Any] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "neg": lambda a: -a,
    "inv": lambda a: 1 / a,
    "sq": lambda a: a * a,
    "twice": lambda a: 2 * a,
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "not": ca.logic_not,
    "and": ca.logic_and,
    "or": ca.logic_or,
    "if_else_zero": lambda a, b: ca.if_else(a, b, 0),
    "pow": lambda a, b: a**b,
}


def operation(name: str) -> Any:
    return CASADI[name] if name in CASADI else getattr(ca, name)


steps = st.lists(
    st.tuples(st.sampled_from(UNARY + BINARY * 2), st.integers(0, 999), st.integers(0, 999)),
    min_size=1,
    max_size=40,
)
SPECIAL = np.array(
    [0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 1e-320, 1e200, -1e200, 1e9, np.inf, -np.inf, np.nan]
)


def program_of(recipe: list[tuple[str, int, int]], constant: float) -> ca.Function:
    """Applies each step to values made before; the last few values are the outputs."""
    x = ca.SX.sym("x", N)
    values: list[Any] = [*ca.vertsplit(x), ca.SX(constant)]
    for name, a, b in recipe:
        arguments = [values[a % len(values)], values[b % len(values)]]
        values.append(operation(name)(*arguments[: OPERATIONS[name][0]]))
    return ca.Function("f", [x], [ca.densify(ca.vertcat(*values[-3:]))])


def agree(have: np.ndarray, want: np.ndarray, scale: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        near = np.abs(have - want) <= scale
    return near | (have == want) | (np.isnan(have) & np.isnan(want))


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps, st.sampled_from([0.0, 1.0, -0.75, 3.0, 1e8]), st.integers(0, 2**32 - 1))
def test_kernel_equals_numpy(
    recipe: list[tuple[str, int, int]], constant: float, seed: int
) -> None:
    """Within the bounds that rounding sets, which are carried along with the values."""
    compare(casadi_to_kernel(program_of(recipe, constant)), seed)


@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps, st.sampled_from([0.0, 1.0, -0.75, 3.0]), st.integers(0, 2**32 - 1))
def test_float32_equals_numpy(
    recipe: list[tuple[str, int, int]], constant: float, seed: int
) -> None:
    compare(casadi_to_kernel(program_of(recipe, constant), "float32"), seed)


@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps, st.integers(0, 2**32 - 1), st.sampled_from(["vjp", "jvp", "jacobian"]))
def test_derivative_equals_numpy(recipe: list[tuple[str, int, int]], seed: int, kind: str) -> None:
    compare(getattr(casadi_to_kernel(program_of(recipe[:15], 0.5)), kind)(), seed)


def compare(kernel: Kernel, seed: int) -> None:
    """The kernel against the trace of its program, at ordinary and special arguments."""
    rng = np.random.default_rng(seed)
    inputs = [
        np.concatenate([rng.normal(size=(20, n)) * 3, rng.choice(SPECIAL, (20, n))])
        for n in kernel.input_sizes
    ]
    with np.errstate(over="ignore", under="ignore"):
        inputs = [x.astype(kernel.dtype) for x in inputs]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        results = kernel(*inputs)
    results = results if isinstance(results, tuple) else (results,)
    trace = trace_of(kernel.program, [x.astype(float) for x in inputs], ROUNDING[kernel.dtype])
    for result, positions in zip(results, kernel.program.outputs, strict=True):
        have_all = result.reshape(40, -1).astype(float)
        for j, k in enumerate(positions):
            want, uncertainty = trace[k] if k is not None else (np.zeros(40), np.zeros(40))
            have = have_all[:, j]
            fine = agree(have, want, uncertainty) | ~np.isfinite(uncertainty)
            assert fine.all(), ([x[~fine][:3] for x in inputs], have[~fine][:3], want[~fine][:3])


class Rounding(NamedTuple):
    """Relative and absolute rounding of one operation; beyond `huge` it may overflow."""

    unit: float
    least: float
    huge: float


ROUNDING = {
    "float64": Rounding(float(np.finfo(np.float64).eps), 1e-322, 1e307),
    "float32": Rounding(float(np.finfo(np.float32).eps), 1e-44, 1e37),
}


NUMPY: dict[str, Any] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "neg": np.negative,
    "inv": np.reciprocal,
    "sq": np.square,
    "twice": lambda a: a + a,
    "fabs": np.fabs,
    "sqrt": np.sqrt,
    "sign": lambda a: np.where(a < 0, -1.0, np.where(a > 0, 1.0, a)),
    "fmin": lambda a, b: np.where((b < a) | np.isnan(a), b, a),
    "fmax": lambda a, b: np.where((b > a) | np.isnan(a), b, a),
    "lt": lambda a, b: (a < b) * 1.0,
    "le": lambda a, b: (a <= b) * 1.0,
    "eq": lambda a, b: (a == b) * 1.0,
    "ne": lambda a, b: (a != b) * 1.0,
    "not": lambda a: (a == 0) * 1.0,
    "and": lambda a, b: ((a != 0) & (b != 0)) * 1.0,
    "or": lambda a, b: ((a != 0) | (b != 0)) * 1.0,
    "if_else_zero": lambda a, b: np.where(a != 0, b, 0.0),
    "select": lambda mask, a, b: np.where(mask != 0, a, b),
    "asin": np.arcsin,
    "acos": np.arccos,
    "atan": np.arctan,
    "atan2": np.arctan2,
    "asinh": np.arcsinh,
    "acosh": np.arccosh,
    "atanh": np.arctanh,
    "pow": np.power,
}


def evaluate(name: str, arguments: list[np.ndarray]) -> np.ndarray:
    if name in ("erf", "remainder"):  # not in numpy
        import math

        def scalar(*v: float) -> float:
            try:
                return math.erf(*v) if name == "erf" else math.remainder(*v)
            except ValueError:
                return float("nan")

        return np.array([scalar(*v) for v in zip(*arguments, strict=True)])
    return NUMPY.get(name, getattr(np, name, None))(*arguments)


def trace_of(
    program: Program, inputs: list[np.ndarray], rounding: Rounding
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Value of every instruction in numpy, and how far rounding may have moved it.

    The uncertainty is that of moving every argument by its own: the largest change over the
    corners, infinite where the function jumps or where one side overflows.
    """
    trace: list[tuple[np.ndarray, np.ndarray]] = []
    with np.errstate(all="ignore"):
        for op, args, value in program.instructions:
            if op == "constant":
                rounded = abs(value) * rounding.unit if np.isfinite(value) else 0.0
                trace.append((np.full(40, value), np.full(40, rounded)))
            elif op == "input":
                trace.append((inputs[args[0]][:, args[1]].copy(), np.zeros(40)))
            else:
                trace.append(step(op, [trace[a] for a in args], rounding))
    return trace


def step(
    op: str, operands: list[tuple[np.ndarray, np.ndarray]], rounding: Rounding
) -> tuple[np.ndarray, np.ndarray]:
    centre = evaluate(op, [v for v, _ in operands])
    spread = np.zeros(len(centre))
    for corner in range(3 ** len(operands)):
        moved = [v + (corner // 3**i % 3 - 1) * u for i, (v, u) in enumerate(operands)]
        value = evaluate(op, moved)
        change = np.abs(value - centre)
        same = (value == centre) | (np.isnan(value) & np.isnan(centre))
        spread = np.maximum(spread, np.where(same, 0, np.where(np.isnan(change), np.inf, change)))
    # Discontinuities between the corners, and multiply-adds that round once or do not overflow.
    if op in ("fmod", "remainder", "floor", "ceil", "sign", "copysign", "lt", "le", "eq", "ne"):
        unsure = np.max([u for _, u in operands], axis=0) > 0
        spread = np.where(unsure & (op in ("fmod", "remainder")), np.inf, spread)
    if op in ("eq", "ne"):  # values that may be equal though no corner of theirs is
        (a, u), (b, v) = operands
        spread = np.where((u + v > 0) & (np.abs(a - b) <= u + v), 1.0, spread)
    if op in ("sin", "cos"):  # corners may lie whole turns apart
        spread = np.maximum(spread, np.minimum(operands[0][1], 2.0))
    if op == "tan":
        spread = np.where(operands[0][1] > 0.1, np.inf, spread)
    lost = 4 * rounding.unit * np.abs(centre) + rounding.least
    if op in ("add", "sub"):
        largest = np.max([np.abs(v) for v, _ in operands], axis=0)
        lost = 2 * rounding.unit * largest + rounding.least
        lost = np.where(np.isfinite(largest) & (largest < rounding.huge**0.5), lost, np.inf)
    lost = np.where(np.isfinite(centre) & (np.abs(centre) > rounding.huge), np.inf, lost)
    if op == "copysign":  # no function says what sign its nan has
        lost = np.where(np.isnan(operands[1][0]), np.inf, lost)
    return centre, 2 * spread + lost


@pytest.mark.parametrize("weight", [1, 7, 40, 10**9])
def test_any_cut_gives_the_same_values(weight: int, tmp_path: Any) -> None:
    """Programs cut into many parts, through the workspace, equal the uncut one bit by bit."""
    from bridges.native.build import compile_library, compiler_here
    from bridges.native.library import Library

    x = ca.SX.sym("x", N)
    a = ca.sin(x[0]) * ca.cos(x[0]) + ca.cos(x[1])
    b = ca.if_else(x[1] < x[2], a * x[0], ca.exp(x[2]))
    c = ca.logic_and(x[1] < x[2], a > 0) * b + ca.sin(x[1]) + (x[1] < x[2])
    for _ in range(6):
        a, b, c = a * b - c, ca.sin(b) + a, ca.if_else(a > b, c, -a)
    kernel = casadi_to_kernel(
        ca.Function("f", [x], [ca.vertcat(a, b, c, x[1], 0, ca.sin(x[0])), x])
    )
    q = np.random.default_rng(0).normal(size=(21, N))
    compiler = compiler_here()
    text = emit_c(kernel.program, Target("float64", compiler.vector_bytes), weight)
    library = tmp_path / "library.so"
    compile_library(text, compiler, "-O1", library)
    outputs = [np.empty((21, 6)), np.empty((21, 3))]
    form = (1000, True, 1, 6, 1, 3)
    call = Library(library, library.read_bytes()).function("arrays_into", form)
    assert call(q, *outputs) is not None
    np.testing.assert_allclose(outputs[0], kernel(q)[0], rtol=1e-13)
    np.testing.assert_array_equal(outputs[1], q)


@pytest.mark.parametrize("width", [16, 32, 64])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_every_vector_width(width: int, dtype: Any, arm: ca.Function, tmp_path: Any) -> None:
    from bridges.native.build import compile_library, compiler_here
    from bridges.native.library import Library

    kernel = casadi_to_kernel(arm, dtype)
    library = tmp_path / "library.so"
    compile_library(emit_c(kernel.program, Target(dtype, width)), compiler_here(), "-O1", library)
    q = np.random.default_rng(0).normal(size=(37, 7)).astype(dtype)
    pose = np.empty((37, 12), dtype)
    call = Library(library, library.read_bytes()).function("arrays_into", (1000, False, 1, 12))
    assert call(q, pose) is pose
    np.testing.assert_allclose(pose, kernel(q), atol=8 * np.finfo(dtype).eps)


def test_a_chain_of_100000_instructions_is_laid_out() -> None:
    chain = [Instruction("input", (0, 0))]
    chain += [Instruction("sin", (k,)) for k in range(100_000)]
    program = schedule_program((1,), chain, ((100_000,),))
    assert program.n_ops == 100_000
    layout = lay_out(program, [], weight=1000)
    assert [part.end for part in layout.parts[:-1]] == [part.begin for part in layout.parts[1:]]
    assert layout.n_slots == 2  # one is read while the other is written
