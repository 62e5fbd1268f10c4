"""`python -m benchmarks.shape [CHECKOUT]`: how large the code is, and how far a call travels in it.

Printed are source lines a package and a folder, the kinds of function that a reader of `ad_core`
meets, and for four calls how many of our files they visit and how often they move from one file to
another. A move is a call from a function in one file to a function in another. Nothing is timed, so
two checkouts can be compared anywhere.

Each call is counted in a process of its own, where another point of the same tool has made the same
journey: modules are loaded and the robot's tree is made. Kernels come from a cache on disk.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import pkgutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

ROOT = Path(__file__).parents[1]
PACKAGES = ("ad_core", "bridges", "robotics_ad", "robograd")
JOURNEYS = {
    "eval": "p.eval(q=...)",
    "torch": "ad_to_torch(p)",
    "casadi": "ad_to_casadi(p)",
    "kernel": "ad_to_kernel(p), built before",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Print the counts of a checkout, by default of this one."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.shape", description=__doc__)
    parser.add_argument("checkout", nargs="?", type=Path, default=ROOT)
    parser.add_argument("--files", action="store_true", help="name the files that calls visit")
    parser.add_argument("--journey", choices=JOURNEYS, help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    root = arguments.checkout.resolve()
    sys.path.insert(0, str(root))
    if arguments.journey:
        print(json.dumps(_journey(root, arguments.journey)))
        return 0
    print(_lines_text(root))
    names = kinds("ad_core", "ADFunctionInterface")
    print(f"\nkinds of function in ad_core: {len(names)}")
    print("\n".join(f"  {name}" for name in names))
    print(f"\n{'call':<32}{'files':>8}{'moves':>8}")
    for name, moves, files in _journeys(root):
        print(f"{JOURNEYS[name]:<32}{len(files):>8,}{moves:>8,}")
        if arguments.files:
            print("\n".join(f"    {file}" for file in files))
    return 0


def lines(folder: Path) -> Counter[str]:
    """Lines of Python and C below a folder, by the first part of the path inside it."""
    found: Counter[str] = Counter()
    for path in sorted(folder.rglob("*")):
        if path.suffix in {".py", ".c", ".h", ".cuh"}:
            part = path.relative_to(folder).parts[0]
            found[part] += len(path.read_text(encoding="utf-8").splitlines())
    return found


def kinds(package: str, base: str) -> list[str]:
    """The classes of a package that derive from its class `base`, itself among them."""
    top = importlib.import_module(package)
    for module in pkgutil.walk_packages(top.__path__, f"{package}."):
        importlib.import_module(module.name)
    found: set[type] = set()
    waiting: list[type] = [getattr(top, base)]
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        if kind.__module__.split(".")[0] == package:
            found.add(kind)
    return sorted(f"{kind.__module__}.{kind.__qualname__}" for kind in found)


def travelled(call: Callable[[], Any], root: Path) -> tuple[int, list[str]]:
    """The moves of a call between files of the packages below `root`, and the files it visits."""
    folders = tuple(f"{root / package}{os.sep}" for package in PACKAGES)
    files: set[str] = set()
    moves = 0

    def hook(frame: FrameType, event: str, _: object) -> None:
        nonlocal moves
        here = frame.f_code.co_filename
        if event != "call" or not here.startswith(folders) or frame.f_code.co_name == "<module>":
            return
        files.add(os.path.relpath(here, root))
        there = frame.f_back.f_code.co_filename if frame.f_back else here
        moves += there != here and there.startswith(folders)

    sys.setprofile(hook)
    try:
        call()
    finally:
        sys.setprofile(None)
    return moves, sorted(files)


def _lines_text(root: Path) -> str:
    rows: list[str] = []
    for package in PACKAGES:
        found = lines(root / package)
        rows.append(f"{package:<32}{sum(found.values()):>8,}")
        folders = [part for part in found if (root / package / part).is_dir()]
        rows += [f"  {part + '/':<30}{found[part]:>8,}" for part in folders]
    return "\n".join([f"{'source lines':<32}", *rows])


def _journeys(root: Path) -> list[tuple[str, int, list[str]]]:
    """Name, moves and files of each journey, counted when its kernels are in a cache."""
    command = [sys.executable, "-m", "benchmarks.shape", str(root), "--journey"]
    rows: list[tuple[str, int, list[str]]] = []
    with tempfile.TemporaryDirectory() as cache:
        environment = {**os.environ, "ROBOGRAD_CACHE": cache}
        for name in JOURNEYS:
            for _ in range(2 if name == "kernel" else 1):
                result = subprocess.run(
                    [*command, name],
                    cwd=ROOT,
                    env=environment,
                    check=True,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            moves, files = json.loads(result.stdout)
            rows.append((name, moves, files))
    return rows


def _journey(root: Path, name: str) -> tuple[int, list[str]]:
    import ad_core as ad
    from bridges.casadi import ad_to_casadi
    from bridges.kernel import ad_to_kernel
    from bridges.pytorch import ad_to_torch
    from robotics_ad import kinematics, packaged_arm

    robot = packaged_arm()
    calls: dict[str, Callable[[ad.Expression], Any]] = {
        "eval": lambda p: p.eval(q=robot.neutral()),
        "torch": ad_to_torch,
        "casadi": ad_to_casadi,
        "kernel": ad_to_kernel,
    }
    other, p = (
        kinematics.WorldPosition(robot.link("tool"), [0.0, 0.0, z])(ad.var("q", robot.nq))
        for z in (0.2, 0.1)
    )
    calls[name](other)
    return travelled(lambda: calls[name](p), root)


if __name__ == "__main__":
    sys.exit(main())
