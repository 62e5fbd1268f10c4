"""Arrows of forces and frames of targets, which move with a motion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import viser
from numpy.typing import ArrayLike, NDArray

from ad_core.graph import checked, listed, real
from robograd.viewer.motion import Array, wxyz
from robotics_ad import LinkFrame, RobotModel
from robotics_ad.model import link_of

_RED = (220, 50, 40)


@dataclass(frozen=True, eq=False)
class Force:
    """A force at a point of a link, drawn as an arrow that begins there.

    Attributes:
        link: the link, by name or as `robot.link(name)`.
        vector: along the world's axes, N: (3,), or (T, 3) along a motion.
        local: the point in the link's frame, (3,), m.
    """

    link: LinkFrame | str
    vector: ArrayLike
    local: ArrayLike = (0.0, 0.0, 0.0)


class Arrows:
    """The arrows of all forces, as one node of the scene; forces of no newton have none.

    Args:
        scene: where they are drawn.
        robot: the model.
        forces: each (3,) or (count, 3).
        count: how many configurations the motion has.
        size: the length of the longest arrow, m.

    Raises:
        TypeError, ValueError: for what is no `Force` and for wrong links and shapes.
    """

    def __init__(
        self,
        scene: viser.SceneApi,
        robot: RobotModel,
        forces: Sequence[Force],
        count: int,
        size: float,
    ) -> None:
        for force in listed(forces, "Viewer: forces", "Force"):
            checked(force, Force, "Viewer", "forces", "a list of robograd.Force")
        self._links = [link_of(force.link, robot, "forces").index for force in forces]
        self._locals = [_rows(f.local, 3, 1, "forces: local")[0] for f in forces]
        self._vectors = [_rows(f.vector, 3, count, "forces: vector") for f in forces]
        longest = max((float(np.linalg.norm(v, axis=1).max()) for v in self._vectors), default=0.0)
        self._metres = size / longest if longest > 0.0 else 0.0  # a newton
        self._node: Any = None
        if self._metres > 0.0:
            self._node = scene.add_arrows(
                "/forces",
                np.zeros((1, 2, 3)),
                _RED,
                shaft_radius=0.02 * size,
                head_radius=0.05 * size,
                head_length=0.15 * size,
                visible=False,
            )

    def place(self, poses: Array, index: int) -> None:
        """Draw them at poses (links, 12) and the motion's configuration of that number."""
        if self._node is None:
            return
        ends: list[Array] = []
        for link, local, vectors in zip(self._links, self._locals, self._vectors, strict=True):
            vector = vectors[index % len(vectors)]
            if np.any(vector):
                start = poses[link, 9:] + poses[link, :9].reshape(3, 3).T @ local
                ends.append(np.stack([start, start + self._metres * vector]))
        self._node.visible = bool(ends)
        if ends:
            self._node.points = np.stack(ends).astype(np.float32)


class Targets:
    """Frames at poses in the world, with their names.

    Args:
        scene: where they are drawn.
        targets: `se3` elements, each (12,) or (count, 12), by name.
        count: how many configurations the motion has.
        size: the length of an axis, m.

    Raises:
        ValueError: for other shapes and numbers that are not finite.
    """

    def __init__(
        self, scene: viser.SceneApi, targets: Mapping[str, ArrayLike], count: int, size: float
    ) -> None:
        self._frames: list[tuple[viser.FrameHandle, NDArray[np.float64]]] = []
        for number, (name, pose) in enumerate(targets.items()):
            rows = _rows(pose, 12, count, f"targets: '{name}'")
            frame = scene.add_frame(f"/targets/{number}", axes_length=size, axes_radius=0.03 * size)
            scene.add_label(f"/targets/{number}/name", str(name))
            self._frames.append((frame, rows))

    def place(self, index: int) -> None:
        """Draw them where they are at the motion's configuration of that number."""
        for frame, rows in self._frames:
            pose = rows[index % len(rows)]
            frame.wxyz, frame.position = wxyz(pose[:9]), pose[9:]


def _rows(value: ArrayLike, size: int, count: int, what: str) -> Array:
    """An array (1, size) or (count, size)."""
    rows = real(value, what)
    rows = rows[None] if rows.ndim == 1 else rows
    if rows.ndim != 2 or rows.shape[1] != size or len(rows) not in (1, count):
        also = f" or ({count}, {size})" if count > 1 else ""
        raise ValueError(f"{what}: shape is {np.shape(value)}, expected ({size},){also}")
    if not np.all(np.isfinite(rows)):
        raise ValueError(f"{what}: not finite")
    return rows
