"""Compilers that hang, leave processes behind, or are no compilers."""

from __future__ import annotations

import shlex
import time
from pathlib import Path

import numpy as np
import pytest
from fresh_process import run_python

import ad_core as ad
from bridges.casadi import ad_to_casadi
from bridges.kernel import ad_to_kernel
from bridges.native import build
from bridges.native.errors import BuildError

REAL = shlex.join(build.find_compiler())


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ROBOGRAD_CACHE", str(tmp_path / "cache"))
    return tmp_path


def compiler(folder: Path, text: str) -> str:
    path = folder / "cc"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


# What a compiler does that does not end: always, or only when it builds.
HANGING = {
    "always": "sleep 60",
    "when it builds": f'case "$*" in *-shared*) sleep 60;; *) exec {REAL} "$@";; esac',
}


@pytest.mark.parametrize("when", HANGING)
def test_a_compiler_that_hangs_is_tried_once_a_process(
    folder: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    log = folder / "log"
    monkeypatch.setenv("CC", compiler(folder, f"echo $$ >> {log}\n{HANGING[when]}"))
    monkeypatch.setattr(build, "_ANSWER_S", 1.0)
    begun = time.monotonic()
    x = ad.var("x", 2)
    with pytest.warns(RuntimeWarning, match=r"cc ran for \d s and is not tried again") as heard:
        values = [ad_to_kernel(x * float(k)).jacobian()(np.ones(2)).sum() for k in range(3)]
    assert len(heard) == 1
    with pytest.warns(RuntimeWarning, match="not tried again"):
        assert ad_to_casadi(x * 3.0, compiled=True)([1.0, 1.0]).full().sum() == 6.0
    assert values == [0.0, 2.0, 4.0]
    assert time.monotonic() - begun < 20.0
    assert len(log.read_text().splitlines()) == (1 if when == "always" else 3)
    assert not any(alive(int(line)) for line in log.read_text().splitlines())


def alive(process: int) -> bool:
    """Whether it runs; one that ended and was not waited for has no command line."""
    try:
        return bool(Path(f"/proc/{process}/cmdline").read_bytes())
    except FileNotFoundError:
        return False


def test_a_process_that_a_compiler_leaves_behind_is_not_waited_for(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though it has the compiler's output open, as servers of compiler caches do."""
    monkeypatch.setenv("CC", compiler(folder, f'sleep 30 &\nexec {REAL} "$@"'))
    begun = time.monotonic()
    assert ad_to_kernel(ad.var("x", 2) * 21.0).is_native
    assert time.monotonic() - begun < 15.0


def test_an_interrupt_ends_the_compiler(folder: Path) -> None:
    log = folder / "log"
    code = f"""
        import os, signal, threading, time
        import ad_core as ad
        from bridges.kernel import ad_to_kernel
        def fire():
            while not os.path.exists({str(log)!r}):
                time.sleep(0.01)
            os.kill(os.getpid(), signal.SIGINT)
        threading.Thread(target=fire).start()
        try:
            ad_to_kernel(ad.var("x", 2) * 22.0)
        except KeyboardInterrupt:
            print("interrupted")
    """
    command = compiler(folder, f"echo $$ > {log}.part\nmv {log}.part {log}\nsleep 60\nexit 1")
    assert run_python(code, CC=command) == "interrupted"
    assert not alive(int(log.read_text()))


@pytest.mark.parametrize("command", ["cc '-O2", 'gcc "', "cc \\"])
def test_a_command_that_is_none_is_named(monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.setenv("CC", command)
    with pytest.raises(BuildError, match=r"CC is .*, which is no command: No"):
        build.find_compiler()
    with pytest.warns(RuntimeWarning, match="CC is .*, which is no command"):
        assert ad_to_kernel(ad.var("x", 2) * 23.0)(np.ones(2)).tolist() == [23.0, 23.0]


@pytest.mark.parametrize("command", ["''", '""'])
def test_an_empty_command_is_no_program(monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.setenv("CC", command)
    with pytest.raises(BuildError, match="there is no such program"):
        build.find_compiler()
