"""The swing of least torque by several solvers: costs, iterations, times, and how ours compare."""

from __future__ import annotations

import time
from functools import partial
from statistics import median

import numpy as np

import ad_core as ad
from benchmarks.model import Measured
from benchmarks.peers.optimal_control import PEERS
from benchmarks.swing import AGREEMENT, Answer, Solve, Swing, judged
from benchmarks.timing import Effort, measure
from bridges.casadi import Constraint, ControlProblem, Phase


def ours(swing: Swing, solver: str = "fatrop", tolerance: float | None = None) -> Solve:
    """The swing as a `ControlProblem`, with exact second derivatives."""
    q, v, a = (ad.var(name, 7) for name in "qva")
    h, share = swing.h, swing.torque() / swing.limit
    faster = v + h * a
    phase = Phase(
        nodes=swing.nodes,
        dynamics={"q": q + h * faster, "v": faster},
        controls=[a],
        residual=np.sqrt(2.0 * h) * share,
        path=[Constraint(share, -swing.share, swing.share)],
        end=[Constraint(q, swing.goal, swing.goal), Constraint(v)],
    )
    found = ControlProblem(phase).solver(solver, tolerance=tolerance)
    start = {"q": swing.start, "v": np.zeros(7)}
    guess = dict(zip("qv", swing.straight(), strict=True))

    def run() -> Answer:
        solution = found.solve(start, guess)
        seconds = solution.function_seconds
        return Answer(solution["q"], solution["v"], solution.iterations, seconds)

    return run


OURS = {
    "ours, fatrop": ours,
    "ours, fatrop, stopped early": partial(ours, tolerance=1e-3),
    "ours, IPOPT": partial(ours, solver="ipopt"),
    "ours, sqpmethod": partial(ours, solver="sqpmethod"),
}


def figures(quick: bool, share: float = 1.0) -> list[Measured]:
    """Panda's swing with `share` of its torques, from the straight line; all solvers in turn.

    Pinocchio judges what they find. Times are medians of the processor's; "derivatives" are
    functions and their derivatives, of ours and of Crocoddyl by the clock on the wall.
    """
    swing = Swing(share, nodes=10 if quick else 50)
    calls = {label: prepare(swing) for label, prepare in OURS.items()}
    calls |= {peer.label: peer.prepare(swing) for peer in PEERS if peer.is_present}
    answers = {label: call() for label, call in calls.items()}
    derivatives = {label: list[float]() for label in calls}

    def timed(label: str) -> None:
        derivatives[label].append(calls[label]().derivatives)

    rounds = 1 if quick else 9
    effort = Effort(turn=0.0, row=0.0, fewest=rounds, most=rounds, clock=time.process_time)
    seconds = measure({label: partial(timed, label) for label in calls}, effort)
    marks = {label: judged(swing, answer) for label, answer in answers.items()}
    best = marks["IPOPT, SX mapped"].cost
    results: list[Measured] = []
    first = seconds["ours, fatrop"]
    for label, answer in answers.items():
        mark = marks[label]
        ratio = median([theirs / mine for theirs, mine in zip(seconds[label], first, strict=True)])
        results += [
            Measured(label, 1e3 * median(seconds[label]), "ms"),
            Measured(f"{label}: over ours by fatrop", ratio, "times"),
            Measured(f"{label}: derivatives", 1e3 * median(derivatives[label]), "ms"),
            Measured(f"{label}: iterations", answer.iterations, ""),
            Measured(f"{label}: cost over IPOPT's", mark.cost / best, "", 1.0 + AGREEMENT),
            Measured(f"{label}: missed", 1e6 * mark.missed, "urad, urad/s", at_most=100),
            Measured(f"{label}: of torques allowed", mark.used, "", at_most=1.0 + 1e-6),
        ]
    return results
