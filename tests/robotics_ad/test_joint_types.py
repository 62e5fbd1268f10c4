"""Each joint type against its definition: the motion's derivative at q is R(q) [S v]."""

import numpy as np
import pytest
import scipy.linalg

from robotics_ad.arrays import skew
from robotics_ad.model import JOINT_TYPES, JointType, helical, universal

AXES = [np.array([0.0, 0.0, 1.0]), np.array([0.6, 0.0, -0.8]), np.ones(3) / np.sqrt(3.0)]
ROWS = {**JOINT_TYPES, "screw": helical(0.3), "oblique": universal(np.array([0.8, 0.0, 0.6]))}
MOVING = [name for name, row in ROWS.items() if row.nv > 0]
ELEMENTARY = [name for name in MOVING if isinstance(ROWS[name], JointType)]


def draw(row, rng, batch):
    unlimited = np.full(row.nq, np.inf)
    return row.coordinates.draw(rng, -unlimited, unlimited, batch)


def pose(row, axis, q):
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = row.transform(axis, q)
    return T


def test_rows_are_what_is_documented():
    assert {name: (row.nq, row.nv) for name, row in JOINT_TYPES.items()} == {
        "fixed": (0, 0),
        "revolute": (1, 1),
        "continuous": (1, 1),
        "prismatic": (1, 1),
        "helical": (1, 1),
        "universal": (2, 2),
        "planar": (3, 3),
        "spherical": (4, 3),
        "floating": (7, 6),
    }


@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("name", ROWS)
def test_neutral_is_the_identity(name, axis):
    row = ROWS[name]
    R, p = row.transform(axis, np.array(row.coordinates.neutral))
    np.testing.assert_allclose(R, np.eye(3), atol=1e-15)
    np.testing.assert_array_equal(p, np.zeros(3))


@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("name", ELEMENTARY)
def test_subspace_is_the_derivative_of_the_motion(name, axis):
    row, rng, h = ROWS[name], np.random.default_rng(0), 1e-6
    q, v = draw(row, rng, ()), rng.normal(size=row.nv)
    R, _ = row.transform(axis, q)
    integrate = row.coordinates.integrate
    (Rp, pp), (Rm, pm) = (row.transform(axis, integrate(q, sign * h * v)) for sign in (1.0, -1.0))
    twist = row.subspace(axis) @ v
    np.testing.assert_allclose(R.T @ (Rp - Rm) / (2 * h), skew(twist[:3]), atol=1e-9)
    np.testing.assert_allclose(R.T @ (pp - pm) / (2 * h), twist[3:], atol=1e-9)
    np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-14)


@pytest.mark.parametrize("name", MOVING)
def test_difference_inverts_integrate(name):
    row, rng = ROWS[name], np.random.default_rng(1)
    q, v = draw(row, rng, (5,)), rng.uniform(-1.7, 1.7, size=(5, row.nv))
    for step in (v, 1e-9 * v, 1e-3 * v, 0.0 * v):
        moved = row.coordinates.integrate(q, step)
        np.testing.assert_allclose(row.coordinates.difference(q, moved), step, atol=1e-14)


@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("name", ELEMENTARY)
def test_integrate_is_motion_at_a_constant_body_velocity(name, axis):
    """exp([S v]^) from the matrix exponential."""
    row, rng = ROWS[name], np.random.default_rng(2)
    q, v = draw(row, rng, ()), rng.normal(size=row.nv)
    twist = row.subspace(axis) @ v
    generator = np.zeros((4, 4))
    generator[:3, :3], generator[:3, 3] = skew(twist[:3]), twist[3:]
    expected = pose(row, axis, q) @ scipy.linalg.expm(generator)
    moved = pose(row, axis, row.coordinates.integrate(q, v))
    np.testing.assert_allclose(moved, expected, atol=1e-14)


@pytest.mark.parametrize("axis", AXES)
def test_a_screw_travels_its_pitch_in_each_radian(axis):
    q = np.array([2.5])
    R, p = helical(0.3).transform(axis, q)
    np.testing.assert_allclose(p, 0.75 * axis, atol=1e-15)
    np.testing.assert_allclose(R, JOINT_TYPES["revolute"].transform(axis, q)[0], atol=1e-15)


def test_the_second_axis_of_a_universal_joint_turns_with_the_first():
    """At a right angle about x the second axis, y at rest, is z."""
    row = universal(np.array([0.0, 1.0, 0.0]))
    R, p = row.transform(np.array([1.0, 0.0, 0.0]), np.array([0.5 * np.pi, 0.3]))
    np.testing.assert_allclose(R[:, 1], [0.0, 0.0, 1.0], atol=1e-15)
    np.testing.assert_allclose(R[:, 0], [np.cos(0.3), np.sin(0.3), 0.0], atol=1e-15)
    np.testing.assert_array_equal(p, np.zeros(3))


def test_a_continuous_joint_goes_the_shorter_way():
    row = JOINT_TYPES["continuous"].coordinates
    turned = row.difference(np.array([3.0]), np.array([-3.0]))
    np.testing.assert_allclose(turned, [2 * np.pi - 6.0])
    assert row.difference(np.array([0.0]), np.array([np.pi]))[0] == -np.pi
