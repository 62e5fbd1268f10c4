"""What `robograd info` prints: a robot file as a tree; or, for a bug report, the machine.

Of the machine: versions, processor, compiler, kernel cache.
"""

import os
import platform
import shlex
import shutil
import sys
from contextlib import suppress
from importlib import metadata

from bridges.native import cache
from bridges.native.build import find_compiler, run_compiler
from bridges.native.device import cuda_device
from bridges.native.errors import BuildError
from robograd import __version__
from robograd.robots import Mappings, robot_of_file
from robotics_ad.model import NARROWEST

_DISTRIBUTIONS = (
    "numpy",
    "torch",
    "casadi",
    "mujoco",
    "xacro",
    "cuda-core",
    "nvidia-cuda-nvrtc",
    "scipy",
    "matplotlib",
    "tqdm",
)


def environment() -> list[tuple[str, str]]:
    """Rows ``(name, value)`` that describe this installation, in the order they are shown."""
    return [
        ("robograd", __version__),
        ("python", f"{platform.python_version()} ({platform.python_implementation()})"),
        ("system", f"{platform.system()} {platform.release()} {platform.machine()}"),
        ("processor", f"{_processor()}, {os.cpu_count()} logical cores"),
        ("compiler", _compiler()),
        ("GPU", _gpu()),
        ("kernel cache", describe(cache.info())),
        *((name, _version(name)) for name in _DISTRIBUTIONS),
    ]


def describe(info: cache.CacheInfo) -> str:
    """Where a kernel cache is, what it holds and how large it may become, in one line."""
    noun = "library" if info.n_libraries == 1 else "libraries"
    used, limit = info.n_bytes / 2**20, info.limit_bytes / 2**20
    return f"{info.path}: {info.n_libraries} {noun}, {used:.1f} of {limit:.0f} MiB"


def robot_text(
    source: str,
    base: str,
    width: int | None,
    untrusted: bool = False,
    mappings: Mappings | None = None,
) -> str:
    """The tree of a robot file, as `robot_of_file` takes it and its mappings.

    Lines have at most `width` characters; None stands for the terminal's width, or for what it
    takes where a file or a pipe is written. A file that is untrusted is read in a process of its
    own.
    """
    if width is None:
        told = sys.stdout.isatty() or "COLUMNS" in os.environ
        width = max(shutil.get_terminal_size().columns, NARROWEST) if told else sys.maxsize
    robot = robot_of_file(source, base, mappings=mappings, untrusted=untrusted)
    return robot.pretty(width)


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "not installed"


def _compiler() -> str:
    """The command that builds kernels, and the first line that it prints of its version."""
    command: tuple[str, ...] = ()
    try:
        command = find_compiler()
        status, output, _ = run_compiler(command, ["--version"], None, 10.0)
    except BuildError as error:
        return f"{shlex.join(command) or 'none'}: {error}"
    answer = f"exit status {status}" if status else output.partition("\n")[0]
    return f"{shlex.join(command)}: {answer}"


def _gpu() -> str:
    """The first GPU, its architecture, its driver, and whether kernels can be built for it."""
    import torch

    if not torch.cuda.is_available():
        return "none that torch can use"
    try:
        device = cuda_device(0)
    except BuildError as error:
        return f"{torch.cuda.get_device_name(0)}: {error}"
    count = torch.cuda.device_count()
    more = f", and {count - 1} more" if count > 1 else ""
    return f"{device.name}, {device.architecture}, {device.versions}{more}"


def _processor() -> str:
    """The processor's name as Linux gives it, else as Python does."""
    with suppress(OSError), open("/proc/cpuinfo", encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
