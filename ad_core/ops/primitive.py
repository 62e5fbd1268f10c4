"""What a function of the graph is made of: primitives (`Op`) and compositions of them.

A primitive says how large its result is, how to compute it over a namespace, and how its
derivative is built as an expression. No engine appears here. A composite has no rules of its own:
it expands into primitives, and so has exact derivatives of every order on every engine.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any, Literal, TypeAlias

from ad_core.graph.errors import wrong_count, wrong_size
from ad_core.graph.layout import MatrixLayout
from ad_core.graph.nodes import (
    ADFunctionCall,
    ADFunctionInterface,
    Constant,
    Expression,
    ExpressionLike,
    as_expression,
)
from ad_core.ops.namespace import Kernel, Namespace
from ad_core.ops.pattern import Dependence, Pattern, dense

Size: TypeAlias = "int | None"
Scalarity: TypeAlias = Literal["arguments", "always", "never"]
"""When a result of one entry is a scalar: if all arguments are, always, or never."""


class Graphed(ADFunctionInterface):
    """What primitives and composites share: numeric evaluation through the graph itself."""

    scalarity: Scalarity = "arguments"

    def __repr__(self) -> str:
        return str(self)

    def gives_scalar(self, scalars: Sequence[bool]) -> bool:
        """Whether a result of one entry is a scalar, given which arguments are."""
        return self.scalarity == "always" or (self.scalarity == "arguments" and all(scalars))

    def eval(self, *args: Any) -> Any:
        names = [f"x{i}" for i in range(len(args))]
        return self(*names).eval(**dict(zip(names, args, strict=True)))

    def gen_derivative(self, arg: Sequence[int], *args: Any) -> Any:
        names = [f"x{i}" for i in range(len(args))]
        values = dict(zip(names, args, strict=True))
        return self(*names).gen_derivative([names[i] for i in arg], **values)

    def derivative(self, arg: int, *args: Any) -> Any:
        return self.gen_derivative([arg], *args)

    def jvp(self, arg: int, darg: Any, *args: Any) -> Any:
        names = [f"x{i}" for i in range(len(args))]
        return self(*names).jvp({names[arg]: darg}, **dict(zip(names, args, strict=True)))


class Op(Graphed):
    """A primitive of the graph.

    `params` are the static parts that tell two instances of one primitive apart (indices, shapes);
    equal `(name, params)` means equal function, which is what common subexpressions are found by.
    """

    name: str
    params: tuple[Hashable, ...] = ()
    entrywise: bool = False
    """Whether each entry of the result depends on that entry of the arguments alone."""
    moves: bool = False
    """Whether each entry of an argument goes to one entry of the result at most, unchanged."""

    def __str__(self) -> str:
        return self.name

    def bind(self, xp: Namespace) -> Kernel:
        """The kernel over a namespace: values with their vector on the last axis, in and out."""
        raise NotImplementedError(f"{self}: no kernel")

    def jvp_rule(
        self, args: Sequence[Expression], out: Expression, tangents: Sequence[Expression | None]
    ) -> Expression | None:
        """The tangent of the result; None stands for zero. All sizes are known here."""
        raise NotImplementedError(f"{self}: no jvp rule")

    def vjp_rule(
        self,
        args: Sequence[Expression],
        out: Expression,
        cotangent: Expression,
        needed: Sequence[bool],
    ) -> Sequence[Expression | None]:
        """The cotangent of each argument that is `needed`; None stands for zero."""
        raise NotImplementedError(f"{self}: no vjp rule")

    def pattern(self, args: Sequence[Dependence], size: int) -> Pattern:
        """Which inputs each of the `size` entries may depend on: all of them, unless overridden."""
        return dense(args, size)


class Composite(Graphed):
    """A function given by an expression of its arguments.

    A call prints under the function's own name; engines replace it by `expand(*args)`. Subclass it
    with whatever data the function needs, and define `n_args`, `n_in`, `n_out` and `expand`.
    """

    def expand(self, *args: Expression) -> Expression:
        """The expression that this function stands for; every argument's size is known."""
        raise NotImplementedError(f"{self}: expand is not defined")

    def n_args(self) -> int:
        raise NotImplementedError(f"{type(self).__name__}: n_args is not defined")

    def argname(self, arg: int) -> str:
        return f"arg_{arg}"

    def gives_scalar(self, scalars: Sequence[bool]) -> bool:
        return self.n_out() == 1


class _ComposedFunction(Composite):
    """The instance that the `composite` decorator makes of a Python function."""

    def __init__(
        self,
        name: str,
        rule: Callable[..., Expression],
        n_in: tuple[int, ...],
        n_out: int | MatrixLayout,
        argnames: tuple[str, ...],
    ) -> None:
        self._name, self._rule, self._argnames = name, rule, argnames
        self._n_in, self._n_out = n_in, n_out
        self.__doc__ = rule.__doc__
        self.__module__, self.__qualname__ = rule.__module__, rule.__qualname__

    def __str__(self) -> str:
        return self._name

    def __reduce__(self) -> str | tuple[Any, ...]:
        return self.__qualname__

    def n_args(self) -> int:
        return len(self._n_in)

    def n_in(self, arg: int) -> int:
        return self._n_in[arg]

    def n_out(self) -> int:
        return self._n_out.size if isinstance(self._n_out, MatrixLayout) else self._n_out

    @property
    def layout(self) -> MatrixLayout | None:
        return self._n_out if isinstance(self._n_out, MatrixLayout) else None

    def argname(self, arg: int) -> str:
        return self._argnames[arg]

    def expand(self, *args: Expression) -> Expression:
        return self._rule(*args)


def composite(
    name: str, *, n_in: tuple[int, ...], n_out: int | MatrixLayout, argnames: tuple[str, ...]
) -> Callable[[Callable[..., Expression]], Composite]:
    """Make a function of the graph from a Python function that composes expressions.

    Use as a decorator at module level; the result prints as `name`, checks its arguments' sizes
    when called, and keeps the docstring. `n_out` is the number of entries of the result or, for a
    matrix, how it lies flat.
    """
    if len(n_in) != len(argnames):
        raise ValueError(f"{name}: {len(n_in)} argument sizes but {len(argnames)} names")
    if len(set(argnames)) < len(argnames):
        raise ValueError(f"{name}: two arguments have one name: {argnames}")

    def decorate(rule: Callable[..., Expression]) -> Composite:
        return _ComposedFunction(name, rule, n_in, n_out, argnames)

    return decorate


def broadcast_size(func: ADFunctionInterface, sizes: Sequence[Size]) -> Size:
    """The common size of arguments of which those with one entry stretch to the others' size."""
    expected = func.n_args()
    if expected not in (-1, len(sizes)):
        raise wrong_count(str(func), len(sizes), expected)
    common: Size = 1
    unknown = False
    for i, size in enumerate(sizes):
        if size is None:
            unknown = True
        elif size != 1:
            if common not in (1, size):
                raise wrong_size(str(func), func.argname(i), size, f"{common} or 1")
            common = size
    return None if unknown and common == 1 else common


def is_scalar_constant(e: Expression, value: float) -> bool:
    """Whether a node is a constant of one entry with this value."""
    return isinstance(e, Constant) and e.value.size == 1 and e.value.item() == value


def call(func: ADFunctionInterface, *args: ExpressionLike) -> Expression:
    """A call node, for use where the function's own `__call__` is overridden."""
    return ADFunctionCall(func, [as_expression(a) for a in args])
