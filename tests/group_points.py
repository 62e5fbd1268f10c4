"""Where every function of `so3` and `se3` is compared with its formula: one row for each.

A row lists the ordinary and the special points of a function as arguments of float64 numbers. A
point is `smooth` where the function is differentiable, or where its docstring says which side's
derivative is taken; elsewhere only the value and the finiteness of derivatives are asked for.
`loss` is by how much rounding of the arguments' size is magnified at an ill-conditioned point.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import mpmath
import numpy as np
from matrix_formulas import exp
from numpy.typing import NDArray

Array = NDArray[np.float64]

ANGLES = (0.0, 1e-12, 1e-8, 1e-4, 9.99e-3, 1.01e-2, 0.7, 2.5, np.pi - 1e-4, np.pi - 1e-8, np.pi)
TILTED = np.array([2.0, -1.0, 2.0]) / 3.0


@dataclass(frozen=True)
class Point:
    """Arguments of a function."""

    args: tuple[Array, ...]
    smooth: bool = True
    loss: float = 1.0


@dataclass(frozen=True)
class Row:
    """A function and its points."""

    title: str
    points: list[Point] = field(default_factory=list)


def rotation(w: Sequence[float] | Array) -> Array:
    """exp([w]x), rounded from many digits."""
    with mpmath.workdps(40):
        return np.array([float(x) for x in exp([mpmath.mpf(float(x)) for x in w])])


def rotated(rng: np.random.Generator) -> Array:
    axis = rng.normal(size=3)
    return rotation(rng.uniform(0.3, 2.8) * axis / np.linalg.norm(axis))


RNG = np.random.default_rng(8)
RANDOM = [rotated(RNG) for _ in range(3)]
SPECIAL = [rotation(angle * TILTED) for angle in ANGLES]
QUARTER, HALF_X = rotation([0.0, 0.0, np.pi / 2]), np.diag([1.0, -1.0, -1.0]).reshape(9)
HALF_Y, HALF_Z = np.diag([-1.0, 1.0, -1.0]).reshape(9), np.diag([-1.0, -1.0, 1.0]).reshape(9)
NEAR = [R + size * RNG.normal(size=9) for R, size in zip(RANDOM, (1e-12, 1e-7, 1e-3), strict=True)]
ROTATIONS = [*RANDOM, *SPECIAL, QUARTER, HALF_X, HALF_Y, HALF_Z, *NEAR]
VECTORS = [*(RNG.normal(size=3) for _ in range(2)), *(a * TILTED for a in ANGLES), 20.0 * TILTED]
PLACES = [RNG.normal(size=3) for _ in range(2)]
UNIT = np.eye(3).reshape(9)


def locked(pitch: float) -> Array:
    """Rz(-1.1) Ry(pitch) Rx(0.4), with exact zeros in the last row at half a turn of the sine."""
    turns = (rotation([0.0, 0.0, -1.1]), rotation([0.0, pitch, 0.0]), rotation([0.4, 0.0, 0.0]))
    z, y, x = (turn.reshape(3, 3).T for turn in turns)
    y = np.where(abs(y) < 1e-16, 0.0, y)
    return (z @ y @ x).T.reshape(9)


LOCKED = [locked(p) for p in (np.pi / 2, -np.pi / 2)]
NEARLY_LOCKED = [locked(p) for p in (np.pi / 2 - 1e-4, 1e-8 - np.pi / 2)]
U = [np.array([u]) for u in (0.3, 0.0, 1.0, 1.7, -0.4)]


def each(*arguments: Sequence[Array]) -> list[Point]:
    """As many points as the longest list has, the others repeated."""
    count = max(len(a) for a in arguments)
    return [Point(tuple(a[i % len(a)] for a in arguments)) for i in range(count)]


def rough(points: Sequence[Point], bad: Callable[[tuple[Array, ...]], bool]) -> list[Point]:
    """The points, with those marked where the function has no derivative."""
    return [Point(p.args, p.smooth and not bad(p.args), p.loss) for p in points]


def transforms(rotations: Sequence[Array]) -> list[Array]:
    return [np.concatenate([R, p]) for R, p in zip(rotations, PLACES * 20, strict=False)]


def _no_turn(args: tuple[Array, ...]) -> bool:
    return bool((args[0] == UNIT).all())


def _same(args: tuple[Array, ...]) -> bool:
    return bool((args[0][:9] == args[1][:9]).all())


# From the identity the product with any rotation is exact, so small and large turns are, too.
PAIRS = [
    *zip(RANDOM, [*RANDOM[1:], RANDOM[0]], strict=True),
    *((UNIT, R) for R in SPECIAL),
    (RANDOM[0], RANDOM[0]),
]
POSES = [(np.concatenate([a, PLACES[0]]), np.concatenate([b, PLACES[1]])) for a, b in PAIRS]
TWISTS = [np.concatenate([w, p]) for w, p in zip(VECTORS, PLACES * 10, strict=False)]


def pairs(*more: Sequence[Array], of: Sequence[tuple[Array, Array]]) -> list[Point]:
    return each([a for a, _ in of], [b for _, b in of], *more)


def quaternion(R: Array) -> Array:
    """[w, x, y, z] from the trace, for rotations below 3 radians."""
    w = np.sqrt(1.0 + R[0] + R[4] + R[8]) / 2.0
    return np.array([w, *(np.array([R[5] - R[7], R[6] - R[2], R[1] - R[3]]) / (4.0 * w))])


QUATERNIONS = [
    *(quaternion(R) for R in RANDOM),
    *np.eye(4),
    -quaternion(RANDOM[0]),
    np.array([0.0, 0.6, 0.0, -0.8]),
    np.array([1.2, -0.3, 0.5, 0.1]),
]
QA = quaternion(RANDOM[0])
TURNS = [np.array([np.cos(t), *np.sin(t) * TILTED]) for t in (0.0, 1e-12, 1e-8, 1e-4, 0.02, 1.5)]
ONE = np.array([1.0, 0.0, 0.0, 0.0])
ENDS = [
    *((QA, quaternion(R)) for R in RANDOM[1:]),
    (QA, -quaternion(RANDOM[1])),
    *((ONE, q) for q in TURNS),
    (ONE, -TURNS[2]),
    (QA, QA),
    (QA, -QA),
]
A, B = RNG.normal(size=3), RNG.normal(size=3)
NORMAL = np.array([1.0, 2.0, 0.0])  # normal to TILTED
DIRECTIONS = [
    Point((A, B)),
    Point((A, A)),
    Point((TILTED, 3.0 * TILTED)),
    *(Point((TILTED, TILTED + gap * NORMAL)) for gap in (1e-12, 1e-8, 1e-4)),
    *(Point((TILTED, gap * NORMAL - 2.0 * TILTED), loss=1.0 / gap) for gap in (1e-1, 1e-4)),
]
BASES = [
    Point((A / np.linalg.norm(A),)),
    *(Point((v,)) for v in (np.eye(3)[0], np.eye(3)[1], TILTED)),
    *(
        Point((np.array([-np.sqrt(1.0 - gap**2), 0.6 * gap, -0.8 * gap]),), loss=1.0 / gap)
        for gap in (1e-1, 1e-4)
    ),
]
SIXES = [
    *(Point((RNG.normal(size=6),)) for _ in range(2)),
    *(Point((R[:6],)) for R in (UNIT, RANDOM[0], NEAR[2])),
    *(Point((np.concatenate([A, 2.0 * A + gap * B]),), loss=1.0 / gap) for gap in (1e-2, 1e-4)),
]
SPREAD = (rotation([0.8, 0.2, -0.3]), rotation([-0.5, -0.2, 0.1]))  # 1.4 radians apart


def _rows() -> list[Row]:
    everywhere, posed = each(ROTATIONS), each(transforms(ROTATIONS))
    plain = {
        "so3.identity": [Point(())],
        "so3.mul": each(ROTATIONS, ROTATIONS[1:]),
        "so3.apply": each(ROTATIONS, PLACES),
        "so3.apply_inv": each(ROTATIONS, PLACES),
        "so3.from_axis_angle": each(PLACES, [np.array([a]) for a in ANGLES]),
        "so3.align": DIRECTIONS,
        "so3.canonical": BASES,
        "so3.from_six": SIXES,
        "so3.project": each([*RANDOM, *NEAR, UNIT, HALF_X, 3.0 * RANDOM[1], RNG.normal(size=9)]),
        "so3.geodesic_mean": [*pairs(of=[PAIRS[3], PAIRS[5], PAIRS[7]]), Point(SPREAD)],
        "so3.from_quaternion": each(QUATERNIONS),
        "so3.slerp": pairs([*U, U[0], U[3], U[4]], of=ENDS),
        "so3.quaternion": everywhere,
        "so3.rotation_vector": everywhere,
        "so3.angle": rough(everywhere, _no_turn),
        "so3.axis": rough(everywhere, _no_turn),
        "so3.rpy": rough(each([*ROTATIONS, *NEARLY_LOCKED, *LOCKED]), _is_cut),
        "so3.yaw_pitch_roll": rough(each([*ROTATIONS, *NEARLY_LOCKED, *LOCKED]), _is_cut),
        "so3.distance": rough(pairs(of=PAIRS), _same),
        "so3.error": pairs(of=PAIRS),
        "so3.interpolate": pairs(U, of=PAIRS),
        "se3.identity": [Point(())],
        "se3.join": each(ROTATIONS, PLACES),
        "se3.apply": each(transforms(ROTATIONS), PLACES),
        "se3.apply_rotation": each(transforms(ROTATIONS), PLACES),
        "se3.apply_adjoint": each(transforms(ROTATIONS), TWISTS),
        "se3.apply_coadjoint": each(transforms(ROTATIONS), TWISTS),
        "se3.mul": each(transforms(ROTATIONS), transforms(ROTATIONS[2:])),
        "se3.distance": rough(pairs(U[:1], [np.array([2.0])], of=POSES), _same),
        "se3.error": pairs(of=POSES),
        "se3.interpolate": pairs(U, of=POSES),
        "se3.screw_interpolate": pairs(U, of=POSES),
        "se3.log": posed,
        "se3.from_homogeneous": each([RNG.normal(size=16)]),
    }
    rotations = ("inv", "matrix", "from_matrix", "trace", "diag", "det", "deskew", "to_six")
    vectors = ("cross_product", "from_rotation_vector", "from_rpy", "from_yaw_pitch_roll")
    jacobians = ("left_jacobian", "left_jacobian_inv", "right_jacobian", "right_jacobian_inv")
    plain |= {f"so3.{name}": everywhere for name in rotations}
    plain |= {f"so3.{name}": each(VECTORS) for name in vectors}
    plain |= {f"so3.{name}": each(VECTORS[:-1]) for name in jacobians}
    plain |= {f"se3.{name}": each(TWISTS[:-1]) for name in ("exp", *jacobians)}
    poses = ("rotation", "translation", "inv", "homogeneous", "adjoint", "coadjoint")
    plain |= {f"se3.{name}": posed for name in poses}
    plain |= {"se3.from_rotation": everywhere, "se3.from_translation": each(PLACES)}
    return [Row(title, points) for title, points in plain.items()]


def _is_cut(args: tuple[Array, ...]) -> bool:
    """At gimbal lock, and where roll or yaw is half a turn and jumps."""
    r21, r32, r33, r11 = args[0][[1, 5, 8, 0]]
    jumps = (r32 == 0.0 and r33 < 0.0) or (r21 == 0.0 and r11 < 0.0)
    return bool(jumps or np.hypot(r32, r33) < 1e-12)


ROWS = {row.title: row for row in _rows()}
