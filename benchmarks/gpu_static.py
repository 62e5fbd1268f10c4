"""What the compiler says of CUDA kernels, and the time that follows: no GPU is needed.

    program -> CUDA text -> NVRTC -> cubin -> registers, spills, instructions -> predicted time

`python -m benchmarks.gpu_static` prints the table. Time a sample is the longest of three: its bytes
at the speed of a copy, its instructions at one a cycle and scheduler, its bytes of local memory at
the speed of the L2 cache. Latency is not in it.
"""

from __future__ import annotations

import io
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

from ad_core.lowering import lower
from benchmarks import ours
from benchmarks.robots import Robot, robot
from bridges.kernel.source import GraphSource
from bridges.native.device import compile_cubin
from bridges.native.emit_cuda import WARP, emit_cuda, tiles_for
from bridges.native.program import Program
from bridges.native.target import DType, Target

ARCHITECTURES = (75, 80, 90, 100, 120)


@dataclass(frozen=True)
class Gpu:
    """Multiprocessors, clock in GHz, bytes a second of a copy and of the L2 cache."""

    name: str
    multiprocessors: int
    clock: float
    copy: float
    l2: float


# Clocks: base and boost of the SXM boards. Copies: read and written bytes together, as measured.
GPUS = (Gpu("H100 SXM", 132, 1.755, 3.0e12, 5.5e12), Gpu("H200", 132, 1.755, 4.3e12, 5.5e12))
_SCHEDULERS, _REGISTERS, _WARPS, _BLOCKS = 4, 65_536, 64, 32
_SHARED, _SHARED_A_BLOCK = 228 * 1024, 1024


@dataclass(frozen=True)
class Figures:
    """What the compiler says of a kernel.

    stack: bytes of local memory a thread. spilt: bytes of registers that go there, both ways.
    """

    registers: int
    stack: int
    spilt: int
    sass: str

    def accesses(self, kind: str) -> dict[int, int]:
        """Instructions `LDG`, `STG`, `LDL` or `STL` by the bytes that a lane moves."""
        found: dict[int, int] = {}
        for line in self.sass.splitlines():
            if match := re.search(rf"\b{kind}(\.[\w.]+)?\s", line):
                width = re.search(r"\.(8|16|64|128)\b", (match[1] or "").replace("U", ""))
                size = int(width[1]) // 8 if width else 4
                found[size] = found.get(size, 0) + 1
        return found

    @property
    def instructions(self) -> int:
        """Of the kernel and its parts, once each, without what fills up lines.

        Behind the last exit stands what warps do whose lanes have come apart; functions of the
        compiler's own serve divisions by seldom numbers.
        """
        entry, *others = re.split(r"^\$(.+):$", self.sass, flags=re.MULTILINE)
        own = [entry[: entry.rindex(" EXIT ;") + 7]]
        own += [
            body
            for name, body in zip(others[::2], others[1::2], strict=True)
            if not name.startswith("__internal_")
        ]
        found = re.findall(r"/\*[0-9a-f]{4,}\*/\s+(?:@!?U?P\w+\s+)?(\w+)", "".join(own))
        return sum(name != "NOP" for name in found)

    @property
    def local_bytes(self) -> int:
        """Of loads and stores of local memory in the text."""
        kinds = (self.accesses("LDL"), self.accesses("STL"))
        return sum(size * count for found in kinds for size, count in found.items())


