"""`torch_to_primitives`: a trained torch module as primitives, through `torch.export`.

The exported graph is walked once. A value is an expression of its entries row by row, and a shape.
Functions that are affine in their one unknown (layers with constant weights, convolutions, views,
slices) need no rule: torch itself gives their matrix, column by column. The rest is a table.
"""

# torch leaves the types of graphs and operators unknown.
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false
# pyright: reportUnknownParameterType=false, reportUnknownLambdaType=false

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.fx.node import map_arg

import ad_core as ad
from ad_core import math as adm
from ad_core.graph.errors import unknown_size
from ad_core.graph.nodes import Expression, ExpressionLike, as_expression

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Value:
    """A tensor that depends on the arguments: its entries row by row, and its shape."""

    entries: Expression
    shape: Shape


def torch_to_primitives(module: nn.Module, args: Sequence[ExpressionLike]) -> Expression:
    """`module(*args)` as an expression of primitives: exact on every engine, to every order.

    The module gets each argument as a tensor `(n_i,)` and gives a vector. Its parameters become
    constants, as they are now; it is read in the mode that it is in, and must not depend on chance.
    Known are linear and convolution layers, batch normalisation in eval mode, pooling by averages,
    layer normalisation, softmax, the usual activations, arithmetic, matrix products, and everything
    that rearranges entries.

    Raises:
        ValueError: where an argument's size is not known, or the result is no vector.
        NotImplementedError: for an operator that is not in the table; `torch_to_ad` takes any.
    """
    nodes = [as_expression(a) for a in args]
    for i, node in enumerate(nodes):
        if node.size is None:
            raise unknown_size("torch_to_primitives", f"argument {i}")
    like = next((p for p in module.parameters() if p.is_floating_point()), None)
    dtype = torch.float64 if like is None else like.dtype
    device = "cpu" if like is None else like.device
    examples = tuple(torch.zeros(n.size or 0, dtype=dtype, device=device) for n in nodes)
    program = torch.export.export(module, examples)
    known: dict[str, Any] = {**program.state_dict, **program.constants}
    specs = program.graph_signature.input_specs
    arguments = iter(nodes)
    values: dict[Any, Any] = {}
    placeholders = [n for n in program.graph.nodes if n.op == "placeholder"]
    for node, spec in zip(placeholders, specs, strict=True):
        if spec.target is not None:
            values[node] = known[spec.target].detach().to("cpu", torch.float64)
        else:
            argument = next(arguments)
            values[node] = Value(argument, (argument.size or 0,))
    for node in program.graph.nodes:
        if node.op == "call_function":
            operands = map_arg((node.args, node.kwargs), lambda n: values[n])
            values[node] = _lowered(node.target, *operands)
    (output,) = next(n for n in program.graph.nodes if n.op == "output").args
    result = values[output[0]]
    if isinstance(result, Tensor):
        result = Value(ad.constant(result.reshape(-1).numpy()), tuple(result.shape))
    if len(output) != 1 or len(result.shape) > 1:
        raise ValueError(f"torch_to_primitives: the result has shape {result.shape}, not a vector")
    return result.entries


def _lowered(target: Any, args: Any, kwargs: Any) -> Any:
    unknowns = _unknowns([*args, *kwargs.values()])
    if not unknowns:
        return target(*args, **kwargs)
    name = str(target).removeprefix("aten.").split(".")[0]
    if name == "dropout" and args[2]:
        raise NotImplementedError("torch_to_primitives: dropout depends on chance in train mode")
    if name in PASSED:
        return args[0]
    if name == "batch_norm" and args[5]:
        raise NotImplementedError("torch_to_primitives: batch normalisation is in train mode")
    if name in RULES:
        return RULES[name](*args, **kwargs)
    if name in AFFINE and len(unknowns) == 1:
        return _affine(target, args, kwargs, unknowns[0])
    if name in ELEMENTWISE and len(args) == 1:
        return Value(ELEMENTWISE[name](args[0].entries), args[0].shape)
    raise NotImplementedError(
        f"torch_to_primitives: no rule for {target}; torch_to_ad takes any module"
    )


def _unknowns(operands: Sequence[Any]) -> list[Value]:
    found: list[Value] = []
    for operand in operands:
        if isinstance(operand, Value):
            found.append(operand)
        elif isinstance(operand, (list, tuple)):
            found += _unknowns(operand)
    return found


PASSED = {"detach", "detach_", "clone", "contiguous", "_to_copy", "to", "alias", "dropout"}

