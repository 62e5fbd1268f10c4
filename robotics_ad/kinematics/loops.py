"""Configurations in which a robot's loops are closed.

    e(q) = 0,      q = q(q_i):   the joints that q_i leaves out follow

robot, loops -> `Closure` rows -> `LoopError` -> `ad.root` over the joints that follow
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

import ad_core as ad
from ad_core import math as adm
from ad_core.graph import Expression, checked, flag, listed, number, whole_number
from ad_core.ops.elementwise import less_equal
from robotics_ad.arrays import Matrix, Vector
from robotics_ad.kinematics.closures import Closure
from robotics_ad.kinematics.configurations import Integrate
from robotics_ad.kinematics.motion_in_world import WorldMotion
from robotics_ad.model import LoopConstraint, RobotModel
from robotics_ad.model.space import found
from robotics_ad.multibody.function import RobotFunction, Sizes
from robotics_ad.multibody.tree import Tree

Loops = Sequence[LoopConstraint] | None
"""Loops of a robot; None: its own, `robot.loops`."""


class LoopFunction(RobotFunction):
    """A function of a robot and of loops, its own or others."""

    def __init__(self, robot: RobotModel, loops: Loops = None) -> None:
        super().__init__(robot)
        kind = type(self).__name__
        self.closures = closures(robot, loops, kind)
        if not self.closures:
            raise ValueError(f"{kind}: robot '{robot.name}' has no loops, and none are given")
        self.rows = sum(closure.rows for closure in self.closures)

    def sizes(self) -> Mapping[str, int]:
        return {**super().sizes(), "rows": self.rows}


class LoopError(LoopFunction):
    """e(q), how far loops are open: a number for each row, zero where they are closed.

    A function of q (nq). For each loop, along the axes of its frame a: the rotation vector from
    frame a to frame b, rad, or, where one rotation is free, the sines of the angles by which the
    axes of both frames part; then the position of frame b, m. As many numbers as `rotations` and
    `translations` name.

    Args:
        robot: the model.
        loops: `LoopConstraint`s of its links; None: its own.
    """

    RESULT = ("rows",)

    def build(self, tree: Tree, *args: Expression) -> Expression:
        motion = WorldMotion(tree.bodies, tree.nv, *args)
        return ad.stack(*(closure.error(motion, tree) for closure in self.closures))


class ClosedConfiguration(LoopFunction):
    """q with e(q) = 0, nq entries: the whole configuration for given independent joints.

    A function of `independent`, the coordinates of the joints of that name one behind the other
    (if there are some), and `guess` (nq), of which the joints that follow are read: of the
    assemblies that close the loops, the one near it. Derivatives by `independent` are those of the
    implicit function, to every order; that by the guess is 0. See `ad.root`.

    Where the joints that follow have more freedoms than the loops hold, they take the least way x
    from the guess, in rad and m: dL/d(x, m) = 0 with L = |x|^2 / 2 + m . e(q), and q follows the
    guess. Without independent joints that is the closed configuration nearest to it.

    Rows of e that depend on others at closed configurations are not solved for.

    Args:
        robot: the model.
        independent: names of joints; None: the first ones, in the order of q, that leave the loops
            enough freedoms to close; (): none.
        loops: `LoopConstraint`s of its links; None: its own.
        status: whether an entry follows that is 1 where all loops are closed, else 0.
        iterations: how many steps at most.
        tolerance: of the rows that are solved for, rad and m.

    Raises:
        ValueError: for unknown names, for joints that are not independent, since the others cannot
            close the loops then, and for loops that no configuration closes.

    Example:
        >>> closed = ClosedConfiguration(robot, ["crank"])
        >>> q = closed.eval([0.3], robot.neutral())
    """

    ARGUMENTS: ClassVar[Sizes] = {}
    OPTIONS: ClassVar[Sizes] = {"independent": "n", "guess": "nq"}
    RESULT = ("nq + status",)

    def __init__(
        self,
        robot: RobotModel,
        independent: Sequence[str] | None = None,
        loops: Loops = None,
        *,
        status: bool = False,
        iterations: int = 50,
        tolerance: float = 1e-10,
    ) -> None:
        super().__init__(robot, loops)
        kind = "ClosedConfiguration"
        self.status = flag(status, f"{kind}: status")
        self.iterations = whole_number(iterations, f"{kind}: iterations", least=1)
        self.tolerance = number(tolerance, f"{kind}: tolerance")
        named = None if independent is None else _checked(robot, independent)
        slopes = [J for _, J in closed_configurations(robot, self.closures)]
        if not slopes:
            raise ValueError(f"{kind}: no configuration of '{robot.name}' closes the loops")
        J = max(slopes, key=_rank)
        self.solved = _spanning_rows(J)
        if not self.solved:
            raise ValueError(f"{kind}: the loops hold nothing: no joint moves their gaps")
        chosen = _independent(robot, J) if named is None else named
        self.independent = tuple(chosen)
        self._given, self._v = _places(robot, chosen)
        rank = _rank(J[:, self._v]) if self._v else 0
        if rank < len(self.solved):
            raise ValueError(
                f"{kind}: argument 'independent' names joints with {robot.nv - len(self._v)} "
                f"freedoms ({', '.join(chosen)}); the loops leave {robot.nv - len(self.solved)}, "
                f"and hold {len(self.solved)}, {rank} of them by the other joints"
            )

    def sizes(self) -> Mapping[str, int]:
        nq = self.robot.nq
        return {**super().sizes(), "n": len(self._given), "nq + status": nq + self.status}

    def expand(self, *args: Expression) -> Expression:
        named = dict(zip(self.arguments(), args, strict=True))
        n, m, guess = len(self._v), len(self.solved), named["guess"]
        if n == m:
            guess = adm.stop_gradient(guess)
        places = {k: named["independent"][i] for i, k in enumerate(self._given)}
        begin = ad.stack(*(places.get(k, guess[k]) for k in range(self.robot.nq)))
        x = ad.var("x", n if n == m else n + m)
        moves = {k: x[i] for i, k in enumerate(self._v)}
        moved = ad.stack(*(moves.get(k, 0.0) for k in range(self.robot.nv)))
        error = opened(self.robot, self.closures).replace(**{_MOVED: moved})
        condition = error[self.solved]
        if n > m:
            way = 0.5 * adm.normSquared(x[:n])
            condition = ad.gradient(way + adm.dot(x[n:], condition), "x")
        options: dict[str, Any] = {"iterations": self.iterations, "tolerance": self.tolerance}
        zero = np.zeros(x.size or 0)
        root = ad.root(condition, {"x": zero}, status=self.status, **options)
        values: dict[str, Expression] = {_AT: begin}
        if "parameters" in named:
            values["parameters"] = named["parameters"]
        root = _replaced(root, values)
        values["x"] = root[: zero.size]
        q = Integrate(self.robot)(begin, moved.replace(x=values["x"]))
        if not self.status:
            return q
        closed = root[zero.size]
        if m < self.rows:
            widest = ad.maximum(ad.abs_(_replaced(error, values)))
            closed = closed * less_equal(widest, _OPEN * self.tolerance)
        return ad.stack(q, closed)


def _replaced(e: Expression, values: Mapping[str, Expression]) -> Expression:
    """The expression with those of its variables that are named replaced."""
    return e.replace(**{name: values[name] for name in e.terminals() if name in values})


_AT, _MOVED = "q", "moved"
_RANK, _OPEN = 1e-7, 1e3


def closures(robot: RobotModel, loops: Loops, where: str) -> tuple[Closure, ...]:
    """The rows of loops, the robot's own for None.

    Raises:
        TypeError: for other objects.
        ValueError: for links that the robot does not have.
    """
    given = robot.loops if loops is None else listed(loops, f"{where}: 'loops'", "LoopConstraint")
    return tuple(closure(robot, loop, where) for loop in given)


def closure(robot: RobotModel, loop: LoopConstraint, where: str) -> Closure:
    """The rows of a loop, if its links are the robot's and move against each other."""
    checked(loop, LoopConstraint, where, "loops", "LoopConstraints")
    for link in (loop.link_a, loop.link_b):
        found(link, robot.link_index, "link", f"{where}: ")
    if _carrier(robot, loop.link_a) == _carrier(robot, loop.link_b):
        raise ValueError(f"{where}: the links of loop '{loop}' are one body, held already")
    return Closure(loop)


