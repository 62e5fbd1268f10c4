"""A GPU made of the host: it compiles the text of CUDA kernels as C++ and runs warp after warp.

`EmulatedDevice` has the protocol of `bridges.native.device`, over host memory.
"""

from __future__ import annotations

import atexit
import ctypes
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import pytest

# The headers of C++ take longer to read than most kernels, and are compiled once.
_STANDARD, _HEADER = (Path(__file__).parent / "cuda_host.h").read_text().split("using namespace", 1)
_HEADER = "using namespace" + _HEADER
# A block of the grid after the other, and in it a warp after the other.
_LAUNCHER = """
template <class... A, size_t... I>
static void call(void (*f)(A...), const long long *a, index_sequence<I...>) { f((A)a[I]...); }
template <class... A> static void call_with(void (*f)(A...), const long long *a)
{
    call(f, a, index_sequence_for<A...>{});
}
extern "C" const long long threads = 32 * WARPS;
extern "C" void launch(long long grid, const long long *arguments, long long *accesses)
{
    emulated_grid = grid;
    counted[0] = counted[1] = 0;
    for (emulated_block = 0; emulated_block < grid; emulated_block++)
        for (emulated_warp = 0; emulated_warp < WARPS; emulated_warp++)
            call_with(robograd_kernel, arguments);
    accesses[0] = counted[0];
    accesses[1] = counted[1];
}
"""


@cache
def _headers(compiler: str, flags: tuple[str, ...]) -> Path:
    """The headers of C++ beside what the compiler made of them with these flags."""
    folder = Path(tempfile.mkdtemp(prefix="robograd-emulator-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = folder / "standard.h"
    path.write_text(_STANDARD)
    target = folder / f"standard.h.{'pch' if 'clang' in compiler else 'gch'}"
    command = [compiler, *flags, "-x", "c++-header", "-o", target, path]
    subprocess.run(command, capture_output=True, check=True)
    return path


@dataclass
class Launched:
    """What one launch was: blocks, stream, global accesses (16 bytes, others)."""

    grid: int
    stream: int
    accesses: tuple[int, int]


@dataclass
class EmulatedDevice:
    """Compiles with g++ (or clang++) and the flags; keeps an account of its launches."""

    flags: tuple[str, ...] = ("-O0",)
    identity: bytes = b"emulated"
    launches: list[Launched] = field(default_factory=list[Launched])
    built: list[str] = field(default_factory=list[str])

    def build(self, text: str, threads: int) -> bytes:
        """A shared library of the text."""
        compiler = shutil.which("g++") or shutil.which("clang++")
        if compiler is None:
            pytest.skip("no C++ compiler")
        self.built.append(text)
        with tempfile.TemporaryDirectory() as folder:
            source, library = Path(folder) / "kernel.cpp", Path(folder) / "kernel.so"
            source.write_text(_HEADER + text + _LAUNCHER)
            common = ("-std=c++17", "-fPIC", "-ffp-contract=fast", "-march=native")
            flags = (*common, *self.flags)
            headers = ("-include", _headers(compiler, flags))
            command = [compiler, *flags, *headers, "-shared", "-o", library, source]
            ran = subprocess.run(command, capture_output=True, text=True, check=False)
            assert ran.returncode == 0, ran.stderr
            return library.read_bytes()

    def load(self, body: bytes, threads: int) -> EmulatedLaunch:
        """What runs it."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "kernel.so"
            path.write_bytes(body)
            library: Any = ctypes.CDLL(str(path))
        assert ctypes.c_longlong.in_dll(library, "threads").value == threads
        return EmulatedLaunch(self, library)


class EmulatedLaunch:
    """Runs a library of `EmulatedDevice`, on which few blocks run at once."""

    most_blocks = 3

    def __init__(self, device: EmulatedDevice, library: Any) -> None:
        self._device, self._library = device, library

    def __call__(self, grid: int, arguments: Sequence[int], stream: int) -> None:
        """Runs block after block."""
        accesses = (ctypes.c_longlong * 2)()
        values = (ctypes.c_longlong * len(arguments))(*arguments)
        self._library.launch(ctypes.c_longlong(grid), values, accesses)
        self._device.launches.append(Launched(grid, stream, (accesses[0], accesses[1])))


def install(monkeypatch: pytest.MonkeyPatch) -> EmulatedDevice:
    """Makes the emulator the GPU on which the host's tensors lie, for new layers and kernels."""
    from bridges.kernel import gpu
    from bridges.pytorch import recorded

    device = EmulatedDevice()

    def always(value: Any) -> Any:
        return lambda *_: value  # pyright: ignore[reportUnknownVariableType, reportUnknownLambdaType]

    monkeypatch.setattr(gpu, "is_gpu", always(True))
    monkeypatch.setattr(gpu, "device_at", always(device))
    monkeypatch.setattr(gpu, "current_stream", always(7))
    monkeypatch.setattr(recorded, "_programs", WeakValueDictionary[str, Any]())
    return device
