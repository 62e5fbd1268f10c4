"""What the links of a URDF collide with and look like: elements -> `PlacedShape`.

Files of meshes are found, not opened; each that is not found is told, and kept by its address.
"""

from __future__ import annotations

from xml.etree.ElementTree import Element

import numpy as np

from robotics_ad.arrays import Vector
from robotics_ad.load.sources import PackageDirs, asset_path, shortened
from robotics_ad.load.urdf_numbers import number_of, numbers_of, pose_of
from robotics_ad.model import Box, Capsule, Cylinder, Mesh, PlacedShape, Shape, Sphere


class ShapeReader:
    """Shapes of one document.

    Attributes:
        not_found: the meshes whose files are not there, in words.

    Args:
        document: the root element, whose materials have names.
        source: the path that the document was read from, else None.
        package_dirs: as for `load_urdf`.
    """

    def __init__(self, document: Element, source: str | None, package_dirs: PackageDirs) -> None:
        self.not_found: list[str] = []
        self._colors: dict[str, Vector] = {}
        for material in (*document.findall("material"), *document.iter("material")):
            color = _color(material)
            if color is not None:  # as in ROS, the first of a name counts, wherever it stands
                self._colors.setdefault(material.get("name", ""), color)
        self._source, self._package_dirs = source, package_dirs
        self._paths: dict[str, str] = {}

    def read(self, link: Element, what: str) -> list[PlacedShape]:
        """The shapes in the elements called `what` of a link: "visual" or "collision"."""
        placed: list[PlacedShape] = []
        for element in link.findall(what):
            (geometry,) = element.findall("geometry/*")
            R, p = pose_of(element.find("origin"))
            shape, name = self._shape(geometry, link), element.get("name", "")
            placed.append(PlacedShape(shape, R, p, name, self._color_of(element)))
        return placed

    def _color_of(self, element: Element) -> Vector | None:
        """The colour of the first material, by its name where it has one."""
        material = element.find("material")
        if material is None:
            return None
        name = material.get("name", "")
        return self._colors.get(name) if name else _color(material)

    def _shape(self, geometry: Element, link: Element) -> Shape:
        if geometry.tag == "box":
            return Box(numbers_of(geometry, "size"))
        if geometry.tag == "mesh":
            scale = numbers_of(geometry, "scale") if "scale" in geometry.attrib else np.ones(3)
            return Mesh(self._found(geometry.get("filename", ""), link), scale)
        radius = number_of(geometry, "radius")
        if geometry.tag == "sphere":
            return Sphere(radius)
        kind = Capsule if geometry.tag == "capsule" else Cylinder
        return kind(radius, number_of(geometry, "length"))

    def _found(self, address: str, link: Element) -> str:
        if address not in self._paths:
            try:
                path = str(asset_path(address, self._source, self._package_dirs))
            except (FileNotFoundError, ValueError):
                path, where = address, shortened(link.get("name", ""))
                self.not_found.append(f"link '{where}': no mesh '{shortened(address)}'")
            self._paths[address] = path
        return self._paths[address]


def _color(material: Element) -> Vector | None:
    """Four numbers from 0 to 1; None for anything else: no robot is refused for its colours."""
    color = material.find("color")
    words = [] if color is None else color.get("rgba", "").split()
    try:
        rgba = np.array([float(word) for word in words])
    except ValueError:
        return None
    return rgba if rgba.shape == (4,) and np.all((rgba >= 0.0) & (rgba <= 1.0)) else None
