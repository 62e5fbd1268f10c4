"""Functions of rotations and rigid transforms: of expressions, and of arrays at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

import ad_core as ad
from ad_core.graph import Expression, ExpressionLike, MatrixLayout, in_order, real
from ad_core.ops import ComposedFunction, always

_NUMBERS = (np.ndarray, np.number, float, int)


class GroupFunction(ad.Composite):
    """A function that gives arrays where it is called with arrays, and numbers beside them.

    Their batch axes come first and broadcast: `se3.mul(A, B)` of `(*batch, 12)` and `(12,)` is
    `(*batch, 12)`. A scalar is a float without batch axes, else `(*batch, 1)`. With an expression,
    a name or a list among the arguments, and without arguments, the result is an expression.
    """

    def __call__(self, /, *args: ExpressionLike, **named: ExpressionLike) -> Any:
        """The expression, or the value of arrays.

        Raises ValueError for a wrong count, name or size, or batch axes that do not broadcast.
        """
        given = (*args, *named.values())
        arrays = any(isinstance(value, np.ndarray) for value in given)
        if not (arrays and all(isinstance(value, _NUMBERS) for value in given)):
            return super().__call__(*args, **named)
        count = len(args) if self.n_args() < 0 else self.n_args()
        names = tuple(self.argname(i) for i in range(count))
        ordered = in_order(str(self), names, args, named, self.defaults)
        values = {n: real(v, f"{self}: {n}") for n, v in zip(names, ordered, strict=True)}
        self.call_size(tuple(v.shape[-1] if v.ndim else 1 for v in values.values()))
        root = _on_variables(self, names)
        single = all(value.ndim < 2 for value in values.values())
        return root.eval(**values) if single else root.eval_batch(**values)


class _Composed(GroupFunction, ComposedFunction):
    """A group's function by a rule."""


@cache
def _on_variables(func: GroupFunction, names: tuple[str, ...]) -> Expression:
    sizes = [func.n_in(i) for i in range(len(names))]
    return func(*(ad.var(n, None if k < 0 else k) for n, k in zip(names, sizes, strict=True)))


def group_function(
    name: str, *, argnames: Sequence[str], n_in: Sequence[int | None], n_out: int | MatrixLayout
) -> Callable[[Callable[..., Expression]], ad.Composite]:
    """As `ad.composite`, for a function that takes arrays, too."""
    scalar = always if n_out == 1 else all
    return lambda rule: _Composed(name, rule, argnames, n_in, n_out, scalar)
