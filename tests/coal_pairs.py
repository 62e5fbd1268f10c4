"""Distances of pairs of shapes by coal, with its tightest tolerances."""

from __future__ import annotations

import numpy as np

from robotics_ad.model import Box, Capsule, Cylinder, Ellipsoid, Shape, Sphere


def of_coal(shape: Shape):
    import coal

    match shape:
        case Sphere(radius):
            return coal.Sphere(radius)
        case Capsule(radius, length):
            return coal.Capsule(radius, length)
        case Box(size):
            return coal.Box(*size)
        case Cylinder(radius, length):
            return coal.Cylinder(radius, length)
        case Ellipsoid(radii):
            return coal.Ellipsoid(*radii)
        case _:
            return coal.Halfspace(np.array([0.0, 0.0, 1.0]), 0.0)


def coal_distance(a: Shape, at_a, b: Shape, at_b) -> float:
    import coal

    request, result = coal.DistanceRequest(), coal.DistanceResult()
    request.enable_signed_distance = True
    request.gjk_tolerance = request.epa_tolerance = 1e-13
    request.gjk_max_iterations = request.epa_max_iterations = 1000
    bodies = [
        coal.CollisionObject(of_coal(s), coal.Transform3s(*pose))
        for s, pose in ((a, at_a), (b, at_b))
    ]
    return coal.distance(*bodies, request, result)
