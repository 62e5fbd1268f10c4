"""Geometry of robots: which of their shapes may touch, meshes approximated and asked for distances.

shapes of `RobotModel` -> `coal_shapes` -> `pairs_of_links`
                       -> `polyhedra` -> `enclosing`, `excess` -> `fits`
                       -> `surfaces`, `features` -> `queries` -> `geoms`, `min_distance`
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
from robotics_ad.geometry.min_distance import MinDistance
from robotics_ad.geometry.pairs_of_links import collision_pairs

__all__ = [
    "Fit",
    "GeomGeomClosest",
    "GeomGeomDistance",
    "GeomPointClosest",
    "GeomPointDistance",
    "GeomRayCast",
    "GeomSphereDistance",
    "MinDistance",
    "collision_pairs",
    "fit_capsules",
    "fit_spheres",
    "read_mesh",
]
