"""The command line: what each subcommand prints, and how it says that something is wrong."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import numpy as np
import pinocchio
import pytest
from fresh_process import run_python

import robograd
from bridges.native import cache
from robograd import bench
from robograd.cli import main
from robograd.doctor import engines
from robotics_ad import packaged_arm
from robotics_ad.data import packaged_arm_text


@pytest.fixture
def kernel_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty kernel cache of the test's own."""
    folder = tmp_path / "kernels"
    monkeypatch.setenv("ROBOGRAD_CACHE", str(folder))
    return folder


def test_the_version_is_that_of_the_installed_distribution(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["--version"])
    assert stop.value.code == 0
    assert capsys.readouterr().out == f"robograd {metadata.version('robograd')}\n"


def test_the_console_script_and_the_module_are_the_same_command() -> None:
    script = Path(sys.executable).with_name("robograd")
    outputs = [
        subprocess.run([*command, "--help"], capture_output=True, text=True, check=True).stdout
        for command in ([str(script)], [sys.executable, "-m", "robograd"])
    ]
    assert outputs[0] == outputs[1]
    assert {"demo", "info", "cache"} <= set(re.findall(r"^ {4}(\w+)", outputs[0], re.MULTILINE))


@pytest.mark.parametrize(
    "argv", [[], ["cache"], ["dance"], ["cache", "burn"], ["demo", "--seed", "x"]]
)
def test_a_wrong_command_line_is_status_2_with_the_usage(
    argv: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(argv)
    assert stop.value.code == 2
    assert "usage: robograd" in capsys.readouterr().err


def test_info_names_versions_compiler_and_cache(
    kernel_cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["info"]) == 0
    rows = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert rows["robograd"] == robograd.__version__
    for distribution in ("numpy", "torch", "casadi"):
        assert rows[distribution] == metadata.version(distribution)
    assert str(kernel_cache) in rows["kernel"]
    assert not kernel_cache.exists(), "asking must not make the cache"


def test_info_prints_a_robot_file_as_a_tree(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    urdf = tmp_path / "arm.urdf"
    urdf.write_text(packaged_arm_text(), encoding="utf-8")
    monkeypatch.delenv("COLUMNS", raising=False)
    assert main(["info", str(urdf)]) == 0
    assert "..." not in capsys.readouterr().out, "a pipe has all of a line"
    monkeypatch.setenv("COLUMNS", "60")
    assert main(["info", str(urdf)]) == 0
    assert max(map(len, capsys.readouterr().out.splitlines())) == 60
    assert main(["info", str(urdf), "--width", "120"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines == packaged_arm().pretty(120).splitlines()
    assert "q[0] in [-2.9, 2.9] rad, 2.2 rad/s, 100 N m" in lines[2]
    assert main(["info", str(urdf), "--base", "floating"]) == 0
    assert "root_joint (floating, q[0:7])" in capsys.readouterr().out
    assert main(["info", str(urdf), "--width", "3"]) == 1
    assert "width is 3, expected a whole number, 20 or more" in capsys.readouterr().err
    assert main(["info", str(tmp_path / "none.urdf")]) == 1
    assert "none.urdf" in capsys.readouterr().err


def test_info_prints_mjcf(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    pytest.importorskip("mujoco")
    mjcf = tmp_path / "ball.xml"
    mjcf.write_text(
        '<mujoco><worldbody><body name="b"><joint name="j" type="hinge"/><geom size="0.1"/></body>'
        "</worldbody></mujoco>"
    )
    assert main(["info", str(mjcf)]) == 0
    assert "- j (" in capsys.readouterr().out


@pytest.mark.parametrize("untrusted", [[], ["--untrusted"]])
def test_info_reads_files_of_strangers(
    untrusted: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    mjcf, urdf = tmp_path / "arm.xml", tmp_path / "arm.urdf"
    mjcf.write_text('<mujoco><include file="arm.xml"/></mujoco>')
    urdf.write_text(packaged_arm_text())
    assert main(["info", *untrusted, str(urdf)]) == 0
    assert "joint7" in capsys.readouterr().out
    assert main(["info", *untrusted, str(mjcf)]) == 1
    assert "a file within itself" in capsys.readouterr().err


def test_info_says_that_there_is_no_compiler(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", "")
    assert main(["info"]) == 0
    assert re.search(r"^compiler +none: no C compiler", capsys.readouterr().out, re.MULTILINE)


def test_info_survives_a_compiler_that_does_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "cc"
    broken.write_text("#!/bin/sh\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setenv("CC", str(broken))
    assert main(["info"]) == 0
    line = re.search(r"^compiler .*", capsys.readouterr().out, re.MULTILINE)
    assert line is not None
    assert "exit status 3" in line[0]


def test_cache_info_counts_and_cache_clear_removes(
    kernel_cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["cache", "info"]) == 0
    assert capsys.readouterr().out.startswith(f"{kernel_cache}/kernels: 0 libraries, 0.0 of ")

    folder = cache.open_cache()
    assert folder == kernel_cache / "kernels"
    cache.fetch(folder, "a" * 64, _write_a_mebibyte, lambda path, body: None)
    assert main(["cache", "info"]) == 0
    assert f"{folder}: 1 library, 1.0 of " in capsys.readouterr().out

    assert main(["cache", "clear"]) == 0
    assert capsys.readouterr().out.startswith(f"removed {folder}: 1 library, 1.0 of ")
    assert not list(folder.glob("*.so"))


def test_a_fault_of_the_user_is_one_line_and_status_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ROBOGRAD_CACHE_SIZE", "plenty")
    assert main(["cache", "info"]) == 1
    err = capsys.readouterr().err
    assert err.startswith("robograd cache: ROBOGRAD_CACHE_SIZE is 'plenty'")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--urdf", "missing.urdf"], "missing.urdf"),
        (["--urdf", "page.html"], "page.html"),
        (["--link", "elbow"], "no link 'elbow'; links: base, link1, "),
        (["--output", "no/such/folder/demo.png"], "no folder 'no/such/folder'"),
        (["--output", "demo.txt"], "demo.txt"),
        (["--seed", "-1"], "the seed is -1"),
    ],
)
def test_the_demo_says_what_is_wrong_with_its_arguments(
    argv: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "page.html").write_text("<html><body>not a robot</body></html>")
    assert main(["demo", *argv]) == 1
    captured = capsys.readouterr()
    assert captured.err.startswith("robograd demo: ")
    assert message in captured.err
    assert captured.err.count("\n") == 1
    assert not captured.out, "nothing is computed before the arguments are known to be good"


def test_traceback_shows_where_the_fault_arose(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROBOGRAD_CACHE_SIZE", "plenty")
    with pytest.raises(ValueError, match="plenty"):
        main(["--traceback", "cache", "info"])


@pytest.mark.parametrize("argv", ["info arm.urdf", "info", "--help"])
def test_a_reader_that_goes_ends_the_command_in_silence(argv: str, tmp_path: Path) -> None:
    """As that of `robograd info FILE | head`."""
    (tmp_path / "arm.urdf").write_text(packaged_arm_text())
    reader, writer = os.pipe()
    os.close(reader)
    result = subprocess.run(
        [sys.executable, "-m", "robograd", *argv.split()],
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONUNBUFFERED": ""},
        check=False,
    )
    os.close(writer)
    assert (result.returncode, result.stderr) == (141, "")


def _write_a_mebibyte(path: Path) -> None:
    path.write_bytes(bytes(2**20))


POSE = ["--position", "0.4", "-0.1", "0.6", "--quaternion", "0", "2", "0", "0"]


@pytest.mark.parametrize("orientation", [[], ["--rpy", "3", "0.1", "-0.2"], POSE[4:]])
def test_ik_puts_a_link_where_it_shall_be(
    orientation: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Pinocchio measures what the JSON says; joints by name, within limits."""
    urdf = tmp_path / "arm.urdf"
    urdf.write_text(packaged_arm_text(), encoding="utf-8")
    assert main(["ik", str(urdf), "--link", "tool", *POSE[:4], *orientation, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    arm = packaged_arm()
    assert list(answer["q"]) == list(arm.joint_names)
    assert answer["converged"] is True
    q = np.array(list(answer["q"].values()))
    assert (q >= arm.q_lower).all()
    assert (q <= arm.q_upper).all()
    model = pinocchio.buildModelFromXML(packaged_arm_text())
    data = model.createData()
    pinocchio.framesForwardKinematics(model, data, q)
    pose = data.oMf[model.getFrameId("tool")]
    np.testing.assert_allclose(pose.translation, [0.4, -0.1, 0.6], atol=2e-6)
    if "--rpy" in orientation:
        want = pinocchio.rpy.rpyToMatrix(3.0, 0.1, -0.2)
        np.testing.assert_allclose(pose.rotation, want, atol=2e-6)
    elif orientation:
        np.testing.assert_allclose(pose.rotation, np.diag([1.0, -1.0, -1.0]), atol=2e-6)


def test_ik_out_of_reach_is_status_1(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    urdf = tmp_path / "arm.urdf"
    urdf.write_text(packaged_arm_text(), encoding="utf-8")
    assert main(["ik", str(urdf), "--position", "9", "0", "0", "--start", *["0.1"] * 7]) == 1
    *rows, end = capsys.readouterr().out.splitlines()
    assert [row.split()[0] for row in rows] == list(packaged_arm().joint_names)
    assert all(row.endswith(" rad") for row in rows)
    assert end.startswith("error 0.00e+00 rad, ")
    assert end.endswith("not converged: no configuration was found, this is the best")
    faults = {
        "no link 'hand'; links: base,": [*POSE, "--link", "hand"],
        "argument 'q0' has size 2, expected 7": [*POSE, "--start", "1", "2"],
        "--quaternion: length is 0.0": [*POSE[:5], "0", "0", "0", "0"],
    }
    for message, arguments in faults.items():
        assert main(["ik", str(urdf), *arguments]) == 1
        assert message in capsys.readouterr().err


def test_the_doctor_finds_all_well(kernel_cache: Path) -> None:
    out = run_python(
        "import sys\n"
        "from robograd.cli import main\n"
        "assert main(['doctor']) == 0\n"
        "assert 'torch' not in sys.modules, 'it takes long, and is for another process'\n"
    )
    told = dict(re.findall(r"^ok +([\w ]+): (.*)", out, re.MULTILINE))
    assert {"versions", "compiler", "kernel cache", "kernel", "torch", "CasADi"} <= {*told}
    assert all("from numpy" in told[engine] for engine in ("kernel", "torch", "CasADi"))
    assert [path.name for path in kernel_cache.iterdir()] == ["kernels"], "its own are gone"
    assert cache.info().n_libraries == 0


def test_the_doctor_says_how_to_mend_what_it_finds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ROBOGRAD_CACHE", str(tmp_path / "file"))
    monkeypatch.setenv("CC", "/bin/false")
    zeros = np.zeros((64, 12)), np.zeros((64, 12, 7))
    monkeypatch.setattr(engines, "casadi", lambda pose: lambda q: zeros)
    monkeypatch.setattr(metadata, "requires", lambda _: ["numpy<2,>=1", "no-such-package>=1"])
    assert main(["doctor"]) == 1
    out = capsys.readouterr().out
    for line in (
        r"FAULT  versions: numpy is \S+, needs <2; no-such-package is not installed\n +-> pip",
        r"FAULT  compiler: /bin/false failed.*\n +-> install gcc or clang",
        r"FAULT  kernel cache: .*\n +-> set ROBOGRAD_CACHE",
        r"FAULT  kernel: it is not compiled",
        r"FAULT  CasADi: differs from numpy by [\d.]+e",
        r"ok     torch: ",
    ):
        assert re.search(line, out), line


@pytest.mark.parametrize(
    ("module", "told", "mend"),
    [
        (
            "raise ModuleNotFoundError('No module named \\'torch\\'')",
            "No module named 'torch'",
            "pip",
        ),
        ("raise ImportError('libcudart.so.12: no such\\n file')", "libcudart.so.12: no", "pip"),
        ("raise RuntimeError('wrong numpy')", "wrong numpy", "see"),
        ("import os; os._exit(1)", "the process that imported it died", "reinstall"),
    ],
)
def test_the_doctor_survives_a_torch_that_does_not_work(
    module: str,
    told: str,
    mend: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "torch.py").write_text(module)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("CC", "/bin/false")  # nothing to wait for
    assert main(["doctor"]) == 1
    out = capsys.readouterr().out
    assert re.search(rf"FAULT  torch: {re.escape(told)}.*\n +-> {mend}", out), out
    assert re.search(r"ok +extras: ", out), out


def test_bench_compares_before_it_times(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, "_TURN", 0.0)
    monkeypatch.setattr(bench, "_ROUNDS", 3)
    urdf = tmp_path / "arm.urdf"
    urdf.write_text(packaged_arm_text(), encoding="utf-8")
    assert main(["bench", str(urdf), "--batch", "3"]) == 0
    rows = re.findall(r"^  (\S.*?)  +([\d.,]+|another result) +([\d.,]+)?$",
                      capsys.readouterr().out, re.MULTILINE)  # fmt: skip
    names = [name for name, _, _ in rows]
    assert names.count("robograd, kernel") == names.count("Pinocchio, a call a sample") == 3
    assert all(float(time.replace(",", "")) > 0.0 for _, time, _ in rows)
    assert [ratio for name, _, ratio in rows if name == "robograd, kernel"] == ["1"] * 3

    def wrong(subject: bench.Subject) -> Iterator[bench.Contender]:
        yield bench.Contender("wrong", lambda: subject.q, lambda q: q)

    monkeypatch.setattr(bench, "_poses", wrong)
    assert main(["bench", str(urdf), "--link", "tool", "--batch", "2"]) == 0
    assert re.search(r"^  wrong +another result$", capsys.readouterr().out, re.MULTILINE)
    assert main(["bench", str(urdf), "--link", "thumb"]) == 1
    assert "no link 'thumb'; links: base" in capsys.readouterr().err
    assert main(["bench", str(urdf), "--batch", "0"]) == 1
    assert "--batch is 0, expected 1 or more" in capsys.readouterr().err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_commands_and_files(
    shell: str, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("shtab")
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert all(word in script for word in ("doctor", "view", "motion", "completion"))
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=script, text=True, check=True)
    if shell == "bash" and shutil.which("bash"):
        ask = "\nCOMP_WORDS=(robograd vi); COMP_CWORD=1; _shtab_robograd; echo ${COMPREPLY[@]}"
        run = [["bash", "-c", script + ask], ["bash", "-c", script + ask.replace("vi", "d")]]
        answers = [
            subprocess.run(r, capture_output=True, text=True, check=True).stdout for r in run
        ]
        assert answers == ["view\n", "demo doctor\n"]


def test_without_shtab_the_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "shtab", None)
    monkeypatch.delitem(sys.modules, "robograd.completion", raising=False)
    assert main(["completion", "bash"]) == 1
    assert "pip install 'robograd[completion]'" in capsys.readouterr().err
