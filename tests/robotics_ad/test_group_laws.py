"""Laws of SO(3) and SE(3) on random elements, small and large, near and far from the identity."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

import ad_core as ad
from robotics_ad import se3, so3


def directions() -> st.SearchStrategy[np.ndarray]:
    entries = st.floats(-1.0, 1.0, allow_subnormal=False)
    vectors = st.tuples(entries, entries, entries).map(np.array)
    return vectors.filter(lambda v: np.linalg.norm(v) > 1e-3).map(lambda v: v / np.linalg.norm(v))


ANGLES = st.one_of(
    st.sampled_from([0.0, 1e-12, 1e-8, 1e-4, np.pi - 1e-4, np.pi - 1e-6]),
    st.floats(0.0, np.pi - 1e-6),
)
VECTORS = st.builds(lambda axis, angle: angle * axis, directions(), ANGLES)
SHIFTS = st.builds(lambda axis, size: size * axis, directions(), st.floats(0.0, 5.0))
TWISTS = st.builds(lambda w, v: np.concatenate([w, v]), VECTORS, SHIFTS)

# Expressions are built once: an example then costs an evaluation.
W, X = ad.var("w", 3), ad.var("x", 6)
LOG_OF_EXP, EXP = so3.log(so3.exp(W)), so3.exp(W)
SE3_LOG_OF_EXP, SE3_EXP = se3.log(se3.exp(X)), se3.exp(X)
SO3_MUL, SO3_INV = so3.mul("a", "b"), so3.inv("a")
SE3_MUL, SE3_INV, ADJOINT = se3.mul("a", "b"), se3.inv("a"), se3.adjoint("a")


def near(got: np.ndarray, expected: np.ndarray, tolerance: float = 1e-12) -> None:
    np.testing.assert_allclose(got, expected, atol=tolerance)


@given(VECTORS)
def test_so3_log_inverts_exp(w):
    near(LOG_OF_EXP.eval(w=w), w)


@given(TWISTS)
def test_se3_log_inverts_exp(x):
    # 1 / sin(angle / 2) in J^-1 scales rounding where the angle nears pi: still within 1e-12
    near(SE3_LOG_OF_EXP.eval(x=x), x, 1e-12 * (1.0 + np.linalg.norm(x[3:])))


@given(VECTORS)
def test_exp_of_the_negative_is_the_inverse(w):
    near(EXP.eval(w=-w), SO3_INV.eval(a=EXP.eval(w=w)), 1e-15)


@given(VECTORS, VECTORS, VECTORS)
def test_so3_is_a_group_of_rotations(u, v, w):
    A, B, C = (EXP.eval(w=x) for x in (u, v, w))
    AB, BC = SO3_MUL.eval(a=A, b=B), SO3_MUL.eval(a=B, b=C)
    near(SO3_MUL.eval(a=AB, b=C), SO3_MUL.eval(a=A, b=BC), 1e-14)
    near(SO3_MUL.eval(a=A, b=SO3_INV.eval(a=A)), np.eye(3).reshape(9), 1e-14)
    assert abs(np.linalg.det(AB.reshape(3, 3)) - 1.0) < 1e-14


@given(TWISTS, TWISTS)
def test_se3_is_a_group_and_its_adjoint_a_representation(x, y):
    A, B = SE3_EXP.eval(x=x), SE3_EXP.eval(x=y)
    AB = SE3_MUL.eval(a=A, b=B)
    near(SE3_MUL.eval(a=A, b=SE3_INV.eval(a=A)), se3.identity().eval(), 1e-13)
    inverse = SE3_MUL.eval(a=SE3_INV.eval(a=B), b=SE3_INV.eval(a=A))
    near(SE3_INV.eval(a=AB), inverse, 1e-13)
    Ad, Bd, ABd = (ADJOINT.eval(a=T).reshape(6, 6) for T in (A, B, AB))
    near(Ad @ Bd, ABd, 1e-12)


@given(TWISTS, TWISTS)
def test_the_adjoint_carries_twists_through_exp(x, y):
    """A exp(y) A^-1 = exp(Ad y)."""
    A = SE3_EXP.eval(x=x)
    moved = SE3_MUL.eval(a=SE3_MUL.eval(a=A, b=SE3_EXP.eval(x=y)), b=SE3_INV.eval(a=A))
    near(SE3_EXP.eval(x=ADJOINT.eval(a=A).reshape(6, 6) @ y), moved, 1e-11)
