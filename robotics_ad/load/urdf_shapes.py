"""What the links of a URDF collide with and look like: elements -> `PlacedShape`.

Files of meshes are found, not opened; each that is not found is told, and kept by its address.
"""

from __future__ import annotations

from xml.etree.ElementTree import Element

import numpy as np

from robotics_ad.load.sources import PackageDirs, asset_path, shortened
from robotics_ad.load.urdf_numbers import number_of, numbers_of, pose_of
from robotics_ad.model import Box, Capsule, Cylinder, Mesh, PlacedShape, Shape, Sphere


class ShapeReader:
    """Shapes of one document.

    Attributes:
        not_found: the meshes whose files are not there, in words.

    Args:
        source: the path that the document was read from, else None.
        package_dirs: as for `load_urdf`.
    """

    def __init__(self, source: str | None, package_dirs: PackageDirs) -> None:
        self.not_found: list[str] = []
        self._source, self._package_dirs = source, package_dirs
        self._paths: dict[str, str] = {}

    def read(self, link: Element, what: str) -> list[PlacedShape]:
        """The shapes in the elements called `what` of a link: "visual" or "collision"."""
        placed: list[PlacedShape] = []
        for element in link.findall(what):
            (geometry,) = element.findall("geometry/*")
            R, p = pose_of(element.find("origin"))
            placed.append(PlacedShape(self._shape(geometry, link), R, p, element.get("name", "")))
        return placed

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
