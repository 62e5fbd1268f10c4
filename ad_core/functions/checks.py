"""`check_derivatives`: compare the derivatives of an expression or a function with differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ad_core.functions.differences import finite_differences
from ad_core.functions.opaque import given_tensors
from ad_core.graph.errors import wrong_kind
from ad_core.graph.nodes import ADFunctionInterface, Expression, listed
from ad_core.graph.values import Array, as_value, number


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
