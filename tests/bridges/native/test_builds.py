"""How often the compiler runs, on how many texts at a time, and what is said meanwhile."""

from __future__ import annotations

import logging
import shlex
import time
from collections.abc import Callable
from pathlib import Path

import casadi as ca
import numpy as np
import pytest
from fresh_process import run_python

import ad_core as ad
from ad_core import math as adm
from bridges.casadi import ad_to_casadi
from bridges.kernel import Kernel, ad_to_kernel
from bridges.native import build, objects, progress

REAL = shlex.join(build.find_compiler())
N = 22
MATRIX = np.random.default_rng(0).normal(size=(34, 34)).round(3)


def graph(n: int = N) -> ad.Expression:
    """Long enough for several texts."""
    x = ad.var("x", n)
    return adm.matmul(MATRIX[:n, :n].ravel(), adm.sin(x) * x, (n, n), (n, 1))


class Runs:
    """A compiler that notes what it is asked for, as begins and ends."""

    def __init__(self, folder: Path, before: str = "") -> None:
        self._log = folder / "log"
        self._log.touch()
        self.path = folder / "cc"
        note = 'case "$*" in *-shared*) kind=link;; *-E*) kind=probe;; *) kind=object;; esac\n'
        note += f'echo begin $kind >> {self._log}\n{before}\n{REAL} "$@"\nstatus=$?\n'
        self.path.write_text(f"#!/bin/sh\n{note}echo end $kind >> {self._log}\nexit $status\n")
        self.path.chmod(0o755)

    def take(self) -> list[str]:
        """What has been noted since the last time."""
        lines = self._log.read_text().splitlines()
        self._log.write_text("")
        return lines

    def count(self) -> dict[str, int]:
        """How many runs of each kind there were since the last time."""
        lines = self.take()
        return {kind: lines.count(f"begin {kind}") for kind in ("object", "link")}


Compiler = Callable[..., Runs]


@pytest.fixture
def compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Compiler:
    """Makes `Runs` the compiler, with an empty cache."""
    monkeypatch.setenv("ROBOGRAD_CACHE", str(tmp_path / "cache"))

    def made(before: str = "") -> Runs:
        runs = Runs(tmp_path, before)
        monkeypatch.setenv("CC", str(runs.path))
        return runs

    return made


def derivatives(f: ca.Function, stages: int) -> list[np.ndarray]:
    """The value, Jacobian, curvature, and the gradient's Jacobian by the cotangent."""
    rng = np.random.default_rng(1)
    x, w = ca.MX.sym("x", N, stages), ca.MX.sym("w", N, stages)
    y = f(x)
    gradient = ca.jtimes(y, x, w, True)
    results = [y, ca.jacobian(y, x), ca.jacobian(gradient, x), ca.jacobian(gradient, w)]
    given = [rng.normal(size=(N, stages)) for _ in range(2)]
    return [r.full() for r in ca.Function("all", [x, w], results)(*given)]


def test_another_number_of_stages_compiles_no_block(compiler: Compiler, tmp_path: Path) -> None:
    runs = compiler()
    for stages, known in ((7, False), (5, True), (7, True), (11, True)):
        f = ad_to_casadi(graph(), compiled=True, mapped=stages, name="f")
        found = runs.count()
        assert (found["object"] > 2) == (not known)
        assert found["link"] == (0 if stages == 7 and known else 1)
        want = derivatives(ad_to_casadi(graph(), mapped=stages), stages)
        for a, b in zip(derivatives(f, stages), want, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)
    for path in tmp_path.rglob("*.o"):
        path.unlink()
    ad_to_casadi(graph(), compiled=True, mapped=13)
    assert runs.count()["object"] > 2


def test_names_and_short_functions_share_too(compiler: Compiler) -> None:
    runs = compiler()
    ad_to_casadi(graph(), compiled=True, mapped=3, name="one")
    runs.count()
    ad_to_casadi(graph(), compiled=True, mapped=3, name="two")
    assert runs.count() == {"object": 0, "link": 1}
    short = ad_to_casadi(adm.sin(ad.var("x", 2)), compiled=True)
    assert runs.count() == {"object": 0, "link": 1}
    np.testing.assert_allclose(short([1.0, 2.0]).full()[:, 0], np.sin([1.0, 2.0]))


