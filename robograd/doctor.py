"""What `robograd doctor` finds: whether this installation works, and how to mend what does not.

It builds a kernel anew in the kernel cache's folder, and compares the engines on the packaged arm.
What is installed in which version, `robograd info` says.
"""

from __future__ import annotations

import os
import platform
import re
import tempfile
import time
import warnings
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module, metadata
from importlib.util import find_spec
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bridges.kernel import ad_to_kernel
from bridges.native import cache
from bridges.native.build import compile_library, compiler_here
from bridges.native.errors import BuildError
from robotics_ad import kinematics, packaged_arm

Array = NDArray[np.float64]

_TOLERANCE = 1e-10  # between engines: m, and entries of rotations and Jacobians
_SAMPLES = 64
# package that is imported -> (what it is for, extra)
_EXTRAS = {
    "viser": ("robograd view", "view"),
    "mujoco": ("MJCF files", "mujoco"),
    "coal": ("distances of meshes", "geometry"),
    "matplotlib": ("the demo's picture", "viz"),
    "shtab": ("robograd completion", "completion"),
}


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        what: its name.
        fault: whether it does not work.
        text: what was found.
        mend: what to do, where something should be done.
    """

    what: str
    fault: bool
    text: str
    mend: str = ""

    def __str__(self) -> str:
        state = "FAULT" if self.fault else "ok"
        mend = f"\n{'':7}-> {self.mend}" if self.mend else ""
        return f"{state:<6} {self.what}: {self.text}{mend}"


def examine() -> Iterator[Finding]:
    """Findings, each as soon as it is known; they take some seconds."""
    yield _versions()
    compiler = _compiler()
    yield compiler
    yield _cache()
    Thread(target=_load, args=("torch",), daemon=True).start()  # while compilers run
    robot = packaged_arm()
    pose = kinematics.WorldTransform(robot.link("tool"))
    q = robot.random(np.random.default_rng(0), (_SAMPLES,))
    wanted = pose("q").eval_batch(q=q), pose("q").derivative_batch("q", q=q)
    with _own_cache():
        yield _engine("kernel", _of_kernel(pose), q, wanted)
        yield _engine("torch", _of_torch(pose), q, wanted)
        yield _engine("CasADi", _of_casadi(pose), q, wanted)
        yield _gpu(pose, q, wanted)
    yield _extras()


def _load(name: str) -> None:
    with suppress(Exception):  # whoever needs it will see what is wrong
        import_module(name)


Run = Callable[[Array], tuple[Array, Array]]
"""q (samples, nq) -> poses (samples, 12) and their Jacobians (samples, 12, nq)."""


def _of_kernel(pose: kinematics.WorldTransform) -> Run:
    def run(q: Array) -> tuple[Array, Array]:
        kernel = ad_to_kernel(pose)
        if not kernel.is_native:
            raise BuildError("it is not compiled, and runs some hundred times slower")
        return np.asarray(kernel(q)), np.asarray(kernel.jacobian()(q))

    return run


def _of_torch(pose: kinematics.WorldTransform) -> Run:
    def run(q: Array) -> tuple[Array, Array]:
        import torch

        from bridges.pytorch import ad_to_torch

        layer = ad_to_torch(pose)
        x = torch.tensor(q, requires_grad=True)
        y = layer(x)
        rows = [torch.autograd.grad(y[:, i].sum(), x, retain_graph=True)[0] for i in range(12)]
        return y.detach().numpy(), torch.stack(rows, 1).numpy()

    return run


def _of_casadi(pose: kinematics.WorldTransform) -> Run:
    def run(q: Array) -> tuple[Array, Array]:
        from bridges.casadi import ad_to_casadi

        f: Any = ad_to_casadi(pose)
        J = f.jacobian()
        values: list[Array] = [f(one).full().ravel() for one in q]
        slopes: list[Array] = [J(one, 0).full() for one in q]
        return np.stack(values), np.stack(slopes)

    return run


def _engine(name: str, run: Run, q: Array, wanted: tuple[Array, Array]) -> Finding:
    """Whether an engine's values and derivatives are those of numpy."""
    began = time.perf_counter()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they are findings of their own
            got = run(q)
        apart = max(float(np.abs(a - b).max()) for a, b in zip(got, wanted, strict=True))
    except ImportError as error:
        return Finding(name, True, str(error), f"pip install {name.lower()}")
    except Exception as error:  # whatever an engine raises on a machine that is not right
        return Finding(name, True, _line(error), "see the finding about the compiler and the cache")
    seconds = time.perf_counter() - began
    if not apart <= _TOLERANCE:
        return Finding(
            name, True, f"differs from numpy by {apart:.1e}", "report it with `robograd info`"
        )
    return Finding(name, False, f"built and run in {seconds:.1f} s, {apart:.0e} from numpy")


