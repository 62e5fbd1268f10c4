"""Shapes of links as triangles with colours: `PlacedShape` -> `trimesh.Trimesh`.

Meshes in files are read by trimesh, with the colours and pictures that they name. As in RViz, the
colour of the robot's file is for meshes that have none of their own.
"""

from __future__ import annotations

import logging
from importlib.util import find_spec
from typing import Any

import numpy as np
import trimesh
from numpy.typing import NDArray
from trimesh.visual import TextureVisuals
from trimesh.visual.material import PBRMaterial, SimpleMaterial

from robotics_ad.model import (
    Box,
    Capsule,
    Cylinder,
    Ellipsoid,
    HalfSpace,
    Mesh,
    PlacedShape,
    Shape,
    Sphere,
    TriangleMesh,
)

_LOG = logging.getLogger("robograd")
_PLAIN = np.array([0.72, 0.74, 0.77, 1.0])  # of what has no colour


class ShapeMeshes:
    """Triangles of shapes; each file is read once, and one that cannot be read is logged once."""

    def __init__(self) -> None:
        self._read: dict[str, list[trimesh.Trimesh]] = {}

    def of(self, placed: PlacedShape) -> list[trimesh.Trimesh]:
        """The parts of a shape in the frame of its link, m; none for a half-space."""
        pose = np.eye(4)
        pose[:3, :3], pose[:3, 3] = placed.rotation, placed.translation
        parts = self._parts(placed.shape)
        for part in parts:
            _paint(part, _PLAIN if placed.color is None else placed.color)
            part.apply_transform(pose)
        return parts

    def _parts(self, shape: Shape) -> list[trimesh.Trimesh]:
        """The parts in the shape's own frame, as copies."""
        match shape:
            case Sphere():
                return [_rounded(trimesh.creation.icosphere(3, shape.radius))]
            case Ellipsoid():
                return [_rounded(trimesh.creation.icosphere(3, 1.0), shape.radii)]
            case Capsule():
                centred = trimesh.creation.capsule(shape.length, shape.radius)
                centred.apply_translation(-centred.bounds.mean(axis=0))
                return [_rounded(centred)]
            case Cylinder():
                return [trimesh.creation.cylinder(shape.radius, shape.length, sections=48)]
            case Box():
                return [trimesh.creation.box(shape.size)]
            case TriangleMesh():
                return [trimesh.Trimesh(shape.vertices, shape.triangles, process=False)]
            case Mesh():
                parts = [part.copy() for part in self._file(shape.path)]
                for part in parts:
                    part.apply_transform(np.diag([*shape.scale, 1.0]))
                return parts
            case HalfSpace():
                return []

    def _file(self, path: str) -> list[trimesh.Trimesh]:
        if path not in self._read:
            try:
                dumped: list[Any] = trimesh.load_scene(path).dump()
                self._read[path] = [part for part in dumped if isinstance(part, trimesh.Trimesh)]
                if not self._read[path]:
                    raise ValueError("it holds no triangles")
            except Exception as error:  # whatever a reader of some format raises
                _LOG.warning("no picture of the mesh '%s': %s", path, _why(path, error))
                self._read[path] = []
        return self._read[path]


def glb(parts: list[trimesh.Trimesh]) -> bytes:
    """Triangles with their colours as one file in memory, binary glTF."""
    scene: Any = trimesh.Scene(parts)
    return scene.export(file_type="glb")


def joined(parts: list[trimesh.Trimesh]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """All triangles as one list: vertices (n, 3), m, and numbers of vertices (m, 3)."""
    starts = np.cumsum([0, *(len(part.vertices) for part in parts)])
    faces = [part.faces + start for part, start in zip(parts, starts[:-1], strict=True)]
    return np.concatenate([part.vertices for part in parts]), np.concatenate(faces)


def _paint(part: trimesh.Trimesh, color: NDArray[np.float64]) -> None:
    """Keep pictures and colours of vertices; else one material, of the part's own colour if any."""
    material: Any = getattr(part.visual, "material", None)
    if material is None:
        visual: Any = part.visual
        if visual.defined:  # colours of vertices or faces
            return
    elif not _is_stand_in(material):
        if _picture(material) is not None:
            return
        color = np.asarray(material.main_color, np.float64) / 255.0
    linear = np.where(color <= 0.04045, color / 12.92, ((color + 0.055) / 1.055) ** 2.4)
    linear[3] = color[3]
    part.visual = TextureVisuals(
        material=PBRMaterial(
            baseColorFactor=linear,
            metallicFactor=0.0,
            roughnessFactor=0.6,
            alphaMode="BLEND" if color[3] < 1.0 else "OPAQUE",
            doubleSided=True,
        )
    )


def _picture(material: Any) -> Any:
    return getattr(material, "image", None) or getattr(material, "baseColorTexture", None)


def _is_stand_in(material: Any) -> bool:
    """Whether trimesh made it up, for an OBJ file with coordinates of a picture and without one."""
    image = getattr(material, "image", None)
    return isinstance(material, SimpleMaterial) and image is not None and image.size == (2, 2)


def _rounded(part: trimesh.Trimesh, scale: Any = 1.0) -> trimesh.Trimesh:
    """The part, scaled, with the normals of its vertices, so that it is not drawn with facets."""
    part.apply_scale(scale)
    _ = part.vertex_normals  # kept by the mesh from now on, and written with it
    return part


def _why(path: str, error: Exception) -> str:
    if path.lower().endswith(".dae") and find_spec("collada") is None:
        return "Collada files need the package 'pycollada': pip install 'robograd[view]'"
    return " ".join(str(error).split())[:200] or type(error).__name__
