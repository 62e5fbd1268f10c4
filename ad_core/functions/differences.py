"""Finite differences: the helpers that users call, and what stands in for a missing derivative."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from ad_core.graph.errors import checked, one_of
from ad_core.graph.values import Array, as_value, number

Policy = Literal["allow", "warn", "error"]
POLICIES = ("allow", "warn", "error")

LEAST_RELATIVE_STEP = 1.5e-8
"""The square root of the rounding unit: a smaller step would drown in the entry's own rounding."""

_policy: ContextVar[Policy] = ContextVar("finite_difference_policy", default="allow")


@contextmanager
def finite_difference_policy(policy: Policy) -> Generator[None]:
    """Within the context, allow, warn of, or refuse derivatives by finite differences.

    `"warn"` gives a RuntimeWarning and `"error"` a NotImplementedError, each when such a derivative
    is computed. Raises ValueError for another policy.
    """
    one_of(policy, "finite_difference_policy: policy", POLICIES)
    token = _policy.set(policy)
    try:
        yield
    finally:
        _policy.reset(token)


def apply_policy(what: str) -> None:
    """Tell, or refuse, that `what` is about to be differentiated by finite differences."""
    policy = _policy.get()
    if policy == "warn":
        message = f"{what} is by finite differences: no exact derivative is given"
        warnings.warn(message, RuntimeWarning, stacklevel=2)
    elif policy == "error":
        raise NotImplementedError(f"{what} is not given, and finite differences are refused here")


def finite_difference_step() -> float:
    """`ad_core.FINITE_DIFFERENCE_RES` as it is set now."""
    return float(sys.modules["ad_core"].FINITE_DIFFERENCE_RES)


def central_differences(
    f: Callable[..., ArrayLike], args: Sequence[Any], path: Sequence[int], shape: tuple[int, ...]
) -> Array:
    """`f` differentiated w.r.t. each argument number in `path` in turn, to the given shape.

    The leading `len(shape) - len(path)` axes are those of `f` itself. The step grows with the order
    `k` as `r^(3 / (k + 2))`, `r = FINITE_DIFFERENCE_RES`, which balances truncation and rounding
    (Press et al., Numerical Recipes, 3rd ed., section 5.7). Beside a large entry it is larger.
    """
    own = shape[: len(shape) - len(path)]
    step = finite_difference_step() ** (3.0 / (len(path) + 2))

    def differenced(order: int, point: Sequence[Any]) -> Array:
        if order == 0:
            return np.asarray(f(*point), dtype=np.float64).reshape(own)
        arg = path[order - 1]
        x = as_value(point[arg], "x")
        columns: list[Array] = []
        for i in range(x.size):
            ends: list[Array] = []
            reach = 0.0
            for side in (1.0, -1.0):
                moved = np.array(x).reshape(-1)
                moved[i] += side * max(step, LEAST_RELATIVE_STEP * abs(moved[i]))
                reach += side * float(moved[i])
                entry = float(moved[0]) if x.ndim == 0 else moved
                ends.append(differenced(order - 1, [*point[:arg], entry, *point[arg + 1 :]]))
            columns.append((ends[0] - ends[1]) / reach)
        lower = (*own, *(shape[len(own) + k] for k in range(order - 1)))
        return np.stack(columns, axis=-1) if columns else np.zeros((*lower, 0))

    return differenced(len(path), args)


def finite_differences(f: Callable[[Any], ArrayLike], x: ArrayLike, h: float = 1e-6) -> Array:
    """Forward differences `(f(x + h e_i) - f(x)) / h`, shape `(size(f(x)), size(x))`.

    `f` and `x` are a scalar or a vector each.
    """
    checked(f, Callable, "finite_differences", "f", "a callable")
    at = as_value(x, "x")
    base = _flat(f, at)
    moved = at.reshape(-1) + number(h, "finite_differences: the step h") * np.eye(at.size)
    columns = [(_flat(f, row.reshape(at.shape)) - base) / h for row in moved]
    return np.stack(columns, axis=1) if columns else np.zeros((base.size, 0))


def finite_differences_hessian(f: Callable[[Any], ArrayLike], x: ArrayLike, h: float) -> Array:
    """Forward differences of second order in `x`, shape `(size(f(x)), size(x), size(x))`."""
    checked(f, Callable, "finite_differences_hessian", "f", "a callable")
    at = as_value(x, "x")
    return finite_differences_hessian2(lambda x, dx: f(x + dx), at, np.zeros(at.shape), h)


def finite_differences_hessian2(
    f: Callable[[Any, Any], ArrayLike],
    x: ArrayLike,
    y: ArrayLike,
    hx: float,
    hy: float | None = None,
) -> Array:
    """Forward differences of `d^2 f / dx dy`, shape `(size(f), size(x), size(y))`.

    `hy` is the step in `y`, by default that in `x`.
    """
    checked(f, Callable, "finite_differences_hessian2", "f", "a callable")
    step = hx if hy is None else hy
    slopes = finite_differences(
        lambda x: finite_differences(lambda y: f(x, y), y, step).reshape(-1), x, hx
    )
    size, m, n = np.size(f(x, y)), np.size(x), np.size(y)
    return slopes.reshape(size, n, m).swapaxes(1, 2)


def _flat(f: Callable[[Any], ArrayLike], x: Array) -> Array:
    """`f` of a number or a vector, as a vector."""
    return np.array(as_value(f(float(x) if x.ndim == 0 else x.copy()), "f(x)")).reshape(-1)
