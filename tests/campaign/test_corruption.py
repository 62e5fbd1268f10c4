"""Damaged files of every kind: built anew or refused, never a crash or a wrong result."""

from __future__ import annotations

import os
import pickle
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from campaign.forks import check
from campaign.programs import X, Y, build_and_check, check_known, known_expression, known_kernel
from campaign.tally import Tally
from numpy.testing import assert_allclose

from bridges.casadi import ad_to_casadi
from bridges.kernel import load
from bridges.pytorch import ad_to_torch

pytestmark = pytest.mark.campaign("damaged files")

FACTOR, OTHER = 2.5, 3.5


def build_function(factor: float) -> None:
    """A compiled CasADi function of one sample, and whether it is right."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        f = ad_to_casadi(known_expression(factor), compiled=True)
    assert_allclose(f(X[0], Y[3]).full().ravel(), factor * X[0] + Y[3], rtol=1e-14)


def pickle_layer(path: Path, factor: float) -> None:
    path.write_bytes(pickle.dumps(ad_to_torch(known_expression(factor))))


def use_layer(path: Path) -> None:
    result = pickle.loads(path.read_bytes())(torch.from_numpy(X), torch.from_numpy(Y))
    assert_allclose(result, FACTOR * X + Y, rtol=1e-14, atol=1e-14)


class File(NamedTuple):
    """A kind of file: how to make it for a factor, and how to use it for `FACTOR`.

    pattern: where it lies in the cache; empty: where `make` is told to put it.
    refuses: what using it may raise instead of being right.
    """

    make: Callable[[Path, float], object]
    use: Callable[[Path], object]
    pattern: str = ""
    refuses: tuple[type[Exception], ...] = ()


FILES = {
    "library of a kernel": File(
        lambda path, factor: build_and_check(factor), lambda path: build_and_check(FACTOR), "*.so"
    ),
    "library of a CasADi function": File(
        lambda path, factor: build_function(factor), lambda path: build_function(FACTOR), "*.so"
    ),
    "saved kernel": File(
        lambda path, factor: known_kernel(factor).save(path, ["vjp"]),
        lambda path: check_known(load(path), FACTOR),
        refuses=(ValueError, OSError),
    ),
    "pickled kernel": File(
        lambda path, factor: path.write_bytes(pickle.dumps(known_kernel(factor))),
        lambda path: check_known(pickle.loads(path.read_bytes()), FACTOR),
        refuses=(Exception,),  # of the unpickler's
    ),
    "pickled layer": File(pickle_layer, use_layer, refuses=(Exception,)),
}


def flip(data: bytes, rng: np.random.Generator) -> bytes:
    """One bit, or some."""
    changed = bytearray(data)
    for at in rng.integers(len(data), size=rng.choice([1, 1, 3, 100])):
        changed[at] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def blank(data: bytes, rng: np.random.Generator) -> bytes:
    """A page of zeros, as after a crash of the machine."""
    at = int(rng.integers(len(data)))
    return data[:at] + bytes(len(data[at : at + 4096])) + data[at + 4096 :]


def other_letter(data: bytes, rng: np.random.Generator) -> bytes:
    """One letter or digit for another, which keeps a text well-formed."""
    places = [at for at, c in enumerate(data) if chr(c).isalnum() and c < 128]
    at = places[rng.integers(len(places))]
    return data[:at] + bytes([rng.choice(list(b"aeinorst0123456789"))]) + data[at + 1 :]


BYTES: dict[str, Callable[[bytes, np.random.Generator], bytes]] = {
    "flip": flip,
    "other letter": other_letter,
    "cut": lambda data, rng: data[: int(rng.integers(len(data)))],
    "cut a little": lambda data, rng: data[: -int(rng.integers(1, 64))],
    "longer": lambda data, rng: data + rng.bytes(int(rng.integers(1, 5000))),
    "blank page": blank,
    "without a part": lambda data, rng: (
        data[: (at := int(rng.integers(len(data))))] + data[at + int(rng.integers(1, 100)) :]
    ),
    "other bytes": lambda data, rng: rng.bytes(len(data)),
    "nothing": lambda data, rng: b"",
}


def as_folder(path: Path) -> None:
    (path / "inside").mkdir(parents=True)


def as_link(path: Path) -> None:
    path.symlink_to("/etc/passwd")


PLACES: dict[str, Callable[[Path], object]] = {
    "missing": lambda path: None,
    "folder": as_folder,
    "link": as_link,
    "dangling link": lambda path: path.symlink_to("nowhere"),
}
# A pipe has no end: only what is never read from a place that others chose is tried with it.
IN_CACHE: dict[str, Callable[[Path], object]] = {**PLACES, "pipe": os.mkfifo}

# Numbers in the pickle of a layer have no checksum; a part of it that is missing shows.
ONLY = {"pickled layer": ("cut", "cut a little", "nothing", *PLACES)}


def place_of(file: File, cache: Path, tmp_path: Path) -> Path:
    """Where the file of a kind lies; skips the test where the cache has none."""
    found = [*cache.glob(file.pattern)] if file.pattern else [tmp_path / "file"]
    if not found:
        pytest.skip(f"no {file.pattern} in the cache")
    return found[0]


def made(file: File, factor: float, cache: Path, tmp_path: Path) -> tuple[Path, bytes]:
    """Makes a file in an empty cache, in a process of its own: nothing of it is loaded here."""
    for path in cache.glob("*"):
        path.unlink()
    check(lambda: file.make(tmp_path / "file", factor))
    path = place_of(file, cache, tmp_path)
    return path, path.read_bytes()


@pytest.mark.parametrize("kind", FILES)
def test_damage(tally: Tally, cache: Path, tmp_path: Path, kind: str) -> None:
    file = FILES[kind]
    path, data = made(file, FACTOR, cache, tmp_path)
    before = {p.name: p.read_bytes() for p in cache.glob("*")}
    ways = ONLY.get(kind, (*BYTES, *(IN_CACHE if file.pattern else PLACES)))

    def use() -> None:
        try:
            file.use(path)
        except file.refuses as error:
            if isinstance(error, AssertionError):
                raise

    def trial(rng: np.random.Generator) -> None:
        way = ways[rng.integers(len(ways))]
        remove(path)
        if way in BYTES:
            path.write_bytes(BYTES[way](data, rng))
            path.chmod(0o700)
        else:
            IN_CACHE[way](path)
        try:
            check(use)
            check(use)  # what the first process left behind is right, too
        except AssertionError as error:
            raise AssertionError(f"{way}: {error}") from None
        finally:
            for name, body in before.items():
                remove(cache / name)
                (cache / name).write_bytes(body)
                (cache / name).chmod(0o700)

    tally.run(80, trial)


def remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        (path / "inside").rmdir()
        path.rmdir()
    else:
        path.unlink(missing_ok=True)


@pytest.mark.parametrize("kind", [kind for kind, file in FILES.items() if file.pattern == "*.so"])
def test_a_library_under_the_name_of_another(
    tally: Tally, cache: Path, tmp_path: Path, kind: str
) -> None:
    file = FILES[kind]
    _, other = made(file, OTHER, cache, tmp_path)

    def trial(rng: np.random.Generator) -> None:
        path, _ = made(file, FACTOR, cache, tmp_path)
        path.unlink()
        path.write_bytes(other)
        path.chmod(0o700)
        check(lambda: file.use(path))

    tally.run(10, trial)
