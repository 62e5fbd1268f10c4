"""Rotations against scipy and mpmath, at random points and at the special ones."""

import matrix_formulas as formulas
import mpmath
import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

import ad_core as ad
from bridges.pytorch import ad_to_torch
from robotics_ad import so3
from robotics_ad.arrays import skew

AXES = [np.array([1.0, 0, 0]), np.array([0, -1.0, 0]), np.array([2.0, -1.0, 2.0]) / 3.0]
ANGLES = [0.0, 1e-12, 1e-8, 1e-4, 0.2, 0.316, 0.317, 1.5, 2.5]
NEAR_HALF_TURN = [np.pi - 1e-4, np.pi - 1e-6, np.pi - 1e-8]


def element(matrix: np.ndarray) -> np.ndarray:
    """so3 entries of a 3x3 matrix."""
    return matrix.T.reshape(9)


def matrix(entries: np.ndarray) -> np.ndarray:
    return np.asarray(entries).reshape(3, 3).T


def rotations(count: int, seed: int = 0) -> list[np.ndarray]:
    return [element(R) for R in Rotation.random(count, rng=seed).as_matrix()]


def evaluate(function, *values):
    names = [f"x{i}" for i in range(len(values))]
    return function(*names).eval(**dict(zip(names, values, strict=True)))


@pytest.mark.parametrize("seed", range(3))
def test_algebra_is_matrix_algebra(seed):
    Ra, Rb = rotations(2, seed)
    A, B, p = matrix(Ra), matrix(Rb), np.random.default_rng(seed).normal(size=3)
    near = {"atol": 1e-15}
    np.testing.assert_allclose(evaluate(so3.mul, Ra, Rb), element(A @ B), **near)
    np.testing.assert_allclose(evaluate(so3.inv, Ra), element(A.T), **near)
    np.testing.assert_allclose(evaluate(so3.apply, Ra, p), A @ p, **near)
    np.testing.assert_allclose(evaluate(so3.apply_inv, Ra, p), A.T @ p, **near)
    np.testing.assert_array_equal(evaluate(so3.matrix, Ra), A.reshape(9))
    np.testing.assert_array_equal(evaluate(so3.from_matrix, A.reshape(9)), Ra)
    np.testing.assert_array_equal(evaluate(so3.diag, Ra), np.diag(A))
    np.testing.assert_array_equal(evaluate(so3.cross_product, p), element(skew(p)))
    np.testing.assert_allclose(evaluate(so3.deskew, element(skew(p))), p, **near)
    assert evaluate(so3.trace, Ra) == pytest.approx(np.trace(A))
    assert evaluate(so3.det, element(A * 2.0)) == pytest.approx(8.0)
    np.testing.assert_array_equal(so3.identity().eval(), np.eye(3).reshape(9))


def exact_exp(w: np.ndarray) -> np.ndarray:
    """exp([w]x) to 40 digits, rounded."""
    with mpmath.workdps(40):
        K = mpmath.matrix(skew(w).tolist())
        return element(np.array(mpmath.expm(K, method="taylor").tolist(), dtype=np.float64))


@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("angle", ANGLES + NEAR_HALF_TURN + [np.pi, 6.0, 20.0])
def test_exp_is_the_matrix_exponential(axis, angle):
    w = angle * axis
    np.testing.assert_allclose(evaluate(so3.exp, w), exact_exp(w), atol=1e-14)
    about = evaluate(so3.from_axis_angle, axis, angle)
    np.testing.assert_allclose(about, exact_exp(w), atol=1e-14)


@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("angle", ANGLES + NEAR_HALF_TURN)
def test_log_inverts_exp(axis, angle):
    w = angle * axis
    back = evaluate(so3.log, exact_exp(w))
    np.testing.assert_allclose(back, w, atol=1e-14)
    assert evaluate(so3.angle, exact_exp(w)) == pytest.approx(angle, abs=1e-14)
    if angle > 1e-12:
        np.testing.assert_allclose(evaluate(so3.axis, exact_exp(w)), axis, atol=1e-13)


@pytest.mark.parametrize("axis", AXES)
def test_half_turns_have_one_of_their_two_vectors(axis):
    R = element(2.0 * np.outer(axis, axis) - np.eye(3))
    w = evaluate(so3.log, R)
    np.testing.assert_allclose(evaluate(so3.exp, w), R, atol=1e-14)
    assert np.linalg.norm(w) == pytest.approx(np.pi, abs=1e-14)
    J = so3.log("R").derivative("R", R=R)
    assert np.isfinite(J).all()


