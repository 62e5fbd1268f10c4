"""Robots in the browser: shapes, sliders for joints, motions, forces and targets.

`RobotModel`, configurations -> poses of links (`motion`) -> a scene of viser (`scene`, `marks`),
moved by its panel (`panel`) or written as one HTML file (`viewer`).
"""

try:
    from robograd.viewer.marks import Force
    from robograd.viewer.motion import Motion, read_motion
    from robograd.viewer.viewer import Viewer, show
except ModuleNotFoundError as error:
    if error.name not in ("viser", "trimesh"):
        raise
    raise ImportError(
        f"the viewer needs the package '{error.name}': pip install 'robograd[view]'"
    ) from error

__all__ = ["Force", "Motion", "Viewer", "read_motion", "show"]
