"""Model numbers as parameters: their names, sizes, nominal values, and models with other numbers.

`RobotModel.parametrize(["link3.mass", ...])` -> `Parameter`s -> numbers by `changed`, here, and
expressions by `varying`, where trees are built.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import TypeGuard, cast

import numpy as np

from ad_core.graph import checked, listed
from robotics_ad.arrays import Matrix, Vector, frozen, six, skew, snap, symmetric
from robotics_ad.model.inertia import Inertia, Link
from robotics_ad.model.joint import Joint
from robotics_ad.model.pseudo_inertia import from_log_cholesky, log_cholesky

ParameterName = str | tuple[str, str]
"""`"link3.mass"`, or `("link3", "mass")` where the name itself has dots in it."""


@dataclass(frozen=True, slots=True)
class ParameterKind:
    """One row of `PARAMETER_KINDS`.

    Attributes:
        name: what comes after the dot.
        of: "link" or "joint".
        size: how many numbers.
        changes: what of the link or joint it changes; two parameters of one link or joint must not
            change the same.
        unit: of the numbers.
        meaning: in words.
    """

    name: str
    of: str
    size: int
    changes: tuple[str, ...]
    unit: str
    meaning: str


_ROWS = (
    ("mass", "link", 1, ("mass",), "kg", "mass; centre of mass and rotational inertia stay"),
    ("com", "link", 3, ("com",), "m", "centre of mass in the link's frame"),
    ("inertia", "link", 6, ("inertia",), "kg m^2", "rotational inertia about the centre of mass"),
    ("moments", "link", 10, ("mass", "com", "inertia"), "kg, kg m, kg m^2",
     "m, m c, I about origin"),
    ("log_cholesky", "link", 10, ("mass", "com", "inertia"), "-", "see `robotics_ad.log_cholesky`"),
    ("density", "link", 1, ("mass", "inertia"), "1", "factor of mass and rotational inertia"),
    ("length", "link", 1, ("length",), "1", "factor of the translations of the link's joints"),
    ("size", "link", 1, ("mass", "com", "inertia", "length"), "1",
     "factor of all lengths of the body"),
    ("stretch", "link", 4, ("mass", "com", "inertia", "length"), "1",
     "factors of density and of lengths along x, y, z"),
    ("translation", "joint", 3, ("translation",), "m", "origin in the parent link's frame"),
    ("rotation", "joint", 3, ("rotation",), "rad", "rotation vector on top of the nominal"),
    ("placement", "joint", 6, ("translation", "rotation"), "m, rad", "translation and rotation"),
    ("damping", "joint", 1, ("damping",), "N m s/rad", "viscous damping"),
    ("friction", "joint", 1, ("friction",), "N m", "Coulomb friction"),
    ("armature", "joint", 1, ("armature",), "kg m^2", "inertia of the rotor"),
    ("stiffness", "joint", 1, ("stiffness",), "N m/rad", "of its spring"),
)  # fmt: skip

PARAMETER_KINDS: Mapping[str, ParameterKind] = MappingProxyType(
    {row[0]: ParameterKind(*row) for row in _ROWS}
)
"""The kinds of parameters by name; docs/conventions.md has them as a table."""


@dataclass(frozen=True)
class Parameter:
    """One parameter of a model: `owner` is a link's or a joint's name."""

    owner: str
    kind: ParameterKind

    @property
    def name(self) -> str:
        """The name "owner.kind"."""
        return f"{self.owner}.{self.kind.name}"


def chosen(
    names: Iterable[ParameterName],
    links: Sequence[Link],
    joints: Sequence[Joint],
    before: Sequence[Parameter] = (),
) -> tuple[Parameter, ...]:
    """Those `before`, and the parameters that names choose, in that order.

    In an owner's name, `*` stands for any part of it.

    A pattern takes all links (of positive mass, for inertial kinds) or all joints (moving ones, for
    damping, friction, armature and stiffness) that it matches.

    Raises:
        ValueError: for an unknown kind or owner, a pattern that matches nothing, and parameters
            that change the same number.
    """
    found = list(before)
    for given in listed(names, "parametrize", "names"):
        owner, kind = _split(given)
        candidates = _candidates(kind, links, joints, massive="*" in owner)
        chosen_owners = matches(owner, candidates)
        if not chosen_owners:
            raise ValueError(
                f"parameter '{owner}.{kind.name}': no {kind.of} '{owner}' with a {kind.name}; "
                f"{kind.of}s: {', '.join(candidates)}"
            )
        found.extend(Parameter(match, kind) for match in chosen_owners)
    _check_disjoint(found)
    return tuple(found)


def nominal(
    parameter: Parameter, inertias: Mapping[str, Inertia | None], joints: Mapping[str, Joint]
) -> Vector:
    """The values that leave the model as it is.

    Raises:
        ValueError: for an inertia without log-Cholesky numbers.
    """
    owner, kind = parameter.owner, parameter.kind.name
    if parameter.kind.of == "joint":
        joint = joints[owner]
        own = _JOINT_NUMBERS.get(kind, lambda joint: np.array([float(getattr(joint, kind))]))
        return own(joint)
    try:
        return _LINK_NUMBERS.get(kind, lambda _: np.ones(1))(inertias[owner] or Inertia(0.0))
    except ValueError as error:
        raise ValueError(f"parameter '{parameter.name}': {error}") from error


def changed(
    parameters: Sequence[tuple[Parameter, Vector]], links: Sequence[Link], joints: Sequence[Joint]
) -> tuple[list[Inertia | None], list[Joint]]:
    """The links' inertias and the joints with parameters at the values given.

    Raises:
        ValueError: naming the parameter, where no inertia or joint can have such numbers.
    """
    inertias = {link.name: link.inertia for link in links}
    moved = {joint.name: joint for joint in joints}
    lengths: dict[str, Vector] = {}
    for parameter, values in parameters:
        owner, kind = parameter.owner, parameter.kind
        try:
            if kind.of == "joint":
                moved[owner] = _changed_joint(moved[owner], kind, values)
            elif "length" in kind.changes:
                lengths[owner] = values[1:] if kind.name == "stretch" else values
            if _INERTIAL & set(kind.changes):
                old = inertias[owner] or Inertia(0.0)
                inertias[owner] = _CHANGED_INERTIA[kind.name](old, values)
        except ValueError as error:
            raise ValueError(f"parameter '{parameter.name}': {error}") from error
    scaled = [
        replace(joint, translation=lengths[joint.parent] * joint.translation)
        if joint.parent in lengths
        else joint
        for joint in moved.values()
    ]
    return [inertias[link.name] for link in links], scaled


_INERTIAL = frozenset(("mass", "com", "inertia"))
_RATES = ("damping", "friction", "armature", "stiffness")


# ---- names


def _split(given: ParameterName) -> tuple[str, ParameterKind]:
    parts: object = given.rpartition(".")[::2] if isinstance(given, str) else given
    if not _is_pair(parts):
        raise TypeError(f"parametrize: {given!r} is neither 'name.kind' nor ('name', 'kind')")
    owner, kind = parts
    if kind not in PARAMETER_KINDS or not owner:
        raise ValueError(
            f"parameter {given!r}: expected 'name.kind' or ('name', 'kind') with a kind of "
            f"{', '.join(PARAMETER_KINDS)}"
        )
    return owner, PARAMETER_KINDS[kind]


def _is_pair(parts: object) -> TypeGuard[tuple[str, str]]:
    if not isinstance(parts, tuple):
        return False
    return [type(part) for part in cast("tuple[object, ...]", parts)] == [str, str]


def matches(pattern: str, names: Iterable[str]) -> list[str]:
    """The names that a name, or a pattern in which `*` stands for any part, chooses."""
    if "*" not in pattern:
        return [name for name in names if name == pattern]
    return [name for name in names if fnmatchcase(name, _plain(pattern))]


def _plain(pattern: str) -> str:
    """The pattern with the characters other than `*` that fnmatch takes for special made plain."""
    return "".join(f"[{letter}]" if letter in "[?" else letter for letter in pattern)


def _candidates(
    kind: ParameterKind, links: Sequence[Link], joints: Sequence[Joint], massive: bool
) -> list[str]:
    """The links or joints that have such a number; `massive`: massless links have no inertia."""
    if kind.of == "joint":
        return [j.name for j in joints if j.type.nv > 0 or kind.name not in _RATES]
    if "length" in kind.changes or not (massive or kind.name == "density"):
        return [link.name for link in links]
    return [link.name for link in links if link.inertia is not None and link.inertia.mass > 0.0]


def _check_disjoint(parameters: Sequence[Parameter]) -> None:
    taken: dict[tuple[str, str, str], Parameter] = {}
    for parameter in parameters:
        for what in parameter.kind.changes:
            key = parameter.kind.of, parameter.owner, what
            if key in taken:
                raise ValueError(
                    f"parameters '{taken[key].name}' and '{parameter.name}' both change the {what}"
                )
            taken[key] = parameter


# ---- inertias


def ten_numbers(inertia: Inertia) -> Vector:
    """[m, m c (3), I about the frame's origin as xx, yy, zz, xy, xz, yz]: kg, kg m, kg m^2."""
    second = checked(inertia, Inertia, "ten_numbers", "inertia", "an Inertia").second_moment
    about_origin = float(np.trace(second)) * np.eye(3) - second
    return np.array([inertia.mass, *inertia.first_moment, *six(about_origin)])


def inertia_from_ten_numbers(numbers: Vector) -> Inertia:
    """The inverse of `ten_numbers`, which loses the centre of a massless body."""
    numbers = frozen(numbers, (10,), "inertia_from_ten_numbers: numbers")
    mass, h, about_origin = float(numbers[0]), numbers[1:4], symmetric(numbers[4:10])
    if mass == 0.0:
        if h.any():
            raise ValueError(f"the mass is 0 and the first moment is {h.tolist()}")
        return Inertia(0.0, np.zeros(3), about_origin)
    com = h / mass
    shift = mass * (float(com @ com) * np.eye(3) - np.outer(com, com))
    return Inertia(mass, com, about_origin - 0.5 * (shift + shift.T))


def _scaled(inertia: Inertia, values: Vector) -> Inertia:
    s = float(values[0])
    return Inertia(s**3 * inertia.mass, s * inertia.com, s**5 * inertia.rotational)


def _stretched(inertia: Inertia, values: Vector) -> Inertia:
    """A body of other density, stretched: r -> A r, so that S -> A S A, A = diag(x, y, z)."""
    A = np.diag(values[1:])
    factor = float(np.prod(values))
    about_com = 0.5 * float(np.trace(inertia.rotational)) * np.eye(3) - inertia.rotational
    spread = factor * A @ about_com @ A
    rotational = float(np.trace(spread)) * np.eye(3) - spread
    return Inertia(factor * inertia.mass, A @ inertia.com, 0.5 * (rotational + rotational.T))


_LINK_NUMBERS: Mapping[str, Callable[[Inertia], Vector]] = MappingProxyType(
    {
        "mass": lambda inertia: np.array([inertia.mass]),
        "com": lambda inertia: inertia.com.copy(),
        "inertia": lambda inertia: six(inertia.rotational),
        "moments": ten_numbers,
        "log_cholesky": log_cholesky,
        "stretch": lambda _: np.ones(4),
    }
)
"""Nominal values; of other kinds, 1."""

_CHANGED_INERTIA: Mapping[str, Callable[[Inertia, Vector], Inertia]] = MappingProxyType(
    {
        "mass": lambda old, x: Inertia(x[0], old.com, old.rotational),
        "com": lambda old, x: Inertia(old.mass, x, old.rotational),
        "inertia": lambda old, x: Inertia(old.mass, old.com, symmetric(x)),
        "moments": lambda old, x: inertia_from_ten_numbers(x),
        "log_cholesky": lambda old, x: from_log_cholesky(x),
        "density": lambda old, x: Inertia(x[0] * old.mass, old.com, x[0] * old.rotational),
        "size": _scaled,
        "stretch": _stretched,
    }
)


# ---- joints


_JOINT_NUMBERS: Mapping[str, Callable[[Joint], Vector]] = MappingProxyType(
    {
        "translation": lambda joint: joint.translation.copy(),
        "rotation": lambda joint: np.zeros(3),
        "placement": lambda joint: np.array([*joint.translation, 0.0, 0.0, 0.0]),
    }
)
"""Nominal values; of other kinds, the attribute of that name."""


def _changed_joint(joint: Joint, kind: ParameterKind, values: Vector) -> Joint:
    if kind.name in _RATES:
        return replace(joint, **{kind.name: float(values[0])})
    if "translation" in kind.changes:
        joint = replace(joint, translation=values[:3])
    if "rotation" in kind.changes:
        joint = replace(joint, rotation=snap(_turned(values[-3:]) @ joint.rotation))
    return joint


def _turned(w: Vector) -> Matrix:
    """exp([w]x) = 1 + (sin t / t) [w]x + ((1 - cos t) / t^2) [w]x^2, t = |w| (Rodrigues)."""
    t, cross = float(np.linalg.norm(w)), skew(w)
    cosc = 0.5 * float(np.sinc(0.5 * t / np.pi)) ** 2
    return np.eye(3) + float(np.sinc(t / np.pi)) * cross + cosc * (cross @ cross)
