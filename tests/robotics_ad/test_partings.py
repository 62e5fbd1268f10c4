"""Constant directions of smooth distances lose no more than they may: polytopes, rings."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from robotics_ad.geometry.partings import edges, face_normals, rings, rings_count
from robotics_ad.model import Box, Capsule, Cylinder

RNG = np.random.default_rng(3)


def directions(count: int) -> np.ndarray:
    n = RNG.normal(size=(count, 3))
    n[: count // 4, 2] *= 1e-3  # near the equator, and near the poles
    n[count // 4 : count // 2, :2] *= 1e-3
    return n / np.linalg.norm(n, axis=1, keepdims=True)


def test_edges_and_faces_of_boxes_capsules_and_what_is_flat():
    assert [len(edges(s, 0.01)[0]) for s in (Box([1, 1, 1]), Capsule(0.1, 1.0))] == [3, 1]
    assert [len(edges(s, 0.01)[0]) for s in (Box([1, 0, 1]), Cylinder(0.0, 1.0))] == [2, 1]
    assert len(face_normals(edges(Box([1, 1, 1]), 0.01)[0])) == 3
    # parallel sides count once: those of a polygon and its two faces
    sides, _, _ = edges(Cylinder(0.2, 1.0), 0.01)
    assert len(face_normals(sides)) == len(sides)


@pytest.mark.parametrize("allowed", [0.1, 0.01, 0.001])
def test_a_polygon_around_a_disc_is_larger_by_no_more_than_its_excess(allowed: float):
    """h of its edges, each as long as two half-lengths, beside r |n|."""
    radius = 0.3
    sides, total, excess = edges(Cylinder(radius, 0.0), allowed)
    assert excess <= allowed
    n = directions(2000)
    polygon = (total / len(sides)) * np.abs(n @ sides.T).sum(axis=1)
    disc = radius * np.linalg.norm(n[:, :2], axis=1)
    assert (polygon >= disc - 1e-12).all()
    assert (polygon <= disc + excess * np.linalg.norm(n[:, :2], axis=1) + 1e-12).all()
    fewer = np.pi / (2.0 * (len(sides) - 1))
    assert radius * (1.0 / np.cos(fewer) - 1.0) > allowed or len(sides) == 2


@pytest.mark.parametrize("allowed", [0.1, 0.01])
@pytest.mark.parametrize("radius", [0.0, 0.2])
def test_rings_lose_no_more_than_is_allowed_within_an_octant(radius: float, allowed: float):
    """From the best direction to one of a ring, of an ellipsoid and a disc about z."""
    radii = np.array([0.2, 0.4, 0.3])
    curvature = float(radii.max() ** 2 / radii.min())
    ring = rings(curvature, radius, allowed)
    assert 0.4 < len(ring) / rings_count(curvature, radius, allowed) < 3.0
    both = np.concatenate([ring, -ring])
    D = Rotation.random(random_state=4).as_matrix() * radii
    best = np.concatenate([directions(400), np.eye(3), -np.eye(3)])
    z, reached = best @ D, np.linalg.norm(both @ D, axis=1)
    touched = (z / np.linalg.norm(z, axis=1, keepdims=True)) @ D.T
    flat = np.linalg.norm(best[:, :2], axis=1, keepdims=True)
    rim = radius * np.divide(best[:, :2], flat, out=np.zeros((len(best), 2)), where=flat > 1e-9)
    for n, point, edge in zip(best, touched, rim, strict=True):
        same = (both * n >= -1e-12).all(axis=1)
        lost = reached - both @ point
        # at the pole any point of the disc will do, the middle, too, and the pole loses nothing
        lost += radius * np.linalg.norm(both[:, :2], axis=1) - both[:, :2] @ edge
        assert lost[same].min() <= allowed + 1e-12
