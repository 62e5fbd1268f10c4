"""The surface that functions share: what a call checks, and what a user's function may give."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ad_core.graph.errors import wrong_count, wrong_size
from ad_core.graph.nodes import ADFunctionCall, ExpressionLike


class ADFunctionInterface:
    """A function `f(x_0, ..., x_k)` of scalars and 1-D arrays that builds expressions when called.

    A subclass gives at least `eval`. `n_args`, `n_in`, `n_out` let mistakes be found when the call
    is built; `derivative`, `jvp` or `gen_derivative` make derivatives exact, and what is missing is
    done by finite differences. An instance may hold any data (a robot, a network).
    """

    def __str__(self) -> str:
        return type(self).__name__

    def __repr__(self) -> str:
        """The name, the arguments, and whether derivatives are by finite differences."""
        count = self.n_args()
        names = "..." if count < 0 else ", ".join(self.argname(i) for i in range(count))
        how = "gen_derivative" if gives(self, "gen_derivative") else "finite differences"
        first = any(gives(self, method) for method in ("derivative", "jvp"))
        if first and how != "gen_derivative":
            return f"<{self}({names}): derivatives above order 1 by finite differences>"
        return f"<{self}({names}): derivatives by {how}>"

    def argname(self, arg: int) -> str:
        """A name for argument `arg`: by default, the name that `eval` gives it."""
        names = _parameters(self)
        return names[arg] if names is not None and arg < len(names) else f"arg_{arg}"

    def n_args(self) -> int:
        """The number of arguments, or -1 where any number will do."""
        names = _parameters(self)
        return -1 if names is None else len(names)

    def n_in(self, arg: int) -> int:
        """The number of entries of argument `arg` (1 also admits a scalar), or -1 if it varies."""
        return -1

    def n_out(self) -> int:
        """The number of entries of the result, or -1 if it varies."""
        return -1

    def eval(self, *args: Any) -> Any:
        """The value for arguments that are floats or float arrays."""
        raise NotImplementedError(f"{self}: eval is not defined")

    def derivative(self, arg: int, *args: Any) -> Any:
        """The Jacobian w.r.t. argument `arg`, shape `(n_out, n_in(arg))`; 0 stands for zeros.

        Raises NotImplementedError where it is not given.
        """
        raise NotImplementedError(f"{self}: derivative is not defined")

    def gen_derivative(self, arg: Sequence[int], *args: Any) -> Any:
        """The derivative w.r.t. each argument number in `arg`, in turn; 0 stands for zeros.

        Shape `(n_out, n_in(arg[0]), ..., n_in(arg[-1]))`. Raises NotImplementedError where it is
        not given.
        """
        raise NotImplementedError(f"{self}: gen_derivative is not defined")

    def jvp(self, arg: int, darg: Any, *args: Any) -> Any:
        """`(df/dx_arg) darg`, shape `(n_out,)`; raises NotImplementedError where not given."""
        raise NotImplementedError(f"{self}: jvp is not defined")

    def sparsity(self, arg: int) -> NDArray[np.bool_] | None:
        """Where `df/dx_arg` can be other than zero: booleans `(n_out, n_in(arg))`; None: anywhere.

        `Expression.sparsity` and `derivative_sparse` follow it, and so does CasADi.
        """
        return None

    def __call__(self, *args: ExpressionLike) -> ADFunctionCall:
        """The expression of this function applied to expressions, names, numbers or arrays."""
        return ADFunctionCall(self, args)

    def call_size(self, sizes: tuple[int | None, ...]) -> int | None:
        """The result's size for arguments of these sizes (None: unknown); raises if they misfit."""
        expected = self.n_args()
        if expected not in (-1, len(sizes)):
            raise wrong_count(str(self), len(sizes), expected)
        for i, size in enumerate(sizes):
            wanted = self.n_in(i)
            if size is not None and wanted not in (-1, size):
                raise wrong_size(str(self), self.argname(i), size, wanted)
        out = self.n_out()
        return None if out == -1 else out


def _parameters(func: ADFunctionInterface) -> list[str] | None:
    """The names of `eval`'s parameters without default, or None where it takes any number."""
    parameters = inspect.signature(func.eval).parameters.values()
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return None
    return [p.name for p in parameters if p.default is p.empty]


def gives(func: ADFunctionInterface, method: str) -> bool:
    """Whether a function offers `method`: by overriding it, or as its `given_methods` say."""
    given = getattr(func, "given_methods", None)
    if given is not None:
        return method in given
    return getattr(type(func), method) is not getattr(ADFunctionInterface, method)
