"""Compiled functions: stages, threads, solvers, files, and life without a compiler."""

import copy
import errno
import pickle
import re
import shutil
import subprocess

import casadi as ca
import numpy as np
import pytest
from fresh_process import run_python

import ad_core as ad
from ad_core import math as adm
from bridges.casadi import ad_to_casadi

N_X, N_U = 3, 2
COMPILER = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")


def graph():
    """Two outputs of two inputs, with structural zeros in values and derivatives."""
    x, u = ad.var("x", N_X), ad.var("u", N_U)
    first = ad.stack(x[0] * x[1] * u[0], adm.sin(x[2]) * u[1], 0.0, adm.exp(x[0]))
    return first, u * adm.cos(x[1])


def derivatives(function, stages):
    """Values and derivatives to second order over all stages, of matrices with a column each."""
    x, u = ca.MX.sym("x", N_X, stages), ca.MX.sym("u", N_U, stages)
    y = ca.vertcat(*(ca.vec(ca.densify(r)) for r in function(x, u)))
    weights = np.linspace(0.5, 1.5, y.numel())
    cost = ca.dot(weights, ca.sin(y))
    both = [x, u]
    outputs = [y, *(ca.jacobian(y, z) for z in both), *(ca.gradient(cost, z) for z in both)]
    outputs += [ca.jacobian(ca.gradient(cost, a), b) for a in both for b in both]
    outputs += [ca.jtimes(y, x, ca.DM.ones(N_X, stages) * 0.3)]
    return ca.Function("derivatives", both, outputs)


@pytest.mark.parametrize("stages", [1, 2, 7, 8, 11, 16])
def test_stages_agree_with_casadis_map(stages):
    mine = ad_to_casadi(graph(), compiled=True, mapped=stages)
    truth = ad_to_casadi(graph(), mapped=stages)
    rng = np.random.default_rng(stages)
    at = rng.normal(size=(N_X, stages)), rng.normal(size=(N_U, stages))
    got, expected = derivatives(mine, stages)(*at), derivatives(truth, stages)(*at)
    for a, b in zip(got, expected, strict=True):
        assert a.nnz() <= b.nnz()
        np.testing.assert_allclose(a.full(), b.full(), rtol=0, atol=1e-14)


def test_jacobian_and_hessian_are_block_diagonal():
    f = ad_to_casadi(graph(), compiled=True, mapped=4)
    one = ad_to_casadi(graph(), compiled=True)
    assert f.jacobian().nnz_out(0) == 4 * one.jacobian().nnz_out(0)
    curvature = f.reverse(1).jacobian()
    assert curvature.nnz_out("jac_adj_x_x") == 4 * one.reverse(1).jacobian().nnz_out("jac_adj_x_x")
    assert curvature.sparsity_out("jac_adj_x_x").is_subset(
        ca.diagcat(*[ca.Sparsity.dense(N_X, N_X)] * 4)
    )


def test_an_input_may_be_left_out():
    f = ad_to_casadi(graph(), compiled=True)
    value = f(u=[1.0, 2.0])["out_1"]  # CasADi passes no memory for x = 0
    assert value.full().ravel().tolist() == [1.0, 2.0]


@pytest.mark.parametrize("stages", [None, 3])
def test_a_map_over_threads_is_right(stages):
    f = ad_to_casadi(graph(), compiled=True, mapped=stages)
    width = 6 * (stages or 1)
    rng = np.random.default_rng(0)
    at = rng.normal(size=(N_X, width)), rng.normal(size=(N_U, width))
    expected = ad_to_casadi(graph()).map(width)(*at)
    for a, b in zip(f.map(6, "thread", 2)(*at), expected, strict=True):
        np.testing.assert_allclose(a.full(), b.full(), rtol=0, atol=1e-14)


