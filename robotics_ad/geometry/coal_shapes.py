"""Shapes as objects of coal, the collision library, and meshes as it reads them."""

from __future__ import annotations

import importlib
import os
from typing import Any

import numpy as np

from ad_core.graph import checked
from robotics_ad.arrays import Matrix, Vector
from robotics_ad.model import (
    Box,
    Capsule,
    Cylinder,
    Ellipsoid,
    HalfSpace,
    Mesh,
    Shape,
    Sphere,
    TriangleMesh,
)


def imported_coal() -> Any:
    """The module `coal`.

    Raises:
        ImportError: Saying how to install it.
    """
    try:
        return importlib.import_module("coal")
    except ImportError as error:
        raise ImportError(
            "meshes are read and tested by the package 'coal': pip install 'robograd[geometry]'"
        ) from error


def read_mesh(mesh: Mesh) -> TriangleMesh:
    """The triangles of a file, scaled; corners at the same place are one vertex.

    STL, OBJ, Collada, PLY and what else Assimp reads, as Pinocchio reads them.

    Raises:
        FileNotFoundError: if there is no such file.
        ImportError: without the package `coal`.
        ValueError: naming the file, if it holds no triangles.
    """
    read = _tree_of_file(checked(mesh, Mesh, "read_mesh", "mesh", "a Mesh"))
    triangles = [[t[0], t[1], t[2]] for t in map(read.tri_indices, range(read.num_tris))]
    return TriangleMesh(read.vertices(), np.array(triangles, dtype=np.int64))


def triangles_of(mesh: Mesh | TriangleMesh) -> TriangleMesh:
    """The triangles of a mesh, read if they are in a file."""
    return read_mesh(mesh) if isinstance(mesh, Mesh) else mesh


def coal_shape(shape: Shape) -> Any:
    """The `coal.CollisionGeometry` of a shape; a mesh is its surface, a tree of its triangles."""
    coal = imported_coal()
    match shape:
        case Sphere():
            return coal.Sphere(shape.radius)
        case Capsule():
            return coal.Capsule(shape.radius, shape.length)
        case Cylinder():
            return coal.Cylinder(shape.radius, shape.length)
        case Box():
            return coal.Box(*shape.size.tolist())
        case Ellipsoid():
            return coal.Ellipsoid(*shape.radii.tolist())
        case HalfSpace():
            return coal.Halfspace(np.array([0.0, 0.0, 1.0]), 0.0)
        case Mesh():
            return _tree_of_file(shape)
        case TriangleMesh():
            return coal_triangles(shape)


def coal_triangles(mesh: TriangleMesh) -> Any:
    """The tree of a mesh's triangles."""
    tree = imported_coal().BVHModelOBBRSS()
    tree.beginModel(len(mesh.triangles), len(mesh.vertices))
    tree.addVertices(mesh.vertices)
    tree.addTriangles(mesh.triangles)
    tree.endModel()
    return tree


def convex_hull(points: Matrix) -> tuple[Any, TriangleMesh]:
    """The convex hull of points as coal's object, and its triangles.

    Raises:
        ValueError: where all points are in one plane.
    """
    tree = imported_coal().BVHModelOBBRSS()
    tree.beginModel(0, len(points))
    tree.addVertices(np.ascontiguousarray(points))
    tree.endModel()
    try:
        tree.buildConvexHull(True, "Qt")
    except RuntimeError:
        raise ValueError("a convex hull needs points that are not all in one plane") from None
    hull = tree.convex
    triangles = [[t[0], t[1], t[2]] for t in map(hull.polygons, range(hull.num_polygons))]
    return hull, TriangleMesh(hull.points(), np.array(triangles, dtype=np.int64))


def coal_pose(R: Matrix, p: Vector) -> Any:
    """The `coal.Transform3s` of a pose."""
    return imported_coal().Transform3s(np.ascontiguousarray(R), np.ascontiguousarray(p))


def _tree_of_file(mesh: Mesh) -> Any:
    coal = imported_coal()
    if not os.path.isfile(mesh.path):
        raise FileNotFoundError(f"no file '{mesh.path}' of a mesh")
    try:
        read = coal.MeshLoader(coal.NODE_TYPE.BV_OBBRSS).load(mesh.path, mesh.scale)
    except (RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"'{mesh.path}' is not read as a mesh: {reason}") from None
    if not read.num_tris:
        raise ValueError(f"'{mesh.path}' holds no triangles")
    return read
