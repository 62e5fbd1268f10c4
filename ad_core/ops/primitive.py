"""What a function of the graph is made of: primitives (`Op`) and compositions of them.

A primitive says how large its result is, how to compute it over a namespace, and how its
derivative is built as an expression. No engine appears here. A composite has no rules of its own:
it expands into primitives, and so has exact derivatives of every order on every engine.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any, TypeAlias

import numpy as np

from ad_core.graph.errors import checked_name, wrong_count, wrong_kind, wrong_size
from ad_core.graph.nodes import (
    ADFunctionInterface,
    Constant,
    Expression,
    Size,
    listed,
    names_of,
)
from ad_core.graph.values import Array, MatrixLayout
from ad_core.ops.namespace import NUMPY, Kernel, Namespace
from ad_core.ops.pattern import Dependence, Pattern, dense, unite

Args: TypeAlias = "Sequence[Expression]"
Term: TypeAlias = "Expression | None"
"""A tangent or cotangent; None stands for zero."""
Terms: TypeAlias = "Sequence[Term]"
Flags: TypeAlias = "Sequence[bool]"
SizeRule: TypeAlias = "Callable[[ADFunctionInterface, Sequence[Size]], Size]"
"""The result's size for a function and its arguments' sizes; raises ValueError if they misfit."""
ScalarRule: TypeAlias = "Callable[[Sequence[bool]], bool]"
"""Whether a result of one entry is a scalar, given which arguments are."""


def always(scalars: Sequence[bool]) -> bool:
    """A result of one entry is a scalar."""
    return True


def never(scalars: Sequence[bool]) -> bool:
    """A result of one entry is a vector."""
    return False


def of_entries(scalars: Sequence[bool]) -> bool:
    """A function of one vector's entries gives a scalar; of several arguments, as they are."""
    return len(scalars) == 1 or all(scalars)


class Graphed(ADFunctionInterface):
    """What primitives and composites share: numeric evaluation through the graph itself."""

    scalarity: ScalarRule | None = staticmethod(all)
    """When a result of one entry is a scalar; None: always, if the function has one entry."""

    def gives_scalar(self, scalars: Sequence[bool]) -> bool:
        """Whether a result of one entry is a scalar, given which arguments are."""
        return self.n_out() == 1 if self.scalarity is None else self.scalarity(scalars)

    name: str = ""
    """What it prints as; by default the class's name."""

    def __str__(self) -> str:
        return self.name or type(self).__name__

    def __repr__(self) -> str:
        return str(self)

    def eval(self, *args: Any) -> Any:
        return self._applied(args).eval(**self._named(args))

    def gen_derivative(self, arg: Sequence[int], *args: Any) -> Any:
        named = self._named(args)
        return self._applied(args).gen_derivative([list(named)[i] for i in arg], **named)

    def derivative(self, arg: int, *args: Any) -> Any:
        return self.gen_derivative([arg], *args)

    def jvp(self, arg: int, darg: Any, *args: Any) -> Any:
        named = self._named(args)
        return self._applied(args).jvp({list(named)[arg]: darg}, **named)

    def _applied(self, args: Sequence[Any]) -> Expression:
        return self(*self._named(args))

    def _named(self, args: Sequence[Any]) -> dict[str, Any]:
        """The values by the arguments' names, which errors then say."""
        known = self.n_args() in (-1, len(args))
        return {self.argname(i) if known else f"x{i}": value for i, value in enumerate(args)}


