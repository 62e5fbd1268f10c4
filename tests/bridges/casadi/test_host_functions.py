"""Users' Python functions inside CasADi: derivatives, structure, lifetime, saving."""

import copy
import gc
import pickle
import resource

import casadi
import numpy as np
import pytest

import ad_core as ad
from ad_core import math as adm
from bridges.casadi import ad_to_casadi

X = np.array([0.4, -0.9, 1.3])
S = 0.8


class Wave(ad.ADFunctionInterface):
    """`(sin(x_0 s), x_1^2 x_2, s)` with derivatives to second order."""

    def n_in(self, arg):
        return (3, 1)[arg]

    def n_out(self):
        return 3

    def eval(self, x, s):
        return np.array([np.sin(x[0] * s), x[1] ** 2 * x[2], s])

    def sparsity(self, arg):
        return [[[1, 0, 0], [0, 1, 1], [0, 0, 0]], [[1], [0], [1]]][arg]

    def derivative(self, arg, x, s):
        c = np.cos(x[0] * s)
        if arg == 1:
            return np.array([[x[0] * c], [0.0], [1.0]])
        return np.array([[s * c, 0, 0], [0, 2 * x[1] * x[2], x[1] ** 2], [0, 0, 0]])

    def gen_derivative(self, arg, x, s):
        if len(arg) != 2:
            raise NotImplementedError
        sine, cosine = np.sin(x[0] * s), np.cos(x[0] * s)
        if arg == [0, 0]:
            out = np.zeros((3, 3, 3))
            out[0, 0, 0] = -(s**2) * sine
            out[1, 1, 1] = 2 * x[2]
            out[1, 1, 2] = out[1, 2, 1] = 2 * x[1]
            return out
        if arg == [1, 1]:
            return np.array([-(x[0] ** 2) * sine, 0, 0]).reshape(3, 1, 1)
        mixed = np.zeros(9)
        mixed[0] = cosine - x[0] * s * sine
        return mixed.reshape((3, 3, 1) if arg == [0, 1] else (3, 1, 3))


def wave_of_primitives():
    x, s = ad.var("x", 3), ad.var("s", 1)
    return ad.stack(adm.sin(x[0] * s), x[1] ** 2 * x[2], s)


def mixed(inner):
    """Primitives around a function of `x` and `s`, on both sides of it."""
    x, s = ad.var("x", 3), ad.var("s", 1)
    return adm.exp(x) * inner.replace(x=2.0 * x, s=adm.sin(s)) + adm.cross(x, [1.0, 2.0, 3.0])


def call(func):
    return func(ad.var("x", 3), ad.var("s", 1))


@pytest.mark.parametrize("shape", [lambda e: e, mixed], ids=["alone", "mixed"])
def test_derivatives_to_second_order_equal_those_of_primitives(shape):
    mine = ad_to_casadi(shape(call(Wave())))
    truth = ad_to_casadi(shape(wave_of_primitives()), ["x", "s"])
    weights = casadi.DM([0.3, -1.1, 0.7])
    both = casadi.MX.sym("both", 4)

    def at(f):
        y = f(both[:3], both[3])
        hessian = casadi.hessian(casadi.dot(weights, casadi.sin(y)), both)[0]
        values = [
            y,
            casadi.jacobian(y, both),
            casadi.jtimes(y, both, casadi.DM([1.0, -2.0, 0.5, 3.0])),
            casadi.jtimes(y, both, weights, True),
            hessian,
        ]
        return casadi.Function("at", [both], values)(np.append(X, S))

    for got, expected in zip(at(mine), at(truth), strict=True):
        np.testing.assert_allclose(np.array(got), np.array(expected), rtol=0, atol=1e-12)


def test_declared_structure_reaches_the_jacobian_and_the_hessian():
    f = ad_to_casadi(call(Wave()))
    jacobian = f.jacobian()
    assert jacobian.nnz_out(0) == 3
    assert jacobian.nnz_out(1) == 2
    x, s = casadi.MX.sym("x", 3), casadi.MX.sym("s")
    hessian = casadi.hessian(casadi.sum1(f(x, s)), x)[0]
    assert np.array_equal(
        np.array(casadi.DM(hessian.sparsity(), 1.0)), [[1, 0, 0], [0, 1, 1], [0, 1, 1]]
    )


