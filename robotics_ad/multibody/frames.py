"""Rewrites of a `Tree` that change no result and make its expressions smaller.

`aligned` moves each body's frame onto its joint axis (z) and turns and slides it along that axis so
that the constant pose of the next body has as few entries as possible: the modified
Denavit-Hartenberg form (Craig, "Introduction to Robotics", ch. 3), with any number of children.

`settled` slides origins along their axes to where all constant poses together have the fewest
entries, and to where they stand still, as at a shoulder whose axes meet: forces there have no
lever.

`regrouped` moves to the parent the part of a body's mass that its own joint cannot feel, so that a
body keeps as few inertial numbers as possible: the base parameters of Gautier and Khalil, "Direct
calculation of minimum set of inertial parameters of serial robots" (1990), written with moments.

`rescaled` measures in the unit of length in which most offsets are 1.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from robotics_ad.arrays import Matrix, Vector
from robotics_ad.multibody.rigid import (
    AnyMoments,
    Moments,
    Pose,
    added,
    identity_pose,
    nominal_part,
)
from robotics_ad.multibody.tree import WORLD, Body, Tree, subtree_sizes

_Z = np.array([0.0, 0.0, 1.0])
_RIGHT_ANGLE = 0.5 * float(np.pi)
_EPS = float(np.finfo(np.float64).eps)
# Common normals of axes closer to parallel than this may lie far away; the frame then stays put.
_SKEWED = 0.2
# Offsets of less than this part of the largest are left by rounding in files.
_NEGLIGIBLE = 1e-6


def aligned(tree: Tree, end: Pose | None = None) -> Tree:
    """The same tree with axes along z and frames in which what comes next has sparse constants.

    A revolute joint absorbs rotations about its axis in its `offset`; those by multiples of pi/2
    stay in `place`, where they are exact permutations. Joint types that neither turn nor slide are
    left as they are. Joint torques and link poses do not change.

    Args:
        tree: as `merged` gives it.
        end: for a `path`, the link's pose on the last body, to be made sparse like a child's. Where
            it is not given, the frames of bodies without children are fitted to their moments.
    """
    to_axis = [_axis_pose(body) for body in tree.bodies]
    moved: list[Pose] = []  # each body's new frame in its old one
    bodies: list[Body] = []
    for i, (body, child) in enumerate(zip(tree.bodies, _main_children(tree), strict=True)):
        base = identity_pose() if body.parent == WORLD else moved[body.parent]
        place = base.inverse() @ body.place @ to_axis[i]
        if turns(body):
            free = _free_turn(tree, i, child, to_axis, end)
        elif slides(body):
            free = _free_slide(tree, i, child, to_axis, end)
        else:
            free = identity_pose()
        moved.append(to_axis[i] @ free)
        moments = _tidy_moments(body.moments.seen_from(moved[i].inverse()))
        bodies.append(_moved_body(replace(body, moments=moments), place, free))
    links = {
        name: (i, pose if i == WORLD else _tidy(moved[i].inverse() @ pose))
        for name, (i, pose) in tree.links.items()
    }
    return replace(tree, bodies=tuple(bodies), links=links)


def settled(tree: Tree) -> Tree:
    """The same tree with origins of turning bodies slid along their axes for sparse constants.

    Takes an `aligned` tree, whose origins lie next to the axis of the main child; the other choice
    is next to the axis of the parent. Where both have as many entries, an offset belongs behind the
    joint, where fewer joints feel it: if axes are parallel, and if the origin comes to stand still.
    """
    slides: list[float] = []
    still: list[bool] = []  # whether the origin keeps its place in the world
    bodies: list[Body] = []
    for i, body in enumerate(tree.bodies):
        first = body.parent == WORLD
        p = body.place.p if first else _slid(body.place.p, -slides[body.parent] * _Z)
        on_still = first or still[body.parent]
        behind = [b.place.p for b in tree.bodies if b.parent == i]
        slide = 0.0
        if turns(body) and behind and not first:
            slide = _better_slide(Pose(body.place.R, p), behind, on_still)
        place = Pose(body.place.R, _slid(p, slide * body.place.R[:, 2]))
        slides.append(slide)
        still.append(turns(body) and on_still and (first or not place.p.any()))
        moments = body.moments.seen_from(Pose(np.eye(3), -slide * _Z))
        bodies.append(replace(body, place=place, moments=moments))
    links = {
        name: (i, pose if i == WORLD else Pose(pose.R, _slid(pose.p, -slides[i] * _Z)))
        for name, (i, pose) in tree.links.items()
    }
    return replace(tree, bodies=tuple(bodies), links=links)


def regrouped(tree: Tree) -> Tree:
    """The same tree with mass moved towards the base wherever joint torques stay the same.

    Takes an `aligned` tree. A distribution of mass on the axis of a revolute joint moves with the
    parent as it does with the body, so a body keeps (hx, hy) and a second moment with Szz = 0; the
    second moment about a sliding body's origin is felt by its parent alone. All this is linear, so
    that moments which are parameters move alike; mass stops at placements that are parameters.
    """
    moments, base = [body.moments for body in tree.bodies], tree.base
    for i in range(len(tree.bodies) - 1, -1, -1):
        body, own = tree.bodies[i], moments[i]
        part, moments[i] = _split(body, own)
        if part is None:
            continue
        if body.parent == WORLD:
            base = added(base, part.seen_from(body.place))
        else:
            moments[body.parent] = added(moments[body.parent], part.seen_from(body.place))
    bodies = (replace(b, moments=m) for b, m in zip(tree.bodies, moments, strict=True))
    return replace(tree, bodies=tuple(bodies), base=base)


def rescaled(tree: Tree) -> Tree:
    """The same tree in a unit of length that makes offsets 1, so that these need no product.

    It is the length that most entries of offsets between joints have, the largest of such lengths;
    of mass the unit is such that second moments keep their numbers. Torques and accelerations of
    joints keep theirs where joints only turn; other trees, and those with parameters, stay as they
    are. Poses of links come in the new unit, so that the tree is for algorithms in joint space.
    """
    moving = [body for body in tree.bodies if body.parent != WORLD]
    sizes = np.array([abs(x) for body in moving for x in body.place.p])
    sizes = sizes[sizes > _NEGLIGIBLE * sizes.max(initial=0.0)]
    glides = any(body.type.subspace(_Z)[3:].any() for body in tree.bodies)
    if glides or tree.parameters is not None or sizes.size == 0:
        return tree
    alike = np.isclose(sizes[:, None], sizes, rtol=8.0 * _EPS, atol=0.0).sum(axis=1)
    length = float(sizes[alike == alike.max()].max())

    def place(pose: Pose) -> Pose:
        p, ones = pose.p / length, np.sign(pose.p)
        return Pose(pose.R, np.where(np.abs(p - ones) <= 8.0 * _EPS, ones, p))

    powers = np.array([length**2, *[length] * 3, *[1.0] * 6])
    bodies = (
        replace(body, place=place(body.place), moments=body.moments.mapped(np.diag(powers)))
        for body in tree.bodies
    )
    links = {name: (i, place(pose)) for name, (i, pose) in tree.links.items()}
    base = tree.base.mapped(np.diag(powers))
    return replace(tree, bodies=tuple(bodies), links=links, base=base, length=length)


def turns(body: Body) -> bool:
    """Whether the joint is a pure rotation about its axis."""
    return body.type.has_axis and not body.type.subspace(_Z)[3:].any()


def slides(body: Body) -> bool:
    """Whether the joint is a pure translation along its axis."""
    return body.type.has_axis and not body.type.subspace(_Z)[:3].any()


def _split(body: Body, own: AnyMoments) -> tuple[AnyMoments | None, AnyMoments]:
    """(the part that may as well be fixed to the parent, at q = 0; the rest)."""
    if turns(body):
        unfelt = np.array([1, 0, 0, 1, 0, 0, 1, 0, 0, 0], dtype=np.float64)  # m, hz, Szz
    elif slides(body):
        unfelt = np.array([0, 0, 0, 0, 1, 1, 1, 1, 1, 1], dtype=np.float64)  # S
    else:
        return None, own
    return own.mapped(np.diag(unfelt)), own.mapped(np.diag(1.0 - unfelt))


def _free_turn(
    tree: Tree, i: int, child: int | None, to_axis: list[Pose], end: Pose | None
) -> Pose:
    """Rz(theta) Tz(d): where along its axis a turning body's frame suits what follows."""
    absorbs = child is not None and turns(tree.bodies[child])
    if child is not None:
        ahead = _tidy(to_axis[i].inverse() @ tree.bodies[child].place @ to_axis[child])
    elif end is not None:
        ahead = _tidy(to_axis[i].inverse() @ end)
    else:
        h = to_axis[i].R.T @ nominal_part(tree.bodies[i].moments).first
        return Pose(_about_z(_levelling(h)), np.zeros(3))
    z = ahead.R[:, 2]
    sine = float(np.hypot(z[0], z[1]))
    if sine > 8.0 * _EPS:
        theta = _beyond_right_angles(float(np.arctan2(z[0], -z[1])))
    else:
        spin = 0.0 if absorbs else float(np.arctan2(ahead.R[1, 0], ahead.R[0, 0]))
        theta = _beyond_right_angles(spin) or _levelling(ahead.p)
    slide = float(ahead.p[2])
    if absorbs and sine > _SKEWED:  # to the foot of the common normal of both axes
        slide -= float(ahead.p[:2] @ z[:2]) / sine**2 * float(z[2])
    return Pose(_about_z(theta), slide * _Z)


