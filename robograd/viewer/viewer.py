"""A robot in the browser, and as one HTML file."""

from __future__ import annotations

import io
import logging
import os
import socket
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, redirect_stdout
from pathlib import Path

import numpy as np
import viser
from numpy.typing import ArrayLike

from ad_core.graph import checked
from robograd.viewer.marks import Arrows, Force, Targets
from robograd.viewer.motion import Array, Motion, link_poses, motion_of
from robograd.viewer.panel import JointPanel, MotionPanel, add_toggles
from robograd.viewer.scene import RobotScene
from robotics_ad import RobotModel
from robotics_ad.model import HalfSpace

_RATE = 40.0  # pictures a second, at most
_RECORDED = 30.0  # of them in a file


class Viewer:
    """A page that shows a robot, served at `url` until `close` or the end of the process.

    Links have the shapes that a loader was asked for (`load_urdf(..., geometry=True)`); a robot
    without any is drawn as bars. The page has sliders for joints within limits; a motion plays.

    Args:
        robot: the model; parameters have their nominal values.
        path: configurations, (T, nq), or one, (nq,); None: zero, or the nearest within limits.
        times: (T,), s, increasing; None: 30 configurations a second.
        forces: arrows, each the same throughout or one for each configuration.
        targets: poses in the world, `se3` elements (12,) or (T, 12), by name.
        host: the address to serve at; "0.0.0.0" lets other machines see it.
        port: the first port that is tried; where it is in use, the next free one is taken.

    Raises:
        ImportError: without the package `viser` (extra `view`).
        TypeError, ValueError: for wrong kinds and shapes, naming the argument.
        OSError: for an address that is none of this machine's, and without a free port.
    """

    def __init__(
        self,
        robot: RobotModel,
        path: ArrayLike | None = None,
        times: ArrayLike | None = None,
        *,
        forces: Sequence[Force] = (),
        targets: Mapping[str, ArrayLike] | None = None,
        host: str = "127.0.0.1",
        port: int = 8080,
    ) -> None:
        self._robot = checked(robot, RobotModel, "Viewer", "robot", "a RobotModel")
        self.motion: Motion = motion_of(robot, path, times)
        self._poses_of = link_poses(robot)
        self._poses = self._poses_of(self.motion.q)
        self._lock = threading.RLock()
        self.server = _server(host, port)
        scene, gui, count = self.server.scene, self.server.gui, len(self.motion.q)
        try:
            scene.set_up_direction("+z")
            self._scene = RobotScene(scene, robot, self._poses[0])
            size = self._scene.size
            self._arrows = Arrows(scene, robot, forces, count, 0.3 * size)
            self._targets = Targets(scene, targets or {}, count, 0.12 * size)
            self._add_floor()
            self._aim()
            gui.set_panel_label(robot.name or "robot")
            add_toggles(gui, self._scene)
            self._player = MotionPanel(gui, self.motion, self._seek) if count > 1 else None
            self._joints = JointPanel(gui, robot, self.motion.q[0], self._hand)
            self._draw(0)
        except BaseException:
            with _silence():
                self.server.stop()
            raise
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._play, daemon=True)
        if self._player is not None:
            self._thread.start()

    @property
    def url(self) -> str:
        """Where the page is."""
        host = self.server.get_host()
        return f"http://{'localhost' if host in _HERE else host}:{self.server.get_port()}"

    def update(self, q: ArrayLike) -> None:
        """Show one configuration, (nq,), from a loop of the caller's; a motion stops."""
        shown = motion_of(self._robot, q).q[0]
        if self._player is not None:
            self._player.pause()
        with self._lock:
            self._scene.place(self._poses_of(shown))
            self._joints.follow(shown)

    def save_html(self, file: str | os.PathLike[str]) -> int:
        """Write the scene and its motion to one HTML file, which needs no network and no server.

        The file has play, speed and time, and a tree of what can be shown and hidden.

        Returns:
            its size in bytes.
        """
        with self._lock:
            recorder = self.server.get_scene_serializer()
            frames = self.motion.frames(_RECORDED)
            for (at, index), (until, _) in zip(frames, [*frames[1:], frames[-1]], strict=True):
                self._draw(index)
                recorder.insert_sleep(until - at)
            page = recorder.as_html().encode("utf-8")
            self._draw(0)
        Path(file).write_bytes(page)
        return len(page)

    def wait(self) -> None:
        """Serve until Ctrl-C or `close`."""
        try:
            while not self._closed.wait(0.5):
                pass
        except KeyboardInterrupt:
            self.close()

    def close(self) -> None:
        """Stop serving."""
        if not self._closed.is_set():
            self._closed.set()
            if self._player is not None:
                self._thread.join()
            with _silence():
                self.server.stop()

    def __enter__(self) -> Viewer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ---- what moves

    def _draw(self, index: int) -> None:
        with self._lock, self.server.atomic():
            self._scene.place(self._poses[index])
            self._arrows.place(self._poses[index], index)
            self._targets.place(index)

    def _seek(self, index: int) -> None:
        self._draw(index)
        self._joints.follow(self.motion.q[index])

    def _hand(self, q: Array) -> None:
        if self._player is not None:
            self._player.pause()
        with self._lock, self.server.atomic():
            self._scene.place(self._poses_of(q))

    def _play(self) -> None:
        assert self._player is not None
        last, drawn = time.monotonic(), -1
        while not self._closed.wait(1.0 / _RATE):
            now = time.monotonic()
            index = self._player.advance(now - last)
            last = now
            if index is not None and index != drawn:
                self._draw(index)
                drawn = index

    # ---- what stays

    def _add_floor(self) -> None:
        """A grid below the robot, at z = 0 or lower, where it has no half-space of its own."""
        shapes = [s.shape for link in self._robot.links for s in (*link.visuals, *link.collisions)]
        if not any(isinstance(shape, HalfSpace) for shape in shapes):
            low = min(float(self._scene.low[2]), 0.0)
            self.server.scene.add_grid("/floor", infinite_grid=True, position=(0.0, 0.0, low))

    def _aim(self) -> None:
        """The camera: from the front, a little from above, all of the robot in sight."""
        centre = 0.5 * (self._scene.low + self._scene.high)
        away = np.array([1.1, -0.85, 0.5]) * self._scene.size
        camera = self.server.initial_camera
        camera.position, camera.look_at, camera.fov = centre + away, centre, 0.8
        camera.near = 1e-3 * self._scene.size


