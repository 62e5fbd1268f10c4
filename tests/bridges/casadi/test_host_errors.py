"""Errors of users' functions inside CasADi: whose they are, in which thread, and in which words."""

import threading
import time

import casadi
import numpy as np
import pytest

import ad_core as ad
from bridges.casadi import ad_to_casadi, raise_callback_errors

X = np.array([0.4, -0.9, 1.3])


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
    e = ad.function(np.sin, "wave", argspec=(3,), outspec=3)("x")
    with pytest.raises(NotImplementedError, match="wave"):
        ad_to_casadi(e, symbolic="SX")
    with pytest.raises(ValueError, match="expected one of auto, SX, MX"):
        ad_to_casadi(e, symbolic="sx")


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