def test_no_rotation_has_no_axis():
    R = np.eye(3).reshape(9)
    np.testing.assert_array_equal(evaluate(so3.axis, R), np.zeros(3))
    assert evaluate(so3.angle, R) == 0.0
    for function in (so3.axis, so3.angle):
        np.testing.assert_array_equal(
            function("R").derivative("R", R=R), np.zeros((function.n_out(), 9))
        )


@pytest.mark.parametrize("seed", range(5))
def test_conversions_equal_scipys(seed):
    (R,) = rotations(1, seed)
    theirs = Rotation.from_matrix(matrix(R))
    x, y, z, w = theirs.as_quat(canonical=True)
    np.testing.assert_allclose(evaluate(so3.quaternion, R), [w, x, y, z], atol=1e-15)
    np.testing.assert_allclose(evaluate(so3.from_quaternion, [w, x, y, z]), R, atol=1e-15)
    np.testing.assert_allclose(evaluate(so3.log, R), theirs.as_rotvec(), atol=1e-14)
    roll_pitch_yaw = theirs.as_euler("xyz")
    np.testing.assert_allclose(evaluate(so3.rpy, R), roll_pitch_yaw, atol=1e-14)
    np.testing.assert_allclose(evaluate(so3.from_rpy, roll_pitch_yaw), R, atol=1e-15)
    np.testing.assert_allclose(evaluate(so3.yaw_pitch_roll, R), roll_pitch_yaw[::-1], atol=1e-14)
    back = evaluate(so3.from_yaw_pitch_roll, roll_pitch_yaw[::-1])
    np.testing.assert_allclose(back, R, atol=1e-15)


@pytest.mark.parametrize("which", range(4))
def test_quaternions_from_each_of_their_branches(which):
    """Half turns about x, y, z and no turn are where each entry alone is not 0."""
    q = np.eye(4)[which]
    R = Rotation.from_quat(q, scalar_first=True).as_matrix()
    np.testing.assert_array_equal(evaluate(so3.quaternion, element(R)), q)


@pytest.mark.parametrize("pitch", [np.pi / 2, -np.pi / 2, np.pi / 2 - 1e-7, 1.0 - np.pi / 2])
def test_rpy_recovers_the_rotation_at_gimbal_lock(pitch):
    R = evaluate(so3.from_rpy, [0.4, pitch, -1.1])
    angles = evaluate(so3.rpy, R)
    np.testing.assert_allclose(evaluate(so3.from_rpy, angles), R, atol=1e-14)
    assert np.isfinite(so3.rpy("R").derivative("R", R=R)).all()
    assert np.isfinite(so3.rpy("R").gen_derivative(["R", "R"], R=R)).all()


def test_distances_errors_and_interpolation():
    Ra, Rb = rotations(2, 7)
    A, B = matrix(Ra), matrix(Rb)
    between = Rotation.from_matrix(A.T @ B)
    assert evaluate(so3.distance, Ra, Rb) == pytest.approx(between.magnitude(), abs=1e-14)
    error = Rotation.from_matrix(A @ B.T).as_rotvec()
    np.testing.assert_allclose(evaluate(so3.error, Ra, Rb), error, atol=1e-14)
    for u in (0.0, 0.3, 1.0, 1.7):
        expected = A @ Rotation.from_rotvec(u * between.as_rotvec()).as_matrix()
        np.testing.assert_allclose(
            evaluate(so3.interpolate, Ra, Rb, u), element(expected), atol=1e-14
        )
        qa, qb = (evaluate(so3.quaternion, R) for R in (Ra, Rb))
        q = evaluate(so3.slerp, qa, qb, u)
        np.testing.assert_allclose(evaluate(so3.from_quaternion, q), element(expected), atol=1e-14)


@pytest.mark.parametrize("angle", [0.0, 1e-9, 1e-4, 0.5, 2.0])
def test_slerp_turns_at_a_steady_rate(angle):
    qb = np.array([np.cos(angle), np.sin(angle), 0.0, 0.0])
    qa = np.array([1.0, 0.0, 0.0, 0.0])
    shorter = angle if angle < np.pi / 2 else angle - np.pi
    for u in (0.0, 0.25, 1.0):
        expected = [np.cos(u * shorter), np.sin(u * shorter), 0.0, 0.0]
        np.testing.assert_allclose(evaluate(so3.slerp, qa, qb, u), expected, atol=1e-15)
        rate = so3.slerp("a", "b", "u").derivative("u", a=qa, b=qb, u=u)[:, 0]
        slope = shorter * np.array([-np.sin(u * shorter), np.cos(u * shorter), 0.0, 0.0])
        np.testing.assert_allclose(rate, slope, atol=1e-14)