_HERE = ("127.0.0.1", "0.0.0.0")


def show(
    robot: RobotModel,
    path: ArrayLike | None = None,
    times: ArrayLike | None = None,
    *,
    forces: Sequence[Force] = (),
    targets: Mapping[str, ArrayLike] | None = None,
    host: str = "127.0.0.1",
    port: int = 8080,
    block: bool | None = None,
) -> Viewer:
    """Show a robot and its motion in the browser; says on standard error at which address.

    Arguments and errors are those of `Viewer`, but for `block`: whether to serve until Ctrl-C
    before returning; None: unless Python is interactive, as in a notebook.
    """
    viewer = Viewer(robot, path, times, forces=forces, targets=targets, host=host, port=port)
    interactive = hasattr(sys, "ps1") or "ipykernel" in sys.modules
    blocks = not interactive if block is None else block
    sys.stderr.write(f"{robot.name}: {viewer.url}{'  (Ctrl-C ends)' if blocks else ''}\n")
    if blocks:
        viewer.wait()
    return viewer


def _server(host: str, port: int) -> viser.ViserServer:
    """A server at the first port that is free from this one on.

    Raises:
        OSError, ValueError: where there can be none; viser would wait for ever.
    """
    if not 0 <= port <= 65535:
        raise ValueError(f"port: is {port}, expected 0 to 65535")
    try:
        with socket.create_server((host, 0)):
            pass
    except OSError as error:
        raise OSError(f"host: cannot serve at '{host}': {error}") from None
    logging.getLogger("websockets.server").addFilter(_is_no_hangup)
    with _silence():
        return viser.ViserServer(host=host, port=_free(host, port), verbose=False)


def _is_no_hangup(record: logging.LogRecord) -> bool:
    """Browsers open connections that they may not use; each would print a traceback."""
    return record.getMessage() != "opening handshake failed"


def _silence() -> AbstractContextManager[object]:
    """Keeps viser's banners off standard output, which belongs to the caller."""
    return redirect_stdout(io.StringIO())


def _free(host: str, port: int) -> int:
    last = min(port + 100, 65535)
    for candidate in range(port, last + 1):
        try:
            with socket.create_server((host, candidate)):
                return candidate
        except OSError:
            continue
    raise OSError(f"port: all from {port} to {last} are in use; give another one (--port)")
