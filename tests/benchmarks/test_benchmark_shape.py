"""The counts of `python -m benchmarks.shape`, on code small enough to be counted by hand."""

import json
from pathlib import Path
from typing import Any

import pytest

import ad_core as ad
from benchmarks.shape import kinds, lines, main, travelled

SOURCES = {
    "ad_core/one.py": "def plain():\n    return 1\n\ndef there(f):\n    return f()\n",
    "bridges/two.py": "def back(f):\n    return f() + f()\n",
    "elsewhere/three.py": "def far(f):\n    return f()\n",
}


def written(root: Path) -> dict[str, Any]:
    """The sources under `root`, and what they define."""
    names: dict[str, Any] = {}
    for place, text in SOURCES.items():
        path = root / place
        path.parent.mkdir()
        path.write_text(text)
        exec(compile(text, str(path), "exec"), names)
    return names


def test_a_move_is_a_call_from_one_of_our_files_to_another(tmp_path: Path) -> None:
    f = written(tmp_path)
    # one -> two, then twice two -> one; what happens inside one file is no move.
    moves, files = travelled(lambda: f["there"](lambda: f["back"](f["plain"])), tmp_path)
    assert (moves, files) == (2, ["ad_core/one.py", "bridges/two.py"])
    moves, files = travelled(lambda: f["there"](f["plain"]), tmp_path)
    assert (moves, files) == (0, ["ad_core/one.py"])
    moves, files = travelled(lambda: f["far"](f["plain"]), tmp_path)
    assert (moves, files) == (0, ["ad_core/one.py"])


def test_lines_are_counted_by_folder(tmp_path: Path) -> None:
    written(tmp_path)
    (tmp_path / "bridges" / "notes.txt").write_text("not source\n")
    assert lines(tmp_path) == {"ad_core": 5, "bridges": 2, "elsewhere": 2}


def test_kinds_are_the_classes_of_the_package_alone() -> None:
    class Elsewhere(ad.ADFunctionInterface):
        pass

    found = kinds("ad_core", "ADFunctionInterface")
    assert any(name.endswith(".Op") for name in found)
    assert all(name.startswith("ad_core.") for name in found)
    assert Elsewhere.__qualname__ not in " ".join(found)


def test_a_call_is_counted_by_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--journey", "eval"]) == 0
    moves, files = json.loads(capsys.readouterr().out)
    assert moves > 100
    assert {path.split("/")[0] for path in files} == {"ad_core", "robotics_ad"}