@pytest.mark.parametrize("w", [np.zeros(3), np.array([1e-6, 0, 2e-6]), np.array([0.3, -2.0, 1.0])])
def test_jacobians_are_the_derivative_of_exp(w):
    left, right = (evaluate(f, w).reshape(3, 3) for f in (so3.left_jacobian, so3.right_jacobian))
    dR, R = so3.exp("w").derivative("w", w=w), matrix(evaluate(so3.exp, w))
    for i in range(3):
        np.testing.assert_allclose(matrix(dR[:, i]), skew(left[:, i]) @ R, atol=1e-14)
        np.testing.assert_allclose(matrix(dR[:, i]), R @ skew(right[:, i]), atol=1e-14)
    for J, inverse in ((left, so3.left_jacobian_inv), (right, so3.right_jacobian_inv)):
        np.testing.assert_allclose(J @ evaluate(inverse, w).reshape(3, 3), np.eye(3), atol=1e-14)


def exact_derivatives(f, x: np.ndarray, order: int) -> np.ndarray:
    """Derivative tensor of a scalar mpmath function f(*x), by central differences at 60 digits."""
    with mpmath.workdps(60):
        point = [mpmath.mpf(float(entry)) for entry in x]
        out = np.zeros((len(x),) * order)
        for index in np.ndindex(*out.shape):
            orders = tuple(index.count(i) for i in range(len(x)))
            out[index] = float(
                mpmath.diff(f, point, orders, h=mpmath.mpf(10) ** -12, relative=False)
            )
        return out


@pytest.mark.parametrize("angle", [0.0, 1e-12, 1e-8, 1e-4, 0.3, 0.33, np.pi - 1e-8, np.pi])
def test_derivatives_of_exp_are_exact(angle):
    w = angle * AXES[2]

    def entry(x, y, z):  # r21 = (1 - cos t) x y / t^2 + sin t z / t
        square = x * x + y * y + z * z
        t = mpmath.sqrt(square)
        if t < mpmath.mpf(10) ** -25:
            return x * y / 2 + z
        return (1 - mpmath.cos(t)) / square * x * y + mpmath.sin(t) / t * z

    r21 = so3.exp("w")[1]
    np.testing.assert_allclose(
        r21.derivative("w", w=w)[0], exact_derivatives(entry, w, 1), atol=1e-9
    )
    np.testing.assert_allclose(
        r21.gen_derivative(["w", "w"], w=w)[0], exact_derivatives(entry, w, 2), atol=1e-9
    )


@pytest.mark.parametrize("angle", [1e-12, 1e-8, 1e-4, 1e-3, 9.99e-3, 1.001e-2, 0.02, 0.1, 3.0])
def test_derivatives_of_exp_to_third_order(angle):
    """Across the angle of 0.01 where a series gives way to the closed form."""
    w, way = angle * AXES[2], np.array([0.5, 0.1, -0.7])
    call = so3.exp("w")
    with mpmath.workdps(60):

        def at(s: mpmath.mpf) -> list[mpmath.mpf]:
            x = [
                mpmath.mpf(float(a)) + s * mpmath.mpf(float(b)) for a, b in zip(w, way, strict=True)
            ]
            return formulas.exp(x)

        h = mpmath.mpf(10) ** -12
        f = [at(k * h) for k in (-2, -1, 0, 1, 2)]
        stencils = {1: (1, -8, 0, 8, -1), 2: (-1, 16, -30, 16, -1), 3: (-6, 12, 0, -12, 6)}
        expected = {
            order: [
                float(mpmath.fdot(stencil, column) / (12 * h**order))
                for column in zip(*f, strict=True)
            ]
            for order, stencil in stencils.items()
        }
    for order, tolerance in {1: 1e-14, 2: 1e-12, 3: 1e-9}.items():
        tensor = call.gen_derivative(["w"] * order, w=w)
        for _ in range(order):
            tensor = tensor @ way
        np.testing.assert_allclose(tensor, expected[order], rtol=0.0, atol=tolerance)


