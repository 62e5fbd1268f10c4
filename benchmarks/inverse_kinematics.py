"""Poses of Panda to configurations: how many a second, how many are met, and peers beside."""

from __future__ import annotations

from functools import partial
from statistics import median

import numpy as np

from benchmarks.model import Measured
from benchmarks.peers.ik import PEERS, shares
from benchmarks.robots import robot
from benchmarks.timing import Effort, measure
from bridges.kernel import ad_to_kernel
from robotics_ad import IKSolver, InverseKinematics

POSES = 10_000
ANGLE, DISTANCE = float(np.deg2rad(0.1)), 1e-3


def figures(quick: bool) -> list[Measured]:
    """10,000 poses of random configurations to 1 mm and 0.1 degrees, and one by itself.

    Peers are asked for fewer of the same poses, in turn with ours; a pose counts as met where
    Pinocchio says so and the configuration is within limits.
    """
    arm = robot("panda")
    ik = InverseKinematics(arm.model, arm.end, within=(ANGLE, DISTANCE))
    q = arm.model.random(np.random.default_rng(0), POSES)
    poses = ad_to_kernel(ik.values("q"), ["q"])(q)
    solve = IKSolver(ik, ad_to_kernel)
    calls = {"ours": partial(solve, poses), "one": partial(solve, poses[0])}
    batches = {"ours": POSES, "one": 1}
    present = [peer for peer in PEERS if peer.is_present]
    for peer in present:
        batches[peer.label] = max(peer.batch // 10, 1) if quick else peer.batch
        goals = poses[: batches[peer.label]]
        calls[peer.label] = peer.prepare(arm, goals, ANGLE, DISTANCE)
    found = {label: call() for label, call in calls.items()}
    rounds = 1 if quick else 7
    seconds = measure(
        calls, Effort(turn=0.0 if quick else 0.03, row=0.0, fewest=rounds, most=rounds)
    )
    each = {label: median(times) / batches[label] for label, times in seconds.items()}
    share = partial(shares, arm, angle=ANGLE, distance=DISTANCE)
    results = [
        Measured("ours", 1.0 / each["ours"], "poses/s", at_least=None if quick else 2e5),
        Measured("met", 100.0 * share(found["ours"].q, poses), "%", at_least=99.9),
        Measured("one pose by itself", 1e3 * each["one"], "ms", at_most=None if quick else 0.3),
    ]
    for peer in present:
        ratios = [
            theirs / batches[peer.label] / (mine / POSES)
            for theirs, mine in zip(seconds[peer.label], seconds["ours"], strict=True)
        ]
        met = 100.0 * share(found[peer.label], poses[: batches[peer.label]])
        results += [
            Measured(peer.label, 1.0 / each[peer.label], f"poses/s, {met:.1f} % of them met"),
            Measured(
                f"ours beside {peer.label}",
                median(ratios),
                "times as fast",
                at_least=None if quick else peer.goal,
            ),
        ]
    return results
