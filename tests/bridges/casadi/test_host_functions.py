"""Users' Python functions inside CasADi: derivatives, structure, lifetime and errors."""

import copy
import gc
import pickle
import resource
import threading
import time

import casadi
import numpy as np
import pytest

import ad_core as ad
from ad_core import math as adm
from bridges.casadi import ad_to_casadi, raise_callback_errors

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

    before = cycle(200)
    assert cycle(1000) - before < 8 * 1024  # KiB


# --------------------------------------------------------------------------------------- errors


class BadArmError(Exception):
    pass


def failing(after=0):
    count = [0]

    def fail(x):
        count[0] += 1
        if count[0] > after:
            raise BadArmError("the arm fell off")
        return np.sin(x)

    return ad.function(fail, "fail", [2], 2)(ad.var("x", 2))


def test_an_exception_arrives_with_its_type_and_message():
    f = ad_to_casadi(failing())
    with pytest.raises(BadArmError, match=r"^the arm fell off$"):
        f([1.0, 2.0])
    with pytest.raises(BadArmError, match=r"^the arm fell off$"):
        f.call([[1.0, 2.0]])
    with pytest.raises(BadArmError, match=r"^the arm fell off$"):
        ad_to_casadi(failing(), mapped=2)(np.ones((2, 2)))


def test_an_exception_under_other_functions_says_its_type_and_message():
    f = ad_to_casadi(failing()).map(2)
    with pytest.raises(RuntimeError, match="BadArmError: the arm fell off"):
        f(np.ones((2, 2)))
    with pytest.raises(BadArmError, match="the arm fell off"), raise_callback_errors():
        f(np.ones((2, 2)))


@pytest.mark.parametrize("after", [0, 3, 8])
def test_an_exception_during_a_solve_is_raised_after_it(after):
    x = casadi.MX.sym("x", 2)
    cost = casadi.sumsqr(ad_to_casadi(failing(after))(x) - casadi.DM([0.3, 0.4]))
    quiet = {
        "print_time": False,
        "ipopt.print_level": 0,
        "ipopt.sb": "yes",
        "show_eval_warnings": False,
    }
    solver = casadi.nlpsol("solver", "ipopt", {"x": x, "f": cost}, quiet)
    with pytest.raises(BadArmError, match="the arm fell off"), raise_callback_errors():
        solver(x0=[0.1, 0.2])


def test_other_errors_pass_through():
    with pytest.raises(RuntimeError, match="elsewhere"), raise_callback_errors():
        raise RuntimeError("elsewhere")


def test_a_result_of_the_wrong_size_is_an_error():
    f = ad_to_casadi(ad.function(lambda x: np.zeros(3), "three", [2], 2)(ad.var("x", 2)))
    with pytest.raises(ValueError, match=r"three.*size 3, expected 2"):
        f([1.0, 2.0])


def test_nan_is_a_value():
    f = ad_to_casadi(ad.function(lambda x: x * np.nan, "nan", [2], 2)(ad.var("x", 2)))
    assert np.isnan(np.array(f([1.0, 2.0]))).all()
    x = casadi.MX.sym("x", 2)
    quiet = {
        "print_time": False,
        "ipopt.print_level": 0,
        "ipopt.sb": "yes",
        "show_eval_warnings": False,
    }
    solver = casadi.nlpsol("solver", "ipopt", {"x": x, "f": casadi.sumsqr(f(x))}, quiet)
    solver(x0=[0.1, 0.2])
    assert solver.stats()["return_status"] == "Invalid_Number_Detected"


def test_an_unknown_result_size_is_refused_when_building():
    with pytest.raises(ValueError, match="n_out"):
        ad_to_casadi(ad.function(lambda x: x, "open", [2])(ad.var("x", 2)))


def test_sx_is_refused_for_a_graph_with_a_users_function():
    with pytest.raises(NotImplementedError, match="Wave"):
        ad_to_casadi(call(Wave()), symbolic="SX")
    with pytest.raises(ValueError, match="expected one of auto, SX, MX"):
        ad_to_casadi(call(Wave()), symbolic="sx")


def slow_failure(x):
    time.sleep(1e-4)
    raise BadArmError("of one thread")


def slow_double(x):
    time.sleep(1e-4)
    return 2.0 * x


def in_two_threads(first, second):
    """What each call gave or raised, of two that run again and again at a time."""
    outcomes = [[], []]

    def run(mine, call):
        for _ in range(60):
            try:
                mine.append(call())
            except Exception as error:
                mine.append(type(error))

    threads = [
        threading.Thread(target=run, args=pair)
        for pair in zip(outcomes, (first, second), strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


def hosted(func):
    return ad_to_casadi(ad.function(func, func.__name__, [2], 2)(ad.var("x", 2)))


def test_an_exception_reaches_the_thread_that_called():
    bad, good = hosted(slow_failure), hosted(slow_double)
    failed, fine = in_two_threads(
        lambda: bad([1.0, 2.0]), lambda: good([1.0, 2.0]).full().ravel().tolist()
    )
    assert failed == [BadArmError] * 60
    assert fine == [[2.0, 4.0]] * 60


def test_the_threads_of_a_map_never_tell_another_caller():
    bad, good = hosted(slow_failure).map(2, "thread", 2), hosted(slow_double)
    failed, fine = in_two_threads(
        lambda: bad(np.ones((2, 2))), lambda: good([1.0, 2.0]).full().ravel().tolist()
    )
    assert failed == [RuntimeError] * 60
    assert fine == [[2.0, 4.0]] * 60


def test_an_exception_in_a_thread_of_a_map_comes_back_as_it_is():
    with pytest.raises(BadArmError, match="of one thread"), raise_callback_errors():
        hosted(slow_failure).map(2, "thread", 2)(np.ones((2, 2)))


def test_an_exception_that_a_users_function_handles_is_not_raised_again():
    bad = hosted(slow_failure)

    def careful(x):
        try:
            return bad(x).full().ravel()
        except BadArmError:
            return 3.0 * x

    with raise_callback_errors():
        assert hosted(careful)([1.0, 2.0]).full().ravel().tolist() == [3.0, 6.0]


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
