"""Functions that the graph cannot look into: their derivatives, given or by finite differences.

`function()` makes one from a Python function. The derivative of an opaque call is again a call, of
a `DerivativeTensor`, contracted with the tangent; differentiating that gives the tensor of the next
order. So opaque functions take part in every product and order that the graph offers.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from ad_core.errors import unknown_size
from ad_core.expr import ADFunctionCall, Array, Expression
from ad_core.interface import ADFunctionInterface, gives
from ad_core.ops.linalg import MatMul


class SizedOpaque(ADFunctionInterface):
    """An opaque function whose result's size was found by calling it once."""

    def __init__(self, func: ADFunctionInterface, size: int, scalar: bool) -> None:
        self.func, self._size, self.scalar = func, size, scalar

    def __str__(self) -> str:
        return str(self.func)

    def argname(self, arg: int) -> str:
        return self.func.argname(arg)

    def n_args(self) -> int:
        return self.func.n_args()

    def n_in(self, arg: int) -> int:
        return self.func.n_in(arg)

    def n_out(self) -> int:
        return self._size

    def eval(self, *args: Any) -> Any:
        return self.func.eval(*args)


class DerivativeTensor(ADFunctionInterface):
    """The derivative of `func` w.r.t. its arguments `path` in turn, flattened.

    Shape before flattening: `(n_out, n_in(path[0]), ..., n_in(path[-1]))`. It comes from
    `gen_derivative`, `derivative` or `jvp` where the function gives them, else from central
    differences of the tensor one order below.
    """

    def __init__(
        self, func: ADFunctionInterface, path: tuple[int, ...], shape: tuple[int, ...]
    ) -> None:
        self.func, self.path, self.shape = func, path, shape

    def __str__(self) -> str:
        return f"d{list(self.path)} {self.func}"

    def n_args(self) -> int:
        return self.func.n_args()

    def argname(self, arg: int) -> str:
        return self.func.argname(arg)

    def n_in(self, arg: int) -> int:
        return self.func.n_in(arg)

    def n_out(self) -> int:
        return int(np.prod(self.shape))

    def eval(self, *args: Any) -> Array:
        return derivative_tensor(self.func, self.path, self.shape, args).reshape(-1)


def derivative_tensor(
    func: ADFunctionInterface, path: tuple[int, ...], shape: tuple[int, ...], args: Sequence[Any]
) -> Array:
    """The value of a `DerivativeTensor`, by the best means that the function gives."""
    given = _given_tensor(func, path, shape, args)
    if given is not None:
        return given
    lower = DerivativeTensor(func, path[:-1], shape[:-1])
    return _central_difference(lower.eval if path[:-1] else func.eval, path[-1], shape, args)


def _given_tensor(
    func: ADFunctionInterface, path: tuple[int, ...], shape: tuple[int, ...], args: Sequence[Any]
) -> Array | None:
    if gives(func, "gen_derivative"):
        try:
            return _shaped(func, func.gen_derivative(list(path), *args), shape)
        except NotImplementedError:
            pass
    if len(path) != 1:
        return None
    if gives(func, "derivative"):
        try:
            return _shaped(func, func.derivative(path[0], *args), shape)
        except NotImplementedError:
            pass
    if gives(func, "jvp"):
        try:
            basis = np.eye(shape[1])
            scalar = np.ndim(args[path[0]]) == 0
            columns = [func.jvp(path[0], d[0] if scalar else d, *args) for d in basis]
            return np.stack([_column(c, shape[0]) for c in columns], axis=1)
        except NotImplementedError:
            pass
    return None


def _shaped(func: ADFunctionInterface, value: Any, shape: tuple[int, ...]) -> Array:
    if isinstance(value, (int, float)) and value == 0:
        return np.zeros(shape)
    array = np.asarray(value, dtype=np.float64)
    if array.size != int(np.prod(shape)):
        raise ValueError(f"{func}: derivative has shape {array.shape}, expected {shape}")
    return array.reshape(shape)


def _column(value: Any, size: int) -> Array:
    array = np.asarray(value, dtype=np.float64).reshape(-1)
    return np.broadcast_to(array, (size,)) if array.size == 1 else array


def finite_difference_step() -> float:
    """`ad_core.FINITE_DIFFERENCE_RES` as it is set now."""
    return float(sys.modules["ad_core"].FINITE_DIFFERENCE_RES)


def _central_difference(
    function: Any, arg: int, shape: tuple[int, ...], args: Sequence[Any]
) -> Array:
    """`(f(x + h e_i) - f(x - h e_i)) / 2h` for each entry `i` of argument `arg`."""
    h = finite_difference_step()
    x: Array = np.array(args[arg], dtype=np.float64).reshape(-1)
    scalar = np.ndim(args[arg]) == 0
    columns: list[Array] = []
    for i in range(x.size):
        sides: list[Array] = []
        for step in (h, -h):
            moved = np.array(x)
            moved[i] += step
            point: list[Any] = [*args[:arg], moved[0] if scalar else moved, *args[arg + 1 :]]
            sides.append(np.asarray(function(*point), dtype=np.float64).reshape(shape[:-1]))
        columns.append((sides[0] - sides[1]) / (2 * h))
    return np.stack(columns, axis=-1)


def opaque_jvp(node: ADFunctionCall, tangents: Sequence[Expression | None]) -> Expression | None:
    """The tangent of an opaque call: its derivative tensor times each argument's tangent."""
    total: Expression | None = None
    for i, tangent in enumerate(tangents):
        if tangent is not None:
            jacobian, m, n = _jacobian_call(node, i)
            term = MatMul(m, n, 1)(jacobian, tangent)
            total = term if total is None else total + term
    return total


def opaque_vjp(
    node: ADFunctionCall, cotangent: Expression, needed: Sequence[bool]
) -> Sequence[Expression | None]:
    """The cotangents of an opaque call's arguments: cotangent times the derivative tensor."""
    gradients: list[Expression | None] = []
    for i, wanted in enumerate(needed):
        if wanted:
            jacobian, m, n = _jacobian_call(node, i)
            gradients.append(MatMul(1, m, n)(cotangent, jacobian))
        else:
            gradients.append(None)
    return gradients


def _jacobian_call(node: ADFunctionCall, arg: int) -> tuple[Expression, int, int]:
    """The call that gives the flattened Jacobian of a call, and its shape `(n_out, n_in)`."""
    func, m, n = node.func, node.size, node.args[arg].size
    if m is None or n is None:
        raise unknown_size(str(func), func.argname(arg))
    if isinstance(func, DerivativeTensor):
        tensor = DerivativeTensor(func.func, (*func.path, arg), (*func.shape, n))
    else:
        original = func.func if isinstance(func, SizedOpaque) else func
        tensor = DerivativeTensor(original, (arg,), (m, n))
    return ADFunctionCall(tensor, node.args), m, n
