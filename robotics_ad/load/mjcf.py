"""Loads MJCF, MuJoCo's format: source -> MuJoCo's own compiler -> arrays -> `RobotModel`.

MuJoCo resolves defaults, includes, frames, attachments and inertias of meshes; what is read here is
the compiled model. `mjcf_guard` looks at all of its
files before, `mjcf_tree` builds links and joints, `mjcf_rules`
says which joints follow others and what stays behind, `mjcf_loops` which bodies are tied.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import IO, Any

import numpy as np

from ad_core.graph import flag
from robotics_ad.arrays import Vector, frozen
from robotics_ad.interop import MujocoOrder, mujoco_order
from robotics_ad.interop.mujoco_names import names_of
from robotics_ad.load.isolated import load_in_child
from robotics_ad.load.mjcf_loops import loops_of
from robotics_ad.load.mjcf_rules import check_finite, check_inertias, left_out, mimics_of
from robotics_ad.load.mjcf_shapes import shapes_left_out, shapes_of
from robotics_ad.load.mjcf_source import compiled, disabled
from robotics_ad.load.mjcf_tree import links_and_joints
from robotics_ad.model import RobotModel


def load_mjcf(
    source: str | bytes | os.PathLike[str] | IO[Any] | Any,
    *,
    sites: bool = True,
    geometry: bool = False,
    untrusted: bool = False,
) -> RobotModel:
    """The robot that an MJCF file describes; `read_mjcf` gives what else is in it.

    All joint types of the format are understood, several at one body too: free, ball, slide and
    hinge joints, with anchors, references, limits, damping, friction loss, armature and springs.
    An active equality that ties one joint linearly to another makes a mimic; see
    `RobotModel.release_mimics`. Active equalities `connect` and `weld` are `robot.loops`. Bodies
    become links by their names, the root is `world`; a site that has a name is a link that is fixed
    to its body. Configurations are MuJoCo's `qpos`, apart from mimics; velocities of free joints
    are ours (see `read_mjcf`).

    The model's gravity is not part of a robot: pass it to the dynamics that need it. Contacts,
    actuators, tendons, fluid, gravity compensation and other equalities are left out;
    `read_mjcf(source).left_out` names those that the model has.

    Args:
        source: A path, XML text (its first character is `<`), bytes, an open file, a
            `mujoco.MjModel` or a `mujoco.MjSpec`. A path's file may name other files, as MJCF does;
            text may not.
        sites: Whether named sites become links.
        geometry: Whether links have their `collisions`, the geoms that may touch others (by
            `contype`, `conaffinity` or an explicit pair), and their `visuals`, those of groups 0, 1
            and 2, which viewers draw. Planes are half-spaces; meshes are those that MuJoCo made.
        untrusted: Whether the file is read in a process of its own, with 4 GiB of memory and a
            minute of time, whose end is a ValueError here; for files, text and open files.

    Raises:
        ImportError: If the package `mujoco` is not installed (`pip install 'robograd[mujoco]'`).
        FileNotFoundError: If a path names no file.
        TypeError: If the source is none of these.
        ValueError: Naming the source and the fault: not XML, not MJCF, what MuJoCo refuses (its
            words are quoted), document type declarations, text that names files, files that are not
            regular or hold themselves, sizes and counts beyond those of `mjcf_guard`, and armature
            of free joints, of tendons, or of actuators on anything but hinges and slides, for which
            the mass matrix here has no place.
    """
    if flag(untrusted, "load_mjcf: untrusted"):
        options = {"sites": flag(sites, "load_mjcf: sites")}
        options["geometry"] = flag(geometry, "load_mjcf: geometry")
        return load_in_child("load_mjcf", source, options)
    return read_mjcf(source, sites=sites, geometry=geometry).robot


@dataclass(frozen=True, eq=False)
class Mjcf:
    """A loaded MJCF model.

    Attributes:
        robot: links and joints.
        model: the compiled `mujoco.MjModel`.
        left_out: what the model has and the robot has not, in words.
        warnings: what MuJoCo's compiler warned of.
    """

    robot: RobotModel
    model: Any
    left_out: tuple[str, ...]
    warnings: tuple[str, ...]

    @cached_property
    def gravity(self) -> Vector:
        """Acceleration of free fall, 3 numbers, m/s^2; zero where the model disables it."""
        off = disabled(self.model, "GRAVITY")
        return frozen(np.zeros(3) if off else self.model.opt.gravity, (3,), "gravity")

    @cached_property
    def order(self) -> MujocoOrder:
        """The maps between MuJoCo's `qpos`, `qvel`, `qacc`, `qfrc` and ours."""
        return mujoco_order(self.robot, self.model)

    @cached_property
    def home(self) -> Vector:
        """The configuration in which the file draws the model, (nq,): MuJoCo's `qpos0`."""
        return self.order.from_q(self.model.qpos0)

    @cached_property
    def keyframes(self) -> Mapping[str, Vector]:
        """The configurations that the file names, (nq,) each; those without a name by number."""
        keys = range(int(self.model.nkey))
        return {
            self.model.key(k).name or str(k): self.order.from_q(self.model.key_qpos[k])
            for k in keys
        }


def read_mjcf(
    source: str | bytes | os.PathLike[str] | IO[Any] | Any,
    *,
    sites: bool = True,
    geometry: bool = False,
) -> Mjcf:
    """The robot of `load_mjcf` with the model's gravity, home configuration and maps to MuJoCo.

    With `scene = read_mjcf(source)`, the smooth dynamics of MuJoCo are

        qacc_smooth = order.to_a(ForwardDynamics(robot, gravity=scene.gravity)(q, v, tau), q, v)
        tau = torques - JointSprings(robot)(q) - robot.damping * v

    Arguments and errors are those of `load_mjcf`, but for `untrusted`.
    """
    sites, geometry = flag(sites, "read_mjcf: sites"), flag(geometry, "read_mjcf: geometry")
    read = compiled(source)
    model, names = read.model, names_of(read.model)
    name = bytes(model.names).split(b"\0", 1)[0].decode("utf-8", "replace")
    try:
        check_finite(model, names)
        check_inertias(model)
        mimics, loops = mimics_of(model, names), loops_of(model, names)
        shapes = shapes_of(model, names) if geometry else {}
        followers = {j: mimic for j, (mimic, _) in mimics.items()}
        links, joints = links_and_joints(model, names, followers, shapes, sites=sites)
        robot = RobotModel(name or "mujoco", links, joints, loops=tuple(loops.values()))
    except ValueError as error:
        raise ValueError(f"{read.label}: {error}") from None
    behind = [*left_out(model, {*loops, *(equality for _, equality in mimics.values())})]
    behind += shapes_left_out(model) if geometry else ()
    return Mjcf(robot, model, tuple(behind), read.warnings)
