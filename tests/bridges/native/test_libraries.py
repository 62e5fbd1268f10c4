"""Libraries that are not what they should be, and libraries that are not needed any more."""

from __future__ import annotations

import gc
import hashlib
import os
import shutil
import struct
import subprocess
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import objects_once
import pytest
from fresh_process import run_python

import ad_core as ad
from ad_core import math as adm
from bridges.casadi import ad_to_casadi
from bridges.kernel import ad_to_kernel
from bridges.native import library
from bridges.native.build import find_compiler
from bridges.native.errors import BuildError

x = ad.var("x", 2)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "cache"
    monkeypatch.setenv("ROBOGRAD_CACHE", str(path))
    objects_once.install(monkeypatch)
    return path


def empty_library(_: bytes, folder: Path) -> bytes:
    """A library that has none of our symbols."""
    text, target = folder / "empty.c", folder / "empty.so"
    text.write_text("int nothing;")
    subprocess.run([*find_compiler(), "-shared", "-o", target, text], check=True)
    return target.read_bytes()


def of_another_machine(body: bytes, _: Path) -> bytes:
    assert body[:4] == b"\x7fELF"
    return body[:18] + struct.pack("=H", 8) + body[20:]  # MIPS


DAMAGES: dict[str, Callable[[bytes, Path], bytes]] = {
    "cut to a tenth": lambda body, _: body[: len(body) // 10],
    "cut to a half": lambda body, _: body[: len(body) // 2],
    "cut in its header": lambda body, _: body[:40],
    "empty": lambda *_: b"",
    "no library": lambda *_: b"#!/bin/sh\n" * 1000,
    "without our symbols": empty_library,
    "of another machine": of_another_machine,
    "of other words": lambda body, _: body[:4] + b"\x01" + body[5:],
}
USE = {
    "kernel": """
        from bridges.kernel import ad_to_kernel
        k = ad_to_kernel(adm.sin(x) * 7.0)
        print(k.is_native, k(np.ones(2)).sum())
    """,
    "CasADi": """
        from bridges.casadi import ad_to_casadi
        f = ad_to_casadi(adm.sin(x) * 7.0, compiled=True)
        print(f.class_name() == "External", f([1.0, 1.0]).full().sum())
    """,
}
BEGIN = """
        import numpy as np
        import ad_core as ad
        from ad_core import math as adm
        x = ad.var("x", 2)
"""


@pytest.mark.parametrize("engine", USE)
def test_a_library_that_is_wrong_under_a_right_checksum_is_built_anew(
    tmp_path: Path, engine: str
) -> None:
    """It would end the process, or not load; warnings are errors there. A cache for each damage."""
    code = BEGIN + USE[engine]
    good = run_python(code, ROBOGRAD_CACHE=str(tmp_path / "good"))
    assert good.startswith("True 11.78")
    (built,) = (tmp_path / "good").rglob("*.so")
    data = built.read_bytes()
    paths: list[Path] = []
    for number, damage in enumerate(DAMAGES.values()):
        shutil.copytree(tmp_path / "good", tmp_path / str(number))
        paths.append(tmp_path / str(number) / built.relative_to(tmp_path / "good"))
        body = damage(data[:-32], tmp_path)
        paths[-1].write_bytes(body + hashlib.sha256(built.stem.encode() + body).digest())
    each = f"""
        import os
        for number, damage in enumerate({list(DAMAGES)}):
            os.environ["ROBOGRAD_CACHE"] = {str(tmp_path)!r} + f"/{{number}}"
            print(damage, flush=True)
    """
    printed = run_python(BEGIN + each + textwrap.indent(USE[engine], " " * 4))
    assert printed.splitlines() == [line for damage in DAMAGES for line in (damage, good)]
    assert [path.read_bytes() == data for path in paths] == [True] * len(DAMAGES)


def test_what_was_checked_is_loaded_whatever_becomes_of_the_file(folder: Path) -> None:
    ad_to_kernel(adm.cos(x) * 2.5)
    (path,) = folder.rglob("*.so")
    body = path.read_bytes()[:-32]
    path.write_bytes(b"something else")
    loaded = library.Library(path, body)
    path.unlink()
    assert library.Library(path, body).n_ops == loaded.n_ops
    with pytest.raises(BuildError, match="cut"):
        library.Library(path, body[: len(body) // 2])


def test_each_library_is_itself(folder: Path) -> None:
    """Descriptors come again, and the loader knows libraries by name."""
    kernels = [ad_to_kernel(x + float(k)) for k in range(40)]
    assert [k(np.zeros(2))[0] for k in kernels] == list(range(40))


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="loads the file")
def test_without_memory_of_a_name_the_file_is_loaded(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "memfd_create")
    k = ad_to_kernel(x * 11.0)
    assert k.is_native
    assert k(np.ones(2)).tolist() == [11.0, 11.0]
    (path,) = folder.rglob("*.so")
    assert str(path) in Path("/proc/self/maps").read_text()


# --------------------------------------------------------------------------------------- unloading


def mappings() -> int:
    gc.collect()
    return sum(
        "memfd:robograd" in line or ".so" in line
        for line in Path("/proc/self/maps").read_text().splitlines()
    )


MADE: dict[str, Callable[[], Any]] = {
    "kernel": lambda: ad_to_kernel(x * 12.0)(np.ones(2)),
    "derivative": lambda: ad_to_kernel(x * 13.0).jacobian()(np.ones(2)),
    "batch": lambda: ad_to_kernel(x * 14.0)(np.ones((300_000, 2)), out=np.ones((300_000, 2))),
    "bound": lambda: ad_to_kernel(x * 18.0).bind(np.ones(2))().copy(),
    "compiled": lambda: ad_to_casadi(x * 15.0, compiled=True)([1.0, 1.0]),
}


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="needs /proc")
@pytest.mark.parametrize("kind", MADE)
def test_what_is_dropped_is_unloaded(folder: Path, kind: str) -> None:
    MADE[kind]()
    before = mappings()
    for _ in range(3):
        result = MADE[kind]()
    assert mappings() == before
    assert result is not None


def test_a_function_of_a_library_holds_it(folder: Path) -> None:
    k = ad_to_kernel(x * 16.0)
    run, free = k.build()._into_arrays, k.build()._evaluator.library.run  # type: ignore[union-attr]
    del k
    gc.collect()
    out = np.empty(2)
    assert run(np.ones(2), out) is out
    assert out.tolist() == [16.0, 16.0]
    assert free is not None


def test_results_outlive_the_kernel(folder: Path) -> None:
    results = [ad_to_kernel(x * 17.0)(np.ones((n, 2))) for n in (1, 10, 500_000)]
    gc.collect()
    assert all((result == 17.0).all() for result in results)
