"""Functions of the graph as Python functions: signatures, docstrings, arguments by name."""

import inspect

import pytest

import ad_core as ad
import robotics_ad
from ad_core import math as adm
from ad_core.graph import ADFunctionInterface
from robotics_ad import dynamics, kinematics, se3, so3

ROBOT = robotics_ad.packaged_arm()
LINK = ROBOT.link(ROBOT.links[-1].name)
P = ad.var("p", 3)
PUBLIC = {
    f"{module.__name__}.{name}": function
    for module in (ad, adm, so3, se3)
    for name in module.__all__
    if isinstance(function := getattr(module, name), ADFunctionInterface)
}
SHOWN = [
    (dynamics.ForwardDynamics(ROBOT), "(q, v, tau)"),
    (dynamics.InverseDynamics(ROBOT, "argument"), "(q, v, a, gravity)"),
    (kinematics.WorldPosition(LINK, [0.0, 0.0, 0.1]), "(q)"),
    (kinematics.WorldPosition(LINK, P), f"(q, local={P!r})"),
    (se3.error, "(T1, T2)"),
    (se3.distance, "(T1, T2, Rweight=1.0, tweight=1.0)"),
    (so3.identity, "()"),
    (so3.geodesic_mean, "(*args)"),
    (adm.sin, "(x)"),
    (adm.atan2, "(y, x)"),
    (ad.cond, "(pred, pos, neg)"),
    (ad.stack, "(*args)"),
    (ad.function(lambda a, b: a + b), "(a, b)"),
    (ad.function(lambda a, b: a + b, argnames=["if", "b"]), "(arg_0, b)"),
]


@pytest.mark.parametrize(("function", "shown"), SHOWN, ids=str)
def test_signatures(function, shown):
    assert str(inspect.signature(function)) == shown


@pytest.mark.parametrize("function", PUBLIC.values(), ids=PUBLIC)
def test_each_has_a_docstring_of_its_own_and_takes_its_arguments_by_name(function):
    kind = type(function)
    alone = sum(type(other) is kind for other in set(PUBLIC.values())) == 1
    assert function.__doc__
    assert alone or function.__doc__ != kind.__doc__
    if function.n_args() < 0:
        with pytest.raises(ValueError, match="by position"):
            function(x="x")
        return
    names = list(inspect.signature(function).parameters)
    assert names == [function.argname(i) for i in range(function.n_args())]
    by_name = function(**{name: f"its_{name}" for name in reversed(names)})
    assert str(by_name) == str(function(*(f"its_{name}" for name in names)))


def test_classes_keep_their_constructors_signatures():
    parameters = inspect.signature(dynamics.ForwardDynamics).parameters
    assert list(parameters)[:2] == ["robot", "gravity"]


def test_positions_first_then_names_and_defaults():
    near = se3.distance("A", T2="B", tweight=2.0)
    assert str(near) == str(se3.distance("A", "B", 1.0, 2.0))
    assert str(se3.distance("A", "B", 3.0)) == str(se3.distance("A", "B", 3.0, 1.0))
    varied = ROBOT.parametrize(["*.mass"])
    place = kinematics.WorldPosition(varied.link(LINK.name), P)
    assert place("q", "parameters").args[1] is P
    assert str(place(parameters="w", q="q")) == str(place("q", P, "w"))
    assert str(place("q", "at", "w")) == str(place("q", parameters="w", local="at"))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: se3.error("A"), r"se3\.error: got 1 arguments, expected 2 \(T1, T2\): no T2$"),
        (lambda: se3.error(T2="B"), r"got 1 arguments, expected 2 \(T1, T2\): no T1$"),
        (lambda: se3.error("A", T3="B"), r"se3\.error: no argument 'T3'; arguments: T1, T2$"),
        (lambda: se3.error("A", T1="B"), "argument 'T1' is given by position and by name"),
        (lambda: se3.error("A", "B", T1="B"), "argument 'T1' is given by position and by name"),
        (lambda: se3.error("A", "B", "C"), r"got 3 arguments, expected 2 \(T1, T2\)$"),
        (lambda: se3.distance(T2="B"), r"got 1 arguments, expected 4 .*: no T1$"),
        (lambda: se3.distance(*"ABCDE"), r"got 5 arguments, expected 4 \(.*\)$"),
        (lambda: adm.atan2(1.0), r"atan2: got 1 arguments, expected 2 \(y, x\): no x$"),
        (lambda: dynamics.ForwardDynamics(ROBOT)(v="v"), r"expected 3 \(q, v, tau\): no q, tau$"),
    ],
)
def test_errors_name_what_is_missing_or_unknown(call, message):
    with pytest.raises(ValueError, match=message):
        call()
