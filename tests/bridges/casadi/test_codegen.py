"""C text for elsewhere: built with the plain compiler, loaded by CasADi, equal to our own."""

import shutil
import subprocess

import casadi as ca
import numpy as np
import pytest

import ad_core as ad
from ad_core import math as adm
from bridges.casadi import ad_to_c, ad_to_casadi
from bridges.casadi.c_names import is_taken
from robograd.cli import main
from robotics_ad.data import packaged_arm_text

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


# ------------------------------------------------------------------------------------------- names

FREE = """
    pose f g dynamics kinematics arm x y out_1 jac_f robot7 Panda FK inverse_dynamics block w
    run method
"""
NAMES = f"""
    int sin y0 real for double float struct static inline asm typeof bool true auto register
    exp pow j1 erf tgamma lgamma signgam abs div qsort malloc free memcpy strlen rand exit
    vec ivec word integer program block_function run_program divided turned pair series head
    LANES SPAN ROOM R FN MATH INLINE EXPORT DOUBLE VECTOR_BYTES UNLIKELY SERIES D_LANES WIDE_1
    NAN INFINITY NULL M_PI M_PI_2 HUGE_VAL FP_NAN EXIT_FAILURE RAND_MAX isnan isfinite signbit
    size_t ptrdiff_t wchar_t double_t div_t linux unix u_int uint lanes operations
    load_1 load_4 store_2 line pieces_4 piece_4 load_line main read write time printf
    v_sin v_fabs d_exp d_choose splat choose when truth any unknown nearest sine_of exp_p
    {FREE}
"""


@needs_compiler
@pytest.mark.parametrize("name", NAMES.split())
def test_a_name_builds_or_is_refused(tmp_path, name):
    """Whatever C, its headers or our own text mean by it."""
    x = ad.var("x", 3)
    graph = ad.stack(adm.sin(x[0]) ** x[1], adm.mod(x[0], x[1]), adm.erf(x[2]), adm.exp(x[0]))
    if is_taken(name):
        assert name not in FREE.split()
        with pytest.raises(ValueError, match=f"name is '{name}', which C gives to something else"):
            ad_to_c(graph, name=name)
        return
    text = ad_to_c(graph, name=name)
    (tmp_path / "f.c").write_text(text)
    flags = [*FLAGS, "-O0", "-fsyntax-only"]
    subprocess.run([str(COMPILER), *flags, str(tmp_path / "f.c")], check=True)


@needs_compiler
def test_a_function_that_is_named_as_one_of_c_has_another_name(tmp_path):
    (tmp_path / "f_sin.c").write_text(ad_to_c(adm.sin, sizes={"x": 1}))
    assert float(built(tmp_path, "f_sin")(0.5)) == pytest.approx(np.sin(0.5), rel=1e-15)


@pytest.mark.parametrize(
    "name",
    ["pose", "pose.txt", "pose.C", "pose.cpp", "a__b.c", "_a.c", "é.c", "3d.c", "a-b.c", ".c"],
)
def test_a_file_is_named_as_the_function_in_it(tmp_path, capsys, name):
    assert main(["codegen", "kinematics", str(tmp_path / name)]) == 1
    error = capsys.readouterr().err
    assert "is no C name" in error
    assert error.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["int.c", "sin.c", "y0.c", "real.c"])
def test_a_file_that_would_not_compile_is_not_written(tmp_path, capsys, name):
    assert main(["codegen", "kinematics", str(tmp_path / name)]) == 1
    assert "which C gives to something else" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("stages", ["0", "-1", "10000000", "1000000000000000000000"])
def test_absurd_numbers_of_stages_are_refused(tmp_path, capsys, stages):
    assert main(["codegen", "kinematics", str(tmp_path / "f.c"), "--stages", stages]) == 1
    assert f"mapped is {stages}" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_package_is_found_as_ros_finds_it(tmp_path, capsys, monkeypatch):
    package = tmp_path / "share" / "arm_description"
    package.mkdir(parents=True)
    (package / "arm.urdf").write_text(packaged_arm_text())
    monkeypatch.delenv("ROS_PACKAGE_PATH", raising=False)
    monkeypatch.delenv("AMENT_PREFIX_PATH", raising=False)
    argv = ["codegen", "kinematics", str(tmp_path / "f.c")]
    argv += ["--urdf", "package://arm_description/arm.urdf"]
    assert main(argv) == 1
    assert "set ROS_PACKAGE_PATH" in capsys.readouterr().err
    for variable, place in (("ROS_PACKAGE_PATH", "share"), ("AMENT_PREFIX_PATH", "")):
        with monkeypatch.context() as patch:
            patch.setenv(variable, str(tmp_path / place))
            assert main(argv) == 0
            (tmp_path / "f.c").unlink()