def nlp(f, stages):
    opti = ca.Opti()
    x, u = opti.variable(N_X, stages), opti.variable(N_U, stages)
    first, second = f(x, u)
    opti.minimize(ca.sumsqr(first - 0.3) + 0.1 * ca.sumsqr(x - 1) + 0.1 * ca.sumsqr(u))
    opti.subject_to(ca.vec(second[0, :]) == 0.4)
    opti.solver("ipopt", {"print_time": False, "ipopt.print_level": 0, "ipopt.sb": "yes"})
    solution = opti.solve()
    return solution.value(opti.f), solution.value(x), solution.stats()["iter_count"]


def test_ipopt_takes_the_same_way_with_exact_hessians():
    cost, x, iterations = nlp(ad_to_casadi(graph(), compiled=True, mapped=5), 5)
    expected = nlp(ad_to_casadi(graph()).map(5), 5)
    assert cost == pytest.approx(expected[0], rel=1e-9)
    np.testing.assert_allclose(x, expected[1], rtol=0, atol=1e-6)
    assert iterations == expected[2]


def embedding(f):
    x, u = ca.MX.sym("x", N_X, 2), ca.MX.sym("u", N_U, 2)
    return ca.Function("outer", [x, u], [ca.sumsqr(f(x, u)[0])])


LOADED = """
    import casadi as ca, numpy as np
    f = ca.Function.load("FILE")
    x, u = (ca.MX.sym("x", f.size_in(i)) for i in range(2))
    at = np.ones(f.size_in(0)), np.full(f.size_in(1), 0.5)
    cost = sum(ca.sumsqr(y) for y in f.call([x, u]))
    value = ca.Function("value", [x, u], [cost, ca.hessian(cost, x)[0]])
    print([r.full().tolist() for r in value(*at)])
"""


