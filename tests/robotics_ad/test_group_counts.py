"""SX operations of rotations and rigid transforms: at most those of the straight formulas."""

import casadi
import numpy as np
import pytest

from benchmarks import straight
from benchmarks.counts import COMPARISONS, GUARDED, WITHOUT_GUARDS, instructions
from bridges.casadi import ad_to_casadi
from robotics_ad import se3, so3

PAIRS = {
    so3.mul: (straight.mul,),
    so3.inv: (straight.inv,),
    so3.apply: (straight.apply,),
    so3.exp: (straight.guarded_exp, straight.bare_exp),
    so3.log: (straight.guarded_log, straight.bare_log),
    so3.quaternion: (straight.guarded_quaternion, straight.bare_quaternion),
    so3.from_quaternion: (straight.from_quaternion,),
    se3.mul: (straight.se3_mul,),
    se3.inv: (straight.se3_inv,),
    se3.apply: (straight.se3_apply,),
    se3.exp: (straight.guarded_se3_exp, straight.bare_se3_exp),
    se3.log: (straight.guarded_se3_log, straight.bare_se3_log),
}
MOST = {so3.exp: 52, so3.log: 93, so3.quaternion: 68, se3.exp: 91, se3.log: 153}


def sizes(function) -> list[int]:
    return [function.n_in(i) for i in range(function.n_args())]


@pytest.mark.parametrize("function", PAIRS, ids=str)
def test_no_more_than_the_straight_formula(function):
    ours = instructions(ad_to_casadi(function, symbolic="SX"))
    assert ours <= instructions(straight.function(PAIRS[function][0], sizes(function)))
    assert ours <= MOST.get(function, ours)


@pytest.mark.parametrize("function", PAIRS, ids=str)
@pytest.mark.parametrize("angle", [0.5, 2.0, 3.1])
def test_the_formulas_are_right(function, angle):
    """So that they are no straw men: each gives the same values as ours."""
    rng = np.random.default_rng(4)
    w = angle * np.array([2.0, -1.0, 2.0]) / 3.0
    R, p = so3.exp(w), rng.normal(size=3)
    by_size = {3: w, 4: so3.quaternion(R), 6: [*w, *p], 9: R, 12: [*R, *p]}
    values = [by_size[n] for n in sizes(function)]
    for formula in PAIRS[function]:
        theirs = straight.function(formula, sizes(function)).call(values)[0]
        ours = ad_to_casadi(function, symbolic="SX").call(values)[0]
        tolerance = 1e-12 / (np.pi - angle) ** 2  # bare logarithms lose digits near half a turn
        np.testing.assert_allclose(theirs.full(), ours.full(), atol=tolerance)


def test_the_formulas_without_guards_have_no_value_where_ours_has():
    for function, point in ((so3.exp, np.zeros(3)), (so3.log, np.eye(3).reshape(9))):
        bare = straight.function(PAIRS[function][1], sizes(function))
        assert np.isnan(bare(point).full()).any()
        assert np.isfinite(ad_to_casadi(function, symbolic="SX")(point).full()).all()


def fourth_derivative_at_zero(exponential: casadi.Function) -> float:
    """Of r11 along e_y, which is cos(y)."""
    w = casadi.SX.sym("w", 3)
    entry = exponential(w)[0]
    for _ in range(4):
        entry = casadi.jacobian(entry, w)[:, 1]
    return float(casadi.Function("f", [w], [entry])(np.zeros(3)))


def test_guards_of_two_terms_cost_the_fourth_derivative():
    guarded = straight.function(straight.guarded_exp, [3])
    assert fourth_derivative_at_zero(guarded) == 0.0
    ours = ad_to_casadi(so3.exp, symbolic="SX")
    assert fourth_derivative_at_zero(ours) == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize(("eps", "error"), [(1e-12, 5e-5), (1e-14, 5e-3), (1e-16, 0.5)])
def test_a_tiny_number_under_the_root_is_no_guard(eps, error):
    """Second derivatives of exp, worst over small angles; ours are right to 1e-12 there."""
    w = casadi.SX.sym("w", 3)
    x = casadi.dot(w, w) + eps
    t = casadi.sqrt(x)
    shifted = straight.rodrigues(casadi.sin(t) / t, (1 - casadi.cos(t)) / x, casadi.cos(t), w)
    ours = ad_to_casadi(so3.exp, symbolic="SX")(w)
    second = [casadi.jacobian(casadi.vec(casadi.jacobian(R, w)), w) for R in (shifted, ours)]
    differ = casadi.Function("differ", [w], [casadi.norm_inf(casadi.vec(second[0] - second[1]))])
    angles = [1e-12, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4]
    assert max(float(differ([a, 0.3 * a, -0.5 * a])) for a in angles) > error


def test_the_benchmark_lists_them():
    assert len(COMPARISONS) == len(PAIRS)
    (exp,) = (c for c in COMPARISONS if c.name == "count_so3_exp")
    assert exp.ours() == 52
    assert {label: count() for label, count in exp.formulas.items()} == {
        GUARDED: 57,
        WITHOUT_GUARDS: 33,
    }
