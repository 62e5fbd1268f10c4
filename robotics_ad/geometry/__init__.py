"""Distances between bodies: points, shapes, meshes, robots and obstacles.

Distances are signed and in metres: where two bodies penetrate, minus the least translation that
parts them. Poses are 12 numbers, as in `se3`.

    points, pairs, smooth, grids -> graphs -> `robot_distances`, `swept`
    meshes -> `coal_shapes` -> `features`, `queries`, `rays` -> `near` -> `geoms`, `min_distance`
    shapes of `RobotModel` -> `pairs_of_links`, `fits`
"""

from robotics_ad.geometry.coal_shapes import read_mesh
from robotics_ad.geometry.fits import Fit, fit_capsules, fit_spheres
from robotics_ad.geometry.geoms import (
    GeomGeomClosest,
    GeomGeomDistance,
    GeomPointClosest,
    GeomPointDistance,
    GeomRayCast,
    GeomSphereDistance,
)
from robotics_ad.geometry.grids import DistanceGrid, GridDistance
from robotics_ad.geometry.min_distance import MinDistance
from robotics_ad.geometry.pairs import PairClosest, PairDistance, PairDistanceSquared
from robotics_ad.geometry.pairs_of_links import collision_pairs
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
from robotics_ad.geometry.smooth import SmoothPairDistance
from robotics_ad.geometry.softened import smooth_minimum
from robotics_ad.geometry.swept import SweptClearance

__all__ = [
    "BoxPointClosest",
    "BoxPointDistance",
    "BoxPointMargin",
    "CollisionDistances",
    "DistanceGrid",
    "Fit",
    "GeomGeomClosest",
    "GeomGeomDistance",
    "GeomPointClosest",
    "GeomPointDistance",
    "GeomRayCast",
    "GeomSphereDistance",
    "GridDistance",
    "MinDistance",
    "PairClosest",
    "PairDistance",
    "PairDistanceSquared",
    "SelfCollision",
    "SmoothPairDistance",
    "SweptClearance",
    "collision_pairs",
    "fit_capsules",
    "fit_spheres",
    "read_mesh",
    "smooth_minimum",
    "sphere_point_closest",
    "sphere_point_distance",
    "sphere_sphere_closest",
    "sphere_sphere_distance",
]
