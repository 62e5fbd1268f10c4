"""so3 and se3 mean what Klampt's `klampt.math.so3` and `klampt.math.se3` of the same names mean."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from robotics_ad import se3, so3

theirs_so3 = pytest.importorskip("klampt.math.so3")
theirs_se3 = pytest.importorskip("klampt.math.se3")

RNG = np.random.default_rng(11)
# Klampt's angles come from arc cosines, which lose digits near no turn and half a turn.
ROTATIONS = [
    (Rotation.from_rotvec(angle * axis / np.linalg.norm(axis)).as_matrix().T.reshape(9))
    for angle, axis in zip(RNG.uniform(0.3, 2.6, 12), RNG.normal(size=(12, 3)), strict=True)
]
VECTORS = list(RNG.normal(size=(12, 3)))
UNITS = [v / np.linalg.norm(v) for v in VECTORS]
POSES = [np.concatenate([R, t]) for R, t in zip(ROTATIONS, VECTORS, strict=True)]


def pose(T: np.ndarray) -> tuple[list[float], list[float]]:
    """Klampt's form."""
    return T[:9].tolist(), T[9:].tolist()


def plain(result) -> np.ndarray:
    """Klampt's numbers, flat: matrices row by row, transforms as [R, t]."""
    if isinstance(result, tuple) and isinstance(result[0], list):
        return np.concatenate([np.ravel(part) for part in result])
    return np.ravel(result).astype(float)


SO3 = {
    "mul": lambda i: (ROTATIONS[i], ROTATIONS[i - 1]),
    "inv": lambda i: (ROTATIONS[i],),
    "apply": lambda i: (ROTATIONS[i], VECTORS[i]),
    "trace": lambda i: (ROTATIONS[i],),
    "angle": lambda i: (ROTATIONS[i],),
    "rotation_vector": lambda i: (ROTATIONS[i],),
    "moment": lambda i: (ROTATIONS[i],),
    "from_rotation_vector": lambda i: (VECTORS[i],),
    "from_rpy": lambda i: (VECTORS[i],),
    "from_quaternion": lambda i: (plain(theirs_so3.quaternion(ROTATIONS[i])),),
    "distance": lambda i: (ROTATIONS[i], ROTATIONS[i - 1]),
    "error": lambda i: (ROTATIONS[i], ROTATIONS[i - 1]),
    "cross_product": lambda i: (VECTORS[i],),
    "diag": lambda i: (ROTATIONS[i],),
    "deskew": lambda i: (RNG.normal(size=9),),
    "det": lambda i: (RNG.normal(size=9),),
    "canonical": lambda i: (UNITS[i],),
    "align": lambda i: (VECTORS[i], VECTORS[i - 1]),
    "matrix": lambda i: (ROTATIONS[i],),
    "interpolate": lambda i: (ROTATIONS[i], ROTATIONS[i - 1], float(RNG.uniform(-0.5, 1.5))),
}
SE3 = {
    "mul": lambda i: (POSES[i], POSES[i - 1]),
    "inv": lambda i: (POSES[i],),
    "apply": lambda i: (POSES[i], VECTORS[i - 1]),
    "apply_rotation": lambda i: (POSES[i], VECTORS[i - 1]),
    "translation": lambda i: (POSES[i],),
    "from_translation": lambda i: (VECTORS[i],),
    "homogeneous": lambda i: (POSES[i],),
    "distance": lambda i: (POSES[i], POSES[i - 1], 2.0, 0.5),
    "error": lambda i: (POSES[i], POSES[i - 1]),
    "interpolate": lambda i: (POSES[i], POSES[i - 1], float(RNG.uniform(-0.5, 1.5))),
}


def listed(value: np.ndarray | float):
    """An argument in Klampt's form."""
    if isinstance(value, float):
        return value
    return pose(value) if value.size == 12 else value.tolist()


@pytest.mark.parametrize("name", SO3)
def test_so3(name):
    for i in range(len(ROTATIONS)):
        arguments = SO3[name](i)
        expected = plain(getattr(theirs_so3, name)(*map(listed, arguments)))
        ours = np.ravel(getattr(so3, name).eval(*arguments))
        np.testing.assert_allclose(ours, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", SE3)
def test_se3(name):
    for i in range(len(ROTATIONS)):
        arguments = SE3[name](i)
        expected = plain(getattr(theirs_se3, name)(*map(listed, arguments)))
        ours = np.ravel(getattr(se3, name).eval(*arguments))
        np.testing.assert_allclose(ours, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("i", range(len(ROTATIONS)))
def test_where_the_forms_differ(i):
    """Pairs, nested lists, the sign of a quaternion, the range of yaw."""
    R, T = ROTATIONS[i], POSES[i]
    axis, angle = theirs_so3.axis_angle(R.tolist())
    near = {"atol": 1e-12, "rtol": 0.0}
    np.testing.assert_allclose(so3.axis.eval(R), axis, **near)
    np.testing.assert_allclose(so3.angle.eval(R), angle, **near)
    turned = theirs_so3.from_axis_angle((UNITS[i].tolist(), 1.3))
    np.testing.assert_allclose(so3.from_axis_angle.eval(UNITS[i], 1.3), turned, **near)
    q = np.array(theirs_so3.quaternion(R.tolist()))
    np.testing.assert_allclose(so3.quaternion.eval(R), q * np.sign(q[0]), **near)
    angles = np.array(theirs_so3.rpy(R.tolist()))
    apart = (so3.rpy.eval(R) - angles + np.pi) % (2.0 * np.pi) - np.pi
    np.testing.assert_allclose(apart, 0.0, **near)
    matrix = R.reshape(3, 3).T
    np.testing.assert_array_equal(
        so3.from_matrix.eval(matrix.reshape(9)), theirs_so3.from_matrix(matrix.tolist())
    )
    M = np.array(theirs_se3.homogeneous(pose(T)))
    back = plain(theirs_se3.from_homogeneous(M.tolist()))
    np.testing.assert_array_equal(se3.from_homogeneous.eval(M.reshape(16)), back)
    np.testing.assert_array_equal(se3.join.eval(R, T[9:]), plain(pose(np.array([*R, *T[9:]]))))
    rotation = theirs_se3.rotation(pose(T))
    np.testing.assert_array_equal(so3.matrix.eval(se3.rotation.eval(T)), plain(rotation))
    placed = theirs_se3.from_rotation(matrix.tolist())
    np.testing.assert_array_equal(se3.from_rotation.eval(R), plain(placed))
    np.testing.assert_array_equal(so3.identity().eval(), theirs_so3.identity())
    np.testing.assert_array_equal(se3.identity().eval(), plain(theirs_se3.identity()))
