"""The library cache and the compiler: races, corruption, foreign folders, eviction, no compiler."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import textwrap
import time
import warnings
from pathlib import Path

import casadi as ca
import numpy as np
import pytest
from fresh_process import printed, start_python

from bridges.casadi.read import read_program
from bridges.kernel import casadi_to_kernel
from bridges.native import cache
from bridges.native.identity import program_bytes
from bridges.native.program import OPERATIONS

ROOT = Path(__file__).parents[3]


def small(factor: float) -> ca.Function:
    x = ca.SX.sym("x", 2)
    return ca.Function("small", [x], [factor * x + ca.sin(x[1])])


def want(factor: float) -> np.ndarray:
    return factor * np.ones(2) + np.sin(1.0)


def run_python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_private_folder_and_reuse(folder: Path) -> None:
    casadi_to_kernel(small(2.5))(np.ones(2))
    assert folder.stat().st_mode & 0o777 == 0o700
    (library,) = folder.rglob("*.so")
    before = library.stat().st_ino
    np.testing.assert_allclose(casadi_to_kernel(small(2.5))(np.ones(2)), want(2.5))
    assert library.stat().st_ino == before
    assert len(list(folder.rglob("*.so"))) == 1
    casadi_to_kernel(small(3.5))
    assert cache.info().n_libraries == 2
    assert cache.info().n_bytes > 0


@pytest.mark.parametrize("damage", ["truncate", "flip", "empty", "foreign name", "folder"])
def test_damaged_library_is_rebuilt(folder: Path, damage: str) -> None:
    factor = (
        4.0 + sum(map(ord, damage)) / 64
    )  # a library of its own: one that is loaded must not be overwritten
    casadi_to_kernel(small(factor))
    (library,) = folder.rglob("*.so")
    data = library.read_bytes()
    library.unlink()
    if damage == "foreign name":  # a valid library under the key of another
        casadi_to_kernel(small(factor + 100))
        (other,) = folder.rglob("*.so")
        other.rename(library)
    elif damage == "folder":
        (library / "inside").mkdir(parents=True)
        assert cache.info().n_libraries == 1
    else:
        middle = len(data) // 2
        flipped = data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]
        library.write_bytes({"truncate": data[:-100], "flip": flipped, "empty": b""}[damage])
    np.testing.assert_allclose(casadi_to_kernel(small(factor))(np.ones(2)), want(factor))
    assert len(library.read_bytes()) == len(data)


def test_folder_writable_by_others_is_refused(folder: Path) -> None:
    folder.mkdir()
    folder.chmod(0o777)
    with pytest.warns(RuntimeWarning, match="can be written by other users.*ROBOGRAD_CACHE"):
        kernel = casadi_to_kernel(small(5.5))
    np.testing.assert_allclose(kernel(np.ones(2)), want(5.5))
    assert not list(folder.iterdir())


def test_folders_that_are_made_on_the_way_are_private(folder: Path) -> None:
    mask = os.umask(0)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("ROBOGRAD_CACHE", str(folder / "a" / "b"))
            path = cache.open_cache()
    finally:
        os.umask(mask)
    assert path == folder / "a" / "b" / "kernels"
    made = (path, *path.parents[:2], folder)
    assert [p.stat().st_mode & 0o777 for p in made] == [0o700] * 4


def test_folder_of_another_user_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.mkdir(mode=0o700)
    monkeypatch.setattr(os, "getuid", lambda: folder.stat().st_uid + 1)
    with pytest.warns(RuntimeWarning, match="belongs to another user"):
        path = cache.open_cache()
    assert path != folder


def test_path_that_is_a_file_is_refused(folder: Path) -> None:
    folder.write_text("not a folder")
    with pytest.warns(RuntimeWarning, match="is not a directory"):
        cache.open_cache()
    assert folder.read_text() == "not a folder"


def test_least_recently_used_goes_first(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kernels = [small(factor) for factor in (6.5, 7.5, 8.5)]
    casadi_to_kernel(kernels[0])
    (first,) = folder.rglob("*.so")
    os.utime(first, (1, 1))
    casadi_to_kernel(kernels[1])
    (second,) = set(folder.rglob("*.so")) - {first}
    os.utime(second, (2, 2))
    casadi_to_kernel(kernels[0])  # used again
    limit = cache.info().n_bytes + 100
    monkeypatch.setenv("ROBOGRAD_CACHE_SIZE", str(limit))
    casadi_to_kernel(kernels[2])
    assert first.exists()
    assert not second.exists()
    monkeypatch.setenv("ROBOGRAD_CACHE_SIZE", "much")
    with pytest.raises(ValueError, match="ROBOGRAD_CACHE_SIZE is 'much'"):
        cache.info()


def test_clear(folder: Path) -> None:
    casadi_to_kernel(small(9.5))
    assert cache.clear().n_libraries == 1
    assert not list((folder / "kernels").iterdir())
    assert cache.info().n_libraries == 0


def test_three_processes_build_the_same_kernel(folder: Path) -> None:
    code = """
        import casadi as ca, numpy as np, warnings
        warnings.simplefilter("error")
        from bridges.kernel import casadi_to_kernel
        x = ca.SX.sym("x", 3)
        k = casadi_to_kernel(ca.Function("f", [x], [ca.cos(x) * x[0]]))
        assert k.is_native
        print(repr(float(k(np.ones((20, 3))).sum())))
    """
    processes = [start_python(code) for _ in range(3)]
    assert len({printed(process) for process in processes}) == 1
    assert len(list(folder.rglob("*.so"))) == 1
    assert not list(folder.rglob("build-*"))


FALLBACK = """
    import casadi as ca, numpy as np, warnings
    from bridges.kernel import casadi_to_kernel
    a, b = ca.SX.sym("a", 2), ca.SX.sym("b")
    f = ca.Function("f", [a, b], [ca.sin(a) * b, ca.vertcat(a, b)])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        k = casadi_to_kernel(f)
        J = k.jacobian()
        u, v = np.ones((3, 1, 2)), np.full((1, 4, 1), 2.0)
        s, t = k(u, v)
        assert s.shape == (3, 4, 2) and t.shape == (3, 4, 3), (s.shape, t.shape)
        assert np.allclose(s, 2 * np.sin(1.0)) and np.allclose(t, [1, 1, 2])
        assert np.allclose(J(u, v)[1][..., 0], np.sin(1.0))
        assert k(np.ones((0, 2)), np.ones(1))[0].shape == (0, 2)
        import torch
        ones = torch.ones(3).double()
        assert torch.allclose(k(ones[:2], ones[:1])[1], ones)
    print(k.is_native, len(caught), caught[0].category.__name__, caught[0].message)
