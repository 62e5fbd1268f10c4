"""Functions of robots, tried with wrong kinds of each argument: errors in our words, or none."""

import inspect

import numpy as np
import pytest

import ad_core as ad
from robotics_ad import dynamics, kinematics, packaged_arm

ROBOT = packaged_arm()
LINK = ROBOT.link("tool")
GOOD = {
    "robot": ROBOT,
    "link": LINK,
    "local": [0.0, 0.0, 0.1],
    "contacts": [dynamics.PointContact(LINK)],
    "names": (),
    "columns": (),
    "combination": np.zeros((0, 0)),
}
WRONG = [
    None, 3, 1.5, "x", b"x", [1, 2], {"a": 1}, object(), np.zeros((2, 2)), lambda: 0, ad.var("p"),
    [None], [[1]], ("tool",), np.array(["2020"], "M8[D]"), 1 + 2j,
]  # fmt: skip
# what Python and numpy say where nobody looked at the argument
RAW = (
    "object is not", "unpack", "subscript", "not supported between", "ambiguous", "ufunc",
    "has no attribute", "must be real", "could not convert", "unhashable", "is not iterable",
    "required, not",
)  # fmt: skip
CALLABLES = [
    pytest.param(getattr(module, name), id=name)
    for module in (kinematics, dynamics)
    for name in module.__all__
    if callable(getattr(module, name)) and name != "BaseParameters"  # a plain record of results
]


@pytest.mark.parametrize("function", CALLABLES)
def test_wrong_kinds_of_arguments(function):
    parameters = list(inspect.signature(function).parameters.values())
    needed = {p.name: GOOD[p.name] for p in parameters if p.default is p.empty}
    assert function(**needed) is not None
    for parameter in parameters:
        for wrong in WRONG:
            try:
                function(**{**needed, parameter.name: wrong})
            except (TypeError, ValueError) as error:
                if any(words in str(error) for words in RAW):
                    pytest.fail(f"{parameter.name}={wrong!r}: {error}")
