"""Distances between bodies, as graphs: points, shapes, robots and obstacles.

Distances are signed and in metres: where two bodies penetrate, minus the least translation that
parts them. Poses are 12 numbers, as in `se3`.
"""

from robotics_ad.geometry.grids import DistanceGrid, GridDistance
from robotics_ad.geometry.pairs import PairClosest, PairDistance, PairDistanceSquared
from robotics_ad.geometry.points import (
    BoxPointClosest,
    BoxPointDistance,
    BoxPointMargin,
    sphere_point_closest,
    sphere_point_distance,
    sphere_sphere_closest,
    sphere_sphere_distance,
)
from robotics_ad.geometry.robot_distances import CollisionDistances, SelfCollision
from robotics_ad.geometry.smooth import SmoothPairDistance, smooth_minimum
from robotics_ad.geometry.swept import SweptClearance

__all__ = [
    "BoxPointClosest",
    "BoxPointDistance",
    "BoxPointMargin",
    "CollisionDistances",
    "DistanceGrid",
    "GridDistance",
    "PairClosest",
    "PairDistance",
    "PairDistanceSquared",
    "SelfCollision",
    "SmoothPairDistance",
    "SweptClearance",
    "smooth_minimum",
    "sphere_point_closest",
    "sphere_point_distance",
    "sphere_sphere_closest",
    "sphere_sphere_distance",
]
