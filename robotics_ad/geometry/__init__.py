"""Geometry of robots: which of their shapes may touch, meshes read and approximated.

shapes of `RobotModel` -> `coal_shapes` -> distances by coal
"""

from robotics_ad.geometry.coal_shapes import read_mesh
from robotics_ad.geometry.pairs_of_links import collision_pairs

__all__ = ["collision_pairs", "read_mesh"]
