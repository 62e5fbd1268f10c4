"""Robot models as frozen data: a tree of links joined by joints, and what its numbers mean.

A `RobotModel` is built once, by a loader or by hand, checked when it is built, and never changes.
Algorithms read it and build expressions; they keep nothing in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from ad_core.graph import checked, listed, wrong_kind
from robotics_ad.arrays import Vector, frozen
from robotics_ad.model import mounted, reduced
from robotics_ad.model.inertia import Inertia, Link
from robotics_ad.model.joint import Joint
from robotics_ad.model.loop import LoopConstraint, axes_of, frame_of
from robotics_ad.model.parameters import Parameter, ParameterName, changed, chosen, nominal
from robotics_ad.model.printing import cut, tree_html, tree_text
from robotics_ad.model.rebuilt import Rebuilt
from robotics_ad.model.replaced import JointNumbers, with_numbers
from robotics_ad.model.space import ConfigurationSpace, found, slices
from robotics_ad.model.topology import check_unique, depth_first, resolve_mimics


@dataclass(frozen=True)
class LinkFrame:
    """A link of a robot, as `WorldTransform` and the like take it; see `RobotModel.link`."""

    robot: RobotModel
    index: int

    @property
    def name(self) -> str:
        """The link's name."""
        return self.robot.links[self.index].name

    def __str__(self) -> str:
        return self.name


def link_of(link: LinkFrame | str, robot: RobotModel | None, where: str) -> LinkFrame:
    """A link that is given as `robot.link(name)` gives it or, where the robot is known, by name.

    Raises:
        TypeError: for anything else; the message begins with `where`.
        ValueError: for a name that the robot does not have, and for a link of another robot.
    """
    if isinstance(link, str) and robot is not None:
        checked(robot, RobotModel, where, "robot", "a RobotModel")
        return LinkFrame(robot, found(link, robot.link_index, "link", f"{where}: "))
    if not isinstance(link, LinkFrame):
        name = "" if robot is None else " or a link's name"
        raise wrong_kind(where, "link", link, f"a link as robot.link(name) gives it{name}")
    if robot is not None and link.robot is not robot:
        raise ValueError(f"{where}: link '{link.name}' is of another robot")
    return link


def links_of(
    links: Iterable[LinkFrame | str], robot: RobotModel, where: str
) -> tuple[LinkFrame, ...]:
    """Several links, each as `link_of` takes it; one by itself is an error."""
    return tuple(link_of(link, robot, where) for link in listed(links, where, "links"))


def checked_robot(robot: RobotModel, where: str) -> RobotModel:
    """The robot, if it is one.

    Raises:
        TypeError: for anything else.
    """
    return checked(robot, RobotModel, where, "robot", "a RobotModel")


