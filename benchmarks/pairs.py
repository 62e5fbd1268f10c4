"""Pairs of shapes at random poses: distances and their gradients by one pose, ours alone."""

from __future__ import annotations

from functools import partial

import numpy as np

import ad_core as ad
from benchmarks.model import Case, Timed, contender
from benchmarks.ours import several, work
from bridges.kernel import ad_to_kernel
from robotics_ad import se3
from robotics_ad.geometry import PairDistance, SmoothPairDistance
from robotics_ad.model import Box, Capsule, Cylinder

ROD, DRUM, BLOCK = Capsule(0.1, 0.8), Cylinder(0.2, 0.6), Box([0.3, 0.5, 0.8])
ERROR = 0.03


@contender("kernel, capsule - cylinder")
def capsule_cylinder(case: Case) -> Timed:
    """By the direction that parts them most."""
    return _timed(case, PairDistance(ROD, DRUM))


@contender("kernel, capsule - cylinder, smooth")
def smooth_capsule_cylinder(case: Case) -> Timed:
    """Within 3 cm, without kinks."""
    return _timed(case, SmoothPairDistance(ROD, DRUM, ERROR))


@contender("kernel, capsule - box")
def capsule_box(case: Case) -> Timed:
    """In closed form."""
    return _timed(case, PairDistance(ROD, BLOCK))


@contender("kernel, capsule - box, smooth")
def smooth_capsule_box(case: Case) -> Timed:
    """Within 3 cm, without kinks."""
    return _timed(case, SmoothPairDistance(ROD, BLOCK, ERROR))


def _timed(case: Case, distance: PairDistance | SmoothPairDistance) -> Timed:
    e = distance(ad.var("Ta", 12), ad.var("Tb", 12))
    kernel = ad_to_kernel((e, ad.gradient(e, "Ta")), dtype=case.dtype)
    rng = np.random.default_rng(5)
    twists = 0.7 * rng.normal(size=(2, case.batch, 6))
    poses = [se3.exp(ad.var("x", 6)).eval_batch(x=x).astype(case.dtype) for x in twists]
    return Timed(partial(kernel, *poses), several, work=work(kernel))
