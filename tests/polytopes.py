"""Distances of spheres, capsules and boxes by all their features, in torch: slow, plain, ours not.

A body is the hull of its corners, with a radius around it. Two hulls that are apart are as far from
each other as the nearest of: a corner and a face, an edge or a corner; two edges. Where they meet,
the least translation that parts them is along the normal of a face of either or across two edges.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations, product

import torch

from robotics_ad.model import Box, Capsule, Shape, Sphere

Tensor = torch.Tensor


@dataclass(frozen=True)
class Body:
    """Corners (n, 3), edges (m, 2, 3), faces (k, 3, 3) as a corner and two sides; the radius."""

    corners: Tensor
    edges: Tensor
    faces: Tensor
    radius: float


def body(shape: Shape, R: Tensor, p: Tensor) -> Body:
    """The shape at a pose."""
    empty = torch.zeros(0, 3, 3, dtype=R.dtype)
    if isinstance(shape, Sphere):
        return Body(p[None], torch.zeros(0, 2, 3, dtype=R.dtype), empty, shape.radius)
    if isinstance(shape, Capsule):
        ends = p + torch.tensor([[-0.5], [0.5]], dtype=R.dtype) * shape.length * R[:, 2]
        return Body(ends, ends[None], empty, shape.radius)
    assert isinstance(shape, Box)
    half = 0.5 * torch.from_numpy(shape.size.copy())
    signs = list(product([-1.0, 1.0], repeat=3))
    corners = torch.tensor(signs, dtype=R.dtype) * half @ R.T + p
    near = [
        (i, j)
        for i, j in combinations(range(8), 2)
        if sum(a != b for a, b in zip(signs[i], signs[j], strict=True)) == 1
    ]
    edges = torch.stack([torch.stack([corners[i], corners[j]]) for i, j in near])
    faces = []
    for k, side in product(range(3), (0, 7)):
        i, j = (k + 1) % 3, (k + 2) % 3
        flip = 1.0 if side == 0 else -1.0
        faces.append(
            torch.stack([corners[side], 2 * flip * half[i] * R[:, i], 2 * flip * half[j] * R[:, j]])
        )
    return Body(corners, edges, torch.stack(faces), 0.0)


def distance(a: Body, b: Body) -> Tensor:
    """The signed distance."""
    depth = separation(a, b)
    radii = a.radius + b.radius
    if depth is not None and depth < 0.0:
        return depth - radii
    found: list[Tensor] = []
    for x, y in ((a, b), (b, a)):
        for corner in x.corners:
            found += [torch.linalg.norm(corner - other) for other in y.corners]
            found += [d for edge in y.edges if (d := _to_edge(corner, edge)) is not None]
            found += [d for face in y.faces if (d := _to_face(corner, face)) is not None]
    for e in a.edges:
        found += [d for f in b.edges if (d := _of_edges(e, f)) is not None]
    return torch.stack(found).min() - radii


def separation(a: Body, b: Body) -> Tensor | None:
    """The largest gap of the bodies' shadows on an axis; None where neither has a face."""
    normals = [torch.linalg.cross(f[1], f[2]) for x in (a, b) for f in x.faces[::2]]
    if not normals:
        return None
    sides = [[e[1] - e[0] for e in x.edges] for x in (a, b)]
    for u in sides[0]:
        for v in sides[1]:
            n = torch.linalg.cross(u, v)
            if torch.linalg.norm(n) > 1e-9 * torch.linalg.norm(u) * torch.linalg.norm(v):
                normals.append(n)
    gaps: list[Tensor] = []
    for n in normals:
        unit = n / torch.linalg.norm(n)
        first, second = a.corners @ unit, b.corners @ unit
        gaps.append(torch.maximum(first.min() - second.max(), second.min() - first.max()))
    return torch.stack(gaps).max()


def _to_edge(point: Tensor, edge: Tensor) -> Tensor | None:
    side = edge[1] - edge[0]
    if not side.any():
        return None
    t = (point - edge[0]) @ side / (side @ side)
    return torch.linalg.norm(point - edge[0] - t * side) if 0.0 < t < 1.0 else None


def _to_face(point: Tensor, face: Tensor) -> Tensor | None:
    corner, u, v = face
    s, t = ((point - corner) @ x / (x @ x) for x in (u, v))
    if not (0.0 < s < 1.0 and 0.0 < t < 1.0):
        return None
    n = torch.linalg.cross(u, v)
    return torch.abs((point - corner) @ n) / torch.linalg.norm(n)


def _of_edges(e: Tensor, f: Tensor) -> Tensor | None:
    u, v, arm = e[1] - e[0], f[1] - f[0], f[0] - e[0]
    n = torch.linalg.cross(u, v)
    squared = n @ n
    if squared < 1e-18 * (u @ u) * (v @ v):
        return None
    s = torch.linalg.cross(arm, v) @ n / squared
    t = torch.linalg.cross(arm, u) @ n / squared
    if not (0.0 < s < 1.0 and 0.0 < t < 1.0):
        return None
    return torch.abs(arm @ n) / torch.sqrt(squared)
