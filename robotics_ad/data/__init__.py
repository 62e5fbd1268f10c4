"""The robot that comes with the package."""

from __future__ import annotations

from dataclasses import replace
from importlib import resources

from robotics_ad.load import load_urdf
from robotics_ad.model import Capsule, Cylinder, PlacedShape, RobotModel


def packaged_arm() -> RobotModel:
    """The seven-joint arm `arm7`: links base, link1 ... link7, tool; joints joint1 ... joint7.

    Serial and redundant, with inertias, limits and damping; made for this package, no meshes. Its
    links collide as capsules, the cylinders of the file with round ends, which URDF has no word for
    that all its readers know.
    """
    robot = load_urdf(packaged_arm_text(), geometry=True)
    links = [
        replace(link, collisions=[_with_round_ends(placed) for placed in link.collisions])
        for link in robot.links
    ]
    return replace(robot, links=links)


def _with_round_ends(placed: PlacedShape) -> PlacedShape:
    shape = placed.shape
    if isinstance(shape, Cylinder):
        return replace(placed, shape=Capsule(shape.radius, shape.length))
    return placed


def packaged_arm_text() -> str:
    """The URDF text of `packaged_arm`."""
    return resources.files("robotics_ad.data").joinpath("arm7.urdf").read_text(encoding="utf-8")
