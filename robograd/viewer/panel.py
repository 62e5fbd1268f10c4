"""The panel beside a scene: what is shown, a slider for each joint, and a motion to play."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import viser

from robograd.viewer.motion import Array, Motion, quaternions
from robograd.viewer.scene import RobotScene
from robotics_ad import RobotModel, so3

_ANGLES = ("roll", "pitch", "yaw")
_REACH = {"rad": np.pi, "m": 2.0}  # of sliders without limits, either way
_DIGITS = {"rad": 3, "m": 4}  # behind the point


@dataclass(frozen=True)
class Dial:
    """A number that a slider sets: one of q, or an angle of a quaternion in it, rad."""

    label: str
    unit: str
    lower: float
    upper: float

    def shown(self, value: float) -> float:
        """The value that the slider has for this one: within limits, and rounded."""
        return float(np.clip(round(value, _DIGITS[self.unit]), self.lower, self.upper))


class Dials:
    """Configurations as numbers that are free of each other, and back.

    Numbers of q are themselves, but for quaternions, which are roll, pitch and yaw, rad.

    Attributes:
        dials: each number's label, unit and limits, finite.
    """

    def __init__(self, robot: RobotModel) -> None:
        self._starts = {where.start for where in quaternions(robot)}
        self._nq = robot.nq
        self.dials: list[Dial] = []
        for name, where in robot.q_slices.items():
            numbers = range(where.start, where.stop)
            for i in numbers:
                unit = robot.q_units[i]
                if i in self._starts:
                    self.dials += [Dial(f"{name} {a}", "rad", -np.pi, np.pi) for a in _ANGLES]
                elif unit in _REACH:
                    label = name if len(numbers) == 1 else f"{name} {_axis(numbers, i)}"
                    lower, upper = _limits(robot.q_lower[i], robot.q_upper[i], _REACH[unit])
                    self.dials.append(Dial(label, unit, lower, upper))

    def values(self, q: Array) -> Array:
        """The numbers of a configuration."""
        parts: list[Array] = []
        i = 0
        while i < self._nq:
            if i in self._starts:
                parts.append(np.asarray(so3.rpy(so3.from_quaternion(_unit(q[i : i + 4])))))
            else:
                parts.append(q[i : i + 1])
            i += 4 if i in self._starts else 1
        return np.concatenate([np.zeros(0), *parts])

    def configuration(self, values: Array) -> Array:
        """The configuration of these numbers."""
        parts: list[Array] = []
        i = k = 0
        while i < self._nq:
            if i in self._starts:
                parts.append(np.asarray(so3.quaternion(so3.from_rpy(values[k : k + 3]))))
            else:
                parts.append(values[k : k + 1])
            i, k = (i + 4, k + 3) if i in self._starts else (i + 1, k + 1)
        return np.concatenate([np.zeros(0), *parts])


def add_toggles(gui: viser.GuiApi, scene: RobotScene) -> None:
    """Boxes to tick for what is drawn of the links."""
    for label, ticked, there in (
        ("visuals", True, scene.has_visuals),
        ("collisions", not scene.has_visuals, scene.has_collisions),
        ("frames", False, True),
        ("names", False, True),
    ):
        if there:
            box = gui.add_checkbox(label, ticked)
            scene.show(**{label: ticked})
            box.on_update(_shows(scene, label))


def _shows(scene: RobotScene, label: str) -> Callable[[Any], None]:
    return lambda event: scene.show(**{label: bool(event.target.value)})


class JointPanel:
    """A slider for each number of q, within limits, and a button back to the start.

    Args:
        gui: where they are made.
        robot: the model.
        q: the configuration to begin with.
        moved: called with the configuration where the user moves a slider.
    """

    def __init__(
        self, gui: viser.GuiApi, robot: RobotModel, q: Array, moved: Callable[[Array], None]
    ) -> None:
        self._dials, self._moved, self._start = Dials(robot), moved, q.copy()
        self._sliders: list[Any] = []
        with gui.add_folder("Joints"):
            gui.add_button("Back to the start").on_click(self._back)
            for dial, value in zip(self._dials.dials, self._dials.values(q), strict=True):
                slider = gui.add_slider(
                    dial.label,
                    dial.lower,
                    dial.upper,
                    10.0 ** -_DIGITS[dial.unit],
                    dial.shown(value),
                    hint=dial.unit,
                )
                slider.on_update(self._slid)
                self._sliders.append(slider)

    def follow(self, q: Array) -> None:
        """Bring the sliders to a configuration."""
        for slider, dial, value in zip(
            self._sliders, self._dials.dials, self._dials.values(q), strict=True
        ):
            slider.value = dial.shown(value)

    def _slid(self, event: Any) -> None:
        if event.client is not None:  # a user's hand, not `follow`
            values = np.array([slider.value for slider in self._sliders])
            self._moved(self._dials.configuration(values))

    def _back(self, _: Any) -> None:
        self.follow(self._start)
        self._moved(self._start)


class MotionPanel:
    """Play, time and speed of a motion.

    Args:
        gui: where they are made.
        motion: with more than one configuration.
        moved: called with the index of the configuration where the user moves the time.
    """

    def __init__(self, gui: viser.GuiApi, motion: Motion, moved: Callable[[int], None]) -> None:
        self._motion, self._moved = motion, moved
        self._time = 0.0
        with gui.add_folder("Motion"):
            self._playing = gui.add_checkbox("play", True)
            self._again = gui.add_checkbox("repeat", True)
            self._speed = gui.add_slider("speed", 0.1, 4.0, 0.1, 1.0)
            self._slider = gui.add_slider(
                "time (s)", 0.0, motion.duration, max(motion.duration / 1000.0, 1e-3), 0.0
            )
        self._slider.on_update(self._slid)

    def pause(self) -> None:
        """Stop where it is."""
        self._playing.value = False

    def advance(self, seconds: float) -> int | None:
        """Play on for this long; the index of what is to be drawn, None while it is paused."""
        if not self._playing.value:
            return None
        end = self._motion.duration
        self._time += seconds * float(self._speed.value)
        if self._time > end:
            self._time = self._time % end if self._again.value else end
            if not self._again.value:
                self.pause()
        self._slider.value = round(self._time, 3)
        return self._motion.index(self._time)

    def _slid(self, event: Any) -> None:
        if event.client is not None:
            self.pause()
            self._time = float(self._slider.value)
            self._moved(self._motion.index(self._time))


def _limits(lower: float, upper: float, reach: float) -> tuple[float, float]:
    """Limits with `reach` in place of what is infinite, from the other one on if that is finite."""
    if np.isfinite(lower) and np.isfinite(upper):
        return float(lower), float(max(upper, lower + 1e-6))
    if np.isfinite(lower):
        return float(lower), float(lower + 2.0 * reach)
    return (float(upper - 2.0 * reach), float(upper)) if np.isfinite(upper) else (-reach, reach)


def _axis(numbers: range, i: int) -> str:
    """What to call number i among those of one joint."""
    return ("x", "y", "z" if len(numbers) > 3 else "angle")[min(i - numbers.start, 2)]


def _unit(quaternion: Array) -> Array:
    return quaternion / np.linalg.norm(quaternion)