"""


def test_no_compiler_still_works_with_one_warning(tmp_path: Path) -> None:
    ran = run_python(FALLBACK, PATH="", CC="", ROBOGRAD_CACHE=str(tmp_path / "c"))
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith("False 1 RuntimeWarning"), ran.stdout
    assert "no C compiler on the PATH" in ran.stdout
    assert "Install gcc or clang, or set CC" in ran.stdout


def test_failing_compiler_still_works_with_one_warning(tmp_path: Path) -> None:
    ran = run_python(FALLBACK, CC="false", ROBOGRAD_CACHE=str(tmp_path / "c"))
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith("False 1 RuntimeWarning"), ran.stdout


def test_missing_compiler_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "no-such-cc -O1")
    with pytest.warns(RuntimeWarning, match="CC is 'no-such-cc -O1', but there is no such program"):
        kernel = casadi_to_kernel(small(14.5))
    np.testing.assert_allclose(kernel(np.ones(2)), want(14.5))


def test_full_disk_still_works(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile, "mkdtemp", full)
    monkeypatch.setattr(tempfile, "mkstemp", full)
    with pytest.warns(RuntimeWarning, match="No space left on device"):
        kernel = casadi_to_kernel(small(15.5))
    np.testing.assert_allclose(kernel(np.ones(2)), want(15.5))


def test_warm_load_runs_no_compiler(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    casadi_to_kernel(small(11.5))
    monkeypatch.setattr(subprocess, "Popen", lambda *_: pytest.fail("a compiler ran"))
    np.testing.assert_allclose(casadi_to_kernel(small(11.5))(np.ones(2)), want(11.5))


def test_stale_workshops_are_removed(folder: Path) -> None:
    inside = folder / "kernels"
    inside.mkdir(mode=0o700, parents=True)
    folder.chmod(0o700)
    stale, fresh = inside / "build-stale_00", inside / "build-fresh_00"
    stale.mkdir()
    fresh.mkdir()
    os.utime(stale, (time.time() - 1e5,) * 2)
    casadi_to_kernel(small(12.5))
    assert fresh.exists()
    assert not stale.exists()


def test_what_is_not_ours_is_left_alone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a build that evicts, and when the cache is cleared; beside the folder and in it."""
    monkeypatch.setenv("ROBOGRAD_CACHE_SIZE", "1")
    names = ("build-release/main.cpp", "libmine.so", "todo.note", "compiler-notes.json", "a.facts")
    foreign = [where / name for where in (folder, folder / "kernels") for name in names]
    for path in foreign:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.write_text("mine")
        os.utime(path, (1, 1))
        os.utime(path.parent, (1, 1))
    folder.chmod(0o700)
    casadi_to_kernel(small(16.5))
    casadi_to_kernel(small(17.5))
    cache.clear()
    assert all(path.exists() for path in foreign)
    assert not cache.info().n_libraries


