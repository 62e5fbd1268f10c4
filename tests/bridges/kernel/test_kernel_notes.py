"""Notes in the cache that lead from graphs to libraries: damage, eviction, races, no compiler."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from fresh_process import printed, run_python, start_python
from kernel_notes import notes_in

import ad_core as ad
from ad_core import math as adm
from bridges.kernel import Kernel, ad_to_kernel, formula
from bridges.native import cache
from bridges.native.sealed import seal
from bridges.pytorch import ad_to_torch
from robotics_ad import packaged_arm
from robotics_ad.kinematics import WorldTransform

X, Y = ad.var("x", 2), ad.var("y", 2)


@pytest.fixture
def no_function(monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on, nothing may be lowered to CasADi, nor taken from what this process holds."""

    def lowered(*_: object, **__: object) -> None:
        pytest.fail("a CasADi function was made")

    monkeypatch.setattr("bridges.casadi.ad_to_casadi", lowered)
    monkeypatch.setattr(formula, "_as_columns", lowered)


@pytest.fixture
def noted(folder: Path) -> tuple[Path, Path]:
    """A note and the library that it leads to, which no kernel has open."""
    run_python("""
        import ad_core as ad
        from bridges.kernel import ad_to_kernel
        ad_to_kernel(ad.var("x", 2) * 1.75)
    """)
    (note,), (library,) = notes_in(folder), folder.glob("*.so")
    return note, library


def load_again() -> Kernel:
    kernel = ad_to_kernel(ad.var("x", 2) * 1.75)
    np.testing.assert_array_equal(kernel(np.ones(2)), [1.75, 1.75])
    assert kernel.is_native
    return kernel


def test_a_note_is_private_and_says_what_it_should(noted: tuple[Path, Path]) -> None:
    note, library = noted
    assert note.stat().st_mode & 0o777 == 0o600
    said = json.loads(note.read_bytes()[:-32])
    assert said["library"] == library.stem
    assert said["outline"] == [["x"], [2], ["out"], [2]]
    assert load_again().formula._function is None


@pytest.mark.parametrize(
    "damage",
    ["truncate", "flip", "empty", "of another", "folder", "link", "writable", "no json", "fields"],
)
def test_a_damaged_note_is_written_anew(noted: tuple[Path, Path], damage: str) -> None:
    note, _ = noted
    whole = note.read_bytes()
    if damage == "truncate":
        note.write_bytes(whole[:-5])
    elif damage == "flip":
        note.write_bytes(whole[:20] + bytes([whole[20] ^ 1]) + whole[21:])
    elif damage == "empty":
        note.write_bytes(b"")
    elif damage == "of another":  # a good note, under the key of another graph
        ad_to_kernel(ad.var("x", 2) * 1.875)
        (other,) = set(notes_in(note.parent)) - {note}
        os.replace(other, note)
    elif damage == "folder":
        note.unlink()
        (note / "inside").mkdir(parents=True)
    elif damage == "link":
        moved = note.with_suffix(".moved")
        note.rename(moved)
        note.symlink_to(moved)
    elif damage == "writable":
        note.chmod(0o666)
    else:  # sealed, but not by us
        body = b"no json" if damage == "no json" else b'{"library": "../../x", "n_ops": 1}'
        note.write_bytes(body + seal(note.stem, [body]))
    assert load_again().formula._function is not None
    assert note.read_bytes() == whole
    assert not note.is_symlink()
    assert load_again().formula._function is None


@pytest.mark.parametrize("damage", ["gone", "truncate", "of another"])
def test_a_note_does_not_save_a_damaged_library(noted: tuple[Path, Path], damage: str) -> None:
    note, library = noted
    whole = library.read_bytes()
    library.unlink()
    if damage == "truncate":
        library.write_bytes(whole[:-100])
    elif damage == "of another":
        ad_to_kernel(ad.var("x", 2) * 1.9375)
        (other,) = library.parent.glob("*.so")
        os.replace(other, library)
    assert load_again().formula._function is not None
    assert len(library.read_bytes()) == len(whole)
    assert note.exists()