@pytest.mark.parametrize("angle", [0.0, 1e-12, 1e-8, 1e-4, 0.2, 1.0, np.pi - 1e-4, np.pi - 1e-6])
@pytest.mark.parametrize("axis", AXES)
def test_log_after_exp_is_the_identity_to_second_order(angle, axis):
    w = angle * axis
    round_trip = so3.log(so3.exp(ad.var("w", 3)))
    np.testing.assert_allclose(round_trip.derivative("w", w=w), np.eye(3), atol=1e-9)
    second = round_trip.gen_derivative(["w", "w"], w=w)
    np.testing.assert_allclose(second, np.zeros((3, 3, 3)), atol=1e-8)


def test_align_takes_one_direction_to_the_other():
    rng = np.random.default_rng(3)
    for _ in range(20):
        a, b = rng.normal(size=(2, 3))
        R = matrix(evaluate(so3.align, a, b))
        np.testing.assert_allclose(R @ a / np.linalg.norm(a), b / np.linalg.norm(b), atol=1e-14)
        cosine = a @ b / np.linalg.norm(a) / np.linalg.norm(b)
        assert np.trace(R) == pytest.approx(1.0 + 2.0 * cosine)  # the least rotation
        np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-14)


@pytest.mark.parametrize("a", [*AXES, np.array([0.0, 0.0, 2.0])])
@pytest.mark.parametrize("gap", [0.0, 1e-9, 1e-5])
def test_align_of_opposite_directions_is_a_rotation(a, gap):
    normal = np.cross(a, [0.3, 0.5, -0.2])
    b = -a + gap * normal
    R = matrix(evaluate(so3.align, a, b))
    np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-12 if gap == 0.0 else 1e-6)
    np.testing.assert_allclose(R @ a, b * np.linalg.norm(a) / np.linalg.norm(b), atol=1e-8)
    J = so3.align("a", "b").derivative("b", a=a, b=b)
    assert np.isfinite(J).all()


def test_canonical_bases():
    for v in (*AXES, -AXES[0], -AXES[2], np.array([-1.0, 1e-9, 0.0])):
        R = matrix(evaluate(so3.canonical, v))
        np.testing.assert_allclose(R[:, 0], v, atol=1e-15)
        np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-14)
        assert np.linalg.det(R) == pytest.approx(1.0)
        assert np.isfinite(so3.canonical("v").derivative("v", v=v)).all()
    np.testing.assert_array_equal(evaluate(so3.canonical, [1.0, 0, 0]), np.eye(3).reshape(9))
    np.testing.assert_array_equal(
        evaluate(so3.canonical, [0.0, -1, 0]), [0, -1, 0, 1, 0, 0, 0, 0, 1]
    )


def test_projection_is_the_polar_factor():
    rng = np.random.default_rng(5)
    for spread in (1e-9, 0.1, 1.0):
        A = matrix(rotations(1, 11)[0]) + spread * rng.normal(size=(3, 3))
        if np.linalg.det(A) < 0.0:
            A = -A
        U, _, Vt = np.linalg.svd(A)
        np.testing.assert_allclose(evaluate(so3.project, element(A)), element(U @ Vt), atol=1e-13)
    R = rotations(1, 12)[0]
    np.testing.assert_allclose(evaluate(so3.project, 3.0 * R), R, atol=1e-15)


DEGENERATE = [
    (so3.align, (np.zeros(3), np.array([0.0, 2.0, 0.0]))),
    (so3.align, (np.array([0.0, 2.0, 0.0]), np.zeros(3))),
    (so3.align, (np.zeros(3), np.zeros(3))),
    (so3.from_six, (np.zeros(6),)),
    (so3.from_six, (np.array([0.0, 0.0, 0.0, 1.0, 2.0, 3.0]),)),
    (so3.from_six, (np.array([1.0, 2.0, 3.0, 0.0, 0.0, 0.0]),)),
    (so3.from_six, (np.array([0.3, 0.7, -0.1, 0.9, 2.1, -0.3]),)),
    (so3.from_six, (np.array([0.0, 0.0, 1.0, 0.0, 0.0, -2.0]),)),
    (so3.project, (np.diag([3.0, 2.0, 0.0]).reshape(9),)),
    (so3.project, (np.array([0.0, 2.0, 0.0, -2.0, 0.0, 0.0, 0.0, 0.0, 0.0]),)),
]


