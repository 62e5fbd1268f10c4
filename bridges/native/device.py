"""GPUs as kernels see them: what builds a text for one, loads it and launches it.

program -> `emit_cuda` -> `Device.build` -> cache -> `Device.load` -> launch
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from bridges.native import cache
from bridges.native.emit_cuda import emit_cuda
from bridges.native.errors import BuildError
from bridges.native.load import digest_of, sources_digest
from bridges.native.program import Program
from bridges.native.target import DType

Launch: TypeAlias = "Callable[[int, int, Sequence[int], int], object]"
"""Starts a kernel: blocks, threads a block, arguments of 64 bits, the stream's handle."""


class Device(Protocol):
    """A GPU, or what takes its place."""

    @property
    def identity(self) -> bytes:
        """What a built kernel depends on besides its text: architecture and compiler."""
        ...

    def build(self, text: str) -> bytes:
        """The text as a binary of this device. Raises BuildError."""
        ...

    def load(self, body: bytes) -> Launch:
        """What launches the binary's kernel. Raises BuildError."""
        ...


def load_on(
    device: Device, identity: bytes, dtype: DType, program: Callable[[], Program]
) -> Launch:
    """The kernel of a function on a device, its binary from the cache or built now.

    identity: bytes that only functions of the same program share; `program` is called to build.

    Raises BuildError.
    """
    key = digest_of(b"cuda", identity, dtype.encode(), device.identity, sources_digest()).hex()[:40]

    def build(path: Path) -> None:
        path.write_bytes(device.build(emit_cuda(program(), dtype)))

    folder = cache.open_cache()
    try:
        return cache.fetch(folder, key, build, lambda _, body: device.load(body))
    except OSError as error:
        raise BuildError(f"the kernel cache {folder} cannot be used: {error}") from error


@functools.cache
def cuda_device(number: int) -> Device:
    """CUDA device of that number. Raises BuildError where cuda-core is not installed."""
    return CudaDevice(number)


class CudaDevice:
    """A GPU of NVIDIA: NVRTC compiles, the driver loads and launches, by `cuda.core`."""

    def __init__(self, number: int) -> None:
        self._core = _cuda_core()
        device = self._core.Device(number)
        major, minor = device.compute_capability
        self.name: str = device.name
        self.architecture = f"sm_{major}{minor}"

    @property
    def identity(self) -> bytes:
        """Architecture, and version of NVRTC."""
        return f"{self.architecture} {_nvrtc_version()}".encode()

    def build(self, text: str) -> bytes:
        """A cubin."""
        return compile_cubin(text, self.architecture)

    def load(self, body: bytes) -> Launch:
        """The kernel, in whatever context is current when it is launched."""
        core = self._core
        try:
            kernel = core.ObjectCode.from_cubin(body).get_kernel("robograd_kernel")
        except Exception as error:  # the driver's errors have no common class
            raise BuildError(f"the driver does not load a kernel: {error}") from error
        start = core.launch
        stream_of = functools.lru_cache(64)(core.Stream.from_handle)

        @functools.lru_cache(64)
        def shape_of(grid: int, block: int) -> Any:
            return core.LaunchConfig(grid=grid, block=block)

        def launch(grid: int, block: int, arguments: Sequence[int], stream: int) -> None:
            start(stream_of(stream), shape_of(grid, block), kernel, *arguments)

        return launch


def compile_cubin(text: str, architecture: str, log: Any = None) -> bytes:
    """The text as a cubin for an architecture such as `sm_90`, by NVRTC; needs no GPU.

    log: a text stream for what the compiler tells of registers and local memory.

    Raises BuildError with the diagnostics.
    """
    core = _cuda_core()
    tells = {} if log is None else {"ptxas_options": ["-v"]}
    options = core.ProgramOptions(arch=architecture, std="c++17", **tells)
    try:
        return core.Program(text, "c++", options).compile("cubin", logs=log).code
    except Exception as error:  # those of NVRTC, and of what looks for it
        raise BuildError(f"NVRTC: {error}") from error


@functools.cache
def _nvrtc_version() -> object:
    return importlib.import_module("cuda.bindings.nvrtc").nvrtcVersion()


def _cuda_core() -> Any:
    try:
        core = importlib.import_module("cuda.core")
    except ImportError as error:
        raise BuildError(
            f"kernels for GPUs are built by cuda-core ({error}): pip install 'robograd[cuda]'"
        ) from error
    if not hasattr(core, "Program"):
        raise BuildError("kernels for GPUs need cuda-core 0.5 or later: pip install -U cuda-core")
    return core