def test_without_derivatives_the_differences_are_those_of_the_numpy_engine():
    e = ad.function(lambda x: np.array([np.sin(x[0]) * x[1], x[1] ** 2]), "plain", [2], 2)("x")
    f = ad_to_casadi(e, sizes={"x": 2})
    x = [0.3, 0.7]
    assert np.array_equal(np.array(f.jacobian()(x, 0)), e.derivative("x", x=x))


def test_a_float_argument_arrives_as_a_float():
    kinds = []

    def note(a, b):
        kinds.append((type(a), b.shape))
        return a * b

    f = ad_to_casadi(ad.function(note, "note", [1, 2], 2)(ad.var("a", 1), ad.var("b", 2)))
    assert np.array(f(2.0, [1.0, 3.0])).ravel().tolist() == [2.0, 6.0]
    assert kinds == [(float, (2,))]


def test_an_argument_may_be_kept_by_the_function():
    kept = []

    def keep(x):
        kept.append(x)
        return x

    f = ad_to_casadi(ad.function(keep, "keep", [2], 2)(ad.var("x", 2)))
    for i in range(50):
        f([float(i), 1.0])
    assert [k[0] for k in kept] == [float(i) for i in range(50)]


# ------------------------------------------------------------------------------------- lifetime


def embed(f):
    x, s = casadi.MX.sym("x", 3), casadi.MX.sym("s")
    return casadi.Function("outer", [x, s], [2 * f(x, s)])


def gradient(f):
    x, s = casadi.MX.sym("x", 3), casadi.MX.sym("s")
    return casadi.Function("gradient", [x, s], [casadi.gradient(casadi.sumsqr(f(x, s)), x)])


def hessian(f):
    x, s = casadi.MX.sym("x", 3), casadi.MX.sym("s")
    return casadi.Function("hessian", [x, s], [casadi.hessian(casadi.sumsqr(f(x, s)), x)[0]])


def symbols(f):
    x, s = casadi.SX.sym("x", 3), casadi.SX.sym("s")
    return casadi.Function("of_sx", [x, s], [f(x, s)])


HOLDERS = {
    "copy": casadi.Function,
    "map": lambda f: f.map(2),
    "threads": lambda f: f.map(2, "thread", 2),
    "factory": lambda f: f.factory("made", ["x", "s"], ["jac:out:x"]),
    "jacobian": lambda f: f.jacobian(),
    "reverse": lambda f: f.reverse(1),
    "forward": lambda f: f.forward(2),
    "embedded": embed,
    "gradient": gradient,
    "hessian": hessian,
    "SX": symbols,
}


@pytest.mark.parametrize("holder", HOLDERS)
def test_callbacks_live_as_long_as_anything_that_calls_them(holder):
    f = ad_to_casadi(mixed(call(Wave())), ["x", "s"])
    holding = HOLDERS[holder](f)
    rng = np.random.default_rng(0)
    args = [casadi.DM(rng.normal(size=holding.size_in(i))) for i in range(holding.n_in())]
    before = holding.call(args)
    del f
    for _ in range(3):  # another build lets go of what nobody holds
        ad_to_casadi(call(Wave()))
        gc.collect()
    for got, expected in zip(holding.call(args), before, strict=True):
        assert np.array_equal(np.array(got), np.array(expected))


