"""Capsules around Panda's links, for the rows about distances: rough, of about the links' sizes."""

from __future__ import annotations

import numpy as np

from robotics_ad.model import Capsule, PlacedShape

# link: centre (m), direction of the axis, length between the ends' centres (m), radius (m)
_ROWS: dict[str, list[tuple[list[float], list[float], float, float]]] = {
    "panda_link0": [([-0.04, 0.0, 0.06], [1.0, 0.0, 0.0], 0.10, 0.09)],
    "panda_link1": [([0.0, 0.0, -0.10], [0.0, 0.0, 1.0], 0.18, 0.075)],
    "panda_link2": [([0.0, -0.06, 0.0], [0.0, 1.0, 0.0], 0.16, 0.075)],
    "panda_link3": [([0.02, 0.0, -0.10], [0.0, 0.0, 1.0], 0.16, 0.07)],
    "panda_link4": [([-0.04, 0.05, 0.0], [0.0, 1.0, 0.0], 0.14, 0.07)],
    "panda_link5": [
        ([0.0, 0.0, -0.22], [0.0, 0.0, 1.0], 0.10, 0.065),
        ([0.0, 0.07, -0.09], [0.0, 0.34, 0.94], 0.14, 0.045),
    ],
    "panda_link6": [([0.04, 0.0, 0.0], [1.0, 0.0, 0.0], 0.09, 0.065)],
    "panda_link7": [([0.0, 0.0, 0.05], [0.0, 0.0, 1.0], 0.10, 0.055)],
    "panda_link8": [([0.0, 0.0, 0.06], [0.7, 0.7, 0.0], 0.14, 0.04)],
}


def panda_capsules() -> dict[str, list[PlacedShape]]:
    """The capsules by link, placed in the links' frames."""
    return {link: [_placed(*row) for row in rows] for link, rows in _ROWS.items()}


def _placed(center: list[float], axis: list[float], length: float, radius: float) -> PlacedShape:
    z = np.array(axis) / np.linalg.norm(axis)
    x = np.cross(z, np.eye(3)[int(np.argmin(abs(z)))])
    x /= np.linalg.norm(x)
    rotation = np.stack([x, np.cross(z, x), z], axis=1)
    return PlacedShape(Capsule(radius, length), rotation, np.array(center))
