"""Each joint type against its definition: the motion's derivative at q is R(q) [S v]."""

import numpy as np
import pytest

from robotics_ad.arrays import skew
from robotics_ad.joint_types import JOINT_TYPES

AXES = [np.array([0.0, 0.0, 1.0]), np.array([0.6, 0.0, -0.8]), np.ones(3) / np.sqrt(3.0)]
MOVING = [name for name, row in JOINT_TYPES.items() if row.nv > 0]


def test_rows_are_what_is_documented():
    assert {name: (row.nq, row.nv) for name, row in JOINT_TYPES.items()} == {
        "fixed": (0, 0),
        "revolute": (1, 1),
        "continuous": (1, 1),
        "prismatic": (1, 1),
    }


@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("name", JOINT_TYPES)
def test_neutral_is_the_identity(name, axis):
    row = JOINT_TYPES[name]
    R, p = row.transform(axis, np.array(row.neutral))
    np.testing.assert_allclose(R, np.eye(3), atol=1e-15)
    np.testing.assert_array_equal(p, np.zeros(3))


@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("name", MOVING)
def test_subspace_is_the_derivative_of_the_motion(name, axis):
    row, rng, h = JOINT_TYPES[name], np.random.default_rng(0), 1e-6
    q, v = rng.normal(size=row.nq), rng.normal(size=row.nv)
    R, _ = row.transform(axis, q)
    (Rp, pp), (Rm, pm) = (
        row.transform(axis, row.integrate(q, sign * h * v)) for sign in (1.0, -1.0)
    )
    twist = row.subspace(axis) @ v
    np.testing.assert_allclose(R.T @ (Rp - Rm) / (2 * h), skew(twist[:3]), atol=1e-9)
    np.testing.assert_allclose(R.T @ (pp - pm) / (2 * h), twist[3:], atol=1e-9)
    np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-14)


@pytest.mark.parametrize("name", MOVING)
def test_difference_inverts_integrate(name):
    row, rng = JOINT_TYPES[name], np.random.default_rng(1)
    q, v = rng.normal(size=(5, row.nq)), rng.uniform(-3.0, 3.0, size=(5, row.nv))
    np.testing.assert_allclose(row.difference(q, row.integrate(q, v)), v, atol=1e-14)


def test_a_continuous_joint_goes_the_shorter_way():
    row = JOINT_TYPES["continuous"]
    turned = row.difference(np.array([3.0]), np.array([-3.0]))
    np.testing.assert_allclose(turned, [2 * np.pi - 6.0])
    assert row.difference(np.array([0.0]), np.array([np.pi]))[0] == -np.pi