@dataclass(frozen=True, eq=False)
class RobotModel(ConfigurationSpace, Rebuilt):
    """A tree of links with one root; its configurations are those of `ConfigurationSpace`.

    Links are kept depth-first from the root; the joints at one link follow in the order in which
    they were given. So `joints[i].child` is `links[i + 1].name`, parents come before children, and
    `q` runs through the moving joints in that order. Joints that mimic take no place in `q`.

    Attributes:
        name: the robot's name.
        links, joints: given in any order that the tree allows; see above for the order kept.
        parametrized: the numbers that are arguments of graphs, as `parametrize` gives them.
        loops: what holds links together outside the tree, for functions that take
            `LoopConstraint`s; to all others the loops are open.

    Raises:
        ValueError: for duplicate names, unknown parents, cycles, several roots, a link with two
            parents, a mimic that leads nowhere, or a loop of unknown links; the message names the
            fault.
    """

    name: str
    links: Sequence[Link]
    joints: Sequence[Joint]
    parametrized: tuple[Parameter, ...] = ()
    loops: Sequence[LoopConstraint] = ()

    def __post_init__(self) -> None:
        given = {
            "links": Link,
            "joints": Joint,
            "parametrized": Parameter,
            "loops": LoopConstraint,
        }
        for what, kind in given.items():
            values = listed(getattr(self, what), "RobotModel", what)
            for value in values:
                checked(value, kind, "RobotModel", what, f"a list of {kind.__name__}")
            object.__setattr__(self, what, tuple(values))
        check_unique("link", [link.name for link in self.links])
        check_unique("joint", [joint.name for joint in self.joints])
        by_name = {link.name: link for link in self.links}
        joints = depth_first(list(by_name), self.joints)
        root = joints[0].parent if joints else next(iter(by_name))
        links = [by_name[root], *(by_name[joint.child] for joint in joints)]
        object.__setattr__(self, "links", tuple(links))
        object.__setattr__(self, "joints", tuple(_with_leaders(joints)))
        owners = {"link": set(by_name), "joint": {joint.name for joint in joints}}
        for parameter in self.parametrized:
            if parameter.owner not in owners[parameter.kind.of]:
                raise ValueError(f"parameter '{parameter.name}': no such {parameter.kind.of}")
        for loop in self.loops:
            for link in (loop.link_a, loop.link_b):
                name = loop.name or f"{loop.link_a} ~ {loop.link_b}"
                found(link, by_name, "link", f"loop '{name}': ")

    # ---- links and joints by name

    @cached_property
    def link_names(self) -> tuple[str, ...]:
        """Names of the links, root first."""
        return tuple(link.name for link in self.links)

    def link(self, name: str) -> LinkFrame:
        """The link of that name, for `WorldTransform(link)` and the like."""
        return LinkFrame(self, found(name, self.link_index, "link"))

    def joint(self, name: str) -> Joint:
        """The joint of that name, moving or fixed."""
        return self.joints[found(name, self._joint_index, "joint")]

    @cached_property
    def moving_links(self) -> tuple[str, ...]:
        """Names of the links that are not fixed to the world, in the order of `links`."""
        moving: dict[str, bool] = {self.links[0].name: False}
        for joint in self.joints:
            turns = joint.mimic is None or joint.mimic.multiplier != 0.0
            moving[joint.child] = moving[joint.parent] or (joint.type.nv > 0 and turns)
        return tuple(name for name, moves in moving.items() if moves)

    @cached_property
    def mass(self) -> float:
        """Mass of the moving links, kg: links fixed to the world belong to it, everywhere here."""
        moving = set(self.moving_links)
        return sum(i.mass for n, i in self._inertias.items() if i is not None and n in moving)

    @cached_property
    def _inertias(self) -> Mapping[str, Inertia | None]:
        return {link.name: link.inertia for link in self.links}

    @cached_property
    def link_index(self) -> Mapping[str, int]:
        """Where each link stands in `links`, by name."""
        return {name: i for i, name in enumerate(self.link_names)}

    @cached_property
    def _joint_index(self) -> Mapping[str, int]:
        return {joint.name: i for i, joint in enumerate(self.joints)}

    # ---- parameters

    def parametrize(self, names: Iterable[ParameterName]) -> RobotModel:
        """The model with the numbers named as parameters: arguments of every graph built on it.

        Each function of the model then takes one more argument, the last: `parameters`, all values
        in the order of `names`, nominally `robot.parameters`. The other numbers stay constants.

        Args:
            names: "owner.kind" or ("owner", "kind"), with an owner that is a link or a joint and
                `*` for any part of its name; kinds, sizes and units are the rows of
                `PARAMETER_KINDS`. They come after those that the model has already.

        Raises:
            ValueError: for unknown names, and for two parameters that change the same number.
            TypeError: for names that are no list of strings or pairs.
        """
        found = chosen(names, self.links, self.joints, self.parametrized)
        return replace(self, parametrized=found)

    @property
    def parameter_names(self) -> tuple[str, ...]:
        """Names "owner.kind" of the parameters, in the order of their values."""
        return tuple(parameter.name for parameter in self.parametrized)

    @cached_property
    def parameter_slices(self) -> Mapping[str, slice]:
        """Where each parameter of `parameter_names` stands among the values."""
        return slices((parameter.name, parameter.kind.size) for parameter in self.parametrized)

    @property
    def n_parameters(self) -> int:
        """How many values the parameters have together."""
        return sum(parameter.kind.size for parameter in self.parametrized)

    @cached_property
    def parameters(self) -> Vector:
        """The nominal values, (n_parameters,): those that the links and joints have.

        Raises:
            ValueError: where an inertia has no log-Cholesky numbers, see `log_cholesky`; graphs do
                not ask for nominal values.
        """
        joints = {joint.name: joint for joint in self.joints}
        parts = [nominal(parameter, self._inertias, joints) for parameter in self.parametrized]
        values = np.concatenate([np.zeros(0), *parts])
        values.setflags(write=False)
        return values

    def with_parameters(self, values: ArrayLike) -> RobotModel:
        """The model without parameters whose numbers are the values given.

        Raises:
            ValueError: for a wrong size, and where no link or joint can have such numbers.
        """
        numbers = frozen(values, (self.n_parameters,), f"{self.name}: argument 'parameters'")
        given = [
            (parameter, numbers[self.parameter_slices[parameter.name]])
            for parameter in self.parametrized
        ]
        inertias, joints = changed(given, self.links, self.joints)
        links = [
            link if link.inertia is inertia else replace(link, inertia=inertia)
            for link, inertia in zip(self.links, inertias, strict=True)
        ]
        return RobotModel(self.name, links, joints, loops=self.loops)

    # ---- other models

    def replace_joints(
        self,
        *,
        lower: JointNumbers | None = None,
        upper: JointNumbers | None = None,
        velocity: JointNumbers | None = None,
        effort: JointNumbers | None = None,
        damping: JointNumbers | None = None,
        friction: JointNumbers | None = None,
        armature: JointNumbers | None = None,
        stiffness: JointNumbers | None = None,
    ) -> RobotModel:
        """The model with other limits, damping, friction, armature and stiffness of its joints.

        The numbers and their units are those of `Joint`; what is not given stays. Each is

        - one number, for every moving joint, those that mimic too; but not for floating ones, which
          have no motor, nor, as a limit of position, for joints with quaternions,
        - or numbers in the order of q (`lower`, `upper`) or v, (nq,) or (nv,): joints that mimic
          keep theirs,
        - or a dict by name of a moving joint, with `*` for any part of it, of one number or as many
          as the joint has; of several that match the last counts. Floating ones are meant by their
          whole names alone.

        Raises:
            ValueError: for a wrong size, an unknown name, and numbers that no joint can have.
        """
        numbers = {
            "lower": lower, "upper": upper, "velocity": velocity, "effort": effort,
            "damping": damping, "friction": friction, "armature": armature, "stiffness": stiffness,
        }  # fmt: skip
        return replace(self, joints=with_numbers(self.joints, numbers, "replace_joints"))

    def lock_joints(self, positions: Mapping[str, ArrayLike]) -> RobotModel:
        """The model with the named joints held fixed; the others keep their order.

        `positions` maps joint names to positions, rad or m. Joints that mimic a locked joint are
        locked with it. A joint that mimics cannot be locked by itself.
        """
        self.check_positions(positions)
        joints = [reduced.locked(joint, positions) for joint in self.joints]
        locked = {new.name for new, old in zip(joints, self.joints, strict=True) if new is not old}
        for parameter in self.parametrized:
            if parameter.kind.of == "joint" and parameter.owner in locked:
                raise ValueError(f"joint '{parameter.owner}' has parameters: lock it before")
        return replace(self, joints=joints)

    def subchain(self, tip: str, base: str | None = None) -> RobotModel:
        """The model of the links between two links alone, `base` (default: the root) its root.

        Branches are cut off with their masses, parameters and loops: poses and Jacobians of the
        links that are left are those of the whole robot, relative to `base`; dynamics are those of
        the chain by itself. A joint that mimics one off the chain takes its leader's place: it
        moves on its own, and later joints with that leader follow it as they did before.

        Raises:
            ValueError: for unknown links, and if `base` is not on the way from the root to `tip`.
        """
        root = self.links[0].name
        start = root if base is None else base
        for name in (start, tip):
            found(name, self.link_index, "link")
        joints = reduced.chain(self.joints, root, tip, start)
        kept = {start, *(joint.child for joint in joints)}
        owners = {"link": kept, "joint": {joint.name for joint in joints}}
        return RobotModel(
            self.name,
            [link for link in self.links if link.name in kept],
            reduced.without_absent_leaders(joints),
            tuple(p for p in self.parametrized if p.owner in owners[p.kind.of]),
            tuple(loop for loop in self.loops if {loop.link_a, loop.link_b} <= kept),
        )

    def floating(self) -> RobotModel:
        """The model with its root link set free: a floating joint from a new link to the root.

        The joint is named `root_joint` and the link `world`, or `universe` where that is taken.

        The joint comes first: q = [x y z, w x y z, ...] with a unit quaternion, and v = [angular,
        linear, ...] in the axes of the root link.
        """
        world = _free_name(("world", "universe"), self.link_index)
        name = _free_name(("root_joint", "floating_base"), self._joint_index)
        base = Joint(name, "floating", world, self.links[0].name)
        return replace(self, links=[Link(world), *self.links], joints=[base, *self.joints])

    def mounted_on(
        self,
        link: LinkFrame,
        placement: ArrayLike | None = None,
        *,
        prefix: str = "",
        joint: Joint | None = None,
    ) -> RobotModel:
        """The robot of `link` with this one on that link: one model, one gravity.

        Its root is the other robot's. Shapes, loops, mimics and parameters come along, and a
        floating joint that `floating` put before this root goes: what holds the root is a joint
        `{prefix}mount` or the one given. In q and v this robot's numbers follow those of what the
        link carries already; `q_slices` and `v_slices` say where they are.

        Args:
            link: as the other robot's `link(name)` gives it.
            placement: the pose of this root in the link: an `se3` element, 12 numbers, or a point,
                3 numbers, m, without a turn; by default the link's own frame.
            prefix: what is put before each name of this robot's links, joints and loops.
            joint: what the root moves by, with its own pose and its own name; of its ends, whatever
                they are, the link and the root take the place. By default it is fixed.

        Raises:
            ValueError: for names that both robots have, and for loops and parameters of a root
                that goes.
        """
        where = f"{self.name}: mounted_on"
        base = link_of(link, None, where).robot
        checked(prefix, str, where, "prefix", "text")
        parts = mounted.without_floating_root(self.links, self.joints)
        links, joints, own, loops = mounted.renamed(*parts, self.parametrized, self.loops, prefix)
        if joint is None:
            frame = frame_of(np.zeros(3) if placement is None else placement, f"{where}: placement")
            pose = axes_of(frame), frame[9:]
            joint = Joint(f"{prefix}mount", "fixed", link.name, links[0].name, *pose)
        elif placement is not None:
            raise ValueError(f"{where}: give placement or joint, which has a pose, not both")
        checked(joint, Joint, where, "joint", "a Joint")
        joints.insert(0, replace(joint, parent=link.name, child=links[0].name))
        mounted.check_apart("link", base.links, links)
        mounted.check_apart("joint", base.joints, joints)
        parameters = (*base.parametrized, *own)
        links, joints = [*base.links, *links], [*base.joints, *joints]
        return RobotModel(base.name, links, joints, parameters, [*base.loops, *loops])

    def release_mimics(self) -> RobotModel:
        """The model in which every joint that mimics another moves on its own."""
        return replace(self, joints=[replace(joint, mimic=None) for joint in self.joints])

    # ---- printing

    def pretty(self, width: int = 120) -> str:
        """The tree of links as text, a line each: joint, type, limits with units, mass; then loops.

        Lines have at most `width` characters, 20 or more.
        """
        tree = tree_text(self.links, self.joints, self.q_slices, width)
        loops = [cut(f"loop {loop}", width) for loop in self.loops]
        return "\n".join([cut(self._heading(), width), tree, *loops])

    def _heading(self) -> str:
        sizes = f"{len(self.links)} links, nq {self.nq}, nv {self.nv}, {self.mass:.4g} kg"
        return f"{self.name}: {sizes}"

    def __repr__(self) -> str:
        sizes = f"{len(self.links)} links, nq={self.nq}, nv={self.nv}"
        varied = f", {self.n_parameters} parameters" if self.parametrized else ""
        closed = f", {len(self.loops)} loops" if self.loops else ""
        return f"RobotModel('{self.name}', {sizes}{varied}{closed})"

    def _repr_html_(self) -> str:
        caption = "; ".join([self._heading(), *(f"loop {loop}" for loop in self.loops)])
        return tree_html(caption, self.links, self.joints, self.q_slices)


def _free_name(wanted: Iterable[str], taken: Iterable[str]) -> str:
    """The first of these names that is not taken, else the last with as many `_` as it takes."""
    names, name = set(taken), ""
    for name in wanted:
        if name not in names:
            return name
    while name in names:
        name = f"_{name}"
    return name


def _with_leaders(joints: Sequence[Joint]) -> list[Joint]:
    """The joints with each mimic pointing at the joint that leads the whole chain."""
    sizes = {joint.name: joint.type.nq for joint in joints}
    leaders = resolve_mimics({joint.name: joint.mimic for joint in joints}, sizes)
    return [
        joint if joint.mimic is None else replace(joint, mimic=leaders[joint.name])
        for joint in joints
    ]