AFFINE = {
    *("linear", "addmm", "conv1d", "conv2d", "conv3d", "batch_norm"),
    *("avg_pool1d", "avg_pool2d", "adaptive_avg_pool1d", "adaptive_avg_pool2d", "mean", "sum"),
    *("view", "reshape", "flatten", "unflatten", "unsqueeze", "squeeze", "permute", "transpose"),
    *("t", "numpy_T", "select", "slice", "narrow", "index_select", "expand", "expand_as", "repeat"),
    *("flip", "roll", "constant_pad_nd", "pad", "cumsum", "diagonal", "neg", "index"),
}
"""Operators that are affine in one argument while the others are constants."""


def _affine(target: Any, args: Any, kwargs: Any, x: Value) -> Value:
    """`A x + b`, with the matrix that torch gives: a choice of entries where it is one."""

    def run(entries: Tensor) -> Tensor:
        put = lambda o: entries.reshape(x.shape) if isinstance(o, Value) else o  # noqa: E731
        return target(*map(put, args), **{k: put(v) for k, v in kwargs.items()})

    size = x.entries.size or 0
    with torch.no_grad():
        offset = run(torch.zeros(size, dtype=torch.float64))
        columns = [run(e) - offset for e in torch.eye(size, dtype=torch.float64)]
    b = offset.reshape(-1).numpy()
    A = np.stack([c.reshape(-1).numpy() for c in columns], axis=1)
    shape = tuple(offset.shape)
    if not b.any() and ((A == 0) | (A == 1)).all() and (A.sum(axis=1) == 1).all():
        return Value(_taken(x.entries, A.argmax(axis=1)), shape)
    product = adm.linear(A, x.entries)
    return Value(product + b if b.any() else product, shape)


def _taken(entries: Expression, indices: Any) -> Expression:
    chosen = [int(i) for i in indices]
    return entries if chosen == list(range(entries.size or 0)) else entries[chosen]


def _value(operand: Any) -> Value:
    if isinstance(operand, Value):
        return operand
    tensor = torch.as_tensor(operand, dtype=torch.float64)
    return Value(ad.constant(tensor.reshape(-1).numpy()), tuple(tensor.shape))


def _stretched(value: Value, shape: Shape) -> Expression:
    """The entries of a value whose axes of length 1 are repeated to a shape."""
    if value.shape == shape or value.entries.size == 1:
        return value.entries
    places = np.arange(value.entries.size or 0).reshape(value.shape)
    return _taken(value.entries, np.broadcast_to(places, shape).reshape(-1))


def _binary(rule: Callable[[Expression, Expression], Expression]) -> Callable[..., Value]:
    def lowered(x: Any, y: Any, alpha: float = 1) -> Value:
        a, b = _value(x), _value(y)
        shape = tuple(torch.broadcast_shapes(a.shape, b.shape))
        second = _stretched(b, shape)
        result = rule(_stretched(a, shape), second if alpha == 1 else second * float(alpha))
        size = int(np.prod(shape))
        return Value(result if result.size == size else ad.stack(*[result] * size), shape)

    return lowered


def _rows(x: Value, axis: int, rule: Callable[[Expression], Expression]) -> Value:
    """`rule` on each vector along one axis."""
    places = np.moveaxis(np.arange(x.entries.size or 0).reshape(x.shape), axis, -1)
    length = places.shape[-1]
    rows = [rule(_taken(x.entries, row)) for row in places.reshape(-1, length)]
    order = np.moveaxis(np.arange(places.size).reshape(places.shape), -1, axis).reshape(-1)
    return Value(_taken(ad.stack(*rows) if len(rows) > 1 else rows[0], order), x.shape)


def _softmax(x: Value, axis: int, dtype: Any = None) -> Value:
    def rule(row: Expression) -> Expression:
        powers = adm.exp(row - ad.maximum(row))
        return powers / ad.sum_(powers)

    return _rows(x, axis, rule)


def _log_softmax(x: Value, axis: int, dtype: Any = None) -> Value:
    def rule(row: Expression) -> Expression:
        shifted = row - ad.maximum(row)
        return shifted - adm.log(ad.sum_(adm.exp(shifted)))

    return _rows(x, axis, rule)