def _versions() -> Finding:
    """Whether Python and the packages that are required are in their ranges."""
    faults: list[str] = []
    for line in metadata.requires("robograd") or []:
        needed, _, marker = line.partition(";")
        if "extra" in marker:
            continue
        name = re.split(r"[^\w.-]", needed.strip(), maxsplit=1)[0]
        bounds = re.findall(r"(<|>=)\s*([\d.]+)", needed)
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            faults.append(f"{name} is not installed")
            continue
        for sign, bound in bounds:
            if (_release(version) < _release(bound)) != (sign == "<"):
                faults.append(f"{name} is {version}, needs {sign}{bound}")
    if faults:
        return Finding("versions", True, "; ".join(faults), "pip install --upgrade robograd")
    return Finding("versions", False, f"Python {platform.python_version()} and what is required")


def _compiler() -> Finding:
    """Whether the compiler makes a library."""
    try:
        compiler = compiler_here()
        with tempfile.TemporaryDirectory() as folder:
            compile_library("int f(void) { return 0; }\n", compiler, "-O1", Path(folder) / "f.so")
    except (BuildError, OSError) as error:
        return Finding(
            "compiler", True, _line(error), "install gcc or clang, or set CC to a C compiler"
        )
    return Finding("compiler", False, f"{' '.join(compiler.command)} builds libraries")


def _cache() -> Finding:
    """Whether kernels are kept."""
    mend = "set ROBOGRAD_CACHE to a folder that only you can write"
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            folder = cache.open_cache()
            info = cache.info()
        except (BuildError, OSError) as error:
            return Finding("kernel cache", True, _line(error), mend)
    if told or folder != info.path:
        return Finding("kernel cache", True, f"{info.path} cannot be used", mend)
    if info.n_bytes > 0.9 * info.limit_bytes:
        return Finding(
            "kernel cache",
            False,
            "nearly full: kernels that were not used for long are removed",
            "`robograd cache clear`, or a larger ROBOGRAD_CACHE_SIZE",
        )
    return Finding("kernel cache", False, f"{info.path} can be written")


def _gpu(pose: kinematics.WorldTransform, q: Array, wanted: tuple[Array, Array]) -> Finding:
    """Whether kernels run on the GPU, if there is one."""
    present = Path("/proc/driver/nvidia/version").exists()
    if find_spec("torch") is None:
        return Finding("GPU", present, "no torch")
    import torch

    if not torch.cuda.is_available():
        if not present:
            return Finding("GPU", False, "none")
        mend = "install torch's CUDA build" if torch.version.cuda is None else "update the driver"
        return Finding("GPU", True, "NVIDIA's driver is there, but torch cannot use it", mend)

    def run(q: Array) -> tuple[Array, Array]:
        kernel, x = ad_to_kernel(pose), torch.tensor(q, device="cuda")
        return kernel(x).cpu().numpy(), kernel.jacobian()(x).cpu().numpy()

    found = _engine("GPU", run, q, wanted)
    return (
        Finding("GPU", True, found.text, "pip install 'robograd[cuda]'") if found.fault else found
    )


def _extras() -> Finding:
    """What can be installed besides."""
    missing = [
        f"{what} ({extra})" for name, (what, extra) in _EXTRAS.items() if find_spec(name) is None
    ]
    if not missing:
        return Finding("extras", False, "all that commands and loaders use")
    return Finding(
        "extras", False, f"not installed: {', '.join(missing)}", "pip install 'robograd[EXTRA]'"
    )


@contextmanager
def _own_cache() -> Generator[None]:
    """Kernels are built anew, beside those that are kept, and are gone afterwards."""
    before = os.environ.get("ROBOGRAD_CACHE")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            beside: Path | None = cache.open_cache().parent
        except BuildError:
            beside = None
    with tempfile.TemporaryDirectory(
        dir=beside, prefix="doctor-", ignore_cleanup_errors=True
    ) as folder:
        os.environ["ROBOGRAD_CACHE"] = folder
        try:
            yield
        finally:
            if before is None:
                del os.environ["ROBOGRAD_CACHE"]
            else:
                os.environ["ROBOGRAD_CACHE"] = before


def _release(version: str) -> tuple[int, ...]:
    """The leading numbers of a version, by which it is ordered."""
    found = re.match(r"\d+(\.\d+)*", version)
    return tuple(int(number) for number in found[0].split(".")) if found else ()


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