class Op(Graphed):
    """A primitive of the graph.

    `params` are the static parts that tell two instances of one primitive apart (indices, shapes);
    equal `(name, params)` means equal function, which is what common subexpressions are found by.
    """

    params: tuple[Hashable, ...] = ()
    entrywise: bool = False
    """Whether each entry of the result depends on that entry of the arguments alone."""
    moves: bool = False
    """Whether each entry of an argument goes to one entry of the result at most, unchanged."""
    ruled: bool = False
    """Whether its value is its first argument: what else it says is about derivatives."""
    through: bool = False
    """Of what is `ruled`: whether the graph of that argument has slopes that are as good.

    Cotangents pass it where some entries count and others do not, which rules do not tell apart.
    """

    kept: bool = False
    """Whether loops keep its value for their derivatives, which then do not compute it again."""

    def bind(self, xp: Namespace) -> Kernel:
        """The kernel over a namespace: values with their vector on the last axis, in and out."""
        raise NotImplementedError(f"{self}: no kernel")

    def value(self, *args: Array) -> Array:
        """The value at numbers, by numpy, as a vector."""
        with np.errstate(all="ignore"):
            return np.atleast_1d(self.bind(NUMPY)(*map(np.atleast_1d, args)))

    def wider(self) -> tuple[Op, tuple[int, ...]] | None:
        """A primitive of the same arguments that gives this one's entries, and which these are."""
        return None

    def guarded(self) -> Op:
        """The same primitive with derivatives finite in its own branches that are not taken."""
        return self

    def jvp_rule(self, args: Args, out: Expression, tangents: Terms) -> Term:
        """The tangent of the result. All sizes are known here."""
        raise NotImplementedError(f"{self}: no jvp rule")

    def columns_rule(self, args: Args, out: Expression, tangents: Terms) -> Term:
        """As `jvp_rule`, of few operations for each tangent where there are many."""
        return self.jvp_rule(args, out, tangents)

    def passed(self, all_columns: bool) -> slice:
        """The arguments whose tangents `jvp_rule` reads, or `columns_rule`, where it is `ruled`."""
        return slice(None)

    def vjp_rule(self, args: Args, out: Expression, cotangent: Expression, needed: Flags) -> Terms:
        """The cotangent of each argument that is `needed`."""
        raise NotImplementedError(f"{self}: no vjp rule")

    def pattern(self, args: Sequence[Dependence], size: int) -> Pattern:
        """Which inputs each of the `size` entries may depend on: all of them, unless overridden."""
        return dense(args, size)


class Entrywise(Op):
    """A primitive that acts entry by entry, by the namespace's function of its name.

    Arguments of one entry stretch to the others' size.
    """

    entrywise = True

    def call_size(self, sizes: tuple[Size, ...]) -> Size:
        return broadcast_size(self, sizes)

    def bind(self, xp: Namespace) -> Kernel:
        return getattr(xp, self.name)

    def pattern(self, args: Sequence[Dependence], size: int) -> Pattern:
        return unite([a.pattern for a in args], size, args[0].pattern.columns)


class Ruled(Op):
    """A primitive whose value is its first argument."""

    ruled = True

    def bind(self, xp: Namespace) -> Kernel:
        def kernel(y: Any, *_: Any) -> Any:
            return y

        return kernel

    def pattern(self, args: Sequence[Dependence], size: int) -> Pattern:
        return args[0].pattern


class Composite(Graphed):
    """A function given by an expression of its arguments.

    A call prints under the function's own name; engines replace it by `expand(*args)`. Subclass it
    with whatever data the function needs, give `argnames`, `sizes_in` and `size_out` (or override
    `n_args`, `n_in`, `n_out`), and define `expand`.
    """

    scalarity = None

    def expand(self, *args: Expression) -> Expression:
        """The expression that this function stands for; every argument's size is known."""
        raise NotImplementedError(f"{self}: expand is not defined")

    def n_args(self) -> int:
        if self.argnames is None:
            raise NotImplementedError(f"{type(self).__name__}: n_args is not defined")
        return len(self.argnames)

    def argname(self, arg: int) -> str:
        return f"arg_{arg}" if self.argnames is None else self.argnames[arg]


class ComposedFunction(Composite):
    """The instance that the `composite` decorator makes of a Python function."""

    def __init__(  # noqa: PLR0917 (called by the decorator alone)
        self,
        name: str,
        rule: Callable[..., Expression],
        argnames: Sequence[str] | None,
        n_in: Sequence[Size],
        n_out: int | MatrixLayout | SizeRule | None,
        scalar: ScalarRule,
    ) -> None:
        self.name, self._rule = name, rule
        self.argnames, self.sizes_in = argnames, tuple(n_in)
        self._layout = n_out if isinstance(n_out, MatrixLayout) else None
        self.size_out = n_out if isinstance(n_out, int) else self._layout and self._layout.size
        self._size_rule = n_out if callable(n_out) else None
        self.scalarity = scalar
        self.__doc__ = rule.__doc__
        self.__module__, self.__qualname__ = rule.__module__, rule.__qualname__

    def __reduce__(self) -> str | tuple[Any, ...]:
        return self.__qualname__

    def n_args(self) -> int:
        return -1 if self.argnames is None else len(self.argnames)

    def call_size(self, sizes: tuple[Size, ...]) -> Size:
        size = super().call_size(sizes)
        return size if self._size_rule is None else self._size_rule(self, sizes)

    def expand(self, *args: Expression) -> Expression:
        return self._rule(*args)


