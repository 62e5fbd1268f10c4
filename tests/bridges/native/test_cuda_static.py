"""What the compiler makes of CUDA text, on every architecture, and what a launch moves.

NVRTC comes as a wheel and needs no GPU; accesses to global memory are counted on the host.
"""

from __future__ import annotations

import itertools
import re
from functools import cache
from typing import Any

import pytest
from cuda_runs import Kernel, integers

from benchmarks import gpu_static, ours
from bridges.native.emit_cuda import WARP, emit_cuda, tiles_for
from bridges.native.program import Instruction, Program, schedule_program
from bridges.native.target import DType

pytest.importorskip("cuda.core")
DTYPES: list[DType] = ["float32", "float64"]
BUILDS: dict[str, Any] = {
    "pose": (gpu_static.value, ours.pose),
    "pose vjp": (gpu_static.vjp, ours.pose),
    "inverse dynamics": (gpu_static.value, ours.torques),
    "inverse dynamics vjp": (gpu_static.vjp, ours.torques),
    "forward dynamics": (gpu_static.value, ours.accelerations),
}


@cache
def program_of(name: str) -> Program:
    make, build = BUILDS[name]
    return make(build, "panda")


@pytest.mark.parametrize("architecture", gpu_static.ARCHITECTURES)
@pytest.mark.parametrize("name", list(BUILDS)[:4])
def test_all_in_registers(name: str, architecture: int) -> None:
    """No local memory in float32, and the accesses of 16 bytes that a tile takes."""
    program = program_of(name)
    found = gpu_static.figures(emit_cuda(program, "float32"), architecture)
    assert (found.stack, found.spilt) == (0, 0)
    assert not found.accesses("LDL")
    assert not found.accesses("STL")
    assert found.registers <= 255
    load = "LDGSTS" if architecture >= 80 else "LDG"
    for kind, sizes in ((load, program.input_sizes), ("STG", program.output_sizes)):
        needed = sum(-(-n * WARP * 4 // (16 * WARP)) for n in sizes)
        assert found.accesses(kind).get(16, 0) >= needed


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", list(BUILDS)[:2])
def test_nothing_but_wide_accesses(name: str, dtype: DType) -> None:
    """Where rows are whole tiles and aligned, the compiler's text has no others."""
    program = program_of(name)
    text = gpu_static.straight(emit_cuda(program, dtype))
    found = gpu_static.figures(text, 90)
    size = 4 if dtype == "float32" else 8
    inputs, outputs = (
        sum(-(-n * size // 16) for n in sizes)
        for sizes in (program.input_sizes, program.output_sizes)
    )
    assert found.accesses("LDGSTS") == {16: 2 * inputs}  # of the first tile, and of the next
    assert not found.accesses("LDG")
    assert found.accesses("STG") == {16: outputs}


def test_division_and_roots_round_as_they_should() -> None:
    """The ways for seldom numbers are there, which approximations lack; subnormals are kept."""
    made = [Instruction("input", (0, j)) for j in range(2)]
    made += [Instruction("div", (0, 1)), Instruction("inv", (0,)), Instruction("sqrt", (1,))]
    text = emit_cuda(schedule_program((2,), made, [[2, 3, 4]]), "float32")
    sass = gpu_static.figures(text, 90).sass
    called = re.findall(r"^\$__internal_\d+_\$__cuda_\w+?_(\w+_f32)_slowpath:", sass, re.MULTILINE)
    assert sorted(called) == ["div_rn_noftz_f32", "rcp_rn_f32", "sqrt_rn_f32"]
    assert not re.findall(r"F(?:ADD|MUL|FMA)\.\S*FTZ", sass.split("$__internal_")[0])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", BUILDS)
def test_accesses_of_a_launch(name: str, dtype: DType) -> None:
    """Whole tiles of aligned rows move in accesses of 16 bytes, each byte once."""
    program = program_of(name)
    kernel = Kernel(program, dtype)
    size = 4 if dtype == "float32" else 8
    moved = size * (sum(program.input_sizes) + sum(program.output_sizes))
    for tiles, grid in itertools.product((1, 3, 9), (1, 2)):
        samples = tiles * WARP
        batches = kernel.batches(["rows"] * len(program.input_sizes), integers(), samples)
        kernel(batches, samples, grid)
        assert kernel.accesses == (samples * moved // 16, 0)


def test_what_is_straight_runs() -> None:
    """The text whose instructions are counted computes the same as the whole one."""
    program = program_of("inverse dynamics")
    kernel = Kernel(program, "float32", gpu_static.straight)
    whole = Kernel(program, "float32")
    batches = kernel.batches(["rows"] * 3, integers(), 128)
    for y, want in zip(kernel(batches, 128), whole(batches, 128), strict=True):
        assert (y == want).all()


def test_predictions_are_within_what_is_asked() -> None:
    """For Panda's rows, whose text is compiled here anyway."""
    for row in gpu_static.ROWS[:4]:
        found = [gpu_static.predict(program) for program in row.programs()]
        for gpu in gpu_static.GPUS:
            copy = sum(p.bytes for p in found) / gpu.copy * 1e9
            assert sum(p.time(gpu) for p in found) <= (row.asked or 0) * copy


def test_occupancy() -> None:
    """Beside NVIDIA's table of compute capability 9.0."""
    assert gpu_static.warps_a_multiprocessor(32, 0, 4) == 64
    assert gpu_static.warps_a_multiprocessor(33, 0, 4) == 48
    assert gpu_static.warps_a_multiprocessor(255, 0, 4) == 8
    assert gpu_static.warps_a_multiprocessor(32, 100 * 1024, 4) == 8
    assert gpu_static.warps_a_multiprocessor(16, 0, 1) == 32
    tiles = tiles_for((7,), (12,), "float32")
    assert tiles.warps == 4