def _better_slide(place: Pose, behind: list[Vector], on_still: bool) -> float:
    """How far an origin moves along its axis: to the point next to the parent's axis, or not.

    Args:
        place: of the body in its parent.
        behind: origins of its children in its axes.
        on_still: whether the parent's origin stands still.
    """
    z = place.R[:, 2]
    sine = float(np.hypot(z[0], z[1]))
    parallel = sine <= 8.0 * _EPS
    if not parallel and sine <= _SKEWED:
        return 0.0
    slide = -float(place.p[2] * z[2] if parallel else place.p[:2] @ z[:2] / sine**2)

    def entries(slide: float) -> int:
        moved = [_slid(place.p, slide * z), *(_slid(p, -slide * _Z) for p in behind)]
        return sum(int(np.count_nonzero(p)) for p in moved)

    more = entries(slide) - entries(0.0)
    stands = on_still and not _slid(place.p, slide * z).any()
    return slide if more < 0 or (more == 0 and (parallel or stands)) else 0.0


def _slid(p: Vector, by: Vector) -> Vector:
    """The sum of two vectors, without what is left by rounding."""
    size = float(np.linalg.norm(p) + np.linalg.norm(by))
    return _without_rounding(p + by, size)


def _free_slide(
    tree: Tree, i: int, child: int | None, to_axis: list[Pose], end: Pose | None
) -> Pose:
    """A translation, free for a sliding body's frame: to what follows, or to its own com."""
    if end is not None:
        ahead = end if child is None else tree.bodies[child].place
        return Pose(np.eye(3), to_axis[i].R.T @ ahead.p)
    own = nominal_part(tree.bodies[i].moments)
    com = own.first / own.mass if own.mass > 0.0 else np.zeros(3)
    return Pose(np.eye(3), to_axis[i].R.T @ com)


