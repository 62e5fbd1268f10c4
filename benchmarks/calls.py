"""What an argument that repeats over the batch costs a call."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from statistics import median
from typing import Any

import numpy as np
import torch

import ad_core as ad
import ad_core.math as adm
from benchmarks.model import Measured
from benchmarks.timing import FULL, QUICK, measure
from bridges.kernel import ad_to_kernel
from bridges.pytorch import ad_to_torch

MOST = 1.5  # microseconds


def figures(quick: bool) -> list[Measured]:
    """Microseconds that `f(batch, one sample)` takes more than `f(batch, batch)`.

    Times are the processor's.
    """
    x, w = ad.var("x", 7), ad.var("w", 7)
    product = adm.sin(x) * w
    kernel, layer = ad_to_kernel(product), ad_to_torch(product)
    rng = np.random.default_rng(0)
    found: list[Measured] = []
    for batch in ((1,), (64,), (8, 8)):
        full = [rng.normal(size=(*batch, 7)) for _ in range(2)]
        one = [full[0], rng.normal(size=7)]
        for name, run, form in (
            ("kernel, arrays", kernel, np.asarray),
            ("kernel, tensors", kernel, torch.from_numpy),
            ("layer", layer, torch.from_numpy),
        ):
            more = _more(run, [form(v) for v in full], [form(v) for v in one], quick)
            most = None if quick else MOST
            found.append(Measured(f"{name}, batch {batch}", more, "us", at_most=most))
    return found


def _more(run: Callable[..., Any], full: Sequence[Any], one: Sequence[Any], quick: bool) -> float:
    calls = {"full": partial(run, *full), "one": partial(run, *one)}
    for call in calls.values():
        call()
    effort = QUICK if quick else replace(FULL, turn=0.005, row=0.5, clock=time.process_time)
    seconds = measure(calls, effort)
    return 1e6 * (median(seconds["one"]) - median(seconds["full"]))
