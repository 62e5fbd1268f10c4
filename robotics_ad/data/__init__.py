"""The robot that comes with the package."""

from __future__ import annotations

from importlib import resources

from robotics_ad.load import load_urdf
from robotics_ad.model import RobotModel


def packaged_arm() -> RobotModel:
    """The seven-joint arm `arm7`: links base, link1 ... link7, tool; joints joint1 ... joint7.

    Serial and redundant, with inertias, limits and damping; made for this package, no meshes.
    """
    return load_urdf(packaged_arm_text())


def packaged_arm_text() -> str:
    """The URDF text of `packaged_arm`."""
    return resources.files("robotics_ad.data").joinpath("arm7.urdf").read_text(encoding="utf-8")