def test_another_compiler_has_other_notes(
    noted: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CC", "cc -DANOTHER=1")
    assert load_again().formula._function is not None
    assert len(notes_in(noted[0].parent)) == 2


def test_clear_removes_notes(noted: tuple[Path, Path], folder: Path) -> None:
    size = sum(path.stat().st_size for path in noted)
    assert (cache.info().n_libraries, cache.info().n_bytes) == (1, size)
    assert cache.clear().n_libraries == 1
    assert not list(folder.iterdir())
    assert load_again().formula._function is not None


def test_notes_go_before_their_libraries(
    noted: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    note, library = noted
    assert note.stat().st_mtime_ns <= library.stat().st_mtime_ns
    load_again()
    assert note.stat().st_mtime_ns <= library.stat().st_mtime_ns
    for path in noted:
        os.utime(path, (1, 1))
    monkeypatch.setenv("ROBOGRAD_CACHE_SIZE", "1000")
    newer = ad_to_kernel(X * 1.625)
    assert newer.is_native
    assert not note.exists()
    assert not library.exists()


def test_a_full_disk_costs_the_note_alone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache, "put_note", full)
    np.testing.assert_array_equal(ad_to_kernel(X * 1.125)(np.ones(2)), [1.125, 1.125])
    assert not notes_in(folder)


def test_ten_processes_note_the_same_graph(folder: Path) -> None:
    code = """
        import numpy as np
        import ad_core as ad
        from ad_core import math as adm
        from bridges.kernel import ad_to_kernel
        k = ad_to_kernel(adm.cos(ad.var("x", 3)) * 1.5)
        print(repr(float(k(np.ones((20, 3))).sum())), repr(float(k.vjp()(*np.ones((2, 3)))[0])))
    """
    processes = [start_python(code) for _ in range(10)]
    assert len({printed(process) for process in processes}) == 1
    assert len(list(folder.glob("*.so"))) == len(notes_in(folder)) == 2
    assert not list(folder.glob("build-*"))


def test_without_a_compiler_there_is_no_note(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "no-such-compiler-for-notes")
    with pytest.warns(RuntimeWarning, match="no-such-compiler-for-notes"):
        kernel = ad_to_kernel(X * 1.0625)
    np.testing.assert_array_equal(kernel(np.ones(2)), [1.0625, 1.0625])
    np.testing.assert_array_equal(kernel.vjp()(np.ones(2), np.ones(2)), [1.0625, 1.0625])
    assert not notes_in(folder)


def test_errors_are_those_of_the_graph(folder: Path) -> None:
    """Before anything is in the cache, and after a good one is."""
    for _ in range(2):
        with pytest.raises(ValueError, match="size of 'u' is not known"):
            ad_to_kernel(adm.exp(ad.var("u")))
        with pytest.raises(ValueError, match="'w'"):
            ad_to_kernel(X + Y, sizes={"w": 1})
        with pytest.raises(NotImplementedError, match="cannot look into"):
            ad_to_kernel(ad.function(lambda x: x, outspec=2)(X))
        with pytest.raises(ValueError, match="dtype 'float16'"):
            ad_to_kernel(X + Y, dtype="float16")
        ad_to_kernel(adm.exp(ad.var("u")), sizes={"u": 2})


def test_torch_layers_find_their_kernels(folder: Path, no_function: None) -> None:
    """Counts what this process makes: nothing, once another process has built the layer."""
    code = """
        import torch
        import ad_core as ad
        from bridges.pytorch import ad_to_torch
        from robotics_ad import packaged_arm
        from robotics_ad.kinematics import WorldTransform
        robot = packaged_arm()
        layer = ad_to_torch(WorldTransform(robot.link("tool")))
        q = torch.full((robot.nq,), 0.2, dtype=torch.float64, requires_grad=True)
        layer(q).sum().backward()
        print(float(layer(q).detach().sum()), float(q.grad.sum()))
    """
    built = run_python(code)
    robot = packaged_arm()
    layer = ad_to_torch(WorldTransform(robot.link("tool")))
    q = torch.full((robot.nq,), 0.2, dtype=torch.float64, requires_grad=True)
    y = layer(q)
    y.sum().backward()
    assert q.grad is not None
    assert f"{float(y.detach().sum())} {float(q.grad.sum())}" == built
