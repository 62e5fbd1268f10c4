"""Functions as subclasses of `ADFunctionInterface`, and what `repr` tells of derivatives."""

from __future__ import annotations

import numpy as np
import pytest
from function_forms import FORMS, bend, bend_dx, bend_dy

import ad_core as ad


class Product(ad.ADFunctionInterface):
    """A subclass as the reference documents them, with data of its own."""

    def __init__(self, factor: float) -> None:
        self.factor = factor

    def __str__(self) -> str:
        return "product"

    def n_args(self) -> int:
        return 2

    def n_in(self, arg: int) -> int:
        return 1

    def n_out(self) -> int:
        return 1

    def eval(self, x, y):
        return self.factor * x * y

    def jvp(self, arg, darg, x, y):
        return self.factor * (y, x)[arg] * darg


def test_subclass():
    f = Product(2.0)
    assert str(f("x", "y")) == "product(x, y)"
    assert f("x", "y").eval(x=3.0, y=4.0) == 24.0
    np.testing.assert_array_equal(f("x", "x").derivative("x", x=3.0), [[12.0]])
    ad.check_derivatives(f, [3.0, 4.0])


class Bare(ad.ADFunctionInterface):
    def eval(self, x):
        return x**2


def test_bare_subclass_by_finite_differences():
    f = Bare()
    assert (f.n_args(), f.argname(0), str(f)) == (1, "x", "Bare")
    np.testing.assert_allclose(f("x").derivative("x", x=[1.0, 2.0]), np.diag([2.0, 4.0]), atol=1e-8)
    for call in (f.derivative, f.gen_derivative, f.jvp):
        with pytest.raises(NotImplementedError, match="Bare"):
            call(0, 1.0, 2.0)


def test_missing_eval_says_so():
    class Empty(ad.ADFunctionInterface):
        pass

    with pytest.raises(NotImplementedError, match="Empty: eval"):
        Empty()("x").eval(x=1.0)


@pytest.mark.parametrize(
    ("f", "shown"),
    [
        (FORMS["nothing"], "<bend(x, y): derivatives by finite differences>"),
        (
            FORMS["derivative list"],
            "<bend(x, y): derivatives above order 1 by finite differences>",
        ),
        (FORMS["jvp list"], "<bend(x, y): derivatives above order 1 by finite differences>"),
        (FORMS["half given"], "<bend(x, y): derivatives w.r.t. y by finite differences>"),
        (
            FORMS["gen_derivative callable"],
            "<bend(x, y): derivatives by gen_derivative>",
        ),
        (
            FORMS["gen_derivative dict"],
            "<bend(x, y): derivatives above order 2 by finite differences>",
        ),
        (
            ad.function(bend, derivative=[bend_dx, bend_dy], order=1),
            "<bend(x, y): derivatives are exact>",
        ),
        (
            ad.function(bend, derivative=[bend_dx, bend_dy], gen_derivative={(0, 0): 0}, order=2),
            "<bend(x, y): derivatives as given>",
        ),
        (ad.function(bend, order=3), "<bend(x, y): derivatives by finite differences>"),
        (Bare(), "<Bare(x): derivatives by finite differences>"),
        (Product(2.0), "<product(x, y): derivatives above order 1 by finite differences>"),
    ],
    ids=str,
)
def test_repr_tells_finite_differences(f: ad.ADFunctionInterface, shown: str):
    assert repr(f) == shown