def test_without_any_folder_numpy_runs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.write_text("no folder")
    monkeypatch.setattr(tempfile, "tempdir", str(folder / "none"))
    with pytest.warns(RuntimeWarning, match="is not a directory, and there is no temporary") as got:
        kernel = casadi_to_kernel(small(18.5))
    assert len(got) == 1
    np.testing.assert_allclose(kernel(np.ones(2)), want(18.5))


def test_no_warning_with_a_compiler(folder: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert casadi_to_kernel(small(13.5)).is_native


def test_equal_functions_share_a_library(folder: Path) -> None:
    x, y = ca.SX.sym("x", 2), ca.SX.sym("y", 3)
    casadi_to_kernel(ca.Function("f", [x, y], [x * 1.25], ["a", "b"], ["c"]))
    casadi_to_kernel(ca.Function("g", [x, y], [x * 1.25], ["d", "e"], ["h"]))
    assert len(list(folder.rglob("*.so"))) == 1


def test_different_functions_have_different_contents() -> None:
    """Other operations, constants in the last bit, sizes of what is not read, orders of outputs."""
    x, y = ca.SX.sym("x", 2), ca.SX.sym("y", 3)
    third = 1 / 3
    functions = [
        ca.Function("f", arguments, outputs)
        for arguments, outputs in [
            ([x], [x * third]),
            ([x], [x * np.nextafter(third, 1)]),
            ([x], [x * 5e-324]),
            ([x], [x * 1e-323]),
            ([x], [x * np.inf]),
            ([x], [x * np.nan]),
            ([x], [x[0] * third]),
            ([x], [x[::-1] * third]),
            ([x], [x * third, x]),
            ([x], [x, x * third]),
            ([x, y], [x * third]),
            ([y, x], [x * third]),
            ([x, ca.SX.sym("z", 4)], [x * third]),
            ([x], [ca.vertcat(x * third, 0)]),
        ]
    ]
    functions += [ca.Function("f", [x, y], [e]) for e in pairs_of_operations(x[0], y[1])]
    programs = {read_program(f): f for f in functions}
    assert len(programs) > 60
    assert len({program_bytes(program) for program in programs}) == len(programs)


def pairs_of_operations(a: ca.SX, b: ca.SX) -> list[ca.SX]:
    """Each operation of two or one of `a` and `b` once."""
    two = [n for n, (arity, _) in OPERATIONS.items() if arity == 2 and hasattr(ca, n)]
    one = [n for n, (arity, _) in OPERATIONS.items() if arity == 1 and hasattr(ca, n)]
    named = [getattr(ca, n)(a, b) for n in two] + [getattr(ca, n)(a) for n in one]
    signs = [a + b, a - b, a * b, a / b, -a, 1 / a, a * a, a + a, a**b, a**3]
    logic = [a < b, a <= b, a == b, a != b, ca.logic_not(a), ca.logic_and(a, b), ca.logic_or(a, b)]
    return [*named, *signs, *logic, ca.if_else(a, b, 0), b - a, b / a, b < a]
