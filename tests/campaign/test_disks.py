"""No place to write into, of every kind: a slow way with one warning, or an error that says why."""

from __future__ import annotations

import ctypes
import os
import resource
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.ma
import pytest
from campaign.forks import check
from campaign.programs import X, Y, check_known, known_expression, known_kernel
from campaign.tally import Tally
from numpy.testing import assert_allclose

from bridges.casadi import ad_to_casadi

pytestmark = pytest.mark.campaign("read-only folders and full disks")

FACTOR = 4.5
_NEW_MOUNTS, _PRIVATE, _READ_ONLY, _REMOUNT = 0x20000, 1 << 18 | 1 << 14, 1, 32
_CAPABILITIES, _DROP_FOR_PROGRAMS = 0x20080522, 24  # the version of capset(2); of prctl(2)
_NOBODY = 65534
_LIBC = ctypes.CDLL(None, use_errno=True)


class Unable(Exception):
    """This user or machine cannot make such a place."""


def mount(path: Path, options: str, *, read_only: bool = False) -> None:
    """An empty file system in memory, seen by this process alone."""
    path.mkdir(exist_ok=True)
    target = str(path).encode()
    done = (
        _LIBC.unshare(_NEW_MOUNTS) == 0
        and _LIBC.mount(b"none", b"/", None, _PRIVATE, None) == 0
        and _LIBC.mount(b"tmpfs", target, b"tmpfs", 0, f"mode=700,{options}".encode()) == 0
    )
    if done and read_only:
        done = _LIBC.mount(None, target, None, _REMOUNT | _READ_ONLY, None) == 0
    if not done:
        raise Unable(os.strerror(ctypes.get_errno()))


def of_another(path: Path) -> None:
    """A folder that belongs to another user."""
    path.mkdir()
    try:
        os.chown(path, _NOBODY, _NOBODY)
    except PermissionError as error:
        raise Unable(str(error)) from error


def for_reading(path: Path) -> None:
    """A folder without the right to write, and no privilege to do so all the same."""
    path.mkdir(mode=0o555)
    for capability in range(64):
        _LIBC.prctl(_DROP_FOR_PROGRAMS, capability, 0, 0, 0)
    _LIBC.capset((ctypes.c_uint32 * 2)(_CAPABILITIES, 0), (ctypes.c_uint32 * 6)())
    if os.access(path, os.W_OK):
        raise Unable("the privilege stays")


def limit_files(n_bytes: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, n_bytes))


def limit_open_files(count: int | None = None) -> None:
    """None: as many as are allowed."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (count or most, most))


def link_to_itself(path: Path) -> None:
    path.symlink_to(path)


Place = Callable[[Path, np.random.Generator], object]
# Each makes the place, or makes it useless, in a process of its own.
PLACES: dict[str, Place] = {
    "a file": lambda path, rng: path.write_text("no folder"),
    "below a device": lambda path, rng: path.symlink_to("/dev/null"),
    "a full device": lambda path, rng: path.symlink_to("/dev/full"),
    "a dangling link": lambda path, rng: path.symlink_to("/nowhere/at/all"),
    "a link to itself": lambda path, rng: link_to_itself(path),
    "in a folder of the kernel's": lambda path, rng: path.symlink_to("/proc/self"),
    "a folder of another user": lambda path, rng: of_another(path),
    "a folder for reading": lambda path, rng: for_reading(path),
    "a file system for reading": lambda path, rng: mount(path, "size=1m", read_only=True),
    "a full file system": lambda path, rng: mount(path, f"size={rng.integers(1, 30) * 4096}"),
    "a file system without names": lambda path, rng: mount(
        path, f"size=1m,nr_inodes={rng.integers(2, 8)}"
    ),
    "short files": lambda path, rng: limit_files(int(rng.integers(40_000))),
    "few open files": lambda path, rng: limit_open_files(int(rng.integers(3, 30))),
}


def run_kernel(path: Path) -> None:
    check_known(known_kernel(FACTOR), FACTOR, native=False)


def run_function(path: Path) -> None:
    f = ad_to_casadi(known_expression(FACTOR), compiled=True)
    assert_allclose(f(X[0], Y[3]).full().ravel(), FACTOR * X[0] + Y[3], rtol=1e-14)


def save(path: Path) -> None:
    """Either the whole file is there or an error and nothing."""
    kernel, expected = known_kernel(FACTOR), ["kernel"]
    try:
        kernel.save(path / "kernel", ["vjp", "jacobian"])
    except OSError:
        expected = []
    limit_open_files()
    if path.is_dir() and path.resolve().is_relative_to(path.parent):
        left = sorted(os.listdir(path))
        if left != expected:
            raise AssertionError(f"in the folder: {left}, expected {expected}")


USES: dict[str, Callable[[Path], object]] = {
    "kernel": run_kernel,
    "CasADi function": run_function,
    "save": save,
}


def check_warnings(caught: list[warnings.WarningMessage]) -> None:
    """One of the cache at most, and one of the slow way."""
    texts = [str(w.message) for w in caught]
    right = all(w.category is RuntimeWarning for w in caught)
    if not right or len(texts) > 2 or len(set(texts)) < len(texts):
        raise AssertionError(f"warnings: {texts}")


@pytest.mark.parametrize("place", PLACES)
def test_places(tally: Tally, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    """The cache's folder is such a place, sometimes also that for temporary files."""

    def trial(rng: np.random.Generator) -> None:
        above = Path(tempfile.mkdtemp(dir=tmp_path))
        path, everywhere = above / "place", bool(rng.random() < 0.3)
        use = list(USES)[rng.integers(len(USES))]
        monkeypatch.setenv("ROBOGRAD_CACHE", str(above / "fine" if use == "save" else path))

        def work() -> None:
            if use == "save":
                known_kernel(FACTOR)  # with all that it takes
            try:
                PLACES[place](path, rng)
            except Unable:
                return
            if everywhere:
                tempfile.tempdir = str(path)
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                USES[use](path)
            check_warnings(caught)

        try:
            check(work)
        except AssertionError as error:
            raise AssertionError(f"{use}, everywhere={everywhere}: {error}") from None

    tally.run(12, trial)