@pytest.mark.parametrize(("function", "given"), DEGENERATE)
def test_degenerate_arguments_give_rotations_and_finite_derivatives(function, given):
    names = [f"x{i}" for i in range(len(given))]
    values = dict(zip(names, given, strict=True))
    call = function(*names)
    R = matrix(call.eval(**values))
    np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-14)
    assert np.linalg.det(R) == pytest.approx(1.0, abs=1e-14)
    for first in names:
        assert np.isfinite(call.derivative(first, **values)).all()
        assert np.isfinite(call.gen_derivative([first, first], **values)).all()
    layer = ad_to_torch(call, sizes={n: v.size for n, v in values.items()}, engine="torch")
    tensors = [torch.from_numpy(v).requires_grad_() for v in given]
    for gradient in torch.autograd.grad(layer(*tensors).sum(), tensors):
        assert torch.isfinite(gradient).all()


@pytest.mark.parametrize("A", [np.zeros(9), np.outer([1.0, 2.0, 3.0], [1.0, 0.5, 0.2]).reshape(9)])
def test_projection_of_lower_rank_is_finite(A):
    assert np.isfinite(evaluate(so3.project, A)).all()
    assert np.isfinite(so3.project("A").derivative("A", A=A)).all()


@pytest.mark.parametrize("gap", [1e-3, 1e-6, 1e-9, 1e-12, 1e-14])
def test_nearly_parallel_columns_make_a_rotation(gap):
    a, b = np.array([0.3, 0.7, -0.1]), np.array([0.9, 2.1, -0.3])
    R = matrix(evaluate(so3.from_six, [*a, *(b + gap * np.array([0.5, 0.1, 1.0]))]))
    np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-15)


def test_near_rotations_have_the_quaternion_and_vector_of_a_rotation():
    rng = np.random.default_rng(6)
    for R in rotations(5, 13):
        near = R + 1e-7 * rng.normal(size=9)
        q = evaluate(so3.quaternion, near)
        assert np.linalg.norm(q) == pytest.approx(1.0, abs=1e-15)
        np.testing.assert_allclose(evaluate(so3.from_quaternion, q), R, atol=1e-6)
        np.testing.assert_allclose(evaluate(so3.exp, evaluate(so3.log, near)), R, atol=1e-6)


def test_six_numbers_represent_a_rotation():
    (R,) = rotations(1, 14)
    np.testing.assert_array_equal(evaluate(so3.to_six, R), R[:6])
    np.testing.assert_allclose(evaluate(so3.from_six, R[:6]), R, atol=1e-15)
    a, b = np.random.default_rng(7).normal(size=(2, 3))
    made = matrix(evaluate(so3.from_six, np.concatenate([a, b])))
    np.testing.assert_allclose(made @ made.T, np.eye(3), atol=1e-15)
    np.testing.assert_allclose(made[:, 0] * np.linalg.norm(a), a, atol=1e-15)
    assert made[:, 1] @ b > 0.0
    assert abs(made[:, 2] @ b) < 1e-14


def test_the_geodesic_mean_balances_the_logarithms():
    center = rotations(1, 15)[0]
    vectors = np.random.default_rng(8).uniform(-0.8, 0.8, size=(4, 3))
    Rs = [evaluate(so3.mul, center, evaluate(so3.exp, w)) for w in vectors]
    mean = evaluate(so3.geodesic_mean, *Rs)
    np.testing.assert_allclose(
        sum(evaluate(so3.log, evaluate(so3.mul, evaluate(so3.inv, mean), R)) for R in Rs),
        np.zeros(3),
        atol=1e-13,
    )
    halfway = evaluate(so3.interpolate, Rs[0], Rs[1], 0.5)
    np.testing.assert_allclose(evaluate(so3.geodesic_mean, *Rs[:2]), halfway, atol=1e-14)
    np.testing.assert_allclose(evaluate(so3.geodesic_mean, Rs[0]), Rs[0], atol=1e-14)


def test_functions_print_under_their_names_and_check_sizes():
    assert str(so3.mul("R1", "R2")) == "so3.mul(R1, R2)"
    assert str(so3.identity()) == "so3.identity()"
    assert so3.mul.argname(1) == "Rb"
    with pytest.raises(ValueError, match=r"so3\.apply: argument 'p' has size 4, expected 3"):
        so3.apply("R", np.zeros(4))
    with pytest.raises(ValueError, match=r"so3\.geodesic_mean: got 0 arguments"):
        so3.geodesic_mean()
