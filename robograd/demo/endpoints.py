"""Where a swing starts and ends, and how long it may take, so that a feasible motion is known.

Along the straight line from start to goal the arm can be held against gravity with room to spare;
slowed down enough, the minimum-jerk motion along it keeps every limit. That motion is the first
guess of the optimiser, and what the optimum is compared with.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from robograd.demo.limits import Limits, read_limits
from robograd.demo.subject import Subject, Vector, position_range
from robotics_ad import dynamics, kinematics

_PAIRS = 256
_LONGEST_STEP = 1.6  # rad; a prismatic joint may cross its whole range
_MARGIN = 0.05  # of the range: how far endpoints stay from the limits
_HOLDING_SHARE = 0.75  # of the effort limit: what gravity may take along the line
_MOVING_SHARE = 0.95  # of the velocity and effort limits: what the first guess may take
_SHORTEST = 1.0  # s
_POINTS = 33


@dataclass(frozen=True)
class SwingTask:
    """A motion to find: from rest at `start` to rest at `goal` in `duration` s within `limits`."""

    start: Vector
    goal: Vector
    duration: float
    limits: Limits


def choose_swing(subject: Subject, rng: np.random.Generator) -> SwingTask:
    """Of random pairs of configurations that can be held, the one that moves the tool most."""
    limits = read_limits(subject.robot)
    starts, goals = _random_pairs(subject, rng)
    holdable = _holding_share(subject, limits, starts, goals) <= _HOLDING_SHARE
    if not holdable.any():
        limits = limits.without_effort(
            "the effort limits cannot hold the robot against gravity: left out"
        )
        holdable[:] = True
    best = int(np.argmax(np.where(holdable, _worth(subject, starts, goals), -np.inf)))
    start, goal = starts[best], goals[best]
    return SwingTask(start, goal, _duration(subject, limits, start, goal), limits)


def _worth(subject: Subject, starts: Vector, goals: Vector) -> Vector:
    """How far the tool moves; motions that dip below the root, where a floor may be, count less."""
    position = kinematics.WorldPosition(subject.link)("q")
    tool = position.eval_batch(q=_line(starts, goals))
    moved = np.linalg.norm(tool[-1] - tool[0], axis=-1)
    # Where the tool's origin stays put whatever the joints do, the joints' own travel decides.
    travel = moved + 1e-3 * np.linalg.norm(goals - starts, axis=1)
    return travel - np.max(travel) * (tool[..., 2].min(axis=0) < 0.0)


def _line(starts: Vector, goals: Vector) -> Vector:
    """Points on the straight lines from starts to goals, (points, pairs, n)."""
    return starts + np.linspace(0, 1, 9)[:, None, None] * (goals - starts)


def minimum_jerk(
    start: Vector, goal: Vector, duration: float, times: Vector
) -> tuple[Vector, Vector, Vector]:
    """(q, q', q'') of q = q0 + (q1 - q0) (10 s^3 - 15 s^4 + 6 s^5), s = t / T; (n, times) each."""
    s = times / duration
    way = (goal - start)[:, None]
    q = start[:, None] + way * (10 * s**3 - 15 * s**4 + 6 * s**5)
    v = way * (30 * s**2 - 60 * s**3 + 30 * s**4) / duration
    a = way * (60 * s - 180 * s**2 + 120 * s**3) / duration**2
    return q, v, a


def _random_pairs(subject: Subject, rng: np.random.Generator) -> tuple[Vector, Vector]:
    """Starts and goals, (_PAIRS, n) each, apart from the limits and at most one step apart."""
    lower, upper = position_range(subject.robot)
    middle, half = (lower + upper) / 2, (1 - _MARGIN) * (upper - lower) / 2
    turns = np.array(
        [subject.robot.joint(n).kind != "prismatic" for n in subject.robot.joint_names]
    )
    half = np.where(turns, np.minimum(half, np.pi), half)
    step = np.where(turns, _LONGEST_STEP, 2 * half)
    shape = (_PAIRS, len(middle))
    starts = middle + half * rng.uniform(-1, 1, shape)
    goals = starts + step * rng.uniform(-1, 1, shape)
    return starts, np.clip(goals, middle - half, middle + half)


def _holding_share(subject: Subject, limits: Limits, starts: Vector, goals: Vector) -> Vector:
    """The largest share of its effort limit that gravity takes of any joint along each line."""
    q = _line(starts, goals)
    still = np.zeros_like(q)
    return _effort_share(subject, limits, q, still, still).max(axis=0)


def _effort_share(subject: Subject, limits: Limits, q: Vector, v: Vector, a: Vector) -> Vector:
    """The largest |tau_i| / limit_i over the joints, for (*batch, n) states: (*batch,)."""
    torque = dynamics.InverseDynamics(subject.robot)("q", "v", "a")
    return np.max(np.abs(torque.eval_batch(q=q, v=v, a=a)) / limits.effort, axis=-1)


def _duration(subject: Subject, limits: Limits, start: Vector, goal: Vector) -> float:
    """The time in which the minimum-jerk motion keeps the velocity and effort limits."""
    peak = 15 / 8 * np.abs(goal - start)  # of its velocity, times the duration
    duration = max(_SHORTEST, float(np.max(peak / (_MOVING_SHARE * limits.velocity))))
    for _ in range(60):  # gravity alone takes less, so this ends long before
        times = np.linspace(0, duration, _POINTS)
        q, v, a = (x.T for x in minimum_jerk(start, goal, duration, times))
        if _effort_share(subject, limits, q, v, a).max() <= _MOVING_SHARE:
            break
        duration *= 1.1
    return duration