def test_an_nlp_solves_after_its_function_is_dropped():
    x, s = casadi.MX.sym("x", 3), casadi.MX.sym("s")
    f = ad_to_casadi(call(Wave()))
    cost = casadi.sumsqr(f(x, s) - casadi.DM([0.2, 0.5, 0.7])) + 0.01 * casadi.sumsqr(x)
    quiet = {"print_time": False, "ipopt.print_level": 0, "ipopt.sb": "yes"}
    nlp = {"x": casadi.vertcat(x, s), "f": cost}
    solver = casadi.nlpsol("solver", "ipopt", nlp, quiet)
    del f, cost, nlp, x, s
    ad_to_casadi(call(Wave()))
    gc.collect()
    solution = solver(x0=[0.1, 0.5, 0.5, 0.5])
    assert solver.stats()["success"]
    assert solver.stats()["iter_count"] < 20
    assert float(solution["f"]) < 0.02


def test_build_and_drop_does_not_grow_memory():
    def cycle(count):
        for _ in range(count):
            f = ad_to_casadi(mixed(call(Wave())), ["x", "s"])
            f.jacobian()(X, S, np.zeros(3))
        gc.collect()
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    before = cycle(150)
    assert cycle(500) - before < 4 * 1024  # KiB


# ------------------------------------------------------------------------------------ on the way


WAYS_OUT = {
    "serialize": lambda f, folder: f.serialize(),
    "save": lambda f, folder: f.save(str(folder / "f.casadi")),
    "generate": lambda f, folder: f.generate(str(folder / "f.c")),
    "generate_dependencies": lambda f, folder: f.generate_dependencies("f.c"),
    "jit": lambda f, folder: ad_to_casadi(call(Wave()), options={"jit": True}),
}


@pytest.mark.parametrize("way", WAYS_OUT)
@pytest.mark.parametrize("mapped", [None, 2])
def test_what_casadi_cannot_write_is_refused_at_once(way, mapped, tmp_path):
    f = ad_to_casadi(call(Wave()), mapped=mapped)
    with pytest.raises(NotImplementedError, match=r"calls Python functions \(Wave\)"):
        WAYS_OUT[way](f, tmp_path)
    assert not list(tmp_path.iterdir())


SAVED = {
    "serialize": lambda f, file: f.serialize(),
    "save": lambda f, file: f.save(str(file)),
    "pickle": lambda f, file: pickle.dumps(f),
}


@pytest.mark.parametrize("way", SAVED)
@pytest.mark.parametrize("holder", [h for h in HOLDERS if h != "copy"])
def test_what_calls_it_is_not_saved_either(way, holder, tmp_path):
    """By CasADi, which says no more than that a pointer is null."""
    with pytest.raises(RuntimeError, match=r"!is_null\(\)"):
        SAVED[way](HOLDERS[holder](ad_to_casadi(mixed(call(Wave())), ["x", "s"])), tmp_path / "f")


@pytest.mark.parametrize("mapped", [None, 2])
def test_a_function_pickles_as_its_graph(mapped):
    f = ad_to_casadi(mixed(call(Wave())), ["x", "s"], mapped=mapped, name="waves")
    loaded = pickle.loads(pickle.dumps(f))
    args = [np.ones(f.size_in(i)) * 0.3 for i in range(2)]
    assert loaded.name() == f.name()
    assert loaded(*args).full().tolist() == f(*args).full().tolist()
    assert copy.deepcopy(f)(*args).full().tolist() == f(*args).full().tolist()


def test_a_function_of_what_cannot_be_imported_does_not_pickle():
    with pytest.raises((pickle.PicklingError, AttributeError), match=r"local object|lambda"):
        pickle.dumps(hosted_lambda())


def hosted_lambda():
    return ad_to_casadi(ad.function(lambda x: x, "mine", [2], 2)(ad.var("x", 2)))


def test_calls_by_position_and_by_name_of_generators_and_single_tuples():
    f = ad_to_casadi(e for e in (ad.var("x", 2) * 2.0,))
    assert f.name() == "expressions"
    assert f.name_out() == ["out_0"]
    assert f(x=[1.0, 2.0])["out_0"].full().ravel().tolist() == [2.0, 4.0]
    assert ad_to_casadi((ad.var("x", 2),)).name_out() == ["out_0"]
    with pytest.raises(ValueError, match="expressions: the size of 'y' is not known"):
        ad_to_casadi((ad.var("x", 2) + ad.var("y"),))
