"""Distances of Panda's capsules to each other and to spheres: our kernels."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np

import ad_core as ad
from benchmarks.capsules import panda_capsules
from benchmarks.model import Case, Timed, contender
from benchmarks.ours import several, single, work
from benchmarks.robots import Robot
from bridges.kernel import Kernel, ad_to_kernel
from robotics_ad.geometry import CollisionDistances, SelfCollision
from robotics_ad.model import PlacedShape, Sphere

SPHERES = 100


def self_collision(robot: Robot) -> SelfCollision:
    """All pairs of capsules on links that are no neighbours."""
    return SelfCollision(robot.model, shapes=panda_capsules())


@contender("kernel, distances and all derivatives")
def jacobian_kernel(case: Case) -> Timed:
    """Every distance and the nonzeros of its gradient, in one kernel."""
    nq = case.arm.model.nq
    e = self_collision(case.arm)(ad.var("q", nq))
    nonzero = np.flatnonzero(e.sparsity("q")).tolist()
    kernel = ad_to_kernel((e, ad.jacobian(e, "q")[nonzero]), dtype=case.dtype)
    return _timed(case, kernel)


@contender("kernel, distances and all derivatives")
def distances_of_jacobian_kernel(case: Case) -> Timed:
    """The same, its distances compared alone: a peer has no more."""
    timed = jacobian_kernel.prepare(case)
    return replace(timed, values=lambda results: several(results[:1]))


@contender("kernel, distances and gradient of their weighted sum")
def gradient_kernel(case: Case) -> Timed:
    """Every distance, and what a backward pass asks for, in one kernel."""
    nq = case.arm.model.nq
    e = self_collision(case.arm)(ad.var("q", nq))
    weights = np.random.default_rng(2).normal(size=e.size or 0)
    kernel = ad_to_kernel((e, ad.gradient(ad.dot(e, weights), "q")), dtype=case.dtype)
    return _timed(case, kernel)


@contender("kernel, distances")
def value_kernel(case: Case) -> Timed:
    """Every distance."""
    kernel = ad_to_kernel(
        self_collision(case.arm)(ad.var("q", case.arm.model.nq)), dtype=case.dtype
    )
    return Timed(partial(kernel, case.configurations()), single, work=work(kernel))


@contender("kernel")
def spheres_kernel(case: Case) -> Timed:
    """The distance of each capsule that moves to each of 100 spheres."""
    places = np.random.default_rng(3).uniform(-0.8, 0.8, (SPHERES, 3))
    obstacles = {f"s{k}": PlacedShape(Sphere(0.05), translation=p) for k, p in enumerate(places)}
    shapes = panda_capsules()
    links = [link for link in shapes if link != "panda_link0"]
    pairs = [((link, i), o) for link in links for i in range(len(shapes[link])) for o in obstacles]
    rows = CollisionDistances(case.arm.model, obstacles, pairs=pairs, shapes=shapes)
    kernel = ad_to_kernel(rows(ad.var("q", case.arm.model.nq)), dtype=case.dtype)
    remark = f"{len(pairs)} pairs a sample"
    return Timed(partial(kernel, case.configurations()), single, work=work(kernel), remark=remark)


def _timed(case: Case, kernel: Kernel) -> Timed:
    return Timed(partial(kernel, case.configurations()), several, work=work(kernel))
