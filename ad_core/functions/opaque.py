"""Functions that the graph cannot look into: their derivatives, given or by finite differences.

The derivative of an opaque call is again a call: of a `DerivativeTensor`, contracted with the
tangent, or of a `Pushforward`, where the function gives Jacobian-vector products alone. Those can
be differentiated in turn. So opaque functions take part in every product and order of the graph.

A function may say where its Jacobian can be other than zero, by its method `sparsity(arg)`; without
one it is dense. Engines call it on the host, one sample at a time (`host_kernel`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain, combinations
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ad_core.functions.differences import (
    apply_policy,
    central_differences,
    given_tensors,
    pushed,
)
from ad_core.graph.errors import unknown_size, wrong_size
from ad_core.graph.nodes import ADFunctionCall, ADFunctionInterface, Expression, gives
from ad_core.graph.values import Array, as_value
from ad_core.ops.linalg import MatMul
from ad_core.ops.pattern import Dependence, Pattern, unite
from ad_core.ops.primitive import added


class Wrapped(ADFunctionInterface):
    """What functions derived from an opaque function share: its arguments."""

    def __init__(self, func: ADFunctionInterface) -> None:
        self.func = func

    def __str__(self) -> str:
        return str(self.func)

    def argname(self, arg: int) -> str:
        return self.func.argname(arg)

    def n_args(self) -> int:
        return self.func.n_args()

    def n_in(self, arg: int) -> int:
        return self.func.n_in(arg)


class SizedOpaque(Wrapped):
    """An opaque function whose result's size was found by calling it once."""

    def __init__(self, func: ADFunctionInterface, size: int, scalar: bool) -> None:
        super().__init__(func)
        self.size_out, self.scalar = size, scalar

    def eval(self, *args: Any) -> Any:
        return self.func.eval(*args)


class DerivativeTensor(Wrapped):
    """The derivative of `func` w.r.t. its arguments `path` in turn, flattened.

    Shape before flattening: `(n_out, n_in(path[0]), ..., n_in(path[-1]))`. It comes from
    `gen_derivative`, `derivative` or `jvp` as far as the function gives them; central differences
    do the rest.
    """

    def __init__(
        self, func: ADFunctionInterface, path: tuple[int, ...], shape: tuple[int, ...]
    ) -> None:
        super().__init__(func)
        self.path, self.shape, self.size_out = path, shape, int(np.prod(shape))

    def __str__(self) -> str:
        return f"d{list(self.path)} {self.func}"

    def eval(self, *args: Any) -> Array:
        return derivative_tensor(self.func, self.path, self.shape, args).reshape(-1)


class Pushforward(Wrapped):
    """`(d func / d x_arg) t` of `(t, *args)`, by one call of the function's own `jvp`."""

    def __init__(self, func: ADFunctionInterface, arg: int, shape: tuple[int, int]) -> None:
        super().__init__(func)
        self.arg, self.shape, self.size_out = arg, shape, shape[0]

    def __str__(self) -> str:
        return f"jvp[{self.arg}] {self.func}"

    def argname(self, arg: int) -> str:
        return self.func.argname(arg - 1) if arg else f"d{self.func.argname(self.arg)}"

    def n_args(self) -> int:
        count = self.func.n_args()
        return -1 if count < 0 else count + 1

    def n_in(self, arg: int) -> int:
        return self.func.n_in(arg - 1) if arg else self.shape[1]

    def eval(self, *args: Any) -> Array:
        tangent, *rest = args
        try:
            return pushed(self.func, self.arg, np.atleast_1d(tangent), rest, self.shape[0])
        except NotImplementedError:
            jacobian = derivative_tensor(self.func, (self.arg,), self.shape, rest)
            return jacobian @ np.atleast_1d(tangent)