@pytest.mark.parametrize("workers", [1, 2])
def test_texts_compile_side_by_side(
    compiler: Compiler, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    runs = compiler("[ $kind = object ] && sleep 0.2")
    monkeypatch.setattr("bridges.native.objects.processors", lambda: workers)
    ad_to_casadi(graph(), compiled=True)
    most = now = 0
    for line in runs.take():
        now += {"begin object": 1, "end object": -1}.get(line, 0)
        most = max(most, now)
    assert most == workers


def looping() -> ad.Expression:
    z, a = ad.var("z", 3), ad.var("a", 3)
    return ad.scan(adm.sin(z + a) * z, {"z": ad.var("x", 3)}, length=700)


KERNELS: dict[str, Callable[[], Kernel]] = {
    "parts": lambda: ad_to_kernel(graph(34)),
    "loop": lambda: ad_to_kernel(looping()),
    "table": lambda: ad_to_kernel(ad.lookup(np.arange(5.0), graph(12) ** 2)),
}


@pytest.mark.parametrize("name", KERNELS)
def test_kernels_of_several_texts_are_those_of_one(
    compiler: Compiler, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    runs = compiler()
    one = KERNELS[name]()
    inputs = [np.random.default_rng(2).normal(size=(37, n)) for n in one.input_sizes]
    want = one(*inputs)
    assert runs.count()["object"] == 1  # the driver
    monkeypatch.setattr("bridges.native.units.UNIT_BYTES", 1_500)
    monkeypatch.setenv("ROBOGRAD_CACHE", f"{runs.path.parent}/other")
    several = KERNELS[name]()
    np.testing.assert_array_equal(several(*inputs), want)
    assert several.is_native
    assert (runs.count()["object"] > 2) == (name != "table")


def test_all_kernels_share_one_driver(compiler: Compiler, tmp_path: Path) -> None:
    runs = compiler()
    x = ad.var("x", 2)
    for f, known in ((x * x, False), (adm.sin(x), True), (adm.cos(x), False)):
        assert ad_to_kernel(f).is_native
        assert runs.count() == {"object": int(not known), "link": 1}
        if known:
            for path in tmp_path.rglob("*.o"):
                path.unlink()


def test_a_text_that_does_not_compile_is_told_of_and_ends_the_others(compiler: Compiler) -> None:
    runs = compiler('[ $kind = object ] && { echo "no room" >&2; exit 1; }')
    with pytest.warns(RuntimeWarning, match="no room"):
        f = ad_to_casadi(graph(), compiled=True)
    assert runs.count()["link"] == 0
    assert f(np.ones(N)).shape == (N, 1)


def test_an_interrupt_ends_all_compilers(tmp_path: Path) -> None:
    log = tmp_path / "log"
    command = tmp_path / "cc"
    command.write_text(f'#!/bin/sh\ncase "$*" in *-E*) exec {REAL} "$@";; esac\n')
    with command.open("a") as file:
        file.write(f"echo $$ >> {log}\nsleep 60\nexit 1\n")
    command.chmod(0o755)
    code = f"""
        import os, signal, threading, time
        import numpy as np
        import ad_core as ad
        from ad_core import math as adm
        from bridges.casadi import ad_to_casadi
        from bridges.native import objects
        objects.processors = lambda: 2
        def fire():
            while not os.path.exists({str(log)!r}) or len(open({str(log)!r}).readlines()) < 2:
                time.sleep(0.01)
            os.kill(os.getpid(), signal.SIGINT)
        threading.Thread(target=fire).start()
        x = ad.var("x", 40)
        try:
            y = adm.matmul(np.arange(1600.0), adm.sin(x), (40, 40), (40, 1))
            ad_to_casadi(y, compiled=True)
        except KeyboardInterrupt:
            print("interrupted")
    """
    text = run_python(code, CC=str(command), ROBOGRAD_CACHE=str(tmp_path / "cache"))
    assert text == "interrupted"
    for process in log.read_text().split():
        line = Path(f"/proc/{process}/cmdline")
        assert not line.exists() or not line.read_bytes()


def test_a_long_build_is_told_of(
    compiler: Compiler, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    compiler("[ $kind = object ] && sleep 0.5")
    monkeypatch.setattr(progress, "AFTER_S", 0.3)
    with caplog.at_level(logging.INFO, "robograd"):
        ad_to_casadi(graph(), compiled=True, name="swing")
    record, *_ = [r for r in caplog.records if r.name == "robograd"]
    assert record.levelno == logging.INFO
    assert record.getMessage().startswith("building swing_")
    caplog.clear()
    with caplog.at_level(logging.INFO, "robograd"):
        ad_to_casadi(graph(), compiled=True, name="swing")
        monkeypatch.setattr(progress, "AFTER_S", 60.0)
        ad_to_kernel(ad.var("x", 3) * 31.0)
    assert not caplog.records


def test_how_long_it_takes_is_said_from_what_has_been_compiled() -> None:
    told = progress.Progress("f", workers=2)
    assert told.left_s is None
    told.made(1_000, None)  # a driver, before anything of the graph
    told.compiled(1_000, 0.0025)
    assert told.left_s is None
    told.made(100_000, 900_000)
    first = told.left_s
    assert first is not None
    told.compiled(100_000, 2.0)  # 50 kB/s
    left = told.left_s
    assert left is not None
    assert first < left
    assert 9.0 < left < 10.0  # 900 kB on two processors, and Python's part
    told.made(900_000, 0)
    told.compiled(900_000, 18.0)
    assert told.left_s == 0.0


def test_lines_come_until_the_build_ends(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(progress, "AFTER_S", 0.02)
    with caplog.at_level(logging.INFO, "robograd"), progress.Progress("f", workers=1):
        time.sleep(0.3)  # lines after 0.02, 0.06, 0.18, ... s
    said = [r.getMessage() for r in caplog.records if r.name == "robograd"]
    assert 2 <= len(said) <= 4
    assert all(line.endswith("its code is being made") for line in said)
    time.sleep(0.4)
    assert len([r for r in caplog.records if r.name == "robograd"]) == len(said)


def test_where_no_thread_starts_texts_compile_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    assert objects.side_by_side(lambda k, _: 2 * k, range(5), 3) == [0, 2, 4, 6, 8]
    monkeypatch.setattr(objects, "start_new_thread", refused)
    assert objects.side_by_side(lambda k, _: 2 * k, range(5), 3) == [0, 2, 4, 6, 8]
