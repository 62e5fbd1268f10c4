"""C text for elsewhere: built with the plain compiler, loaded by CasADi, equal to our own."""

import shutil
import subprocess

import casadi as ca
import numpy as np
import pytest

import ad_core as ad
from ad_core import math as adm
from bridges.casadi import ad_to_c, ad_to_casadi
from robograd.cli import main

COMPILER = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
FLAGS = ["-O1", "-fPIC", "-shared", "-Wall", "-Werror", "-Wno-psabi"]
needs_compiler = pytest.mark.skipif(COMPILER is None, reason="no C compiler")


def built(folder, name):
    library = folder / f"{name}.so"
    text = str(folder / f"{name}.c")
    subprocess.run([str(COMPILER), *FLAGS, "-o", str(library), text, "-lm"], check=True)
    return ca.external(name, str(library))


def graph():
    x = ad.var("x", 3)
    return ad.stack(adm.sin(x[0]) * x[1], adm.exp(x[2]), 0.0), x[0] ** 2


@needs_compiler
@pytest.mark.parametrize(("stages", "width"), [(1, None), (5, None), (9, 64)])
def test_the_text_builds_without_warnings_and_computes_the_same(tmp_path, stages, width):
    text = ad_to_c(graph(), name="thing", mapped=stages, vector_bytes=width)
    (tmp_path / "thing.c").write_text(text)
    f, truth = built(tmp_path, "thing"), ad_to_casadi(graph(), mapped=stages)
    x = np.random.default_rng(0).normal(size=(3, stages))
    for a, b in zip(f(x), truth(x), strict=True):
        np.testing.assert_allclose(a.full(), b.full(), rtol=0, atol=1e-15)
    s = ca.MX.sym("x", 3, stages)

    def hessian(function):
        cost = ca.sumsqr(function(s)[0])
        return ca.Function("h", [s], [ca.jacobian(ca.gradient(cost, s), s)])(x).full()

    np.testing.assert_allclose(hessian(f), hessian(truth), rtol=0, atol=1e-14)


@needs_compiler
def test_the_command_writes_a_robots_kinematics(tmp_path, capsys):
    assert main(["codegen", "kinematics", str(tmp_path / "pose.c"), "--link", "link3"]) == 0
    assert "casadi.external" in capsys.readouterr().out
    pose = built(tmp_path, "pose")
    assert pose.size_in(0) == (7, 1)
    rotation = pose(np.full(7, 0.3)).full()[:9].reshape(3, 3)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), rtol=0, atol=1e-14)


def test_what_cannot_be_written_is_named(tmp_path, capsys):
    with pytest.raises(ValueError, match="expected one of"):
        ad_to_c(graph(), vector_bytes=8)
    with pytest.raises(ValueError, match="mapped is 0"):
        ad_to_c(graph(), mapped=0)
    assert main(["codegen", "dynamics", str(tmp_path / "no-name.c")]) == 1
    assert "no C name" in capsys.readouterr().err
    assert main(["codegen", "kinematics", str(tmp_path / "f.c"), "--link", "nose"]) == 1
    assert "no link 'nose'" in capsys.readouterr().err
