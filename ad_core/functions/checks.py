"""`check_derivatives`: compare the derivatives of an expression or a function with differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike

from ad_core.functions.differences import finite_differences
from ad_core.functions.opaque import checked_tensor, pushed
from ad_core.graph.nodes import ADFunctionInterface, Expression, gives
from ad_core.graph.values import Array, as_value


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
    if isinstance(f, Expression):
        if not isinstance(x, Mapping):
            raise TypeError("check_derivatives: an expression needs a dict of values by name")
        checks = _expression_checks(f, x, h)
    else:
        if isinstance(x, Mapping):
            raise TypeError(f"check_derivatives: {f} needs a list of arguments")
        checks = _function_checks(f, x, h)
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
        for method, got in _given(f, i, args, (expected.shape[0], expected.shape[1])):
            checks.append((f"{f}: {method} w.r.t. '{f.argname(i)}'", got, expected))
    return checks


def _given(
    f: ADFunctionInterface, arg: int, args: Sequence[Any], shape: tuple[int, int]
) -> list[tuple[str, Array]]:
    """The Jacobian by each method that the function gives for this argument."""
    found: list[tuple[str, Array]] = []
    methods = {
        "derivative": lambda: f.derivative(arg, *args),
        "gen_derivative": lambda: f.gen_derivative([arg], *args),
        "jvp": lambda: np.stack(
            [pushed(f, arg, t, args, shape[0]) for t in np.eye(shape[1])], axis=1
        ),
    }
    for method, compute in methods.items():
        if gives(f, method):
            try:
                value = cast("Any", compute())
            except NotImplementedError:
                continue
            found.append((method, checked_tensor(f"{f}: {method}", value, shape)))
    return found