def derivative_tensor(
    func: ADFunctionInterface, path: tuple[int, ...], shape: tuple[int, ...], args: Sequence[Any]
) -> Array:
    """The value of a `DerivativeTensor`, by the best means that the function gives.

    The longest part of `path` for which the function gives a derivative is taken from there; the
    other arguments' steps are central differences of it.
    """
    m, sizes = shape[0], shape[1:]
    count = len(path)
    choices = (combinations(range(count), length) for length in range(count, -1, -1))
    for places in chain.from_iterable(choices):  # the last one, the empty part, always returns
        part = tuple(path[p] for p in places)
        part_shape = (m, *(sizes[p] for p in places))
        given = _given_tensor(func, part, part_shape, args) if part else None
        if given is not None and len(part) == count:
            return given
        if given is not None or not part:
            rest = tuple(p for p in range(count) if p not in places)
            named = ", ".join(f"'{func.argname(i)}'" for i in path)
            apply_policy(f"{func}: the derivative w.r.t. {named}")
            tensor = central_differences(
                _lower(func, part, part_shape),
                args,
                [path[p] for p in rest],
                (*part_shape, *(sizes[p] for p in rest)),
            )
            back = np.argsort((*places, *rest))
            return np.transpose(tensor, (0, *(int(axis) + 1 for axis in back)))
    raise AssertionError("the empty part is always there")


def _lower(
    func: ADFunctionInterface, part: tuple[int, ...], shape: tuple[int, ...]
) -> Callable[..., Array]:
    """The given derivative along `part` (the value itself if that is empty) as a function."""

    def lower(*point: Any) -> Array:
        if not part:
            return as_value(func.eval(*point), str(func))
        given = _given_tensor(func, part, shape, point)
        if given is None:
            raise NotImplementedError(f"{func}: a derivative that was given before is not now")
        return given

    return lower


def _given_tensor(
    func: ADFunctionInterface, path: tuple[int, ...], shape: tuple[int, ...], args: Sequence[Any]
) -> Array | None:
    """The derivative as the function itself gives it, or None."""
    return next((tensor for _, tensor in given_tensors(func, path, shape, args)), None)


def opaque_jvp(node: ADFunctionCall, tangents: Sequence[Expression | None]) -> Expression | None:
    """The tangent of an opaque call, from its derivative and each argument's tangent."""
    total: Expression | None = None
    for i, tangent in enumerate(tangents):
        if tangent is not None:
            total = added(total, _push(node, i, tangent))
    return total


def _push(node: ADFunctionCall, arg: int, tangent: Expression) -> Expression:
    func, m, n = _original(node.func), *_sizes(node, arg)
    if isinstance(func, Pushforward) and arg == 0:  # linear in its tangent
        return ADFunctionCall(func, [tangent, *node.args[1:]])
    if gives(func, "jvp") and not gives(func, "derivative"):
        return ADFunctionCall(Pushforward(func, arg, (m, n)), [tangent, *node.args])
    return MatMul(m, n, 1)(_jacobian_call(node, arg), tangent)


def opaque_vjp(
    node: ADFunctionCall, cotangent: Expression, needed: Sequence[bool]
) -> Sequence[Expression | None]:
    """The cotangents of an opaque call's arguments: cotangent times the Jacobian."""
    return [
        MatMul(1, *_sizes(node, i))(cotangent, _jacobian_call(node, i)) if wanted else None
        for i, wanted in enumerate(needed)
    ]


def _jacobian_call(node: ADFunctionCall, arg: int) -> Expression:
    """The flattened Jacobian `(m, n)` of an opaque call w.r.t. one of its arguments."""
    func, (m, n) = _original(node.func), _sizes(node, arg)
    if isinstance(func, DerivativeTensor):
        tensor = DerivativeTensor(func.func, (*func.path, arg), (*func.shape, n))
        return ADFunctionCall(tensor, node.args)
    if isinstance(func, Pushforward):
        tangent, *args = node.args
        if arg == 0:
            first = DerivativeTensor(func.func, (func.arg,), func.shape)
            return ADFunctionCall(first, args)
        # d/dx_i (J t) = (dJ/dx_i) t: with the axes (m, n_i, n), a plain product with t
        second = DerivativeTensor(func.func, (arg - 1, func.arg), (m, n, func.shape[1]))
        return MatMul(m * n, func.shape[1], 1)(ADFunctionCall(second, args), tangent)
    return ADFunctionCall(DerivativeTensor(func, (arg,), (m, n)), node.args)


