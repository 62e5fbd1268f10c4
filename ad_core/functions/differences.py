"""Derivatives of users' functions: by finite differences, as given, and one against the other."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from ad_core.graph.errors import checked, one_of, wrong_kind
from ad_core.graph.nodes import ADFunctionInterface, Expression, gives, listed
from ad_core.graph.values import Array, as_value, number, real

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


def given_tensors(
    func: ADFunctionInterface, path: tuple[int, ...], shape: tuple[int, ...], args: Sequence[Any]
) -> Iterator[tuple[str, Array]]:
    """The derivative by each method that the function gives for it, with the method's name."""

    def by_products() -> Array:
        columns = [pushed(func, path[0], t, args, shape[0]) for t in np.eye(shape[1])]
        return np.stack(columns, axis=1) if columns else np.zeros(shape)

    ways = {"gen_derivative": lambda: func.gen_derivative(list(path), *args)}
    if len(path) == 1:
        ways |= {"derivative": lambda: func.derivative(path[0], *args), "jvp": by_products}
    for method, compute in ways.items():
        if gives(func, method):
            try:
                value = compute()
            except NotImplementedError:
                continue
            yield method, checked_tensor(f"{func}: {method}", value, shape)


def checked_tensor(place: str, value: Any, shape: tuple[int, ...]) -> Array:
    """What a user's derivative returned, in the shape expected; a plain 0 stands for zeros.

    Axes of length 1 may be missing or added; anything else is an error, never a reshape.
    """
    if value is None:
        raise TypeError(f"{place} returned None, expected an array of shape {shape}")
    array = real(value, f"what {place} returned")
    if array.ndim == 0 and array == 0:
        return np.zeros(shape)
    if [n for n in array.shape if n != 1] != [n for n in shape if n != 1]:
        raise ValueError(f"{place} returned shape {array.shape}, expected {shape}")
    return array.reshape(shape)


def pushed(
    func: ADFunctionInterface, arg: int, tangent: Array, args: Sequence[Any], size: int
) -> Array:
    """`func.jvp` along a tangent `(n_in,)`, which is a float where the argument is one."""
    given = float(tangent[0]) if np.ndim(args[arg]) == 0 else tangent
    return checked_tensor(f"{func}: jvp", func.jvp(arg, given, *args), (size,))


def check_derivatives(
    f: Expression | ADFunctionInterface,
    x: Mapping[str, ArrayLike] | Sequence[ArrayLike],
    h: float = 1e-6,
    rtol: float = 1e-2,
    atol: float = 1e-3,
) -> None:
    """Check every derivative of `f` at `x` against forward differences of step `h`.

    Args:
        f: An expression, of which the derivative w.r.t. each variable is checked, or a function, of
            which each `derivative`, `jvp` and first `gen_derivative` that it gives is checked.
        x: The variables' values by name for an expression, a list of arguments for a function.
        h: The step.
        rtol: Relative tolerance, as in `numpy.allclose`.
        atol: Absolute tolerance.

    Raises:
        AssertionError: where they differ, naming the argument and showing both.
        TypeError: where `x` is of the other kind than `f` needs.
    """
    h, rtol, atol = (
        number(value, f"check_derivatives: {name}")
        for name, value in (("h", h), ("rtol", rtol), ("atol", atol))
    )
    if isinstance(f, Expression):
        if not isinstance(x, Mapping):
            raise TypeError("check_derivatives: an expression needs a dict of values by name")
        checks = _expression_checks(f, x, h)
    elif isinstance(f, ADFunctionInterface):  # pyright: ignore[reportUnnecessaryIsInstance]
        if isinstance(x, Mapping):
            raise TypeError(f"check_derivatives: {f} needs a list of arguments")
        checks = _function_checks(f, listed(x, "check_derivatives", "arguments"), h)
    else:
        raise wrong_kind("check_derivatives", "f", f, "an expression or a function")
    for place, got, expected in checks:
        if not np.allclose(got, expected, rtol=rtol, atol=atol):
            raise AssertionError(f"{place} is\n{got}\nbut finite differences give\n{expected}")


Check = tuple[str, Array, Array]


def _expression_checks(f: Expression, x: Mapping[str, ArrayLike], h: float) -> list[Check]:
    checks: list[Check] = []
    for name in f.terminals():
        got = f.derivative(name, **x)

        def along(value: Any, name: str = name) -> Any:
            return f.eval(**{**x, name: value})

        checks.append(
            (f"the derivative w.r.t. '{name}'", got, finite_differences(along, x[name], h))
        )
    return checks


def _function_checks(f: ADFunctionInterface, x: Sequence[ArrayLike], h: float) -> list[Check]:
    args: list[Any] = [as_value(a, f.argname(i)) for i, a in enumerate(x)]
    args = [float(a) if a.ndim == 0 else a for a in args]
    checks: list[Check] = []
    for i in range(len(args)):

        def along(value: Any, i: int = i) -> Any:
            return f.eval(*args[:i], value, *args[i + 1 :])

        expected = finite_differences(along, args[i], h)
        for method, got in given_tensors(f, (i,), expected.shape, args):
            checks.append((f"{f}: {method} w.r.t. '{f.argname(i)}'", got, expected))
    return checks
