"""Batched forward kinematics: how many poses a second the compiled kernel gives."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from bridges.kernel import ad_to_kernel
from robograd.demo.subject import Subject
from robotics_ad import kinematics

_REPEATS = 15
_COMPARED = 64


@dataclass(frozen=True)
class Throughput:
    """Figures of a batch of forward kinematics.

    Attributes:
        samples: configurations in the batch.
        build_seconds: time to make the kernel, or to find it in the cache.
        seconds: time of one batch, the median of several.
        deviation: the largest difference from the numpy engine, over a few samples.
        native: whether the kernel is compiled code; else CasADi's evaluator stands in.
    """

    samples: int
    build_seconds: float
    seconds: float
    deviation: float
    native: bool

    @property
    def per_second(self) -> float:
        """Samples a second."""
        return self.samples / self.seconds

    @property
    def nanoseconds(self) -> float:
        """Time per sample."""
        return 1e9 * self.seconds / self.samples


def measure_throughput(subject: Subject, samples: int, rng: np.random.Generator) -> Throughput:
    """T_world_link(q) of `samples` configurations, uniform within the limits, in float64."""
    transform = kinematics.WorldTransform(subject.link)
    began = time.perf_counter()
    kernel = ad_to_kernel(transform).build()
    build_seconds = time.perf_counter() - began
    q = subject.robot.random(rng, samples)
    poses = np.empty((samples, transform.n_out()))
    times: list[float] = []
    for _ in range(_REPEATS if kernel.is_native else 1):
        began = time.perf_counter()
        kernel(q, out=poses)
        times.append(time.perf_counter() - began)
    few = slice(None, None, max(samples // _COMPARED, 1))
    reference = transform("q").eval_batch(q=q[few])
    deviation = float(np.max(np.abs(poses[few] - reference)))
    return Throughput(samples, build_seconds, float(np.median(times)), deviation, kernel.is_native)