def _original(func: ADFunctionInterface) -> ADFunctionInterface:
    return func.func if isinstance(func, SizedOpaque) else func


def _sizes(node: ADFunctionCall, arg: int) -> tuple[int, int]:
    m, n = node.size, node.args[arg].size
    if m is None or n is None:
        raise unknown_size(str(node.func), node.func.argname(arg))
    return m, n


def opaque_pattern(func: ADFunctionInterface, args: Sequence[Dependence], size: int) -> Pattern:
    """Which inputs each of the `size` entries of an opaque call may depend on."""
    original, patterns = _original(func), [arg.pattern for arg in args]
    structures = [jacobian_structure(original, i, size, p.rows) for i, p in enumerate(patterns)]
    parts = [
        p.joined(size) if structure is None else p.through(structure)
        for p, structure in zip(patterns, structures, strict=True)
    ]
    return unite(parts, size, patterns[0].columns)


def jacobian_structure(
    func: ADFunctionInterface, arg: int, m: int, n: int
) -> NDArray[np.bool_] | None:
    """The pattern `(m, n)` of `d func / d x_arg`, or None where nothing is known.

    An output that does not depend on an entry has no mixed derivative with it: the pattern of a
    derivative tensor is the product of those of its steps, row by row.

    Raises ValueError for a pattern of another shape.
    """
    if not isinstance(func, DerivativeTensor):
        return _declared(func, arg, m, n)
    rows = func.shape[0]
    steps = [*zip(func.path, func.shape[1:], strict=True), (arg, n)]
    whole = np.ones((rows, 1), dtype=np.bool_)
    known = False
    for step, size in steps:
        pattern = _declared(func.func, step, rows, size)
        known |= pattern is not None
        factor = np.ones((rows, size), dtype=np.bool_) if pattern is None else pattern
        whole = (whole[:, :, None] & factor[:, None, :]).reshape(rows, -1)
    return whole.reshape(m, n) if known else None


def _declared(func: ADFunctionInterface, arg: int, m: int, n: int) -> NDArray[np.bool_] | None:
    pattern = func.sparsity(arg)
    if pattern is None:
        return None
    array = np.asarray(pattern, dtype=np.bool_)
    if array.shape != (m, n):
        raise ValueError(f"{func}: sparsity({arg}) has shape {array.shape}, expected {(m, n)}")
    return array


def host_kernel(
    func: ADFunctionInterface, size: int, scalars: tuple[bool, ...]
) -> Callable[..., Array]:
    """A user's function over values with leading batch axes, called once a sample.

    `scalars` tells which arguments the function gets as plain floats. Raises ValueError when the
    function returns a wrong number of entries.
    """

    def one(args: Sequence[Array]) -> Array:
        given = [float(a[0]) if s else a for a, s in zip(args, scalars, strict=True)]
        result = as_value(func.eval(*given), str(func)).reshape(-1)
        if result.size != size:
            raise wrong_size(str(func), "result", result.size, size)
        return result

    def kernel(*values: Array) -> Array:
        args = [np.atleast_1d(v) for v in values]
        if all(a.ndim == 1 for a in args):
            return one(args)
        batch = np.broadcast_shapes(*(a.shape[:-1] for a in args))
        whole = [np.broadcast_to(a, (*batch, a.shape[-1])) for a in args]
        out = np.empty((*batch, size))
        for place in cast("Iterator[tuple[int, ...]]", np.ndindex(*batch)):
            out[place] = one([a[place] for a in whole])
        return out

    return kernel
