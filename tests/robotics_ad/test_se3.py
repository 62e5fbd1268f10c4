"""Rigid transforms against 4x4 matrices, the matrix exponential, and the identities of adjoints."""

import numpy as np
import pytest
import scipy.linalg
from scipy.spatial.transform import Rotation

import ad_core as ad
from robotics_ad import se3, so3
from robotics_ad.arrays import skew

TWISTS = [
    np.zeros(6),
    np.array([1e-9, 0, 2e-9, 0.3, -0.4, 0.5]),
    np.array([0.2, -0.1, 0.15, 1.0, 2.0, -3.0]),
    np.array([1.5, -1.0, 0.7, 0.0, 0.2, 1.0]),
    np.array([0.0, 3.0, 0.5, -1.0, 0.3, 0.0]),
]


def transform(seed: int) -> np.ndarray:
    """se3 entries of a random transform."""
    R = Rotation.random(rng=seed).as_matrix()
    return np.concatenate([R.T.reshape(9), np.random.default_rng(seed).normal(size=3)])


def matrix(T: np.ndarray) -> np.ndarray:
    """4x4 matrix of se3 entries."""
    M = np.eye(4)
    M[:3, :3], M[:3, 3] = np.asarray(T[:9]).reshape(3, 3).T, T[9:]
    return M


def hat(twist: np.ndarray) -> np.ndarray:
    M = np.zeros((4, 4))
    M[:3, :3], M[:3, 3] = skew(twist[:3]), twist[3:]
    return M


def evaluate(function, *values):
    names = [f"x{i}" for i in range(len(values))]
    return function(*names).eval(**dict(zip(names, values, strict=True)))


def test_algebra_is_matrix_algebra():
    Ta, Tb, p = transform(0), transform(1), np.array([0.3, -1.0, 2.0])
    A, B = matrix(Ta), matrix(Tb)
    np.testing.assert_allclose(matrix(evaluate(se3.mul, Ta, Tb)), A @ B, atol=1e-14)
    np.testing.assert_allclose(matrix(evaluate(se3.inv, Ta)), np.linalg.inv(A), atol=1e-14)
    np.testing.assert_allclose(evaluate(se3.apply, Ta, p), A[:3, :3] @ p + A[:3, 3], atol=1e-14)
    np.testing.assert_allclose(evaluate(se3.apply_rotation, Ta, p), A[:3, :3] @ p, atol=1e-14)
    np.testing.assert_array_equal(evaluate(se3.homogeneous, Ta), A.reshape(16))
    np.testing.assert_array_equal(evaluate(se3.from_homogeneous, A.reshape(16)), Ta)
    np.testing.assert_array_equal(evaluate(se3.rotation, Ta), Ta[:9])
    np.testing.assert_array_equal(evaluate(se3.translation, Ta), Ta[9:])
    np.testing.assert_array_equal(evaluate(se3.join, Ta[:9], Ta[9:]), Ta)
    np.testing.assert_array_equal(matrix(evaluate(se3.from_translation, p))[:3, 3], p)
    np.testing.assert_array_equal(evaluate(se3.from_rotation, Ta[:9]), [*Ta[:9], 0, 0, 0])
    np.testing.assert_array_equal(matrix(se3.identity().eval()), np.eye(4))


@pytest.mark.parametrize("twist", TWISTS)
def test_exp_is_the_matrix_exponential_and_log_its_inverse(twist):
    T = evaluate(se3.exp, twist)
    np.testing.assert_allclose(matrix(T), scipy.linalg.expm(hat(twist)), atol=1e-13)
    np.testing.assert_allclose(evaluate(se3.log, T), twist, atol=1e-13)
    round_trip = se3.log(se3.exp(ad.var("x", 6)))
    np.testing.assert_allclose(round_trip.derivative("x", x=twist), np.eye(6), atol=1e-10)