@cache
def figures(text: str, architecture: int) -> Figures:
    """Compiles the text. Raises BuildError or ImportError where a tool is not installed."""
    from cuda.pathfinder import find_nvidia_binary_utility

    disassembler = find_nvidia_binary_utility("nvdisasm")
    if disassembler is None:
        raise ImportError("nvidia-cuda-nvdisasm is not installed")
    log = io.StringIO()
    cubin = compile_cubin(text, f"sm_{architecture}", log=log)
    said = log.getvalue()
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(bytes(cubin))
        file.flush()
        command = [disassembler, "-c", file.name]
        sass = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    frames = re.findall(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes", said)
    cumulative = [int(n) for n in re.findall(r"(\d+) bytes cumulative stack", said)]
    return Figures(
        registers=max(map(int, re.findall(r"Used (\d+) registers", said))),
        stack=max(cumulative + [int(frame) for frame, _, _ in frames]),
        spilt=sum(int(stores) + int(loads) for _, stores, loads in frames),
        sass=sass,
    )


# What a whole tile of aligned rows with small angles never does.
_STRAIGHT = (
    ("USUAL(!(", "(true || ("),
    ("USUAL(rows == 32", "(true || rows == 32"),
    ("return rest < 32 ? (int)rest : 32;", "return 32;"),
)


def straight(text: str) -> str:
    """The text without all that whole tiles of aligned rows with small angles do not run."""
    for old, new in _STRAIGHT:
        if old not in text and old != _STRAIGHT[0][0]:  # a program may have no sines
            raise ValueError(f"{old!r} is not in the text")
        text = text.replace(old, new)
    return text


def warps_a_multiprocessor(registers: int, shared: int, warps_a_block: int) -> int:
    """Warps that run at a time on compute capability 9.0."""
    a_warp = -(-registers * WARP // 256) * 256
    by_registers = _REGISTERS // _SCHEDULERS // a_warp * _SCHEDULERS
    blocks = min(by_registers // warps_a_block, _SHARED // (shared + _SHARED_A_BLOCK), _BLOCKS)
    return min(blocks * warps_a_block, _WARPS)


@dataclass(frozen=True)
class Prediction:
    """A kernel a sample: bytes of inputs and outputs, and what bounds its time (ns)."""

    figures: Figures
    bytes: int
    instructions: int
    warps: int

    def time(self, gpu: Gpu) -> float:
        """Nanoseconds a sample."""
        issue = gpu.multiprocessors * _SCHEDULERS * WARP * gpu.clock
        return max(
            self.bytes / gpu.copy * 1e9,
            self.instructions / issue,
            self.figures.local_bytes / gpu.l2 * 1e9,
        )


def predict(program: Program, dtype: DType = "float32", architecture: int = 90) -> Prediction:
    """What the compiler's figures make of a program."""
    text = emit_cuda(program, dtype)
    tiles = tiles_for(program.input_sizes, program.output_sizes, dtype)
    said = figures(text, architecture)
    size = Target(dtype, 64).itemsize
    shared = tiles.size * tiles.warps * size
    return Prediction(
        said,
        size * (sum(program.input_sizes) + sum(program.output_sizes)),
        figures(straight(text), architecture).instructions,
        warps_a_multiprocessor(said.registers, shared, tiles.warps),
    )


def value(build: Callable[[Robot], object], name: str) -> Program:
    """The program of an expression of a robot."""
    return _source(build, name).program


def vjp(build: Callable[[Robot], object], name: str) -> Program:
    """The program of its gradients with respect to all inputs."""
    source = _source(build, name)
    return source.derived("vjp", tuple(range(len(source.signature.sizes_in)))).program


def _source(build: Callable[[Robot], object], name: str) -> GraphSource:
    return GraphSource.of(lower(build(robot(name)), None, None))  # type: ignore[arg-type]


@dataclass(frozen=True)
class Row:
    """A row of the table: programs that run one after the other, and what is asked.

    asked: times a copy of the same bytes; rate: samples a second; one of them is None.
    """

    name: str
    programs: Callable[[], list[Program]]
    asked: float | None = None
    rate: float | None = None


ROWS = (
    Row("Panda pose", lambda: [value(ours.pose, "panda")], 1.3),
    Row(
        "Panda pose and backward",
        lambda: [value(ours.pose, "panda"), vjp(ours.pose, "panda")],
        1.5,
    ),
    Row("Panda inverse dynamics", lambda: [value(ours.torques, "panda")], 2.0),
    Row("Panda inverse dynamics, vjp", lambda: [vjp(ours.torques, "panda")], 2.5),
    Row("Panda forward dynamics", lambda: [value(ours.accelerations, "panda")], 4.0),
    Row("G1 inverse dynamics", lambda: [value(ours.torques, "g1")], rate=500e6),
    Row("G1 forward dynamics", lambda: [value(ours.accelerations, "g1")], rate=200e6),
)


def table() -> Iterator[str]:
    """Lines: what each row comes to on each GPU, beside what is asked, in ns a sample."""
    yield (
        f"{'float32, sm_90':28} {'bytes':>6} {'instr.':>7} {'regs':>9} {'warps':>6} "
        f"{'local B':>8} " + " ".join(f"{gpu.name + ' ns':>14} {'asked':>7}" for gpu in GPUS)
    )
    for row in ROWS:
        found = [predict(program) for program in row.programs()]
        columns = [
            f"{row.name:28} {sum(p.bytes for p in found):6}",
            f"{sum(p.instructions for p in found):7}",
            f"{'+'.join(str(p.figures.registers) for p in found):>9}",
            f"{'+'.join(str(p.warps) for p in found):>6}",
            f"{sum(p.figures.local_bytes for p in found):8}",
        ]
        for gpu in GPUS:
            copy = sum(p.bytes for p in found) / gpu.copy * 1e9
            asked = 1e9 / row.rate if row.rate else (row.asked or 0) * copy
            columns.append(f"{sum(p.time(gpu) for p in found):14.4f} {asked:7.4f}")
        yield " ".join(columns)


if __name__ == "__main__":
    for line in table():
        print(line)
