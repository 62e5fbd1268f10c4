"""GPUs as kernels see them: what builds a text for one, loads it and launches it.

program -> `emit_cuda` -> `Device.build` -> cache -> `Device.load` -> launch
"""

from __future__ import annotations

import functools
import importlib
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from bridges.native import cache
from bridges.native.emit_cuda import emit_cuda
from bridges.native.errors import BuildError
from bridges.native.load import digest_of, sources_digest
from bridges.native.program import Program
from bridges.native.target import DType


class Launch(Protocol):
    """A kernel on a device."""

    @property
    def most_blocks(self) -> int:
        """How many blocks of it run at once; more wait for these to end."""
        ...

    def __call__(self, grid: int, arguments: Sequence[int], stream: int) -> None:
        """Starts so many blocks, with arguments of 64 bits, on the stream of that handle."""
        ...


class Device(Protocol):
    """A GPU, or what takes its place."""

    @property
    def identity(self) -> bytes:
        """What a built kernel depends on besides its text: architecture and compiler."""
        ...

    def build(self, text: str, threads: int) -> bytes:
        """The text as a binary of this device, for so many threads a block. Raises BuildError."""
        ...

    def load(self, body: bytes, threads: int) -> Launch:
        """What launches the binary's kernel. Raises BuildError."""
        ...


def load_on(
    device: Device, identity: bytes, dtype: DType, threads: int, program: Callable[[], Program]
) -> Launch:
    """The kernel of a function on a device, its binary from the cache or built now.

    identity: bytes that only functions of the same program share; `program` is called to build.

    Raises BuildError.
    """
    key = digest_of(b"cuda", identity, dtype.encode(), device.identity, sources_digest()).hex()[:40]

    def build(path: Path) -> None:
        path.write_bytes(device.build(emit_cuda(program(), dtype), threads))

    folder = cache.open_cache()
    try:
        return cache.fetch(folder, key, build, lambda _, body: device.load(body, threads))
    except OSError as error:
        raise BuildError(f"the kernel cache {folder} cannot be used: {error}") from error


@functools.cache
def cuda_device(number: int) -> CudaDevice:
    """CUDA device of that number. Raises BuildError where cuda-core is not installed."""
    return CudaDevice(number)


class CudaDevice:
    """A GPU of NVIDIA: NVRTC compiles, the driver loads and launches, by `cuda.core`."""

    def __init__(self, number: int) -> None:
        self._core = _cuda_core()
        try:
            self._device = self._core.Device(number)
            major, minor = self._device.compute_capability
        except Exception as error:  # those of the driver, and of what looks for it
            raise BuildError(f"CUDA device {number} cannot be used: {error}") from error
        self.name: str = self._device.name
        self.architecture = f"sm_{major}{minor}"
        self._bound = threading.local()

    @property
    def identity(self) -> bytes:
        """Architecture, and version of NVRTC."""
        return f"{self.architecture} {_version('nvrtc', 'nvrtcVersion')}".encode()

    @property
    def versions(self) -> str:
        """CUDA of the driver and of NVRTC."""
        driver = _version("driver", "cuDriverGetVersion")
        return f"driver for CUDA {driver}, NVRTC {_version('nvrtc', 'nvrtcVersion')}"

    def build(self, text: str, threads: int) -> bytes:
        """A cubin, of which as many blocks run at once as registers allow without local memory."""
        self.bind()
        body = compile_cubin(text, self.architecture)
        if len(text) > _SEARCHED:
            return body
        kernel = self._kernel(body)
        local = kernel.attributes.local_size_bytes
        blocks = self._resident(kernel, threads) + 1
        while blocks * threads <= _MOST_THREADS:
            denser = compile_cubin(text, self.architecture, blocks)
            if self._kernel(denser).attributes.local_size_bytes > local:
                break
            body, blocks = denser, blocks + 1
        return body

    def load(self, body: bytes, threads: int) -> CudaLaunch:
        """The kernel, in whatever context is current when it is launched."""
        self.bind()
        kernel = self._kernel(body)
        blocks = self._resident(kernel, threads) * self._device.properties.multiprocessor_count
        return CudaLaunch(self._core, self.bind, kernel, threads, blocks)

    def bind(self) -> None:
        """Makes the device the thread's own at its first call: autograd's threads have none."""
        if not hasattr(self._bound, "here"):
            self._device.set_current()
            self._bound.here = True

    def _kernel(self, body: bytes) -> Any:
        try:
            return self._core.ObjectCode.from_cubin(body).get_kernel("robograd_kernel")
        except Exception as error:  # the driver's errors have no common class
            raise BuildError(f"the driver does not load a kernel: {error}") from error

    def _resident(self, kernel: Any, threads: int) -> int:
        """Blocks of the kernel that fit onto a multiprocessor."""
        return int(kernel.occupancy.max_active_blocks_per_multiprocessor(threads, 0))


# Bytes of text above which NVRTC leaves out what takes it most time: some 25,000 operations.
_LARGE = 1_500_000
# Bytes of text up to which a kernel is built several times, and threads on a multiprocessor up to
# which more of them hide more of the memory's latency.
_SEARCHED = 100_000
_MOST_THREADS = 1024


def compile_cubin(text: str, architecture: str, blocks: int = 1, log: Any = None) -> bytes:
    """The text as a cubin for an architecture such as `sm_90`, by NVRTC; needs no GPU.

    blocks: how many shall fit onto a multiprocessor at once, whatever that takes.
    log: a text stream for what the compiler says of registers and local memory.

    Raises BuildError with the diagnostics.
    """
    core = _cuda_core()
    options = core.ProgramOptions(
        arch=architecture,
        std="c++17",
        define_macro=("BLOCKS", str(blocks)),
        ptxas_options=[] if log is None else ["-v"],
        ofast_compile="min" if len(text) > _LARGE else None,
    )
    try:
        return bytes(core.Program(text, "c++", options).compile("cubin", logs=log).code)
    except Exception as error:  # those of NVRTC, and of what looks for it
        raise BuildError(f"NVRTC: {error}") from error


class CudaLaunch:
    """A kernel, launched by the driver."""

    def __init__(
        self, core: Any, bind: Callable[[], None], kernel: Any, threads: int, blocks: int
    ) -> None:
        self.most_blocks = blocks
        self._bind, self._kernel, self._start = bind, kernel, core.launch
        self._stream = functools.lru_cache(64)(core.Stream.from_handle)
        self._shape = functools.lru_cache(64)(functools.partial(core.LaunchConfig, block=threads))

    def __call__(self, grid: int, arguments: Sequence[int], stream: int) -> None:
        """As `Launch` says."""
        self._bind()
        self._start(self._stream(stream), self._shape(grid), self._kernel, *arguments)


@functools.cache
def _version(module: str, function: str) -> str:
    """A version that a function of `cuda.bindings` gives behind its status."""
    given = getattr(importlib.import_module(f"cuda.bindings.{module}"), function)()[1:]
    numbers = divmod(given[0], 1000) if len(given) == 1 else given
    return f"{numbers[0]}.{numbers[1] // 10 if len(given) == 1 else numbers[1]}"


def _cuda_core() -> Any:
    try:
        core = importlib.import_module("cuda.core")
    except ImportError as error:
        raise BuildError(
            f"kernels for GPUs are built by cuda-core ({error}): pip install 'robograd[cuda]'"
        ) from error
    if not hasattr(core, "Program"):
        raise BuildError("kernels for GPUs need cuda-core 1.1 or later: pip install -U cuda-core")
    return core
