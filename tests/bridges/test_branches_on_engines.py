"""A branch that is not taken has no gradient: engine by choice by singular primitive, twice.

All singular points of a choice are one function, the sum over parts of one variable, so that an
engine builds few programs: neither its gradient nor its Hessian mixes the parts.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch
from branch_table import CHOICES, POINTS, singular, truth

import ad_core as ad
from bridges.kernel import ad_to_kernel
from bridges.pytorch import ad_to_torch

MOST = 1 + max(at.size for _, at in POINTS.values())


@cache
def case(choice, systems, every):
    """The sum, the point, each part's place, and the gradient and Hessian of each part.

    `systems` tells whether a singular matrix is among the points: numpy and torch raise for its
    solution, where they need the value. `every` tells whether all points of a primitive are.
    """
    parts, seen = [], set()
    for title, _, point, e in singular(choice):
        name = title.split("(")[0]
        if (title == "solve" and not systems) or (name in seen and not every):
            continue
        seen.add(name)
        parts.append((title, point, e))
    whole = ad.var("z", sum(point.size for _, point, _ in parts))
    ends = np.cumsum([point.size for _, point, _ in parts])
    places = [slice(end - p.size, end) for end, (_, p, _) in zip(ends, parts, strict=True)]
    rows = [e.replace(z=whole[place]) for (_, _, e), place in zip(parts, places, strict=True)]
    at = np.concatenate([point for _, point, _ in parts])
    expected = []
    for (title, point, _), place in zip(parts, places, strict=True):
        _, first, second = truth(choice, point)
        expected.append((title, place, first, second.reshape(point.size, point.size)))
    return ad.sum_(ad.stack(*rows)), at, expected


def directions(expected, size):
    """The k-th row has the k-th unit vector of each part."""
    seeds = np.zeros((MOST, size))
    for _, place, *_ in expected:
        count = place.stop - place.start
        seeds[range(count), range(place.start, place.stop)] = 1.0
    return seeds


def on_numpy(e, at, seeds):
    gradient = ad.gradient(e, "z")
    rows = [gradient.jvp({"z": seed}, z=at) for seed in seeds]
    yield e.vjp(1.0, z=at)["z"], rows
    yield e.derivative("z", z=at)[0], seeds @ e.gen_derivative(["z", "z"], z=at)[0]


def on_kernel(e, at, seeds):
    kernel = ad_to_kernel(e, ["z"])
    one, count = np.ones((len(seeds), 1)), len(seeds)
    rows = kernel.hessian_vp()(np.tile(at, (count, 1)), one, seeds)
    yield kernel.vjp()(at, np.ones(1)), rows


def on_torch(e, at, seeds):
    layer = ad_to_torch(e, ["z"], engine="torch")
    for f in (lambda x: layer(x).sum(), lambda x: layer._run.straight((x,))[0].sum()):
        x = torch.tensor(at, requires_grad=True)
        (first,) = torch.autograd.grad(f(x), x, create_graph=True)
        rows = [
            torch.autograd.grad(first @ torch.tensor(seed), x, retain_graph=True)[0].numpy()
            for seed in seeds
        ]
        yield first.detach().numpy(), rows


ENGINES = {"numpy": on_numpy, "kernel": on_kernel, "torch": on_torch}


# Kernels differentiate no choice by themselves: one of each form is compiled in quick tests.
ON_KERNELS = {"cond", "cond3, below", "where, else", "guard", "nested", "vector", "entries"}


@pytest.mark.parametrize(
    ("choice", "engine"),
    [
        pytest.param(choice, engine, marks=[pytest.mark.slow] * (choice not in ON_KERNELS))
        if engine == "kernel"
        else (choice, engine)
        for choice in CHOICES
        for engine in ENGINES
    ],
)
def test_a_branch_not_taken_has_no_gradient(choice, engine):
    e, at, parts = case(choice, engine != "torch" and choice != "of itself", engine == "numpy")
    wrong = []
    with np.errstate(all="ignore"):
        for way, (first, rows) in enumerate(ENGINES[engine](e, at, directions(parts, at.size))):
            for title, place, gradient, hessian in parts:
                second = np.array([np.ravel(row)[place] for row in rows])[: len(gradient)]
                for found, expected in ((np.ravel(first)[place], gradient), (second, hessian)):
                    if not np.allclose(found, expected, rtol=1e-12, atol=1e-12):
                        wrong.append((title, way, found, expected))
    assert not wrong, wrong