@pytest.mark.parametrize("around", [lambda f: f, embedding], ids=["itself", "around it"])
def test_a_saved_function_carries_its_library(tmp_path, monkeypatch, around):
    if ca.__version__ < "3.8":
        pytest.skip("CasADi saves a path")
    monkeypatch.setenv("ROBOGRAD_CACHE", str(tmp_path / "cache"))
    around(ad_to_casadi(graph(), compiled=True, mapped=2)).save(str(tmp_path / "f.casadi"))
    around(ad_to_casadi(graph(), mapped=2)).save(str(tmp_path / "truth.casadi"))
    shutil.rmtree(tmp_path / "cache")
    found, truth = (
        eval(run_python(LOADED.replace("FILE", str(tmp_path / f"{name}.casadi"))))
        for name in ("f", "truth")
    )
    for got, expected in zip(found, truth, strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("names", [(None, None), ("sine", "power"), ("model", "model")])
def test_casadis_own_compiler_calls_a_function_of_ours(tmp_path, monkeypatch, names):
    """In a process of its own, which would end if the symbol were not found."""
    if not COMPILER:
        pytest.skip("no C compiler")
    monkeypatch.chdir(tmp_path)
    code = """
        import casadi as ca
        import ad_core as ad
        from ad_core import math as adm
        from bridges.casadi import ad_to_casadi
        x, p = ca.MX.sym("x", 2), ad.var("x", 2)
        given = zip((adm.sin(p), adm.exp(p)), NAMES)
        sine, power = (ad_to_casadi(e, compiled=True, name=n) for e, n in given)
        cost = ca.sumsqr(sine(x) + power(x) - 1.5)
        jit = {"jit": True, "compiler": "shell"}
        quiet = {"print_time": False, "ipopt.print_level": 0, "ipopt.sb": "yes"}
        solver = ca.nlpsol("solver", "ipopt", {"x": x, "f": cost}, {**quiet, **jit})
        at = solver(x0=[0.1, 0.2])["x"]
        print(float(ca.Function("cost", [x], [cost], jit)(at)) < 1e-12)
    """
    assert run_python(code.replace("NAMES", repr(names))) == "True"


def test_without_a_compiler_casadi_evaluates_after_a_warning(monkeypatch):
    monkeypatch.setenv("CC", "/nowhere/cc")
    with pytest.warns(RuntimeWarning, match="CasADi's evaluator.*no such program"):
        f = ad_to_casadi(graph(), compiled=True, mapped=2)
    assert f.size_in(0) == (N_X, 2)
    assert f(np.zeros((N_X, 2)), np.ones((N_U, 2)))[1].full().tolist() == [[1, 1], [1, 1]]


def test_what_cannot_be_compiled_is_named():
    host = ad.function(lambda x: x, "host", [2], 2)("x")
    with pytest.raises(NotImplementedError, match="host"):
        ad_to_casadi(host, sizes={"x": 2}, compiled=True)
    with pytest.raises(ValueError, match="mapped is 0"):
        ad_to_casadi(graph(), compiled=True, mapped=0)


# ------------------------------------------------------------------------------------ derivatives


def test_names_order_and_structure_are_those_of_casadi():
    """What CasADi expects of an external is what it makes of its own functions."""
    mine, truth = ad_to_casadi(graph(), compiled=True, name="f"), ad_to_casadi(graph(), name="f")
    pairs = [(mine, truth), (mine.jacobian(), truth.jacobian())]
    pairs += [(a.reverse(1), b.reverse(1)) for a, b in pairs[:1]]
    pairs += [(a.jacobian(), b.jacobian()) for a, b in pairs[2:]]
    second = mine.jacobian().jacobian(), truth.jacobian().jacobian()
    for o in range(second[0].n_out()):  # those of all outputs have one structure
        assert second[1].sparsity_out(o).is_subset(second[0].sparsity_out(o))
    for a, b in [*pairs, second]:
        assert a.name() == b.name() + mine.name().removeprefix("f")
        assert a.name_in() == b.name_in()
        assert a.name_out() == b.name_out()
        for i in range(a.n_in()):
            assert a.size_in(i) == b.size_in(i)
        for o in range(a.n_out()):
            assert a.size_out(o) == b.size_out(o)
            assert (a, b) == second or a.sparsity_out(o) == b.sparsity_out(o), a.name_out(o)


@pytest.mark.parametrize("stages", [1, 3])
def test_branches_that_are_not_taken_have_no_gradient(stages):
    v = ad.var("v", 3)
    square, x = adm.normSquared(v), v[0]
    e = ad.stack(
        adm.where(square, adm.sqrt(square), 0.0),
        adm.where(x, adm.sin(x) / x, 1.0),
        ad.cond(x, adm.log(x) * v[1], v[1] ** 2),
        adm.norm(v),
    )
    f = ad_to_casadi(e, compiled=True, mapped=stages)
    s = ca.MX.sym("s", 3, stages)
    y = f(s)
    gradient = ca.gradient(ca.sum2(ca.sum1(y)), s)
    derivatives = ca.Function("d", [s], [ca.jacobian(y, s), ca.jacobian(gradient, s)])
    jacobian, hessian = (r.full() for r in derivatives(np.zeros((3, stages))))
    assert not jacobian.any()
    assert np.array_equal(hessian, np.kron(np.eye(stages), np.diag([0.0, 2.0, 0.0])))


def test_inputs_of_no_entries_and_functions_without_inputs_are_compiled():
    x, nothing = ad.var("x", 2), ad.var("nothing", 0)
    f = ad_to_casadi((x * 3.0, ad.stack(nothing, 1.0)), ["nothing", "x"], compiled=True)
    assert f([], [1.0, 2.0])[0].full().ravel().tolist() == [3.0, 6.0]
    assert f.jacobian()(0, [1.0, 2.0], 0, 0)[1].full().tolist() == [[3.0, 0.0], [0.0, 3.0]]
    assert ad_to_casadi(ad.stack(1.0, 2.0), compiled=True)().popitem()[1].full().sum() == 3.0


# -------------------------------------------------------------------- names, files, other machines


def test_linked_code_calls_each_function_by_its_own_name(tmp_path, monkeypatch):
    """C that CasADi writes for a function of two compiled ones, built with their C texts."""
    if not COMPILER:
        pytest.skip("no C compiler")
    monkeypatch.chdir(tmp_path)
    x, s = ad.var("x", 1), ca.MX.sym("s")
    f, g = (ad_to_casadi(e, compiled=True) for e in (adm.sin(x), adm.exp(x)))
    assert f.name() != g.name()
    assert f.name() == ad_to_casadi(adm.sin(ad.var("y", 1)), compiled=True).name()
    both = ca.Function("both", [s], [10 * f(s) + g(s)])
    texts = [function.generate(f"{function.name()}.c") for function in (f, g, both)]
    flags = ["-O1", "-fPIC", "-shared", "-Wno-psabi"]
    subprocess.run([COMPILER, *flags, "-o", "both.so", *texts, "-lm"], check=True)
    linked = ca.external("both", "./both.so")
    assert float(linked(0.3)) == pytest.approx(10 * np.sin(0.3) + np.exp(0.3), rel=1e-15)
    alone = ca.external(f.name(), "./both.so")
    assert float(alone.jacobian()(0.3, 0)) == pytest.approx(np.cos(0.3), rel=1e-15)
    with pytest.raises(NotImplementedError, match="takes no options, got with_header"):
        f.generate("f.c", {"with_header": True})


def test_functions_of_one_name_are_told_apart():
    """As linked code finds a function by its name."""
    x = ad.var("x", 1)
    f, g = (ad_to_casadi(e, compiled=True, name="model") for e in (adm.sin(x), adm.exp(x)))
    assert f.name() != g.name()
    assert re.fullmatch("model_[0-9a-f]{10}", f.name())
    assert ad_to_casadi(adm.sin(x), compiled=True, name="model").name() == f.name()


def test_a_pickled_function_is_built_again_where_the_cache_lacks_it(tmp_path, monkeypatch):
    f = ad_to_casadi(graph(), compiled=True, mapped=2)
    data = pickle.dumps(f)
    monkeypatch.setenv("ROBOGRAD_CACHE", str(tmp_path / "empty"))
    loaded = pickle.loads(data)
    assert loaded.name() == f.name()
    assert list((tmp_path / "empty").rglob("*.so"))
    at = np.ones((N_X, 2)), np.full((N_U, 2), 0.5)
    assert [a.full().tolist() for a in loaded(*at)] == [a.full().tolist() for a in f(*at)]
    assert copy.deepcopy(f).name() == f.name()


def full_disk(*_):
    raise OSError(errno.ENOSPC, "No space left on device")


def not_loaded(path, *_, **__):
    raise OSError(f"{path}: failed to map segment from shared object")


@pytest.mark.parametrize(
    ("place", "fault", "text"),
    [
        ("bridges.native.cache.fetch", full_disk, "No space left"),
        ("bridges.native.cache.open_cache", full_disk, "No space left"),
        ("ctypes.CDLL", not_loaded, "failed to map segment"),
    ],
)
def test_without_a_usable_cache_casadi_evaluates_after_a_warning(monkeypatch, place, fault, text):
    monkeypatch.setattr(place, fault)
    with pytest.warns(RuntimeWarning, match=f"CasADi's evaluator.*{text}") as heard:
        f = ad_to_casadi(graph(), compiled=True, mapped=2)
    assert len(heard) == 1
    assert heard[0].filename == __file__
    assert f(np.zeros((N_X, 2)), np.ones((N_U, 2)))[1].full().tolist() == [[1, 1], [1, 1]]


def test_a_wrong_option_is_an_error_all_the_same():
    with pytest.raises(RuntimeError, match="nonsense"):
        ad_to_casadi(graph(), compiled=True, options={"nonsense": 1})


def test_the_library_is_found_again(monkeypatch):
    ad_to_casadi(graph(), compiled=True)
    monkeypatch.setattr("bridges.native.objects.compile_library", full_disk)
    ad_to_casadi(graph(), compiled=True)
    with pytest.warns(RuntimeWarning, match="No space left"):
        ad_to_casadi(graph(), compiled=True, mapped=13)
