"""The signed distance of sums of segments, discs, ellipsoids and balls: a search, then Lagrange.

A search over directions finds n roughly, with numbers alone. Which lengths |D^T n| are 0 there is
tried out. For each choice the multipliers x of D^T n = 0 and that of |n| = 1 are unknowns beside n,
and torch differentiates through Newton's method on the whole system.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
import torch
from numpy.typing import NDArray

from robotics_ad.model import Box, Capsule, Cylinder, Ellipsoid, Shape

Array = NDArray[np.float64]


def generators(shape: Shape, R: torch.Tensor) -> tuple[list[torch.Tensor], float]:
    """Matrices D (3, r), and the radius of the ball."""
    match shape:
        case Capsule(radius, length):
            return [0.5 * length * R[:, 2:]] if length else [], radius
        case Cylinder(radius, length):
            parts = [0.5 * length * R[:, 2:], radius * R[:, :2]]
            return [D for D, size in zip(parts, (length, radius), strict=True) if size], 0.0
        case Box(size):
            return [0.5 * float(size[k]) * R[:, k : k + 1] for k in range(3)], 0.0
        case Ellipsoid(radii):
            return [R * torch.from_numpy(radii.copy())], 0.0
        case _:
            raise NotImplementedError(type(shape).__name__)


def separation(n: Array, c: Array, parts: list[Array]) -> Array:
    """S(n) of directions (m, 3)."""
    return n @ c - sum((np.linalg.norm(n @ D, axis=1) for D in parts), np.zeros(len(n)))


def sphere(count: int) -> Array:
    """Directions that are spread evenly."""
    i = np.arange(count) + 0.5
    polar, turn = np.arccos(1.0 - 2.0 * i / count), np.pi * (1.0 + 5.0**0.5) * i
    flat = np.sin(polar)
    return np.stack([np.cos(turn) * flat, np.sin(turn) * flat, np.cos(polar)], axis=1)


DIRECTIONS, AROUND = sphere(3000), sphere(80)


def searched(c: Array, parts: list[Array]) -> Array:
    """The best direction of a dense sample, of those near its eight best, and so on."""
    best = DIRECTIONS[np.argsort(-separation(DIRECTIONS, c, parts))[:8]]
    radius = 0.06
    for _ in range(45):
        near = (best[:, None, :] + radius * AROUND).reshape(-1, 3)
        near = np.concatenate([best, near / np.linalg.norm(near, axis=1, keepdims=True)])
        best = near[np.argsort(-separation(near, c, parts))[:8]]
        radius *= 0.7
    return best[0]


def by_directions(a, Ra, pa, b, Rb, pb) -> torch.Tensor:
    (first, r), (second, s) = generators(a, Ra), generators(b, Rb)
    parts, c = [*first, *second], pb - pa
    numbers, c0 = [D.detach().numpy() for D in parts], c.detach().numpy()
    n = searched(c0, numbers)
    near = [k for k, D in enumerate(numbers) if np.linalg.norm(n @ D) < 1e-3]
    best = torch.tensor(-np.inf, dtype=torch.float64)
    for count in range(len(near) + 1):
        for kinks in combinations(near, count):
            found = _stationary(n, c, parts, kinks)
            if found is not None and float(found.detach()) > float(best.detach()) + 1e-14:
                best = found
    for m in on_kinks(n, [numbers[k] for k in near]):
        value = separation(m[None], c0, numbers)[0]
        if value > float(best.detach()) + 1e-12:  # it has no second derivative there
            best = torch.tensor(value)
    return best - r - s


def on_kinks(n: Array, near: list[Array]) -> list[Array]:
    """The directions nearest to n at which some lengths that are nearly 0 there are 0."""
    found = [n]
    for count in range(1, len(near) + 1):
        for some in combinations(near, count):
            basis, sizes, _ = np.linalg.svd(np.concatenate(some, axis=1), full_matrices=False)
            plane = basis[:, sizes > 1e-9]
            m = n - plane @ (plane.T @ n)
            if np.linalg.norm(m) > 0.5:
                found.append(m / np.linalg.norm(m))
    return found


def _stationary(
    n: Array, c: torch.Tensor, parts: list[torch.Tensor], kinks: tuple[int, ...]
) -> torch.Tensor | None:
    """S at a place where these lengths are 0, if there is one near n that is a direction."""
    held = [parts[k] for k in kinks]
    D = torch.cat(held, dim=1) if held else torch.zeros((3, 0), dtype=torch.float64)
    if D.shape[1]:
        basis, sizes, _ = torch.linalg.svd(D.detach())
        if len(sizes) < D.shape[1] or float(sizes[-1]) < 1e-9:  # no derivatives, but a value
            D = basis[:, : int((sizes > 1e-9).sum())]
    if D.shape[1] > 2:
        return None
    free = [part for k, part in enumerate(parts) if k not in kinks]

    def slopes(u: torch.Tensor) -> torch.Tensor:
        m, x, nu = u[:3], u[3:-1], u[-1]
        total = c - D @ x - nu * m
        for part in free:
            z = part.T @ m
            total = total - part @ z / torch.linalg.norm(z)
        return torch.cat([total, D.T @ m, 0.5 * (m @ m - 1.0)[None]])

    start = torch.from_numpy(n.copy())
    rest = c - sum((P @ (P.T @ start) / torch.linalg.norm(P.T @ start) for P in free), 0.0 * c)
    x = torch.linalg.pinv(D.detach()) @ (rest - start * (start @ rest))
    u = torch.cat([start, x, (start @ rest)[None]]).detach()
    for step in range(8):
        u = u.detach() if step < 5 else u
        jacobian = torch.func.jacrev(slopes)(u)
        if abs(float(torch.linalg.det(jacobian.detach()))) < 1e-20:
            return None
        u = u - torch.linalg.solve(jacobian, slopes(u))
    m = u[:3] / torch.linalg.norm(u[:3])
    if not bool(torch.isfinite(u).all()) or float(slopes(u.detach()).detach().abs().max()) > 1e-12:
        return None
    if float(torch.linalg.norm(m.detach() - torch.from_numpy(n))) > 0.1:
        return None
    s = m @ c - sum((torch.linalg.norm(P.T @ m) for P in free), 0.0 * c[0])
    return s if float((D.T @ m).detach().abs().sum()) < 1e-12 else None