def _carrier(robot: RobotModel, link: str) -> str:
    """The link that a link is fixed to, next to a joint that moves or the root."""
    above = {joint.child: joint for joint in robot.joints}
    while link in above and (above[link].type.nv == 0 or above[link].follows.multiplier == 0.0):
        link = above[link].parent
    return link


def opened(robot: RobotModel, loops: Sequence[Closure]) -> Expression:
    """The errors of loops at the variable `q` moved along the variable `moved`."""
    function = LoopError(robot, [closure.loop for closure in loops])
    q = Integrate(robot)(ad.var(_AT, robot.nq), ad.var(_MOVED, robot.nv))
    others = [ad.var("parameters", robot.n_parameters)] if robot.parametrized else []
    return function(q, *others)


def closed_configurations(
    robot: RobotModel, loops: Sequence[Closure], count: int = 3
) -> Iterator[tuple[Vector, Matrix]]:
    """Some q that close loops, and de/dv there, (rows, nv); fewer where they are hard to find.

    Gauss and Newton's steps, of the least length and not beyond 1, from the neutral configuration
    and from random ones.
    """
    error, rng = opened(robot, loops), np.random.default_rng(0)
    values = {_MOVED: np.zeros(robot.nv)}
    if robot.parametrized:
        values["parameters"] = robot.parameters
    left = count
    for q in (robot.neutral(), *robot.random(rng, 10 * count)):
        for _ in range(50):
            e = np.atleast_1d(error.eval(**values, **{_AT: q}))
            J = error.derivative(_MOVED, **values, **{_AT: q})
            if np.abs(e).max() < 1e-11:
                left -= 1
                yield q, J
                break
            step = -np.linalg.pinv(J, rcond=_RANK) @ e
            length = float(np.linalg.norm(step))
            if length < 1e-9:  # nothing helps from here
                break
            q = robot.integrate(q, step / max(1.0, length))
        if left == 0:
            return


