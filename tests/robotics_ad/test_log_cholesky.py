"""Ten free numbers for an inertia: always that of a body, and there and back again."""

import numpy as np
import pinocchio
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ad_core as ad
from ad_core.functions import check_derivatives
from robotics_ad import Inertia
from robotics_ad.model import from_log_cholesky, log_cholesky
from robotics_ad.model.pseudo_inertia import log_cholesky_moments

THETA = st.lists(st.floats(-3.0, 3.0), min_size=10, max_size=10).map(np.array)
FREE = st.lists(st.floats(-300.0, 300.0), min_size=10, max_size=10).map(np.array)


def pseudo_inertia(moments: np.ndarray) -> np.ndarray:
    """[[S, h], [h^T, m]] of [m, h, xx, yy, zz, xy, xz, yz]."""
    m, h, (xx, yy, zz, xy, xz, yz) = moments[0], moments[1:4], moments[4:]
    P = np.empty((4, 4))
    P[:3, :3] = [[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]
    P[:3, 3] = P[3, :3] = h
    P[3, 3] = m
    return P


@given(THETA)
def test_any_ten_numbers_are_a_body(theta):
    inertia = from_log_cholesky(theta)
    assert inertia.mass > 0.0
    assert inertia.is_consistent()
    P = pseudo_inertia(log_cholesky_moments(ad.var("theta", 10)).eval(theta=theta))
    scale = np.sqrt(np.diag(P))
    correlation = P / np.outer(scale, scale)  # eigenvalues that rounding can tell from zero
    assert np.linalg.eigvalsh(correlation)[0] > -1e-12
    np.testing.assert_allclose(
        np.linalg.det(P), np.exp(8 * theta[0] + 2 * sum(theta[1:4])), rtol=1e-4
    )


@given(st.lists(st.floats(-3.0, 3.0), min_size=10, max_size=10).map(np.array))
def test_there_and_back(theta):
    """Where s is not far larger than exp(d): the spread loses the small ones to rounding else."""
    theta[4:7] *= np.exp(theta[1:4].min())
    np.testing.assert_allclose(log_cholesky(from_log_cholesky(theta)), theta, atol=1e-8)


@given(THETA)
def test_equals_pinocchio(theta):
    theirs = pinocchio.Inertia.FromLogCholeskyParameters(pinocchio.LogCholeskyParameters(theta))
    ours = from_log_cholesky(theta)
    assert ours.mass == pytest.approx(theirs.mass, rel=1e-12)
    np.testing.assert_allclose(ours.com, theirs.lever, rtol=1e-10, atol=1e-10)
    scale = np.abs(theirs.toDynamicParameters()[4:]).max()  # theirs is taken about the origin first
    np.testing.assert_allclose(ours.rotational, theirs.inertia, atol=1e-12 * scale)


@given(THETA)
def test_expression_and_numbers_agree(theta):
    inertia = from_log_cholesky(theta)
    P = pseudo_inertia(log_cholesky_moments(ad.var("theta", 10)).eval(theta=theta))
    assert P[3, 3] == pytest.approx(inertia.mass, rel=1e-13)
    np.testing.assert_allclose(P[:3, 3], inertia.first_moment, rtol=1e-12)
    np.testing.assert_allclose(P[:3, :3], inertia.second_moment, atol=1e-12 * np.abs(P).max())


@given(FREE)
def test_far_numbers_stay_finite(theta):
    theta[:4] = np.clip(theta[:4], -150.0, 150.0)
    assert np.isfinite(log_cholesky_moments(ad.var("theta", 10)).eval(theta=theta)).all()


def test_known_bodies():
    """A box: diagonal spread a^2 / 12; a cube of 1 kg and edge sqrt(12) at the origin is 0."""
    box = np.array([0.3, 0.5, 0.7])
    spread = 4.0 * box**2 / 12.0
    inertia = Inertia(4.0, [0.1, 0.2, 0.3], np.diag(spread.sum() - spread))
    expected = [0.5 * np.log(4.0), *np.log(box / np.sqrt(12.0)), 0, 0, 0, 0.1, 0.2, 0.3]
    np.testing.assert_allclose(log_cholesky(inertia), expected, atol=1e-14)
    cube = Inertia(1.0, rotational=2.0 * np.eye(3))
    np.testing.assert_allclose(log_cholesky(cube), np.zeros(10), atol=1e-15)


def test_derivatives():
    theta = ad.var("theta", 10)
    rng = np.random.default_rng(0)
    check_derivatives(log_cholesky_moments(theta), {"theta": rng.normal(size=10)})


@pytest.mark.parametrize(
    "inertia",
    [
        Inertia(0.0),
        Inertia(1.0),
        Inertia(1.0, rotational=np.diag([1.0, 1.0, 0.0])),  # a rod
        Inertia(1.0, rotational=np.diag([1.0, 1.0, 2.0])),  # a plate
        Inertia(1.0, rotational=np.diag([1.0, 1.0, 3.0])),  # nothing
    ],
)
def test_what_is_no_full_body_is_refused(inertia):
    with pytest.raises(ValueError, match=r"log-Cholesky: mass .* are not all positive"):
        log_cholesky(inertia)


def test_bad_numbers_are_refused():
    with pytest.raises(ValueError, match=r"theta has shape \(9,\), expected \(10,\)"):
        from_log_cholesky(np.zeros(9))
    with pytest.raises(ValueError, match="theta has an entry that is not finite"):
        from_log_cholesky(np.full(10, np.inf))
