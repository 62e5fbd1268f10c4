"""Mass properties: moving, joining, and telling bodies that can exist from those that cannot."""

import numpy as np
import pytest

from robotics_ad import Inertia
from robotics_ad.arrays import rotation_from_rpy
from robotics_ad.model import combined


def cloud(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    return rng.uniform(0.1, 2.0, count), rng.normal(size=(count, 3))


def inertia_of(masses: np.ndarray, points: np.ndarray) -> Inertia:
    """Point masses, straight from the definition."""
    com = masses @ points / masses.sum()
    d = points - com
    rotational = np.einsum("i,ij,ij->", masses, d, d) * np.eye(3) - np.einsum(
        "i,ij,ik->jk", masses, d, d
    )
    return Inertia(masses.sum(), com, 0.5 * (rotational + rotational.T))


def close(a: Inertia, b: Inertia) -> None:
    assert a.mass == pytest.approx(b.mass, rel=1e-14)
    np.testing.assert_allclose(a.com, b.com, atol=1e-13)
    np.testing.assert_allclose(a.rotational, b.rotational, atol=1e-12)


def test_joining_bodies_is_joining_their_points():
    rng = np.random.default_rng(0)
    clouds = [cloud(rng, n) for n in (3, 5, 4)]
    masses, points = (np.concatenate(column) for column in zip(*clouds, strict=True))
    close(combined([inertia_of(*points) for points in clouds]), inertia_of(masses, points))


def test_moving_a_body_is_moving_its_points():
    masses, points = cloud(np.random.default_rng(1), 6)
    R, p = rotation_from_rpy([0.3, -0.7, 1.9]), np.array([0.5, -2.0, 0.1])
    close(inertia_of(masses, points).transformed(R, p), inertia_of(masses, points @ R.T + p))


def test_moments_about_the_origin():
    masses, points = cloud(np.random.default_rng(2), 7)
    body = inertia_of(masses, points)
    np.testing.assert_allclose(body.first_moment, masses @ points, atol=1e-13)
    np.testing.assert_allclose(
        body.second_moment, np.einsum("i,ij,ik->jk", masses, points, points), atol=1e-12
    )


def test_massless_parts_add_nothing():
    body = inertia_of(*cloud(np.random.default_rng(3), 4))
    close(combined([Inertia(0.0), body, Inertia(0.0, np.ones(3))]), body)
    assert combined([]).mass == 0.0


def test_consistency_is_the_triangle_inequality_of_principal_moments():
    R = rotation_from_rpy([0.4, 1.0, -0.2])
    for moments, expected in (([1, 2, 2.9], True), ([1, 2, 3.1], False), ([-0.1, 1, 1], False)):
        rotated = R @ np.diag(moments) @ R.T
        body = Inertia(1.0, np.zeros(3), 0.5 * (rotated + rotated.T))
        assert body.is_consistent() is expected
    assert not Inertia(0.0, np.zeros(3), np.eye(3)).is_consistent()
