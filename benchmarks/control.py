"""The swing of least torque by several solvers: costs, iterations, times, and how ours compare."""

from __future__ import annotations

from statistics import median

from benchmarks.model import Measured
from benchmarks.peers.optimal_control import PEERS
from benchmarks.swing import AGREEMENT, Swing, judged
from benchmarks.timing import Effort, measure


def figures(quick: bool, share: float = 1.0) -> list[Measured]:
    """Panda's swing with `share` of its torques, from the straight line; all solvers in turn.

    Pinocchio judges what they find. "derivatives" are functions and their derivatives.
    """
    swing = Swing(share, nodes=10 if quick else 50)
    calls = {p.label: p.prepare(swing) for p in PEERS if p.is_present}
    answers = {label: call() for label, call in calls.items()}
    rounds = 1 if quick else 9
    seconds = measure(calls, Effort(turn=0.0, row=0.0, fewest=rounds, most=rounds))
    marks = {label: judged(swing, answer) for label, answer in answers.items()}
    best = marks["IPOPT, SX mapped"].cost
    results: list[Measured] = []
    for label, answer in answers.items():
        mark = marks[label]
        results += [
            Measured(label, 1e3 * median(seconds[label]), "ms"),
            Measured(f"{label}: derivatives", 1e3 * answer.derivatives, "ms"),
            Measured(f"{label}: iterations", answer.iterations, ""),
            Measured(f"{label}: cost over IPOPT's", mark.cost / best, "", 1.0 + AGREEMENT),
            Measured(f"{label}: missed", 1e6 * mark.missed, "urad, urad/s", at_most=100),
            Measured(f"{label}: of torques allowed", mark.used, "", at_most=1.0 + 1e-6),
        ]
    return results
