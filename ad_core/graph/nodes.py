"""The graph: variables, constants, and calls of functions; immutable and shared by identity.

A node stands for a scalar or a 1-D float vector. A function and its application define each other,
so both stand here. Building a node checks counts and sizes as far as they are known; nothing is
computed until an engine is asked to. Nodes are compared by identity: one Python object used twice
is one shared subexpression.

What operators build and what is done with a whole graph lie in folders above this one; `ad_core`
installs them (`install`) when it is imported.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import EllipsisType, MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, TypeAlias, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ad_core.graph.arguments import CallSignature, in_order
from ad_core.graph.errors import checked_name, wrong_count, wrong_kind, wrong_size
from ad_core.graph.values import Array, MatrixLayout, NotNumbers, as_value, flag, whole_number

if TYPE_CHECKING:
    from scipy.sparse import csr_array

T = TypeVar("T")
Size: TypeAlias = "int | None"
"""A number of entries; None while it is not known."""
Index: TypeAlias = "int | slice | Sequence[int] | NDArray[np.integer[Any]] | EllipsisType"
ExpressionLike: TypeAlias = "Expression | str | ArrayLike"
Variable: TypeAlias = "str | ADTerminal"
Infix: TypeAlias = "Callable[[Expression, Any], Expression]"


def install(operators: Any, passes: Any) -> None:
    """Give expressions what their operators build and what their methods do: `ops`, `passes`."""
    Expression.operators, Expression.passes = operators, passes


def _infix(name: str) -> tuple[Infix, Infix]:
    """The method of an operator, and that of the operator with its sides exchanged."""
    return (
        lambda self, other: getattr(self.operators, name)(self, other),
        lambda self, other: getattr(self.operators, name)(other, self),
    )


class Expression:
    """A node of the graph; `size` is its number of entries, or None while that is unknown."""

    __slots__ = ("__weakref__", "size")
    __array_ufunc__ = None  # numpy arrays leave `array + expression` to us

    operators: ClassVar[Any]
    passes: ClassVar[Any]
    size: Size

    def __setattr__(self, name: str, value: object = None) -> NoReturn:
        raise AttributeError(f"expressions are immutable: cannot set or delete '{name}'")

    __delattr__ = __setattr__

    def eval(self, /, **values: ArrayLike) -> Any:
        """The value with every variable bound by keyword: a float, or an array of shape `(n,)`.

        Names that the expression does not have are ignored. Raises ValueError for a missing one or
        a value of the wrong size.
        """
        return self.passes.evaluate((self,), values)[0]

    def derivative(self, arg: Variable, /, **values: ArrayLike) -> Array:
        """The Jacobian `d self / d arg`, always `(n_out, n_arg)`; `arg` is a name or a node."""
        return self.passes.evaluate_jacobians((self,), name_of(arg), values)[0]

    def gen_derivative(self, args: Sequence[Variable], /, **values: ArrayLike) -> Any:
        """The derivative w.r.t. each name in `args` in turn.

        Shape `(n_out, n_args[0], ..., n_args[-1])`; for no names the result is `eval`'s.
        """
        names = names_of("gen_derivative", args)
        return self.passes.evaluate_tensor(self, names, values) if names else self.eval(**values)

    def jvp(self, tangents: Mapping[Variable, ArrayLike], /, **values: ArrayLike) -> Array:
        """The directional derivative `sum_i (d self / d x_i) t_i`, shape `(n_out,)`.

        `tangents` has one for each variable, by name or as a node; variables without are held.
        """
        return self.passes.evaluate_jvp(self, tangents, values)

    def vjp(self, cotangent: ArrayLike, /, **values: ArrayLike) -> dict[str, Array]:
        """`cotangent^T (d self / d x)` for every variable `x` by name, each of shape `(n_x,)`."""
        return self.passes.evaluate_vjp(self, cotangent, values)

    def eval_batch(self, /, **values: ArrayLike) -> Array:
        """Values `(*batch, n_out)` for inputs `(*batch, n)`, whose batch axes broadcast."""
        return self.passes.evaluate_batch(self, values)

    def derivative_batch(self, arg: Variable, /, **values: ArrayLike) -> Array:
        """Jacobians for a batch: inputs `(*batch, n)`, result `(*batch, n_out, n_arg)`."""
        return self.passes.evaluate_derivative_batch(self, name_of(arg), values)

    def derivative_sparse(self, arg: Variable, /, **values: ArrayLike) -> csr_array:
        """The Jacobian `(n_out, n_arg)` as a scipy sparse array of its structural nonzeros.

        Its cost grows with their number, not with the Jacobian's size. Needs scipy.
        """
        return self.passes.derivative_sparse(self, name_of(arg), values)

    def sparsity(self, arg: Variable, /, **sizes: int) -> NDArray[np.bool_]:
        """Which entries of `d self / d arg` may be nonzero: a boolean array `(n_out, n_arg)`.

        Sizes of variables that were declared without one are given by keyword.
        """
        return self.passes.sparsity(self, name_of(arg), sizes)

    def replace(self, /, **replacements: ExpressionLike) -> Expression:
        """The expression with the named variables replaced by other expressions or values.

        Raises ValueError for a name that the expression does not have.
        """
        return self.passes.substitute(
            self, {k: as_expression(v, k) for k, v in replacements.items()}
        )

    def terminals(self, sort: bool = False) -> list[str]:
        """The names of the variables, by first appearance, or alphabetically if `sort`."""
        names = list(self.passes.terminals((self,)))
        return sorted(names) if flag(sort, "terminals: sort") else names

    def __str__(self) -> str:
        return self.passes.to_text(self)

    def __repr__(self) -> str:
        return self.passes.to_text(self, True)

    def _repr_html_(self) -> str:
        return self.passes.to_svg(self)

    def __reduce__(self) -> tuple[Any, ...]:
        return self.passes.unflatten, (self.passes.flatten(self),)

    def __deepcopy__(self, memo: object = None) -> Expression:
        return self  # immutable, and functions are shared by identity

    __copy__ = __deepcopy__

    __add__, __radd__ = _infix("add")
    __sub__, __rsub__ = _infix("sub")
    __mul__, __rmul__ = _infix("mul")
    __truediv__, __rtruediv__ = _infix("div")
    __pow__, __rpow__ = _infix("pow_")
    __mod__, __rmod__ = _infix("mod")

    def __neg__(self) -> Expression:
        return self.operators.neg(self)

    def __pos__(self) -> Expression:
        return self

    def __abs__(self) -> Expression:
        return self.operators.abs_(self)

    def __getitem__(self, index: Index) -> Expression:
        return self.operators.getitem(self, index)

    def __len__(self) -> int:
        if self.size is None:
            raise TypeError("len() of an expression whose size is not known yet")
        return self.size

    def __iter__(self) -> Iterator[Expression]:
        return (self[i] for i in range(len(self)))

    def __array__(self, *_: object, **__: object) -> NoReturn:
        raise NotNumbers("an expression is not an array; use .eval(...) to get its value")

    def __bool__(self) -> NoReturn:
        raise TypeError("an expression has no truth value; use ad.cond(pred, pos, neg)")

    def __float__(self) -> NoReturn:
        raise TypeError("an expression is not a number; use .eval(...) to get its value")


class ADTerminal(Expression):
    """A variable: a value that is bound by its `name` when the expression is evaluated."""

    __slots__ = ("name",)

    name: str

    def __init__(self, name: str, size: Size = None) -> None:
        object.__setattr__(self, "name", checked_name(name, "var"))
        if size is not None:
            size = whole_number(size, f"var: the size of '{name}'")
        object.__setattr__(self, "size", size)


class Constant(Expression):
    """A number or a 1-D array that is part of the expression; `value` is read-only."""

    __slots__ = ("value",)

    value: Array

    def __init__(self, value: ArrayLike, name: str = "constant") -> None:
        array: Array = np.array(as_value(value, name))
        array.setflags(write=False)
        object.__setattr__(self, "value", array)
        object.__setattr__(self, "size", array.size)


constant = Constant
"""Another name of `Constant`; numbers and arrays in calls become constants by themselves."""


class ADFunctionCall(Expression):
    """A function applied to expressions; `func` and `args` are what it was built from."""

    __slots__ = ("args", "func")

    func: ADFunctionInterface
    args: tuple[Expression, ...]

    def __init__(self, func: ADFunctionInterface, args: Sequence[ExpressionLike]) -> None:
        if not isinstance(func, ADFunctionInterface):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise wrong_kind("ADFunctionCall", "func", func, "a function of the graph")
        # lists, not generators: graphs of 100,000 nodes are built here
        if not isinstance(args, (tuple, list)):
            args = listed(args, "ADFunctionCall", "args")
        nodes = tuple([a if isinstance(a, Expression) else _argument(func, a) for a in args])
        object.__setattr__(self, "func", func)
        object.__setattr__(self, "args", nodes)
        object.__setattr__(self, "size", func.call_size(tuple([a.size for a in nodes])))


class ADFunctionInterface:
    """A function `f(x_0, ..., x_k)` of scalars and 1-D arrays that builds expressions when called.

    A subclass gives at least `eval`. Names and sizes, as the data below or by the methods that read
    them, let mistakes be found when the call is built; `derivative`, `jvp` or `gen_derivative` make
    derivatives exact; 0 stands for zeros there, and what is missing, or raises NotImplementedError,
    is done by finite differences. An instance may hold any data (a robot, a network). The methods
    say -1 where a number varies; everywhere else that is None.
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

    argnames: Sequence[str] | None = None
    """The arguments' names; None: those of `eval`'s parameters."""
    sizes_in: Sequence[Size] = ()
    """The arguments' numbers of entries (1 also admits a scalar), None where they vary."""
    size_out: Size = None
    """The result's number of entries, None where it varies."""
    defaults: Mapping[str, ExpressionLike] = MappingProxyType({})
    """What stands for arguments that a call leaves out, by their names."""
    __signature__ = CallSignature()

    def argname(self, arg: int) -> str:
        """A name for argument `arg`."""
        names = _parameters(self) if self.argnames is None else self.argnames
        return names[arg] if names is not None and arg < len(names) else f"arg_{arg}"

    def n_args(self) -> int:
        """The number of arguments, or -1 where any number will do."""
        names = _parameters(self) if self.argnames is None else self.argnames
        return -1 if names is None else len(names)

    def n_in(self, arg: int) -> int:
        """The number of entries of argument `arg`, or -1 if it varies."""
        size = self.sizes_in[arg] if arg < len(self.sizes_in) else None
        return -1 if size is None else size

    def n_out(self) -> int:
        """The number of entries of the result, or -1 if it varies."""
        return -1 if self.size_out is None else self.size_out

    _layout: MatrixLayout | None = None

    @property
    def layout(self) -> MatrixLayout | None:
        """The natural shape of a result that is a matrix; None for scalars and vectors."""
        return self._layout

    def eval(self, *args: Any) -> Any:
        """The value for arguments that are floats or float arrays."""
        raise NotImplementedError(f"{self}: eval is not defined")

    def derivative(self, arg: int, *args: Any) -> Any:
        """The Jacobian w.r.t. argument `arg`, shape `(n_out, n_in(arg))`."""
        raise NotImplementedError(f"{self}: derivative is not defined")

    def gen_derivative(self, arg: Sequence[int], *args: Any) -> Any:
        """The derivative w.r.t. the arguments `arg` in turn, `(n_out, n_in(arg[0]), ...)`."""
        raise NotImplementedError(f"{self}: gen_derivative is not defined")

    def jvp(self, arg: int, darg: Any, *args: Any) -> Any:
        """`(df/dx_arg) darg`, shape `(n_out,)`."""
        raise NotImplementedError(f"{self}: jvp is not defined")

    def sparsity(self, arg: int) -> NDArray[np.bool_] | None:
        """Where `df/dx_arg` can be other than zero: booleans `(n_out, n_in(arg))`; None: anywhere.

        `Expression.sparsity` and `derivative_sparse` follow it, and so does CasADi.
        """
        return None

    def __call__(self, /, *args: ExpressionLike, **named: ExpressionLike) -> ADFunctionCall:
        """The expression of this function applied to expressions, names, numbers or arrays.

        Arguments come by position or by name. Raises ValueError where one is missing.
        """
        if named or self.defaults:
            count = self.n_args()
            if count < 0:
                raise ValueError(f"{self}: takes its arguments by position, any number of them")
            names = [self.argname(i) for i in range(count)]
            args = in_order(str(self), names, args, named, self.defaults)
        return ADFunctionCall(self, args)

    def call_size(self, sizes: tuple[int | None, ...]) -> int | None:
        """The result's size for arguments of these sizes (None: unknown); raises if they misfit."""
        expected = self.n_args()
        if expected not in (-1, len(sizes)):
            raise wrong_count(str(self), len(sizes), [self.argname(i) for i in range(expected)])
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


