"""Pairs of shapes and where they are put: one row for each pair, read by the tests of distances.

`smooth` points are those where the distance has two derivatives; at the others values are compared
and derivatives have to be finite.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from polytopes import body, distance
from scipy.spatial.transform import Rotation

from robotics_ad.model import Box, Capsule, Cylinder, Ellipsoid, HalfSpace, Shape, Sphere

Array = NDArray[np.float64]
Pose = tuple[Array, Array]
Oracle = Callable[
    [Shape, torch.Tensor, torch.Tensor, Shape, torch.Tensor, torch.Tensor], torch.Tensor
]
"""The distance of a shape at R, p and another one, in torch."""


@dataclass(frozen=True)
class Point:
    """Two poses, and what kind of place they are."""

    kind: str
    a: Pose
    b: Pose
    smooth: bool = True


@dataclass(frozen=True, eq=False)
class Row:
    """Two shapes, the distance that torch differentiates, and special places."""

    a: Shape
    b: Shape
    oracle: Oracle
    special: tuple[Point, ...]

    def __str__(self) -> str:
        return f"{type(self.a).__name__}-{type(self.b).__name__}"

    def points(self) -> list[Point]:
        rng = np.random.default_rng(3)
        far = [Point("apart", random_pose(rng, 1.5), random_pose(rng, 1.5)) for _ in range(6)]
        near = [Point("near", random_pose(rng, 0.12), random_pose(rng, 0.12)) for _ in range(6)]
        return [*far, *near, *self.special]


def random_pose(rng: np.random.Generator, spread: float) -> Pose:
    return Rotation.random(rng=rng).as_matrix(), spread * rng.normal(size=3)


def entries(pose: Pose) -> Array:
    """The 12 numbers of `se3`."""
    return np.concatenate([pose[0].T.reshape(9), pose[1]])


def by_features(a, Ra, pa, b, Rb, pb):
    return distance(body(a, Ra, pa), body(b, Rb, pb))


def beside_half_space(a, Ra, pa, b, Rb, pb):
    """n . (c - p) minus what the shape reaches along -n, by corners or in closed form."""
    n = Rb[:, 2]
    if isinstance(a, Cylinder):
        along = n @ Ra[:, 2]
        reach = 0.5 * a.length * torch.abs(along) + a.radius * torch.sqrt(1.0 - along * along)
        return n @ (pa - pb) - reach
    if isinstance(a, Ellipsoid):
        radii = torch.from_numpy(a.radii.copy())
        return n @ (pa - pb) - torch.linalg.norm(radii * (Ra.T @ n))
    solid = body(a, Ra, pa)
    return ((solid.corners - pb) @ n).min() - solid.radius


def point_in_frame(a, pa, Rb, pb):
    return Rb.T @ (pa - pb)


def beside_cylinder(a, Ra, pa, b, Rb, pb):
    """Of the point (rho, z) to a rectangle, feature by feature."""
    y = point_in_frame(a, pa, Rb, pb)
    out = torch.linalg.norm(y[:2]) - b.radius
    up = torch.abs(y[2]) - 0.5 * b.length
    if out > 0.0 and up > 0.0:
        return torch.sqrt(out * out + up * up) - a.radius
    return (out if out > up else up) - a.radius


def beside_ellipsoid(a, Ra, pa, b, Rb, pb):
    """The root by bisection, then three Newton steps on the plain equation, for derivatives."""
    y, D = point_in_frame(a, pa, Rb, pb), torch.from_numpy(b.radii.copy())
    with torch.no_grad():
        low, high = -(D.min() ** 2), D.max() * torch.linalg.norm(y) + 1.0
        for _ in range(200):
            middle = 0.5 * (low + high)
            larger = ((D * y / (D * D + middle)) ** 2).sum() > 1.0
            low, high = (middle, high) if larger else (low, middle)
    root = high.clone()
    if float(high) > -float(D.min() ** 2) + 1e-6:
        for _ in range(3):
            parts = D * D + root
            f = ((D * y / parts) ** 2).sum() - 1.0
            root = root + f / (2.0 * (D * D * y * y / parts**3).sum())
    nearest = D * D * y / (D * D + root)
    if not bool(y.any()):  # the centre: the least radius
        return -D.min() - a.radius
    return torch.sign(root) * torch.linalg.norm(y - nearest) - a.radius


EYE = np.eye(3)
TILT = Rotation.from_rotvec([0.3, -0.5, 0.4]).as_matrix()
QUARTER = Rotation.from_rotvec([np.pi / 2, 0.0, 0.0]).as_matrix()
EIGHTH = Rotation.from_rotvec([0.0, 0.0, np.pi / 4]).as_matrix()


def at(
    kind: str, Ra: Array, pa: list[float], Rb: Array, pb: list[float], smooth: bool = False
) -> Point:
    return Point(kind, (Ra, np.array(pa)), (Rb, np.array(pb)), smooth)


O = [0.0, 0.0, 0.0]
COINCIDENT = (
    at("coincident", EYE, O, EYE, O),
    at("coincident", TILT, [0.1, 0.2, 0.3], TILT, [0.1, 0.2, 0.3]),
)
PARALLEL = (
    at("parallel, side by side", EYE, O, EYE, [0.9, 0.0, 0.1]),
    at("parallel, turned", TILT, O, TILT, [0.9, 0.2, 0.1]),
    at("parallel, one behind the other", EYE, O, EYE, [0.9, 0.0, 2.0]),
    at("in line", EYE, O, EYE, [0.0, 0.0, 2.0]),
)
CROSSING = (
    at("crossing", EYE, O, QUARTER, O),
    at("crossing", TILT, O, TILT @ EIGHTH, [0.0, 0.0, 0.0]),
    at(
        "nearly parallel",
        EYE,
        O,
        Rotation.from_rotvec([1e-9, 0.0, 0.0]).as_matrix(),
        [0.5, 0.0, 0.0],
    ),
)
BALL, ROD, BAR, BLOCK = Sphere(0.2), Capsule(0.1, 0.8), Capsule(0.15, 0.5), Box([0.3, 0.5, 0.8])
CHEST, DRUM, EGG, GROUND = (
    Box([0.6, 0.2, 0.4]),
    Cylinder(0.2, 0.6),
    Ellipsoid([0.2, 0.4, 0.3]),
    HalfSpace(),
)
FLAT = (
    at("flat on it", EYE, [0.0, 0.0, 0.4], EYE, O),
    at("upside down", EYE, O, np.diag([1.0, -1.0, -1.0]), [0.0, 0.0, 0.1]),
)

ROWS = (
    Row(
        BALL,
        Sphere(0.3),
        by_features,
        (*COINCIDENT, at("touching", EYE, O, EYE, [0.5, 0.0, 0.0], True)),
    ),
    Row(Sphere(0.0), Sphere(0.0), by_features, COINCIDENT),
    Row(
        ROD,
        BALL,
        by_features,
        (
            *COINCIDENT,
            at("touching", EYE, O, EYE, [0.3, 0.0, 0.1], True),
            at("in line", EYE, O, EYE, [0.0, 0.0, 0.9], True),
            at("beside its end", EYE, O, EYE, [0.5, 0.0, 0.4]),
        ),
    ),
    Row(
        ROD,
        BAR,
        by_features,
        (
            *COINCIDENT,
            *PARALLEL,
            *CROSSING,
            at("touching", EYE, O, QUARTER, [0.25, 0.0, 0.0], True),
        ),
    ),
    Row(Capsule(0.1, 0.0), BAR, by_features, (*COINCIDENT, *PARALLEL)),
    Row(
        BALL,
        BLOCK,
        by_features,
        (
            *COINCIDENT,
            at("touching", EYE, [0.35, 0.0, 0.0], EYE, O, True),
            at("centre on a side", EYE, [0.15, 0.0, 0.1], EYE, O),
            at("beside an edge", EYE, [0.5, 0.25, 0.0], EYE, O),
            at("at a corner", EYE, [0.15, 0.25, 0.4], EYE, O),
        ),
    ),
    Row(
        ROD,
        BLOCK,
        by_features,
        (
            *COINCIDENT,
            *PARALLEL,
            at("touching", QUARTER, [0.25, 0.0, 0.0], EYE, O),
            at("through a corner", TILT, [0.15, 0.25, 0.4], EYE, O),
            at("within", EYE, O, EYE, [0.0, 0.0, 0.01]),
        ),
    ),
    Row(
        BLOCK,
        CHEST,
        by_features,
        (
            *COINCIDENT,
            *PARALLEL,
            *CROSSING,
            at("touching", EYE, O, EYE, [0.45, 0.0, 0.0]),
            at("edge to edge", EIGHTH, O, EYE, [0.9, 0.0, 0.0]),
        ),
    ),
    Row(
        BALL,
        DRUM,
        beside_cylinder,
        (
            *COINCIDENT,
            at("touching", EYE, [0.4, 0.0, 0.1], EYE, O, True),
            at("on the axis, above", EYE, [0.0, 0.0, 0.9], EYE, O),
            at("beside the rim", EYE, [0.5, 0.0, 0.3], EYE, O),
            at("above", EYE, [0.1, 0.05, 0.9], EYE, O, True),
        ),
    ),
    Row(
        BALL,
        EGG,
        beside_ellipsoid,
        (
            at("coincident", EYE, O, EYE, O),
            at("touching", EYE, [0.4, 0.0, 0.0], EYE, O),
            at("far", TILT, [30.0, -20.0, 10.0], EYE, O, True),
            at("inside", EYE, [0.05, 0.1, -0.02], EYE, O, True),
        ),
    ),
    *(
        Row(shape, GROUND, beside_half_space, (*COINCIDENT, *FLAT))
        for shape in (BALL, ROD, BLOCK, DRUM, EGG)
    ),
)