def _rank(J: Matrix) -> int:
    return int(np.linalg.matrix_rank(J, tol=_RANK))


def _spanning_rows(J: Matrix) -> list[int]:
    """Rows that span all others: each time the one that is farthest from those taken."""
    left, rows = J.copy(), list[int]()
    while True:
        lengths = np.linalg.norm(left, axis=1)
        row = int(np.argmax(lengths))
        if lengths[row] < _RANK or len(rows) == min(J.shape):
            return sorted(rows)
        rows.append(row)
        direction = left[row] / lengths[row]
        left = left - np.outer(left @ direction, direction)


def _independent(robot: RobotModel, J: Matrix) -> list[str]:
    """The first joints that leave the columns of the others with the rank of all."""
    rank, chosen, columns = _rank(J), list[str](), list(range(robot.nv))
    for joint in robot.independent_joints:
        own = range(*robot.v_slices[joint.name].indices(robot.nv))
        rest = [k for k in columns if k not in own]
        if rest and _rank(J[:, rest]) == rank:
            chosen.append(joint.name)
            columns = rest
    return chosen


def _checked(robot: RobotModel, independent: Sequence[str]) -> list[str]:
    where = "ClosedConfiguration: argument 'independent'"
    names = listed(independent, where, "names of joints")
    for name in names:
        found(name, robot.v_slices, "moving joint", f"{where}: ")
    if len(set(names)) < len(names):
        raise ValueError(f"{where}: a joint is listed twice")
    return names


def _places(robot: RobotModel, independent: Sequence[str]) -> tuple[list[int], list[int]]:
    """Entries of q of the independent joints, in their order, and of v of the others."""
    given = [k for name in independent for k in range(robot.nq)[robot.q_slices[name]]]
    taken = {k for name in independent for k in range(robot.nv)[robot.v_slices[name]]}
    return given, [k for k in range(robot.nv) if k not in taken]
