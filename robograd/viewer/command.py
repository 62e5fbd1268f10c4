"""What `robograd view` does: a file to a page, or to an HTML file."""

from __future__ import annotations

import os
import sys

from robograd.robots import Mappings, is_mjcf, only_for_xacro, robot_of_file
from robograd.viewer.motion import Array, read_motion
from robograd.viewer.viewer import Viewer
from robotics_ad import RobotModel, packaged_arm, read_mjcf


def view(
    file: str | None,
    motion: str | None,
    html: str | None,
    *,
    base: str = "fixed",
    mappings: Mappings | None = None,
    host: str = "127.0.0.1",
    port: int = 8080,
) -> None:
    """Show a robot file (None: the packaged arm) and the motion of a file.

    MJCF without a motion is shown where its file puts it.

    Args:
        file: xacro if it ends in .xacro, else URDF or MJCF by its root element.
        motion: as for `read_motion`.
        html: write this file, and serve nothing.
        base: "fixed" or "floating".
        mappings: arguments of a xacro file.
        host: as for `Viewer`.
        port: as for `Viewer`.

    Raises:
        OSError, ImportError, ValueError: naming the file and the fault.
    """
    robot, path, times = *_robot(file, base, mappings), None
    if motion is not None:
        read = read_motion(robot, motion)
        path, times = read.q, read.times
    if html is not None and not os.path.isdir(os.path.dirname(os.path.abspath(html))):
        raise FileNotFoundError(f"{html}: no such folder to write to")
    _say(f"{robot.name}: reading shapes")
    with Viewer(robot, path, times, host=host, port=port) as viewer:
        if html is not None:
            size = viewer.save_html(html)
            _say(f"{html}: {size / 1e6:.1f} MB, {len(viewer.motion.q)} configurations")
            return
        _say(f"{viewer.url}  (Ctrl-C ends)")
        if not viewer.url.endswith(f":{port}"):
            _say(f"port {port} is in use; this is the next one that is free")
        viewer.wait()


def _robot(
    file: str | None, base: str, mappings: Mappings | None
) -> tuple[RobotModel, Array | None]:
    """The robot with its shapes, and the configuration that its file begins with, if any."""
    only_for_xacro(file, mappings)
    if file is None:
        robot = packaged_arm()
        return (robot.floating() if base == "floating" else robot), None
    if not is_mjcf(file):
        return robot_of_file(file, base, mappings=mappings, geometry=True), None
    scene = read_mjcf(file, geometry=True)
    return (scene.robot.floating(), None) if base == "floating" else (scene.robot, scene.home)


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
