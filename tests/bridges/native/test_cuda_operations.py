"""Every operation of CUDA text, and derivatives of every kind, as numpy's engine computes them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from campaign.programs import random_program
from cuda_runs import LAYOUTS, Kernel

import ad_core as ad
from ad_core.lowering import lower
from ad_core.ops.tables import Table
from bridges.kernel.source import GraphSource
from bridges.native.interpret import interpret
from bridges.native.program import OPERATIONS, Instruction, Program, schedule_program
from bridges.native.target import DType
from robotics_ad.data import packaged_arm
from robotics_ad.dynamics import ForwardDynamics
from robotics_ad.kinematics import WorldTransform

DTYPES: list[DType] = ["float32", "float64"]
# Where the arguments of each operation are drawn from; the others: -9 to 9.
RANGES = {
    **dict.fromkeys(("sin", "cos", "tan", "atan", "exp"), (-80.0, 80.0)),
    **dict.fromkeys(("asin", "acos", "atanh", "erfinv"), (-1.0, 1.0)),
    **dict.fromkeys(("sqrt", "pow"), (0.0, 9.0)),
    "log": (0.0, 90.0),
    "log1p": (-1.0, 9.0),
    "acosh": (1.0, 9.0),
    "erf": (-3.0, 3.0),
}
_WITHIN_UNITS = (
    "sin cos tan asin acos atan atan2 sinh cosh tanh asinh acosh atanh exp expm1 log log1p "
    "pow hypot erf erfinv"
)
# Operations that IEC 60559 or C define to the last bit.
EXACT = set(OPERATIONS) - set(_WITHIN_UNITS.split())
# Those whose zeros may have either sign (docs/conventions.md).
ANY_ZERO = {"fmin", "fmax", "sign"}
SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.0, 3.0, -3.0, 1e-40, 1e30, -1e30, 1e7, -123456789.0]
SPECIAL += [np.inf, -np.inf, np.nan]


def operations_program() -> Program:
    """An output for each operation, of as many of three numbers as it takes."""
    made = [Instruction("input", (i, 0)) for i in range(3)]
    made.append(Instruction("table", (), Table([0.1, np.nan, 1e300])))
    for op, (arity, _) in OPERATIONS.items():
        made.append(Instruction(op, (3, 0) if op == "lookup" else tuple(range(arity))))
    return schedule_program((1, 1, 1), made, [[4 + o] for o in range(len(OPERATIONS))])


@pytest.fixture(scope="module", params=DTYPES)
def kernel(request: pytest.FixtureRequest) -> Kernel:
    return Kernel(operations_program(), request.param, flags=("-O1",))


def run(kernel: Kernel, values: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Outputs of the kernel, and of numpy in float64 rounded to the kernel's numbers."""
    values = values.astype(kernel.dtype)
    columns = iter(values.T)
    batches = [
        LAYOUTS["rows"](lambda _: next(columns), len(values), 1, kernel.dtype) for _ in "xyz"
    ]
    have = kernel(batches, len(values))
    wide = [values.astype(float)[:, i : i + 1] for i in range(3)]
    want = [np.empty((len(values), 1)) for _ in have]
    interpret(kernel.program, wide, want)
    with np.errstate(over="ignore"):
        return have, [w.astype(kernel.dtype) for w in want]


def test_random_values(kernel: Kernel) -> None:
    rng = np.random.default_rng(3)
    unit = float(np.finfo(kernel.dtype).eps)
    for o, op in enumerate(OPERATIONS):
        low, high = RANGES.get(op, (-9.0, 9.0))
        have, want = run(kernel, rng.uniform(low, high, (1000, 3)))
        tolerance = 0 if op in EXACT else 4 * unit
        np.testing.assert_allclose(have[o], want[o], rtol=tolerance, atol=0, err_msg=op)


def test_special_values(kernel: Kernel) -> None:
    """Infinities, nans and zeros come out as numpy's; signs of zeros too."""
    values = np.array(list(itertools.product(SPECIAL, SPECIAL, [0.0, 2.0, np.nan])))
    have, want = run(kernel, values)
    for op, y, z in zip(OPERATIONS, have, want, strict=True):
        unit = 0 if op in EXACT else 4 * float(np.finfo(kernel.dtype).eps)
        tiny = float(np.finfo(kernel.dtype).smallest_subnormal)
        np.testing.assert_allclose(y, z, rtol=unit, atol=4 * tiny if unit else 0, err_msg=op)
        zeros = (y == 0) & (z == 0) & (op not in ANY_ZERO)
        np.testing.assert_array_equal(np.signbit(y[zeros]), np.signbit(z[zeros]), err_msg=op)


ARM = packaged_arm()
GRAPHS: dict[str, ad.Expression] = {
    "pose": WorldTransform(ARM.link("tool"))(ad.var("q", 7)),
    "height": WorldTransform(ARM.link("tool"))(ad.var("q", 7))[11],
    "forward dynamics": ForwardDynamics(ARM)(*(ad.var(name, 7) for name in ("q", "v", "tau"))),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *(("pose", kind) for kind in ("value", "vjp", "jvp", "jacobian", "jacobian_values")),
        *(("height", kind) for kind in ("vjp", "hessian_vp")),
        *(("forward dynamics", kind) for kind in ("value", "vjp")),
    ],
)
def test_derivatives(name: str, kind: str, dtype: DType) -> None:
    source = GraphSource.of(lower(GRAPHS[name], None, None))
    everything = tuple(range(len(source.signature.sizes_in)))
    program = source.program if kind == "value" else source.derived(kind, everything).program
    kernel = Kernel(program, dtype)
    rng = np.random.default_rng(1)
    batches = kernel.batches(["rows"] * len(program.input_sizes), lambda n: rng.normal(size=n), 70)
    wide = [b.rows(70, n).astype(float) for b, n in zip(batches, program.input_sizes, strict=True)]
    wants = [np.empty((70, m)) for m in program.output_sizes]
    interpret(program, wide, wants)
    unit = float(np.finfo(dtype).eps)
    for have, want in zip(kernel(batches, 70), wants, strict=True):
        size = np.abs(want).max(axis=1, keepdims=True)
        assert (np.abs(have - want) <= 2000 * unit * size + unit).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("seed", range(8))
def test_random_programs(seed: int, dtype: DType) -> None:
    """Of operations that are defined to the last bit, in any number of parts."""
    rng = np.random.default_rng(seed)
    program = random_program(rng, sorted(EXACT - ANY_ZERO))
    weight = int(rng.choice([1, 10, 50, 4000]))
    kernel = Kernel(program, dtype, flags=("-O0", "-ffp-contract=off"), weight=weight)

    def draw(count: int) -> np.ndarray:
        values = rng.normal(size=count) * 3.0
        return np.where(rng.random(count) < 0.1, rng.choice(SPECIAL, count), values)

    batches = kernel.batches(rng.choice(list(LAYOUTS), len(program.input_sizes)), draw, 100)
    wants = kernel.reference(batches, 100)
    for have, want in zip(kernel(batches, 100), wants, strict=True):
        np.testing.assert_array_equal(have, want)
