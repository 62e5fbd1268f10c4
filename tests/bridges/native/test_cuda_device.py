"""The device over `cuda.core`: what NVRTC compiles is real, what the driver would do is played.

Names that the driver's part uses are looked up in the real classes of cuda-core.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import ad_core as ad
from ad_core import math as adm
from bridges.kernel import ad_to_kernel
from bridges.native import device
from bridges.native.device import CudaDevice, compile_cubin
from bridges.native.emit_cuda import emit_cuda
from bridges.native.errors import BuildError

core = pytest.importorskip("cuda.core")
X = ad.var("x", 3)


def text_of(expression: Any) -> str:
    """The text of an expression."""
    return emit_cuda(ad_to_kernel(expression, dtype="float32").program, "float32")


class Played:
    """The driver's part: kernels take the registers of `plan`, by the blocks that are asked for.

    As the driver does, it refuses threads in which no device was made current.

    plan: for each number of blocks, how many fit and the bytes of local memory.
    """

    def __init__(self, plan: dict[int, tuple[int, int]]) -> None:
        self.plan = plan
        self.asked: list[int] = []
        self.launched: list[tuple[Any, ...]] = []
        self.current: list[str] = []
        self.Program, self.ProgramOptions = core.Program, core.ProgramOptions
        self.ObjectCode = SimpleNamespace(from_cubin=self._module)
        self.Stream = SimpleNamespace(from_handle=lambda handle: f"stream {handle}")

    def Device(self, number: int) -> Any:
        """A GPU with ten multiprocessors."""
        return SimpleNamespace(
            name=f"played {number}",
            compute_capability=(9, 0),
            properties=SimpleNamespace(multiprocessor_count=10),
            set_current=lambda: self.current.append(threading.current_thread().name),
        )

    def LaunchConfig(self, grid: int, block: int) -> tuple[int, int]:
        """The shape of a launch."""
        return grid, block

    def launch(self, *arguments: Any) -> None:
        """Notes the launch."""
        self._here()
        self.launched.append(arguments)

    def _module(self, body: bytes) -> Any:
        self._here()
        blocks = self.asked[-1]
        fit, local = self.plan[blocks]
        kernel = SimpleNamespace(
            blocks=blocks,
            occupancy=SimpleNamespace(
                max_active_blocks_per_multiprocessor=lambda *_: fit if self._here() else 0
            ),
            attributes=SimpleNamespace(local_size_bytes=local),
        )
        return SimpleNamespace(get_kernel=lambda name: {"robograd_kernel": kernel}[name])

    def _here(self) -> bool:
        if threading.current_thread().name not in self.current:
            raise RuntimeError("CUDA_ERROR_INVALID_CONTEXT")
        return True


def played(monkeypatch: pytest.MonkeyPatch, plan: dict[int, tuple[int, int]]) -> Any:
    """A device over the played driver."""
    driver = Played(plan)
    compiled = device.compile_cubin

    def noted(text: str, architecture: str, blocks: int = 1) -> bytes:
        driver.asked.append(blocks)
        return compiled(text, architecture, blocks)

    monkeypatch.setattr(device, "_cuda_core", lambda: driver)
    monkeypatch.setattr(device, "compile_cubin", noted)
    return driver, CudaDevice(0)


@pytest.mark.parametrize("architecture", ["sm_75", "sm_80", "sm_90", "sm_100", "sm_120"])
def test_nvrtc_compiles_without_a_gpu(architecture: str) -> None:
    body = compile_cubin(text_of(adm.sin(X)), architecture)
    assert body.startswith(b"\x7fELF")
    assert b"robograd_kernel" in body


def test_what_does_not_compile_says_why() -> None:
    with pytest.raises(BuildError, match=r"(?s)NVRTC: .*nonsense"):
        compile_cubin("int nonsense = ;", "sm_90")
    with pytest.raises(BuildError, match="NVRTC"):
        compile_cubin("", "sm_1")


def test_as_many_blocks_as_fit_without_local_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    driver, gpu = played(monkeypatch, {1: (4, 0), 5: (5, 0), 6: (6, 0), 7: (7, 8)})
    gpu.build(text_of(adm.sin(X)), 128)
    assert driver.asked == [1, 5, 6, 7]


def test_no_more_threads_than_help(monkeypatch: pytest.MonkeyPatch) -> None:
    driver, gpu = played(monkeypatch, {n: (max(n, 6), 0) for n in range(1, 40)})
    gpu.build(text_of(adm.sin(X)), 128)
    assert driver.asked == [1, 7, 8]


def test_a_long_text_is_compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    driver, gpu = played(monkeypatch, {1: (4, 0)})
    gpu.build(text_of(X) + " " * 200_000, 128)
    assert driver.asked == [1]


def test_launches(monkeypatch: pytest.MonkeyPatch) -> None:
    driver, gpu = played(monkeypatch, {1: (8, 0)})
    driver.asked.append(1)
    launch = gpu.load(b"", 128)
    assert launch.most_blocks == 80
    launch(3, [1, 2, 3], 7)
    launch(4, [1, 2, 3], 7)
    other = threading.Thread(target=lambda: launch(1, [4], 0), name="another")
    other.start()
    other.join()
    rows = [(stream, shape, values) for stream, shape, _, *values in driver.launched]
    assert rows == [
        ("stream 7", (3, 128), [1, 2, 3]),
        ("stream 7", (4, 128), [1, 2, 3]),
        ("stream 0", (1, 128), [4]),
    ]
    assert driver.current == [threading.current_thread().name, "another"]  # once a thread


def test_another_thread_builds_and_loads(monkeypatch: pytest.MonkeyPatch) -> None:
    driver, gpu = played(monkeypatch, {1: (8, 0)})
    with ThreadPoolExecutor(1, "builder") as pool:  # as autograd does, in the first backward pass
        body = pool.submit(gpu.build, text_of(adm.sin(X)), 128).result()
        launch = pool.submit(gpu.load, body, 128).result()
    launch(3, [1, 2, 3], 7)
    assert driver.current == ["builder_0", threading.current_thread().name]


def test_cuda_core_has_what_is_used() -> None:
    for name in ("Device", "LaunchConfig", "ObjectCode", "Program", "ProgramOptions", "Stream"):
        assert hasattr(core, name)
    assert callable(core.launch)
    module = inspect.getmodule(core.Kernel)
    attributes, occupancy = (getattr(module, f"Kernel{n}") for n in ("Attributes", "Occupancy"))
    assert inspect.isdatadescriptor(attributes.local_size_bytes)  # no method, as it once was
    assert callable(occupancy.max_active_blocks_per_multiprocessor)
    assert callable(core.ObjectCode.from_cubin)
    assert callable(core.Stream.from_handle)
    assert callable(core.Device.set_current)
    for name in ("compute_capability", "name", "properties"):
        assert inspect.isdatadescriptor(getattr(core.Device, name))
    assert core.LaunchConfig(grid=(3,), block=(128,)).block[0] == 128


def test_without_cuda_core_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib

    def absent(name: str) -> Sequence[Any]:
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr(importlib, "import_module", absent)
    with pytest.raises(BuildError, match=r"built by cuda-core .*pip install 'robograd\[cuda\]'"):
        compile_cubin("", "sm_90")


def test_kernels_need_no_gpu_to_be_numbers() -> None:
    """The machine of these tests has none, and kernels of arrays do not ask."""
    np.testing.assert_array_equal(ad_to_kernel(X * 2.0)(np.ones(3)), 2 * np.ones(3))