def _layer_norm(
    x: Value, shape: Sequence[int], weight: Any = None, bias: Any = None, eps: float = 1e-5, *_: Any
) -> Value:
    n = int(np.prod(shape))
    whole = Value(x.entries, ((x.entries.size or 0) // n, n))

    def rule(row: Expression) -> Expression:
        centred = row - ad.sum_(row) / float(n)
        scaled = centred / adm.sqrt(ad.sum_(centred * centred) / float(n) + eps)
        scaled = scaled if weight is None else scaled * weight.reshape(-1).numpy()
        return scaled if bias is None else scaled + bias.reshape(-1).numpy()

    return Value(_rows(whole, -1, rule).entries, x.shape)


def _cat(parts: Sequence[Any], axis: int = 0) -> Value:
    values = [_value(p) for p in parts]
    places, start = [], 0
    for v in values:
        size = v.entries.size or 0
        places.append(np.arange(start, start + size).reshape(v.shape))
        start += size
    order = np.concatenate(places, axis)
    entries = _taken(ad.stack(*(v.entries for v in values)), order.reshape(-1))
    return Value(entries, order.shape)


def _stack(parts: Sequence[Any], axis: int = 0) -> Value:
    values = [_value(p) for p in parts]
    axis %= len(values[0].shape) + 1
    return _cat([Value(v.entries, (*v.shape[:axis], 1, *v.shape[axis:])) for v in values], axis)


def _matmul(x: Any, y: Any) -> Value:
    a, b = _value(x), _value(y)
    if not (len(a.shape) in (1, 2) and len(b.shape) in (1, 2)):
        raise NotImplementedError("torch_to_primitives: products of stacks of matrices")
    m, n = (a.shape[0] if len(a.shape) == 2 else 1), (b.shape[1] if len(b.shape) == 2 else 1)
    product = adm.matmul(a.entries, b.entries, (m, a.shape[-1]), (b.shape[0], n))
    return Value(product, (*a.shape[:-1], *b.shape[1:]))


def _clamp(x: Value, low: Any = None, high: Any = None) -> Value:
    entries = x.entries
    entries = entries if low is None else ad.maximum(entries, float(low))
    return Value(entries if high is None else ad.minimum(entries, float(high)), x.shape)


def _gelu(x: Value, approximate: str = "none") -> Value:
    if approximate != "tanh":
        raise NotImplementedError(
            "torch_to_primitives: gelu needs the error function; use approximate='tanh'"
        )
    e = x.entries
    inner = float(np.sqrt(2 / np.pi)) * (e + 0.044715 * e * e * e)
    return Value(0.5 * e * (1.0 + adm.tanh(inner)), x.shape)


def _sigmoid(x: Expression) -> Expression:
    return 0.5 + 0.5 * adm.tanh(0.5 * x)  # no overflow on either side


def _softplus(x: Value, beta: float = 1, threshold: float = 20) -> Value:
    e = x.entries * float(beta)
    smooth = adm.log1p(adm.exp(ad.minimum(e, float(threshold)))) / float(beta)
    return Value(ad.cond(e - float(threshold), x.entries, smooth), x.shape)


def _elu(x: Value, alpha: float = 1, scale: float = 1, input_scale: float = 1) -> Value:
    e = x.entries
    below = float(alpha) * adm.expm1(ad.minimum(e, 0.0) * float(input_scale))
    return Value(float(scale) * ad.cond(e, e, below), x.shape)


def _leaky_relu(x: Value, slope: float = 0.01) -> Value:
    return Value(ad.cond(x.entries, x.entries, x.entries * float(slope)), x.shape)


ELEMENTWISE: dict[str, Callable[[Expression], Expression]] = {
    "relu": lambda x: ad.cond(x, x, 0.0),  # torch's slope at 0 is 0
    "relu_": lambda x: ad.cond(x, x, 0.0),
    "tanh": adm.tanh,
    "sigmoid": _sigmoid,
    "silu": lambda x: x * _sigmoid(x),
    "exp": adm.exp,
    "expm1": adm.expm1,
    "log": adm.log,
    "log1p": adm.log1p,
    "sin": adm.sin,
    "cos": adm.cos,
    "sqrt": adm.sqrt,
    "rsqrt": lambda x: 1.0 / adm.sqrt(x),
    "square": lambda x: x * x,
    "abs": ad.abs_,
    "reciprocal": lambda x: 1.0 / x,
}

RULES: dict[str, Callable[..., Value]] = {
    "add": _binary(operator.add),
    "add_": _binary(operator.add),
    "sub": _binary(operator.sub),
    "mul": _binary(operator.mul),
    "div": _binary(operator.truediv),
    "pow": _binary(operator.pow),
    "maximum": _binary(ad.maximum),
    "minimum": _binary(ad.minimum),
    "atan2": _binary(adm.atan2),
    "softmax": _softmax,
    "log_softmax": _log_softmax,
    "layer_norm": _layer_norm,
    "cat": _cat,
    "stack": _stack,
    "clamp": _clamp,
    "hardtanh": _clamp,
    "gelu": _gelu,
    "softplus": _softplus,
    "elu": _elu,
    "leaky_relu": _leaky_relu,
    "matmul": _matmul,
    "mm": _matmul,
    "mv": _matmul,
    "dot": _matmul,
}
