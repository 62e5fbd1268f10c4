"""`root` and `least_squares`: what an expression is zero or least at, as functions of the graph.

residual -> Levenberg and Marquardt's steps -> `Scan` until converged -> `Implicit`
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from ad_core.derivatives.operators import jacobian
from ad_core.graph.errors import checked, unknown_size, wrong_size
from ad_core.graph.nodes import (
    ADFunctionInterface,
    ADTerminal,
    Constant,
    Expression,
    ExpressionLike,
    as_expression,
)
from ad_core.graph.values import flag, number, whole_number
from ad_core.graph.walks import sizes_asked, terminals, topological
from ad_core.loops.body import CARRY, HELD, Body, replaced
from ad_core.loops.implicit import Implicit
from ad_core.loops.scan_op import Scan, cut
from ad_core.lowering.lowered import applied
from ad_core.ops.compositions import clip, dot, maximum, minimum
from ad_core.ops.control import cond
from ad_core.ops.elementwise import abs_, less, less_equal, stop_gradient
from ad_core.ops.linalg import matmul, solve_spd
from ad_core.ops.primitive import Composite
from ad_core.ops.structure import Scatter, Take, spread, stack

Guess: TypeAlias = "Mapping[str, ExpressionLike] | ExpressionLike"

# The damping at the beginning, what a step that helps and one that does not make of it, its bounds.
_DAMPING, _LESS, _MORE, _LEAST, _MOST = 1e-3, 0.05, 5.0, 1e-15, 1e12
# What is added to the diagonal that damping scales; relative rounding of a sum of squares.
_TINY, _ROUNDING = 1e-12, 1e-14


def root(
    residual: Expression | ADFunctionInterface,
    guess: Guess,
    *,
    iterations: int = 50,
    tolerance: float = 1e-10,
    status: bool = False,
) -> Expression:
    """The y with r(y, p) = 0, near the guess, and its derivatives by p, of every order.

    Damped Newton steps by Levenberg and Marquardt's method until max |r| <= tolerance, for each
    sample of a batch by itself; dy = -(dr/dy)^-1 (dr/dp) dp at the root.

    Args:
        residual: r, as many entries as y: an expression of variables with sizes, or a function.
            All its variables but y are p, and stay variables.
        guess: where y is looked for, by the name of the unknown: `{"y": value}`; a value by itself
            is that of a function's first argument. The derivative by the guess is 0.
        iterations: how many steps at most.
        tolerance: of each entry of r.
        status: whether an entry follows that is 1 where y is a root and 0 where none was found: y
            is the best there, and its derivatives mean nothing. The numpy engine warns, too.

    Raises:
        ValueError: for names that r does not have, and sizes that misfit or are not known.
        NotImplementedError: where a user's function stands in r.

    Example:
        >>> y, a = ad.var("y", 1), ad.var("a", 1)
        >>> square_root = ad.root(y * y - a, {"y": 1.0})
        >>> square_root.eval(a=2.0)
    """
    return _solution("root", residual, guess, iterations, tolerance, status, None)


def least_squares(
    residual: Expression | ADFunctionInterface,
    guess: Guess,
    *,
    lower: ExpressionLike | None = None,
    upper: ExpressionLike | None = None,
    iterations: int = 100,
    tolerance: float = 1e-8,
    status: bool = False,
) -> Expression:
    """The y with the least |r(y, p)|^2 / 2 between bounds, near the guess, and its derivatives.

    Levenberg and Marquardt's steps (Nocedal & Wright, "Numerical Optimization", 2006, section
    10.3), variables at a bound held there while the gradient g pushes outwards. The solution is a
    root of y - clip(y - g, lower, upper), whose derivatives it has: exact ones, with those of r of
    second order.

    Args:
        residual: r, of any number of entries; else as for `root`.
        guess: as for `root`.
        lower: bounds of y: a number, as many as y has, or an expression; None: none.
        upper: likewise.
        iterations: how many steps at most.
        tolerance: of each entry of y - clip(y - g, lower, upper).
        status: as for `root`: whether an entry follows that is 1 where y is such a solution.

    Raises:
        ValueError, NotImplementedError: as `root`.
    """
    bounds = [-np.inf if lower is None else lower, np.inf if upper is None else upper]
    if lower is None and upper is None:
        bounds = []
    return _solution("least_squares", residual, guess, iterations, tolerance, status, bounds)


def _solution(  # noqa: PLR0917
    title: str,
    residual: Expression | ADFunctionInterface,
    guess: Guess,
    iterations: int,
    tolerance: float,
    status: bool,
    bounds: list[ExpressionLike] | None,
) -> Expression:
    kinds = (Expression, ADFunctionInterface)
    checked(residual, kinds, title, "residual", "an expression or a function")
    r = applied(residual) if isinstance(residual, ADFunctionInterface) else residual
    iterations = whole_number(iterations, f"{title}: iterations", least=1)
    tolerance = number(tolerance, f"{title}: tolerance")
    sizes = terminals([r])
    if not isinstance(guess, Mapping):
        if not isinstance(residual, ADFunctionInterface):
            raise ValueError(f"{title}: guess names the unknown of an expression: {{'y': ...}}")
        guess = {next(iter(sizes)): guess}
    if len(guess) != 1:
        raise ValueError(f"{title}: guess has {len(guess)} unknowns, expected 1; see ad.stack")
    ((name, start),) = guess.items()
    if name not in sizes:
        have = ", ".join(sizes)
        raise ValueError(f"{title}: the residual has no variable '{name}', only {have}")
    held = tuple(other for other in sizes if other != name)
    solve = Solution(title, r, (name, *held), len(bounds or ()), iterations, tolerance)
    solve.is_root, solve.tells = bounds is None, flag(status, f"{title}: status")
    others = [ADTerminal(other, sizes[other]) for other in held]
    limits = [as_expression(b, w) for b, w in zip(bounds or (), ("lower", "upper"), strict=False)]
    return solve(as_expression(start, f"{title}: {name}"), *limits, *others)


class Solution(Composite):
    """The function that `root` and `least_squares` are: of the guess, bounds, and parameters."""

    is_root, tells = True, False

    def __init__(  # noqa: PLR0917
        self,
        title: str,
        residual: Expression,
        names: tuple[str, ...],
        n_bounds: int,
        iterations: int,
        tolerance: float,
    ) -> None:
        self.name, self.residual, self.n_bounds = title, residual, n_bounds
        self.iterations, self.tolerance = iterations, tolerance
        self.names = names
        self.argnames = (names[0], *("lower", "upper")[:n_bounds], *names[1:])

    def n_out(self) -> int:
        size = terminals([self.residual])[self.names[0]]
        return -1 if size is None else size + self.tells

    def n_in(self, arg: int) -> int:
        return -1

    def expand(self, *args: Expression) -> Expression:
        problem = self._problem(args)
        n = problem.size
        held = [spread(b, n) for b in args[1 : 1 + self.n_bounds]] + [*args[1 + self.n_bounds :]]
        begin = stack(spread(args[0], n), [_DAMPING, 0.0])
        step = Body.of(problem.step(self.tolerance), Constant(np.zeros(0)), problem.inputs)
        if step.lowered.tape.opaque:
            raise NotImplementedError(f"{self.name}: a user's function in the residual has no loop")
        found = Scan(step, self.iterations, until=n + 1)(begin, *held)
        y, _, converged = cut(stop_gradient(found), [n, 1, 1])
        condition = Body.of(problem.condition, Constant(np.zeros(0)), problem.of_condition)
        value = Implicit(condition, self.name)(y, converged, *held)
        return stack(value, converged) if self.tells else value

    def _problem(self, args: tuple[Expression, ...]) -> Problem:
        declared = terminals([self.residual])
        asked = sizes_asked(topological([self.residual]))
        sizes: list[int] = []
        for name in self.names:
            known = declared[name] if declared[name] is not None else asked.get(name)
            if known is None:
                raise unknown_size(self.name, name)
            sizes.append(known)
        n, *others = sizes
        if args[0].size not in (1, n):
            raise wrong_size(self.name, self.names[0], args[0].size or 0, n)
        for name, bound in zip(("lower", "upper"), args[1 : 1 + self.n_bounds], strict=False):
            if bound.size not in (1, n):
                raise wrong_size(self.name, name, bound.size or 0, f"{n} or 1")
        y = ADTerminal("@y", n)
        held = [ADTerminal(name, size) for name, size in zip(self.names[1:], others, strict=True)]
        new: dict[str, Expression] = {self.names[0]: y, **{v.name: v for v in held}}
        (r,) = replaced([self.residual], new)
        bounds = [ADTerminal(name, n) for name in ("@lower", "@upper")[: self.n_bounds]]
        if self.is_root and r.size not in (None, n):
            raise wrong_size(self.name, "residual", r.size or 0, f"{n} as the unknown")
        return Problem(y, bounds, held, r, self.is_root)


@dataclass(frozen=True)
class Problem:
    """Least squares of r(y, p) between bounds, or a root of it."""

    y: ADTerminal
    bounds: list[ADTerminal]
    held: list[ADTerminal]
    residual: Expression
    is_root: bool

    @property
    def size(self) -> int:
        """Entries of y."""
        return self.y.size or 0

    @property
    def inputs(self) -> list[tuple[ADTerminal, str]]:
        """Of a step: [y, damping, done], bounds, parameters."""
        return [(ADTerminal("@carry", self.size + 2), CARRY), *self._fixed]

    @property
    def of_condition(self) -> list[tuple[ADTerminal, str]]:
        """Of the condition: y, bounds, parameters."""
        return [(self.y, CARRY), *self._fixed]

    @property
    def _fixed(self) -> list[tuple[ADTerminal, str]]:
        return [(v, HELD) for v in (*self.bounds, *self.held)]

    @property
    def condition(self) -> Expression:
        """What is 0 at the solution, n entries."""
        if self.is_root:
            return spread(self.residual, self.size)
        return self._projected(self._gradient()[0])

    def _projected(self, gradient: Expression) -> Expression:
        """The condition y - clip(y - g, lower, upper)."""
        if not self.bounds:
            return gradient
        return self.y - clip(self.y - gradient, *self.bounds)

    def _gradient(self) -> tuple[Expression, Expression, int]:
        """J^T r, J row by row, and the number of rows."""
        slopes = jacobian(self.residual, self.y)
        m = (slopes.size or 0) // max(self.size, 1)
        r = spread(self.residual, m)
        return matmul(r, slopes, (1, m), (m, self.size)), slopes, m

    def step(self, tolerance: float) -> Expression:
        """[y, damping, done] after a step; as it was where it is done."""
        n, (carry, _) = self.size, self.inputs[0]
        gradient, slopes, m = self._gradient()
        normal = matmul(_transposed(slopes, m, n), slopes, (n, m), (m, n))
        at, damping, done = cut(carry, [n, 1, 1])
        free = self._free(gradient)
        places = tuple(range(0, n * n, n + 1))
        diagonal = Take(places)(normal)
        added = damping * (diagonal + _TINY * (1.0 + maximum(diagonal)))
        if free is not None:  # what is held at a bound has a row and column of its own
            masks = matmul(free, free, (n, 1), (1, n))
            normal = normal * masks + Scatter(places, n * n)(1.0 - free)
            gradient = gradient * free
        matrix = normal + Scatter(places, n * n)(added)
        trial = self.y - solve_spd(matrix, gradient, (n, n), (n, 1))
        if self.bounds:
            trial = clip(trial, *self.bounds)
        (r_there,) = replaced([self.residual], {self.y.name: trial})
        helps = less(dot(r_there, r_there), (1.0 + _ROUNDING) * dot(self.residual, self.residual))
        moved = cond(helps, trial, self.y)
        changed = minimum(maximum(damping * cond(helps, _LESS, _MORE), _LEAST), _MOST)
        if self.is_root:
            found = less_equal(maximum(abs_(cond(helps, r_there, self.residual))), tolerance)
        else:
            found = less_equal(maximum(abs_(self._projected(self._gradient()[0]))), tolerance)
            moved = cond(found, self.y, moved)
        (following,) = replaced([stack(moved, changed, found)], {self.y.name: at})
        return cond(done, carry, following)

    def _free(self, gradient: Expression) -> Expression | None:
        """1 for entries that are not pushed against their bound, else 0."""
        if not self.bounds:
            return None
        low, high = self.bounds
        below = less_equal(self.y, low) * less(0.0, gradient)
        above = less_equal(high, self.y) * less(gradient, 0.0)
        return 1.0 - maximum(below, above)


def _transposed(matrix: Expression, m: int, n: int) -> Expression:
    return Take(tuple(i * n + j for j in range(n) for i in range(m)))(matrix)
