"""A robot as nodes of a viser scene: a frame for each link, with its shapes, moved by poses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import trimesh
import viser

from robograd.viewer.motion import Array, wxyz
from robograd.viewer.shapes import ShapeMeshes, glb, joined
from robotics_ad import RobotModel
from robotics_ad.model import HalfSpace, Link, PlacedShape

_ORANGE = (235, 120, 20)
_GREY = (120, 125, 135)
_FLOOR = 6.0  # how much of a half-space is drawn, m


class RobotScene:
    """Nodes `/robot/LINK` at poses of links; below them `visual`, `collision` and `name`.

    Links without shapes are drawn as bars to their children where no link has any. A slash in a
    link's name is `%2F` in the node's.

    Attributes:
        low, high: (3,), corners of the box around all shapes at the first poses, m.

    Args:
        scene: where the nodes are made.
        robot: the model.
        poses: of all links, (links, 12), to begin with.
    """

    def __init__(self, scene: viser.SceneApi, robot: RobotModel, poses: Array) -> None:
        self._scene, self._robot = scene, robot
        self._drawn: Array | None = None
        meshes = ShapeMeshes()
        looks = {link.name: _looks(link, meshes) for link in robot.links}
        bare = not any(any(parts) for parts in looks.values())
        bars = _bars(robot, poses) if bare else {}
        self.low, self.high = _box(looks, bars, poses, robot)
        size = self.size
        self._frames: list[viser.FrameHandle] = []
        self._visuals: list[Any] = []
        self._collisions: list[Any] = []
        self._names: list[Any] = []
        for link in robot.links:
            node = f"/robot/{link.name.replace('%', '%25').replace('/', '%2F')}"
            self._frames.append(
                scene.add_frame(node, False, axes_length=0.12 * size, axes_radius=0.004 * size)
            )
            self._names.append(scene.add_label(f"{node}/name", link.name, visible=False))
            visual, collision = looks[link.name]
            visual = [*visual, *bars.get(link.name, ())]
            if visual:
                self._visuals.append(scene.add_glb(f"{node}/visual", glb(visual)))
            self._visuals += _floors(scene, link.visuals, f"{node}/floor")
            if collision:
                vertices, faces = joined(collision)
                self._collisions.append(
                    scene.add_mesh_simple(
                        f"{node}/collision",
                        vertices,
                        faces,
                        color=_ORANGE,
                        opacity=0.45,
                        side="double",
                        visible=False,
                    )
                )
        self.place(poses)

    @property
    def size(self) -> float:
        """The diagonal of the box around the robot, m."""
        return max(float(np.linalg.norm(self.high - self.low)), 1e-2)

    def place(self, poses: Array) -> None:
        """Bring the links to poses (links, 12); those that stay are not sent again."""
        turned = wxyz(poses[:, :9])
        for i, frame in enumerate(self._frames):
            if self._drawn is None or not np.array_equal(self._drawn[i], poses[i]):
                frame.wxyz, frame.position = turned[i], poses[i, 9:]
        self._drawn = poses.copy()

    def show(
        self,
        *,
        visuals: bool | None = None,
        collisions: bool | None = None,
        frames: bool | None = None,
        names: bool | None = None,
    ) -> None:
        """Show or hide what is named."""
        for nodes, visible in (
            (self._visuals, visuals),
            (self._collisions, collisions),
            (self._names, names),
        ):
            for node in nodes if visible is not None else ():
                node.visible = visible
        if frames is not None:
            for frame in self._frames:
                frame.show_axes = frames

    @property
    def has_visuals(self) -> bool:
        """Whether any link has visuals, or bars in their place."""
        return bool(self._visuals)

    @property
    def has_collisions(self) -> bool:
        """Whether any link has collision shapes."""
        return bool(self._collisions)


Parts = list[trimesh.Trimesh]


def _looks(link: Link, meshes: ShapeMeshes) -> tuple[Parts, Parts]:
    """(visual, collision) triangles of a link in its frame."""
    visual, collision = (
        [part for placed in shapes for part in meshes.of(placed)]
        for shapes in (link.visuals, link.collisions)
    )
    return visual, collision


def _floors(scene: viser.SceneApi, shapes: Sequence[PlacedShape], name: str) -> list[Any]:
    """A square of each half-space's plane."""
    floors: list[Any] = []
    for number, placed in enumerate(shapes):
        if isinstance(placed.shape, HalfSpace):
            turned = wxyz(placed.rotation.T.ravel())
            floors.append(
                scene.add_grid(
                    f"{name}{number}",
                    _FLOOR,
                    _FLOOR,
                    plane_color=(225, 228, 232),
                    plane_opacity=0.7,
                    wxyz=turned,
                    position=placed.translation,
                )
            )
    return floors


def _bars(robot: RobotModel, poses: Array) -> dict[str, Parts]:
    """Of a robot without shapes: a bar from each link to each of its children."""
    ends = [joint.translation for joint in robot.joints]
    reach = float(sum(np.linalg.norm(end) for end in ends)) or 1.0
    thin = 0.01 * reach
    bars: dict[str, Parts] = {link.name: [] for link in robot.links}
    for joint, end in zip(robot.joints, ends, strict=True):
        bar = trimesh.creation.icosphere(2, 1.6 * thin)
        bars[joint.child].append(bar)
        if np.linalg.norm(end) > thin:
            bars[joint.parent].append(
                trimesh.creation.cylinder(thin, segment=[np.zeros(3), end], sections=16)
            )
    return bars


def _box(
    looks: dict[str, tuple[Parts, Parts]], bars: dict[str, Parts], poses: Array, robot: RobotModel
) -> tuple[Array, Array]:
    """Corners of the box around what is drawn, or around the links' origins if that is nothing."""
    points = [poses[:, 9:]]
    for pose, link in zip(poses, robot.links, strict=True):
        visual, collision = looks[link.name]
        for part in visual or collision or bars.get(link.name, ()):
            points.append(part.vertices @ pose[:9].reshape(3, 3) + pose[9:])
    together = np.concatenate(points)
    return together.min(axis=0), together.max(axis=0)