def _moved_body(body: Body, place: Pose, free: Pose) -> Body:
    """`body` with its constants written for place * motion(q) * free, the axis being z."""
    if turns(body):
        full = place.R @ free.R @ _about_z(body.offset)
        if np.hypot(full[2, 0], full[2, 1]) > 8.0 * _EPS:
            spin = np.arctan2(full[2, 0], full[2, 1])
        else:
            spin = np.arctan2(np.sign(full[2, 2]) * full[1, 0], full[0, 0])
        offset = _beyond_right_angles(float(spin))
        p = place.p + place.R @ free.p
        place = _tidy(Pose(full @ _about_z(-offset), p))
        return replace(body, axis=_Z, place=place, offset=offset)
    if slides(body):
        p = place.p + place.R @ (free.p + body.offset * _Z)
        return replace(body, axis=_Z, place=_tidy(Pose(place.R, p)), offset=0.0)
    return replace(body, place=place)


def _main_children(tree: Tree) -> list[int | None]:
    """The child with the largest subtree, for each body."""
    sizes = subtree_sizes(tree.bodies)
    main: list[int | None] = [None] * len(tree.bodies)
    for i, body in enumerate(tree.bodies):
        best = None if body.parent == WORLD else main[body.parent]
        if body.parent != WORLD and (best is None or sizes[i] > sizes[best]):
            main[body.parent] = i
    return main


def _axis_pose(body: Body) -> Pose:
    """A rotation that takes z to the body's axis; a signed permutation where one does."""
    if not (turns(body) or slides(body)):
        return identity_pose()
    axis = body.axis
    largest = int(np.argmax(np.abs(axis)))
    columns = np.eye(3)[:, [(largest + 1) % 3, (largest + 2) % 3, largest]]
    if axis[largest] < 0.0:
        columns = columns @ np.diag([1.0, -1.0, -1.0])
    if np.count_nonzero(axis) > 1:
        x = np.cross(columns[:, 1], axis)
        x /= np.linalg.norm(x)
        columns = np.stack([x, np.cross(axis, x), axis], axis=1)
    return Pose(columns, np.zeros(3))


def _about_z(theta: float) -> Matrix:
    c, s = np.cos(theta), np.sin(theta)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


def _beyond_right_angles(theta: float) -> float:
    """The angle less the nearest multiple of pi/2; exactly 0 where only rounding is left."""
    rest = theta - round(theta / _RIGHT_ANGLE) * _RIGHT_ANGLE
    return 0.0 if abs(rest) <= 8.0 * _EPS else rest


def _levelling(r: Vector) -> float:
    """The least turn about z that brings the x or the y entry of r to 0; 0 if one of them is."""
    if min(abs(r[0]), abs(r[1])) <= 8.0 * _EPS * float(np.linalg.norm(r)):
        return 0.0
    return _beyond_right_angles(float(np.arctan2(r[1], r[0])))


def _tidy(pose: Pose) -> Pose:
    """The pose with entries that are 0 or +-1 up to rounding set to these numbers."""
    nearest = np.round(pose.R)
    R = np.where(np.abs(pose.R - nearest) <= 8.0 * _EPS, nearest, pose.R) + 0.0
    return Pose(R, _without_rounding(pose.p, float(np.linalg.norm(pose.p))))


def _tidy_moments(moments: AnyMoments) -> AnyMoments:
    """The moments with numbers that are 0 up to the rounding of the largest set to 0."""
    if not isinstance(moments, Moments):
        return moments
    first = _without_rounding(moments.first, float(np.linalg.norm(moments.first)))
    second = _without_rounding(moments.second, float(np.trace(moments.second)))
    return Moments(moments.mass, first, second)


def _without_rounding(p: Vector, size: float) -> Vector:
    """The vector with entries that are 0 up to the rounding of numbers of a size set to 0."""
    return np.where(np.abs(p) <= 8.0 * _EPS * size, 0.0, p) + 0.0
