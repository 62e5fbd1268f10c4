"""The demonstration from start to end: what it prints, draws and refuses."""

import re
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from robot_files import urdf_path

from robograd.cli import main
from robograd.demo import Settings, run, run_demo

SMALL = Settings(samples=2000, steps=20, batch=32, nodes=12, progress=False)


@pytest.mark.parametrize(
    ("file", "tool"),
    [
        (None, "tool"),
        ("panda_description/urdf/panda.urdf", "panda_hand_tcp"),
        pytest.param("ur_description/urdf/ur5_robot.urdf", "tool0", marks=pytest.mark.slow),
    ],
)
def test_every_part_runs_and_says_its_figures(
    file: str | None, tool: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "demo.png"
    urdf = None if file is None else urdf_path(file)
    outcome = run_demo(urdf=urdf, output=path, settings=SMALL)
    printed = capsys.readouterr().out
    for figure in (
        rf"link to place +{tool}$",
        r"made in +[\d.]+ s \(compiled kernel, float64\)$",
        r"throughput +[\d.e+]+ million poses/s$",
        r"time per pose +[\d.e+]+ ns$",
        r"position error, mean +[\d.]+ -> [\d.]+ mm  \([\d.]+ times less\)$",
        r"position error, median +[\d.]+ -> ",
        r"status +Solve_Succeeded after \d+ iterations, ",
        r"objective +[\d.e-]+ s ",
    ):
        assert re.search(figure, printed, re.MULTILINE), figure
    assert outcome.swing.succeeded
    assert path.read_bytes().startswith(b"\x89PNG")


def test_the_suffix_chooses_the_format_and_one_joint_is_enough(tmp_path: Path) -> None:
    path = tmp_path / "demo.svg"
    outcome = run_demo(link="link1", output=path, settings=SMALL)
    assert outcome.subject.robot.nq == 1
    text = path.read_text(encoding="utf-8")
    assert text.startswith("<?xml")
    assert "</svg>" in text


@pytest.mark.parametrize("module", ["matplotlib", "tqdm"])
def test_a_missing_library_is_named_with_the_extra_to_install(
    module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=rf"needs {module}; .*pip install 'robograd\[viz\]'"):
        run_demo(output=tmp_path / "demo.png", settings=SMALL)


def check_trained(out: str, err: str, picture: Path) -> None:
    falls = re.findall(r"\(([\d.]+) times less\)", out)
    assert len(falls) == 2
    assert all(float(fall) > 20 for fall in falls)
    assert "Solve_Succeeded" in out
    assert "mean error" in err  # the progress bar
    assert picture.stat().st_size > 100_000


def test_half_of_the_training_is_twentyfold(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "demo.png"
    monkeypatch.setattr(run, "Settings", partial(Settings, steps=Settings.steps // 2))
    assert main(["demo", "--seed", "1", "--output", str(path)]) == 0
    check_trained(*capsys.readouterr(), path)


@pytest.mark.slow
def test_the_command_trains_twentyfold_and_solves(tmp_path: Path) -> None:
    path = tmp_path / "demo.png"
    result = subprocess.run(
        [sys.executable, "-m", "robograd", "demo", "--seed", "1", "--output", str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    check_trained(result.stdout, result.stderr, path)