@pytest.mark.parametrize("twist", TWISTS)
def test_jacobians_are_the_derivative_of_exp(twist):
    T, dT = matrix(evaluate(se3.exp, twist)), se3.exp("x").derivative("x", x=twist)
    left = evaluate(se3.left_jacobian, twist).reshape(6, 6)
    right = evaluate(se3.right_jacobian, twist).reshape(6, 6)
    for i in range(6):
        change = matrix(dT[:, i])
        change[3, 3] = 0.0
        np.testing.assert_allclose(change, hat(left[:, i]) @ T, atol=1e-13)
        np.testing.assert_allclose(change, T @ hat(right[:, i]), atol=1e-13)
    for J, inverse in ((left, se3.left_jacobian_inv), (right, se3.right_jacobian_inv)):
        back = evaluate(inverse, twist).reshape(6, 6)
        np.testing.assert_allclose(J @ back, np.eye(6), atol=1e-12)


def test_adjoints_carry_twists_and_wrenches():
    T, rng = transform(2), np.random.default_rng(3)
    twist, wrench = rng.normal(size=(2, 6))
    Ad = evaluate(se3.adjoint, T).reshape(6, 6)
    moved = matrix(T) @ hat(twist) @ np.linalg.inv(matrix(T))
    np.testing.assert_allclose(hat(Ad @ twist), moved, atol=1e-14)
    np.testing.assert_allclose(evaluate(se3.apply_adjoint, T, twist), Ad @ twist, atol=1e-14)
    dual = evaluate(se3.coadjoint, T).reshape(6, 6)
    np.testing.assert_allclose(dual, np.linalg.inv(Ad).T, atol=1e-14)
    np.testing.assert_allclose(evaluate(se3.apply_coadjoint, T, wrench), dual @ wrench, atol=1e-14)
    power = (dual @ wrench) @ (Ad @ twist)
    assert power == pytest.approx(wrench @ twist, rel=1e-13)


def test_adjoints_multiply_as_transforms_do():
    Ta, Tb = transform(4), transform(5)
    A, B = (evaluate(se3.adjoint, T).reshape(6, 6) for T in (Ta, Tb))
    AB = evaluate(se3.adjoint, evaluate(se3.mul, Ta, Tb)).reshape(6, 6)
    np.testing.assert_allclose(A @ B, AB, atol=1e-14)


def test_errors_and_distances():
    Ta, Tb = transform(6), transform(7)
    error = evaluate(se3.error, Ta, Tb)
    np.testing.assert_allclose(error[:3], evaluate(so3.error, Ta[:9], Tb[:9]), atol=1e-15)
    np.testing.assert_array_equal(error[3:], Ta[9:] - Tb[9:])
    angle, length = np.linalg.norm(error[:3]), np.linalg.norm(error[3:])
    assert evaluate(se3.distance, Ta, Tb) == pytest.approx(angle + length)
    assert se3.distance(Ta, Tb, 2.0) == pytest.approx(2.0 * angle + length)
    assert se3.distance(Ta, Tb, 2.0, 0.5) == pytest.approx(2.0 * angle + 0.5 * length)
    assert evaluate(se3.distance, Ta, Ta) == pytest.approx(0.0, abs=1e-15)
    assert np.isfinite(se3.distance("T", Ta).derivative("T", T=Ta)).all()


def test_interpolation_is_straight_or_a_screw():
    Ta, Tb = transform(8), transform(9)
    A, B = matrix(Ta), matrix(Tb)
    for u in (0.0, 0.4, 1.0):
        T = evaluate(se3.interpolate, Ta, Tb, u)
        np.testing.assert_allclose(T[9:], (1.0 - u) * Ta[9:] + u * Tb[9:], atol=1e-15)
        np.testing.assert_allclose(T[:9], evaluate(so3.interpolate, Ta[:9], Tb[:9], u), atol=1e-15)
        screw = A @ scipy.linalg.expm(u * scipy.linalg.logm(np.linalg.inv(A) @ B).real)
        np.testing.assert_allclose(
            matrix(evaluate(se3.screw_interpolate, Ta, Tb, u)), screw, atol=1e-12
        )


def test_functions_print_under_their_names_and_check_sizes():
    assert str(se3.mul("T1", "T2")) == "se3.mul(T1, T2)"
    with pytest.raises(ValueError, match=r"se3\.inv: argument 'T' has size 9, expected 12"):
        se3.inv(np.zeros(9))
    with pytest.raises(ValueError, match=r"se3\.distance"):
        se3.distance("T1")
