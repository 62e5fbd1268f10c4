"""Bundles of random expressions: one function of one variable, whose truth is known part by part.

Each part is a scalar of entries of its own, so that the gradient and Hessian of the sum of all
parts hold those of each, and an engine builds few programs for many expressions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from branch_table import STEEP, answers, random_graph, random_sharing
from random_programs import SIZES, point, program, truth, usable, weights_of

import ad_core as ad
from ad_core import math as adm
from bridges.pytorch import ad_to_torch

Array = np.ndarray
_POINTS = np.array([0.0, -1.0, 1.0, 0.5, 2.0])  # where much is singular


@dataclass(frozen=True)
class Part:
    """A scalar expression of the variable `z`, a point, and the truth there."""

    title: str
    e: ad.Expression
    at: Array
    value: float
    gradient: Array
    hessian: Array


@dataclass(frozen=True)
class Bundle:
    """Parts side by side: `e` gives a value for each, `at` is the point of all."""

    parts: tuple[Part, ...]
    e: ad.Expression
    at: Array

    def places(self) -> list[slice]:
        """The entries of the variable that each part reads."""
        ends = np.cumsum([p.at.size for p in self.parts]).tolist()
        return [slice(end - p.at.size, end) for end, p in zip(ends, self.parts, strict=True)]

    def directions(self) -> Array:
        """The k-th row has the k-th unit vector of each part."""
        rows = np.zeros((max(p.at.size for p in self.parts), self.at.size))
        for place in self.places():
            count = place.stop - place.start
            rows[range(count), range(place.start, place.stop)] = 1.0
        return rows


def bundle(rng: np.random.Generator, smooth: int, singular: int, steep: int) -> Bundle:
    """So many random programs, choices at singular points, and choices that share an overflow."""
    parts = [*_drawn(rng, _smooth_part, smooth), *_drawn(rng, _singular_part, singular)]
    parts += _drawn(rng, _steep_part, steep)
    whole = ad.var("z", sum(p.at.size for p in parts))
    made = Bundle(tuple(parts), whole, np.concatenate([p.at for p in parts]))
    rows = [p.e.replace(z=whole[place]) for p, place in zip(parts, made.places(), strict=True)]
    return Bundle(made.parts, ad.stack(*rows), made.at)


def _drawn(rng, draw, count: int) -> list[Part]:
    parts: list[Part] = []
    while len(parts) < count:
        part = draw(rng)
        if part is not None:
            parts.append(part)
    return parts


def _smooth_part(rng: np.random.Generator) -> Part | None:
    """A program that torch runs, too; its autograd says what is true."""
    seed = int(rng.integers(2**31))
    p, at = program(seed), point(seed)
    true = truth(p, at)
    if not usable(true):
        return None
    value, jacobians, hessian = true
    weights = weights_of(p)
    z = ad.var("z", sum(SIZES.values()))
    ends = np.cumsum(list(SIZES.values())).tolist()
    given = {n: z[end - k : end] for (n, k), end in zip(SIZES.items(), ends, strict=True)}
    e = adm.dot(weights, p.ours).replace(**given)
    gradient = weights @ np.hstack(jacobians)
    return Part(
        f"program {seed}",
        e,
        np.concatenate(list(at.values())),
        float(weights @ value),
        gradient,
        np.block(hessian),
    )


def _singular_part(rng: np.random.Generator) -> Part | None:
    """Choices within choices, singular in branches that are not taken; numpy says what is true."""
    z = ad.var("z", 4)
    # a factor that is no constant: 0 from the sum of two slopes is not left out before it is known
    e, at = random_graph(rng, z) * z[3] + 0.0 * ad.sum_(z), np.append(rng.choice(_POINTS, 3), 1.0)
    (value,), gradient, hessian = answers(e, z, at)
    if not np.isfinite([value, *gradient, *hessian]).all() or np.abs(hessian).max() > 1e6:
        return None
    return Part(f"{e}", e, at, float(value), gradient, hessian.reshape(4, 4))


def _steep_part(rng: np.random.Generator) -> Part:
    """Choices that share a node, none of which takes it; torch says what is true of a number."""
    z, seed = ad.var("z", 4), int(rng.integers(2**31))
    node, at = STEEP[rng.integers(len(STEEP))](z[0]), np.array([800.0, *rng.uniform(0.2, 0.9, 3)])
    layer: Any = ad_to_torch(random_sharing(seed, z[1:], ad.constant(0.7)), [z])
    point = torch.from_numpy(at)

    def value(x: torch.Tensor) -> torch.Tensor:
        return layer._run.straight((x,))[0].sum()

    gradient, hessian = torch.func.grad(value), torch.func.hessian(value)
    e = random_sharing(seed, z[1:], node)
    return Part(
        f"sharing {seed} of {node}",
        e,
        at,
        value(point).item(),
        gradient(point).numpy(),
        hessian(point).numpy(),
    )
