"""Whether what the engines need is there: packages, a compiler, a folder for kernels."""

from __future__ import annotations

import platform
import re
import tempfile
import warnings
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from bridges.native import cache
from bridges.native.build import compile_library, compiler_here
from bridges.native.errors import BuildError
from robograd.doctor.finding import Finding, in_one_line

# package that is imported -> (what it is for, extra)
_EXTRAS = {
    "viser": ("robograd view", "view"),
    "mujoco": ("MJCF files", "mujoco"),
    "coal": ("distances of meshes", "geometry"),
    "matplotlib": ("the demo's picture", "viz"),
    "shtab": ("robograd completion", "completion"),
}


def versions() -> Finding:
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


def compiler() -> Finding:
    """Whether the compiler makes a library."""
    try:
        cc = compiler_here()
        with tempfile.TemporaryDirectory() as folder:
            compile_library("int f(void) { return 0; }\n", cc, "-O1", Path(folder) / "f.so")
    except (BuildError, OSError) as error:
        return Finding(
            "compiler", True, in_one_line(error), "install gcc or clang, or set CC to a C compiler"
        )
    return Finding("compiler", False, f"{' '.join(cc.command)} builds libraries")


def kernel_cache() -> Finding:
    """Whether kernels are kept."""
    mend = "set ROBOGRAD_CACHE to a folder that only you can write"
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            folder = cache.open_cache()
            info = cache.info()
        except (BuildError, OSError) as error:
            return Finding("kernel cache", True, in_one_line(error), mend)
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


def extras() -> Finding:
    """What can be installed besides."""
    missing = [
        f"{what} ({extra})" for name, (what, extra) in _EXTRAS.items() if find_spec(name) is None
    ]
    if not missing:
        return Finding("extras", False, "all that commands and loaders use")
    return Finding(
        "extras", False, f"not installed: {', '.join(missing)}", "pip install 'robograd[EXTRA]'"
    )


def _release(version: str) -> tuple[int, ...]:
    """The leading numbers of a version, by which it is ordered."""
    found = re.match(r"\d+(\.\d+)*", version)
    return tuple(int(number) for number in found[0].split(".")) if found else ()