def composite(
    name: str,
    *,
    argnames: Sequence[str] | None,
    n_in: Sequence[Size] = (),
    n_out: int | MatrixLayout | SizeRule | None = None,
    scalar: ScalarRule | None = None,
) -> Callable[[Callable[..., Expression]], Composite]:
    """Make a function of the graph from a Python function that composes expressions.

    Use as a decorator at module level; the result prints as `name`, checks its arguments' sizes
    when called, and keeps the docstring.

    Args:
        name: What it prints as.
        argnames: The arguments' names; None for a function of any number of arguments.
        n_in: The arguments' sizes, None for any; by default any.
        n_out: The result's size, or how it lies flat if it is a matrix, or a rule that gives the
            size for the arguments' sizes.
        scalar: When a result of one entry is a scalar: by default where `n_out` is 1, else where
            all arguments are.

    Raises:
        ValueError: where the counts of sizes and names differ, or a name stands twice.
    """
    checked_name(name, "composite")
    if argnames is not None and not isinstance(argnames, str):
        argnames = names_of(f"{name}: argnames", argnames)
    if n_out is not None and not isinstance(n_out, int | MatrixLayout) and not callable(n_out):  # pyright: ignore[reportUnnecessaryComparison]
        raise wrong_kind(name, "n_out", n_out, "a size, a layout or a rule for sizes")
    if scalar is not None and not callable(scalar):  # pyright: ignore[reportUnnecessaryComparison]
        raise wrong_kind(name, "scalar", scalar, "a rule")
    n_in = listed(n_in, f"{name}: n_in", "sizes")
    if argnames is not None and n_in and len(n_in) != len(argnames):
        raise ValueError(f"{name}: {len(n_in)} argument sizes but {len(argnames)} names")
    if argnames is not None and len(set(argnames)) < len(argnames):
        raise ValueError(f"{name}: two arguments have one name: {argnames}")
    chosen = scalar or (always if n_out == 1 else all)

    def decorate(rule: Callable[..., Expression]) -> Composite:
        return ComposedFunction(name, rule, argnames, n_in, n_out, chosen)

    return decorate


def broadcast_size(func: ADFunctionInterface, sizes: Sequence[Size]) -> Size:
    """The common size of arguments of which those with one entry stretch to the others' size."""
    expected = func.n_args()
    if expected not in (-1, len(sizes)):
        raise wrong_count(str(func), len(sizes), [func.argname(i) for i in range(expected)])
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


def same_size(func: ADFunctionInterface, sizes: Sequence[Size]) -> Size:
    """The size of the first argument, which the second one shares."""
    first, second = (*sizes, None)[:2]
    if first is not None and second is not None and first != second:
        raise wrong_size(str(func), func.argname(1), second, first)
    return second if first is None else first


def one_of_same_size(func: ADFunctionInterface, sizes: Sequence[Size]) -> Size:
    """One entry, of arguments of one size."""
    same_size(func, sizes)
    return 1


def at_least_one(func: ADFunctionInterface, sizes: Sequence[Size]) -> Size:
    """One entry of one vector; of several arguments, their common size."""
    if not sizes:
        raise ValueError(f"{func}: got 0 arguments, expected 1 or more")
    return 1 if len(sizes) == 1 else broadcast_size(func, sizes)


def added(a: Term, b: Term) -> Term:
    """`a + b`."""
    if a is None or b is None:
        return b if a is None else a
    return a + b


def is_scalar_constant(e: Expression, value: float) -> bool:
    """Whether a node is a constant of one entry with this value."""
    return isinstance(e, Constant) and e.value.size == 1 and e.value.item() == value
