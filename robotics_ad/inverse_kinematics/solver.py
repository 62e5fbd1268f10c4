"""Many poses at once: short rounds of steps over all goals that are not met yet.

goals -> nearest of some configurations -> rounds in float32 -> steps in float64 -> `Solutions`

Samples of a kernel that stand side by side take as long as the slowest, so rounds are short, and
after each the goals that are met leave. Starts that lead nowhere are replaced by random ones after
12 steps times 1, 1, 2, 1, 1, 2, 4, ... (Luby, Sinclair and Zuckerman, "Optimal speedup of Las Vegas
algorithms", 1993). When few goals are left, each has several starts at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

import ad_core as ad
from ad_core.graph import ADTerminal, Expression, checked, whole_number
from robotics_ad.arrays import Vector, last_axis
from robotics_ad.inverse_kinematics.function import InverseKinematics
from robotics_ad.inverse_kinematics.search import Search

Compile: TypeAlias = Callable[..., Callable[..., Any]]
Floats: TypeAlias = "NDArray[Any]"

# Steps of a round, and rounds of the shortest try; samples that a round takes at least.
_ROUND, _SHORTEST, _FILL = 6, 2, 64
# Configurations in the table, and goals that are compared with them at once.
_TABLE, _BLOCK = 128, 128
# Errors that float32 can tell from none, and what it leaves for float64 to find as small.
_LEAST, _MARGIN = 1e-5, 0.95


class Solutions(NamedTuple):
    """Configurations for goals.

    Attributes:
        q: (*batch, nq).
        error: (*batch, 2), the largest angle and distance to the goals, rad and m.
        converged: (*batch,), whether these are within what is asked.
    """

    q: Vector
    error: Vector
    converged: NDArray[np.bool_]


class IKSolver:
    """Configurations for arrays of goals, with random starts, on kernels.

    Args:
        ik: the function of which arrays are asked; its `restarts` play no part.
        compile: `bridges.kernel.ad_to_kernel`, or another function of an expression, the names of
            its inputs and `dtype`, which gives a function of arrays; None: the numpy engine, slow.

    Example:
        >>> solve = IKSolver(InverseKinematics(robot, "tool"), ad_to_kernel)
        >>> q, error, converged = solve(poses)
    """

    def __init__(self, ik: InverseKinematics, compile: Compile | None = None) -> None:
        self.ik = checked(ik, InverseKinematics, "IKSolver", "ik", "an InverseKinematics")
        compile = interpreted if compile is None else compile
        if not callable(compile):
            raise TypeError(
                f"IKSolver: argument 'compile' is a {type(compile).__name__}, expected a function"
            )
        names = list(ik.arguments())
        q0, *held = (ADTerminal(name, size) for name, size in ik.arguments().items())
        self._sizes = dict(list(ik.arguments().items())[1:])
        coarse = [max(_MARGIN * tolerance, _LEAST) for tolerance in ik.within]
        search = Search(ik, ik.has_posture, ik.limits, coarse)
        self._round = compile(search.steps(_ROUND, q0, held), names, dtype="float32")
        self._finish = compile(self._finished(q0, held), names, dtype="float64")

    def __call__(
        self,
        *goals: ArrayLike,
        q0: ArrayLike | None = None,
        posture: ArrayLike | None = None,
        parameters: ArrayLike | None = None,
        tries: int = 100,
        rng: np.random.Generator | None = None,
    ) -> Solutions:
        """Configurations that meet the goals; where none is found, the best that was.

        Args:
            goals: of each target, (*batch, n); batch axes broadcast against each other.
            q0: where to start, (*batch, nq); by default the posture, or else the nearest of some
                random configurations.
            posture: (*batch, nq), where the function has one.
            parameters: (*batch, n_parameters), where the model has some; its own by default.
            tries: how many starts at most.
            rng: of random starts; by default one of seed 0, so that calls repeat.
        """
        ik, kind = self.ik, "IKSolver"
        tries = whole_number(tries, f"{kind}: argument 'tries'", least=1)
        if rng is not None:
            checked(rng, np.random.Generator, kind, "rng", "a numpy Generator")
        batch, values = self._values(goals, posture, parameters)
        given = posture if q0 is None else q0
        start = None if given is None else last_axis(given, ik.robot.nq, f"{kind}: argument 'q0'")
        if start is not None:
            _finite(start, f"{kind}: argument 'q0'")
            batch = np.broadcast_shapes(batch, start.shape[:-1])
        flat = [_flat(value, batch) for value in values]
        if start is None:
            starts, rounds = self._nearest(flat, tries), 0
        else:
            starts, rounds = _flat(start, batch)[None], -(-ik.steps // _ROUND)
        found = self._finish(self._searched(starts, rounds, flat, tries, rng), *flat)
        nq = ik.robot.nq
        q, error = found[:, :nq].reshape(*batch, nq), found[:, nq:].reshape(*batch, 2)
        return Solutions(q, error, (error <= ik.within).all(-1))

    def _searched(
        self,
        starts: Vector,
        rounds: int,
        values: Sequence[Vector],
        tries: int,
        rng: np.random.Generator | None,
    ) -> Vector:
        """The configuration after rounds for each goal: one that meets it, or the best.

        From starts (copies, samples, nq), which have some rounds at least, then from random ones.
        """
        robot, (tried, n, nq) = self.ik.robot, (int(size) for size in starts.shape)
        all_values = [value.astype(np.float32) for value in values]
        best, least, met = starts[0].astype(np.float32), np.full(n, np.inf), np.zeros(n, bool)
        live: NDArray[np.intp] = np.arange(tried * n, dtype=np.intp) % n
        q: Floats = starts.reshape(-1, nq).astype(np.float32)
        lengths = _rounds_of_tries()
        while True:
            held, excess = [value[live] for value in all_values], least
            for _ in range(max(rounds, next(lengths))):
                result = self._round(q, *held)
                q, excess, done = result[:, :nq], result[:, nq], result[:, nq + 1] > 0.5
                if done.any():
                    there = np.flatnonzero(done)[::-1]  # of several starts the first counts
                    goals = live[there]
                    best[goals], least[goals], met[goals] = q[there], 0.0, True
                    left = np.flatnonzero(~met[live])
                    if not len(left):
                        break
                    live, q, excess = live[left], q[left], excess[left]
                    held = [value[left] for value in held]
            if met.all():
                break
            order = np.argsort(-excess)  # of several starts of a goal the last counts: the best
            better = order[excess[order] < least[live[order]]]
            best[live[better]], least[live[better]] = q[better], excess[better]
            live, rounds = np.flatnonzero(~met), 0
            if tried >= tries:
                break
            rng = np.random.default_rng(self.ik.seed) if rng is None else rng
            copies = max(min(_FILL // len(live), tries - tried), 1)
            live, tried = np.tile(live, copies), tried + copies
            q = robot.random(rng, len(live)).astype(np.float32)
        return best.astype(np.float64)

    def _finished(self, q0: Expression, held: Sequence[Expression]) -> Expression:
        """[q, angle, distance] in double precision."""
        ik = self.ik
        search, n = Search(ik, ik.has_posture, ik.limits, ik.within), ik.robot.nq
        q, _ = search.best_met(search.steps(ik.steps, search.begun(q0), held)[0:n], held)
        goals = len(ik.targets)
        return ad.stack(q, ik.errors(q, *held[:goals], *held[goals + ik.has_posture :]))

    @cached_property
    def _table(self) -> tuple[Vector, Floats]:
        """Some configurations, and for each a column [f, -f f / 2] of what its goals would be."""
        ik, robot = self.ik, self.ik.robot
        q = robot.random(np.random.default_rng(ik.seed), _TABLE)
        given = {"parameters": robot.parameters} if robot.parametrized else {}
        f = ik.values(*ik.values.arguments()).eval_batch(q=q, **given) * self._features
        columns = np.column_stack([f, -0.5 * (f * f).sum(axis=-1)]).T
        return q, np.ascontiguousarray(columns, np.float32)

    @cached_property
    def _features(self) -> Vector:
        return np.concatenate([target.features for target in self.ik.targets])

    def _nearest(self, values: Sequence[Vector], most: int) -> Vector:
        """Configurations of the table that come nearest to goals g, (copies, samples, nq).

        g f - f f / 2 is largest for them. In blocks that the cache holds, and that BLAS takes
        without other threads.
        """
        q, columns = self._table
        g = np.concatenate(values[: len(self.ik.targets)], axis=-1) * self._features
        rows = g.astype(np.float32)
        copies = max(min(_FILL // max(len(rows), 1), most, len(q)), 1)
        if copies > 1:
            return q[(-rows @ columns[:-1] - columns[-1]).argsort(axis=-1)[:, :copies].T]
        blocks = np.array_split(rows, len(rows) // _BLOCK + 1)
        nearest = [(block @ columns[:-1] + columns[-1]).argmax(axis=-1) for block in blocks]
        return q[np.concatenate(nearest)][None]

    def _values(
        self, goals: Sequence[ArrayLike], posture: ArrayLike | None, parameters: ArrayLike | None
    ) -> tuple[tuple[int, ...], list[Vector]]:
        """The batch, and all arguments but q0 in order."""
        ik, kind = self.ik, "IKSolver"
        names = list(self._sizes)[: len(ik.targets)]
        if len(goals) != len(names):
            expected = f"{len(names)}: {', '.join(names)}; q0, posture and parameters go by name"
            raise ValueError(f"{kind}: got {len(goals)} goals, expected {expected}")
        given: dict[str, ArrayLike] = dict(zip(names, goals, strict=True))
        for name, value, has in (
            ("posture", posture, ik.has_posture),
            ("parameters", parameters, bool(ik.robot.parametrized)),
        ):
            if value is not None and not has:
                raise ValueError(f"{kind}: argument '{name}' is given, and the function has none")
            if value is not None:
                given[name] = value
            elif has and name == "parameters":
                given[name] = ik.robot.parameters
            elif has:
                raise ValueError(f"{kind}: argument '{name}' is missing")
        arrays = [
            last_axis(given[name], size, f"{kind}: argument '{name}'")
            for name, size in self._sizes.items()
        ]
        for name, array in zip(given, arrays, strict=True):
            _finite(array, f"{kind}: argument '{name}'")
        return np.broadcast_shapes(*(array.shape[:-1] for array in arrays)), arrays


def interpreted(e: Expression, names: Sequence[str], dtype: str) -> Callable[..., Vector]:
    """An expression on the numpy engine, always in double precision."""
    return lambda *values: e.eval_batch(**dict(zip(names, values, strict=True)))


def _finite(value: Vector, what: str) -> None:
    if not np.isfinite(value).all():
        raise ValueError(f"{what} has an entry that is not finite")


def _flat(value: Vector, batch: tuple[int, ...]) -> Vector:
    """(*batch, n) as (samples, n)."""
    whole = (
        value if value.shape[:-1] == batch else np.broadcast_to(value, (*batch, value.shape[-1]))
    )
    return whole.reshape(-1, value.shape[-1])


def _rounds_of_tries() -> Iterator[int]:
    """Rounds of a try: `_SHORTEST` times the sequence 1, 1, 2, 1, 1, 2, 4, 1, 1, 2, ..."""
    u, v = 1, 1
    while True:
        yield _SHORTEST * v
        u, v = (u + 1, 1) if (u & -u) == v else (u, 2 * v)
