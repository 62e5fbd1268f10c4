"""What the bodies of a compiled MuJoCo model collide with and look like: geoms -> `PlacedShape`.

A geom collides where its `contype` or `conaffinity` is not 0, or an explicit pair of contacts names
it. It is drawn where its group is 0, 1 or 2, as MuJoCo's viewers draw at first. Many are both.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

import numpy as np

from robotics_ad.arrays import Vector
from robotics_ad.interop.mujoco_names import Names
from robotics_ad.load.mjcf_tree import pose_of
from robotics_ad.model import (
    Box,
    Capsule,
    Cylinder,
    Ellipsoid,
    HalfSpace,
    PlacedShape,
    Shape,
    Sphere,
    TriangleMesh,
)

_DRAWN = 3  # groups, from 0 on
_DEFAULT_COLOR = (0.5, 0.5, 0.5, 1.0)
_KINDS = ("plane", "height field", "sphere", "capsule", "ellipsoid", "cylinder", "box", "mesh")
_MESH = _KINDS.index("mesh")


def shapes_of(model: Any, names: Names) -> dict[str, tuple[list[PlacedShape], list[PlacedShape]]]:
    """(collisions, visuals) of each body, by its name.

    A plane is a half-space, however large it is drawn. Meshes are those of the compiled model, in
    the geom's frame; height fields and geoms with a signed distance are left out.

    Raises:
        ValueError: Naming a geom whose numbers no shape can have.
    """

    @cache
    def mesh(number: int) -> TriangleMesh:
        return _mesh(model, number)

    pairs = {*_numbers(model, "pair_geom1"), *_numbers(model, "pair_geom2")}
    shapes = {name: (list[PlacedShape](), list[PlacedShape]()) for name in names.bodies}
    for g in range(model.ngeom):
        kind, name = int(model.geom_type[g]), model.geom(g).name
        try:
            size = [float(entry) for entry in model.geom_size[g]]
            shape = mesh(int(model.geom_dataid[g])) if kind == _MESH else _primitive(kind, size)
            if shape is None:
                continue
            pose = pose_of(model.geom_pos[g], model.geom_quat[g])
            placed = PlacedShape(shape, pose.R, pose.p, name, _color(model, g))
        except ValueError as error:
            raise ValueError(f"geom '{name or g}': {error}") from None
        collisions, visuals = shapes[names.bodies[int(model.geom_bodyid[g])]]
        if model.geom_contype[g] or model.geom_conaffinity[g] or g in pairs:
            collisions.append(placed)
        if 0 <= int(model.geom_group[g]) < _DRAWN:
            visuals.append(placed)
    return shapes


def shapes_left_out(model: Any) -> Iterator[str]:
    """What `shapes_of` leaves out, in words."""
    count = sum(
        int(kind) != _MESH and _primitive(int(kind), [1.0] * 3) is None for kind in model.geom_type
    )
    if count:
        yield f"{count} geoms that are height fields or have a signed distance"


def _primitive(kind: int, size: list[float]) -> Shape | None:
    name = _KINDS[kind] if 0 <= kind < len(_KINDS) else ""
    match name:
        case "plane":
            return HalfSpace()
        case "sphere":
            return Sphere(size[0])
        case "capsule":
            return Capsule(size[0], 2.0 * size[1])
        case "cylinder":
            return Cylinder(size[0], 2.0 * size[1])
        case "ellipsoid":
            return Ellipsoid(np.array(size))
        case "box":
            return Box(2.0 * np.array(size))
        case _:
            return None


def _color(model: Any, g: int) -> Vector:
    """A geom's own colour where it is not the default, else its material's, as MuJoCo draws it."""
    own, material = np.asarray(model.geom_rgba[g], np.float64), int(model.geom_matid[g])
    of_material = material >= 0 and np.array_equal(own, _DEFAULT_COLOR)
    return np.clip(model.mat_rgba[material] if of_material else own, 0.0, 1.0)


def _mesh(model: Any, number: int) -> TriangleMesh:
    vertex, triangle = int(model.mesh_vertadr[number]), int(model.mesh_faceadr[number])
    vertices = model.mesh_vert[vertex : vertex + int(model.mesh_vertnum[number])]
    triangles = model.mesh_face[triangle : triangle + int(model.mesh_facenum[number])]
    return TriangleMesh(np.array(vertices, dtype=np.float64), np.array(triangles, dtype=np.int64))


def _numbers(model: Any, field: str) -> Iterable[int]:
    return (int(number) for number in getattr(model, field))
