"""Expression nodes: variables, constants and calls, immutable and shared by identity.

A node stands for a scalar or a 1-D float vector. Building a node checks counts and sizes as far as
they are known; nothing is computed until an engine is asked to. Nodes are compared by identity, so
one Python object used twice is one shared subexpression.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, SupportsIndex, TypeAlias, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from types import EllipsisType

    from ad_core.graph.interface import ADFunctionInterface
    from ad_core.numpy.sparse import csr_array

Array: TypeAlias = NDArray[np.float64]
Index: TypeAlias = "int | slice | Sequence[int] | NDArray[np.integer[Any]] | EllipsisType"
ExpressionLike: TypeAlias = "Expression | str | ArrayLike"
Variable: TypeAlias = "str | ADTerminal"


class Expression:
    """A node of the graph; `size` is its number of entries, or None while that is unknown."""

    __slots__ = ("__weakref__", "size")
    __array_ufunc__ = None  # numpy arrays leave `array + expression` to us

    size: int | None

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"expressions are immutable: cannot set '{name}'")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"expressions are immutable: cannot delete '{name}'")

    # ------------------------------------------------------------------ values and derivatives

    def eval(self, /, **values: ArrayLike) -> Any:
        """The value with every variable bound by keyword: a float, or an array of shape `(n,)`.

        Raises ValueError for a missing or unknown name or a value of the wrong size.
        """
        from ad_core.numpy.evaluate import evaluate

        return evaluate((self,), values)[0]

    def derivative(self, /, arg: Variable, **values: ArrayLike) -> Array:
        """The Jacobian `d self / d arg`, shape `(n_out, n_arg)`: always 2-D, also for scalars.

        `arg` is a variable of the expression, by name or as a node.
        """
        from ad_core.numpy.jacobians import evaluate_jacobians

        return evaluate_jacobians((self,), name_of(arg), values)[0]

    def gen_derivative(self, /, args: Sequence[Variable], **values: ArrayLike) -> Any:
        """The derivative w.r.t. each name in `args` in turn.

        The result has shape `(n_out, n_args[0], ..., n_args[-1])`; for no names it is `eval`'s.
        """
        from ad_core.numpy.jacobians import evaluate_tensor

        names = names_of("gen_derivative", args)
        return evaluate_tensor(self, names, values) if names else self.eval(**values)

    def jvp(self, /, tangents: Mapping[Variable, ArrayLike], **values: ArrayLike) -> Array:
        """The directional derivative `sum_i (d self / d x_i) t_i`, shape `(n_out,)`.

        `tangents` has a tangent, as large as its variable, for each variable, by name or as a node;
        the others are held.
        """
        from ad_core.numpy.evaluate import evaluate_jvp

        return evaluate_jvp(self, tangents, values)

    def vjp(self, /, cotangent: ArrayLike, **values: ArrayLike) -> dict[str, Array]:
        """`cotangent^T (d self / d x)` for every variable `x` by name, each of shape `(n_x,)`."""
        from ad_core.numpy.evaluate import evaluate_vjp

        return evaluate_vjp(self, cotangent, values)

    def eval_batch(self, /, **values: ArrayLike) -> Array:
        """Values `(*batch, n_out)` for inputs `(*batch, n)`, whose batch axes broadcast."""
        from ad_core.numpy.evaluate import evaluate_batch

        return evaluate_batch(self, values)

    def derivative_batch(self, /, arg: Variable, **values: ArrayLike) -> Array:
        """Jacobians for a batch: inputs `(*batch, n)`, result `(*batch, n_out, n_arg)`."""
        from ad_core.numpy.jacobians import evaluate_derivative_batch

        return evaluate_derivative_batch(self, name_of(arg), values)

    def derivative_sparse(self, /, arg: Variable, **values: ArrayLike) -> csr_array:
        """The Jacobian `(n_out, n_arg)` as a scipy sparse array of its structural nonzeros.

        Its cost grows with their number, not with the Jacobian's size. Needs scipy.
        """
        from ad_core.numpy.sparse import derivative_sparse

        return derivative_sparse(self, name_of(arg), values)

    def sparsity(self, /, arg: Variable, **sizes: int) -> NDArray[np.bool_]:
        """Which entries of `d self / d arg` may be nonzero: a boolean array `(n_out, n_arg)`.

        Sizes of variables that were declared without one are given by keyword.
        """
        from ad_core.numpy.sparse import sparsity

        return sparsity(self, name_of(arg), sizes)

    # ----------------------------------------------------------------------------- the graph

    def replace(self, /, **replacements: ExpressionLike) -> Expression:
        """The expression with the named variables replaced by other expressions or values.

        Raises ValueError for a name that the expression does not have.
        """
        from ad_core.graph.walks import substitute

        return substitute(self, {k: as_expression(v) for k, v in replacements.items()})

    def terminals(self, sort: bool = False) -> list[str]:
        """The names of the variables, by first appearance, or alphabetically if `sort`."""
        from ad_core.graph.walks import terminals

        names = list(terminals((self,)))
        return sorted(names) if sort else names

    def __str__(self) -> str:
        from ad_core.ops.printing import to_text

        return to_text(self)

    def __repr__(self) -> str:
        from ad_core.ops.printing import to_text

        return to_text(self, abbreviate=True)

    def __reduce__(self) -> tuple[Any, ...]:
        from ad_core.graph.walks import flatten, unflatten

        return unflatten, (flatten(self),)

    def __deepcopy__(self, memo: dict[int, object]) -> Expression:
        return self  # immutable, and functions are shared by identity

    def __copy__(self) -> Expression:
        return self

    # ------------------------------------------------------------------------------ operators

    def __add__(self, other: ExpressionLike) -> Expression:
        from ad_core.ops import add

        return add(self, other)

    def __radd__(self, other: ExpressionLike) -> Expression:
        from ad_core.ops import add

        return add(other, self)

    def __sub__(self, other: ExpressionLike) -> Expression:
        from ad_core.ops import sub

        return sub(self, other)

    def __rsub__(self, other: ExpressionLike) -> Expression:
        from ad_core.ops import sub

        return sub(other, self)

    def __mul__(self, other: ExpressionLike) -> Expression:
        from ad_core.ops import mul

        return mul(self, other)

    def __rmul__(self, other: ExpressionLike) -> Expression:
        from ad_core.ops import mul

        return mul(other, self)

    def __truediv__(self, other: ExpressionLike) -> Expression:
        from ad_core.ops import div

        return div(self, other)

    def __rtruediv__(self, other: ExpressionLike) -> Expression:
        from ad_core.ops import div

        return div(other, self)

    def __pow__(self, other: ExpressionLike) -> Expression:
        from ad_core.ops import pow_

        return pow_(self, other)

    def __rpow__(self, other: ExpressionLike) -> Expression:
        from ad_core.ops import pow_

        return pow_(other, self)

    def __mod__(self, other: ExpressionLike) -> Expression:
        from ad_core.ops import mod

        return mod(self, other)

    def __rmod__(self, other: ExpressionLike) -> Expression:
        from ad_core.ops import mod

        return mod(other, self)

    def __neg__(self) -> Expression:
        from ad_core.ops import neg

        return neg(self)

    def __pos__(self) -> Expression:
        return self

    def __abs__(self) -> Expression:
        from ad_core.ops import abs_

        return abs_(self)

    def __getitem__(self, index: Index) -> Expression:
        from ad_core.ops import getitem

        return getitem(self, index)

    def __len__(self) -> int:
        if self.size is None:
            raise TypeError("len() of an expression whose size is not known yet")
        return self.size

    def __iter__(self) -> Iterator[Expression]:
        return (self[i] for i in range(len(self)))

    def __bool__(self) -> NoReturn:
        raise TypeError("an expression has no truth value; use ad.cond(pred, pos, neg)")

    def __float__(self) -> NoReturn:
        raise TypeError("an expression is not a number; use .eval(...) to get its value")


class ADTerminal(Expression):
    """A variable: a named value that is bound when the expression is evaluated."""

    __slots__ = ("name",)

    name: str

    def __init__(self, name: str, size: int | None = None) -> None:
        if not isinstance(name, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"a variable's name is a string, not {type(name).__name__}")
        if not name:
            raise ValueError("a variable's name is not empty")
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "size", None if size is None else _checked_size(name, size))


class Constant(Expression):
    """A number or a 1-D array that is part of the expression; `value` is read-only."""

    __slots__ = ("value",)

    value: Array

    def __init__(self, value: ArrayLike) -> None:
        array: Array = np.array(as_value(value, "constant"))
        array.setflags(write=False)
        object.__setattr__(self, "value", array)
        object.__setattr__(self, "size", array.size)


class ADFunctionCall(Expression):
    """A function applied to expressions; `func` and `args` are what it was built from."""

    __slots__ = ("args", "func")

    func: ADFunctionInterface
    args: tuple[Expression, ...]

    def __init__(self, func: ADFunctionInterface, args: Sequence[ExpressionLike]) -> None:
        # lists, not generators: graphs of 100,000 nodes are built here
        nodes = tuple([a if isinstance(a, Expression) else as_expression(a) for a in args])
        object.__setattr__(self, "func", func)
        object.__setattr__(self, "args", nodes)
        object.__setattr__(self, "size", func.call_size(tuple([a.size for a in nodes])))


def var(name: str, size: int | None = None) -> ADTerminal:
    """A variable of the given name; its size may be left open until it is bound.

    Raises ValueError for an empty name or one that begins with `@`, as the library's own do.
    """
    if isinstance(name, str) and name.startswith("@"):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ValueError(f"var: '{name}' begins with '@', which is kept for the library's own")
    return ADTerminal(name, size)


def constant(value: ArrayLike) -> Constant:
    """A constant node; numbers and arrays in calls become constants by themselves."""
    return Constant(value)


def name_of(variable: Variable) -> str:
    """The name of a variable that is given by name or as a node; raises TypeError for others."""
    if isinstance(variable, ADTerminal):
        return variable.name
    if not isinstance(variable, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"a variable is given by its name or its node, not {variable!r}")
    return variable


def names_of(place: str, variables: Sequence[Variable]) -> tuple[str, ...]:
    """The names of several variables; a plain string is no list of them, but a mistake."""
    if isinstance(variables, str):
        raise TypeError(f"{place}: expected a list of names, got {variables!r}")
    return tuple(name_of(v) for v in variables)


def as_expression(value: ExpressionLike) -> Expression:
    """An expression as it is; a string as a variable; a number or 1-D array as a constant."""
    if isinstance(value, Expression):
        return value
    return var(value) if isinstance(value, str) else Constant(value)


def as_expressions(place: str, values: Sequence[ExpressionLike]) -> tuple[Expression, ...]:
    """Several expressions, as `as_expression` reads them; one by itself is a mistake."""
    if isinstance(values, (str, Expression)):
        raise TypeError(f"{place}: expected a list of expressions, got {values!r} by itself")
    return tuple(as_expression(e) for e in values)


def size_of(value: ExpressionLike) -> int | None:
    """The number of entries: 1 for a scalar; None for an expression of unknown size."""
    return value.size if isinstance(value, Expression) else as_value(value, "value").size


def is_scalar(value: ArrayLike) -> bool:
    """Whether a value is a plain number rather than a vector."""
    return as_value(value, "value").ndim == 0


def as_value(value: object, name: str) -> Array:
    """A float64 array of at most one axis; ints are promoted, anything but numbers is refused."""
    if type(value) is float:
        return cast("Array", np.float64(value))
    if isinstance(value, np.ndarray) and value.dtype == np.float64:
        array = cast("Array", value)
    else:
        array = _numbers(cast("object", value), name)
    if array.ndim > 1:
        raise ValueError(f"'{name}' has shape {array.shape}; values are scalars or 1-D arrays")
    return array


def as_batch(value: object, name: str) -> Array:
    """A float64 array `(*batch, n)`: as `as_value`, with any number of leading axes."""
    array = _numbers(value, name)
    return array.reshape(1) if array.ndim == 0 else array


def _numbers(value: object, name: str) -> Array:
    """Promote real numbers to float64; name the variable when the value is something else."""
    if isinstance(value, Expression) or (
        isinstance(value, (list, tuple))
        and any(isinstance(v, Expression) for v in cast("Sequence[object]", value))
    ):
        raise TypeError(f"'{name}' holds expressions where numbers are expected; see ad.stack")
    try:
        raw = np.asarray(cast("ArrayLike", value))
    except ValueError as error:
        raise ValueError(f"'{name}' is not a rectangular array of numbers") from error
    if raw.dtype.kind not in "fiub":
        raise TypeError(f"'{name}' is not made of real numbers (dtype {raw.dtype})")
    return raw.astype(np.float64, copy=False)


def whole_number(value: object) -> int:
    """An int from anything that is exactly one; raises TypeError for booleans and the rest."""
    if isinstance(value, (bool, np.bool_)):
        raise TypeError("a boolean is not a number here")
    return operator.index(cast("SupportsIndex", value))


def _checked_size(name: str, size: object) -> int:
    try:
        number = whole_number(size)
    except TypeError:
        raise ValueError(f"var: the size of '{name}' is a whole number, not {size!r}") from None
    if number < 0:
        raise ValueError(f"var: the size of '{name}' is {size}, expected 0 or more")
    return number