def var(name: str, size: int | None = None) -> ADTerminal:
    """A variable of the given name; its size may be left open until it is bound.

    Raises ValueError for an empty name or one that begins with `@`, as the library's own do.
    """
    if isinstance(name, str) and name.startswith("@"):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ValueError(f"var: '{name}' begins with '@', which is kept for the library's own")
    return ADTerminal(name, size)


def name_of(variable: Variable, place: str = "") -> str:
    """The name of a variable that is given by name or as a node; raises TypeError for others."""
    if isinstance(variable, ADTerminal):
        return variable.name
    if not isinstance(variable, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"{place}a variable is given by its name or its node, not {variable!r}")
    return variable


def listed(values: Iterable[T], place: str, what: str) -> list[T]:
    """Several values in some order; raises TypeError for one, as a string or an expression is."""
    try:
        iterator = None if isinstance(values, str | bytes | Expression) else iter(values)
    except TypeError:
        iterator = None
    if iterator is None:
        raise TypeError(f"{place}: expected a list of {what}, got {values!r} by itself")
    return list(iterator)


def names_of(place: str, variables: Iterable[Variable]) -> tuple[str, ...]:
    """The names of several variables."""
    return tuple(name_of(v, f"{place}: ") for v in listed(variables, place, "names"))


def as_expression(value: ExpressionLike, name: str = "constant") -> Expression:
    """An expression; a string as a variable; numbers as a constant, which errors call `name`."""
    if isinstance(value, Expression):
        return value
    return var(value) if isinstance(value, str) else Constant(value, name)


def _argument(func: ADFunctionInterface, value: ExpressionLike) -> Expression:
    try:
        return as_expression(value)
    except (TypeError, ValueError):
        return as_expression(value, f"argument of {func}")  # the same error, with its place


def as_expressions(place: str, values: Iterable[ExpressionLike]) -> tuple[Expression, ...]:
    """Several expressions, as `as_expression` reads them."""
    name = f"expression of {place}"
    return tuple(as_expression(e, name) for e in listed(values, place, "expressions"))
