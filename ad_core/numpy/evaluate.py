"""Evaluation on numpy: values, products and batches, from cached programs.

The first evaluation of an expression with inputs of given sizes lowers and differentiates it; later
ones only run the program. Programs live in a bounded cache beside the graph, never on its nodes.
"""

from __future__ import annotations

import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import ArrayLike

from ad_core.derivatives.products import jvp, vjp
from ad_core.graph.errors import checked, unknown_name, wrong_size
from ad_core.graph.nodes import (
    ADFunctionCall,
    Expression,
    ExpressionLike,
    Variable,
    as_expressions,
    name_of,
)
from ad_core.graph.values import Array, as_batch, as_value
from ad_core.graph.walks import terminals, topological
from ad_core.lowering.lowered import Lowered, SizeProbe, lower, scalar_nodes
from ad_core.numpy.program import Program

CACHE_SIZE = 512
Shapes = tuple[tuple[str, tuple[int, ...]], ...]
T = TypeVar("T")

_cache_lock = threading.RLock()
_names: weakref.WeakKeyDictionary[Expression, tuple[str, ...]] = weakref.WeakKeyDictionary()
_cache: OrderedDict[object, tuple[list[weakref.ref[Expression]], Any]] = OrderedDict()


def cached(roots: Sequence[Expression], key: tuple[object, ...], build: Callable[[], T]) -> T:
    """What is built for these very nodes and this key, until the first of them dies."""
    full = (tuple(map(id, roots)), *key)
    with _cache_lock:
        entry = _cache.get(full)
        if entry is not None and [ref() for ref in entry[0]] == list(roots):
            _cache.move_to_end(full)
            return entry[1]
    built = build()

    def forget(_: object) -> None:
        _cache.pop(full, None)

    with _cache_lock:
        _cache[full] = ([weakref.ref(r, forget) for r in roots], built)
        while len(_cache) > CACHE_SIZE:
            _cache.popitem(last=False)
    return built


def bind(
    roots: Sequence[Expression],
    values: Mapping[str, ArrayLike],
    convert: Callable[[object, str], Array] = as_value,
) -> tuple[dict[str, Array], Shapes]:
    """The values of the roots' variables as float arrays, and their shapes.

    Other names are ignored, since one set of values may serve many expressions. Raises ValueError
    for a variable without a value.
    """
    arrays: dict[str, Array] = {}
    for root in roots:
        names = _names.get(root)
        if names is None:
            names = _names[root] = tuple(terminals([root]))
        for name in names:
            if name not in values:
                bound = ", ".join(values) or "none"
                raise ValueError(f"variable '{name}' has no value; bound: {bound}")
            if name not in arrays:
                arrays[name] = convert(values[name], name)
    return arrays, tuple([(name, a.shape) for name, a in arrays.items()])


def vectors(arrays: Mapping[str, Array]) -> dict[str, Array]:
    """Values of one entry as numpy scalars, which programs are fastest on."""
    return {n: a if a.size != 1 else a[()] if a.ndim == 0 else a[0] for n, a in arrays.items()}


def lowered_at(roots: Sequence[Expression], arrays: Mapping[str, Array]) -> Lowered:
    """The roots for values of these sizes; results of unknown size are found by a call."""
    sizes = {name: a.shape[-1] if a.ndim else 1 for name, a in arrays.items()}
    return lower(roots, tuple(sizes), sizes, _size_probe(arrays), "expression")


def scalar_inputs(arrays: Mapping[str, Array]) -> list[bool]:
    """Which inputs are plain numbers."""
    return [a.ndim == 0 for a in arrays.values()]


def _size_probe(arrays: Mapping[str, Array]) -> SizeProbe:
    """Find the size of an opaque result by evaluating the call at the first of the values."""

    def probe(call: ADFunctionCall) -> tuple[int, bool]:
        args = evaluate(call.args, {n: _first_sample(a) for n, a in arrays.items()})
        result = as_value(call.func.eval(*args), str(call.func))
        return result.size, result.ndim == 0

    return probe


def _first_sample(values: Array) -> Array:
    """The first vector of a batch, or zeros where the batch is empty."""
    batch: tuple[int, ...] = values.shape[:-1]
    if 0 in batch:
        return np.zeros(int(values.shape[-1]))
    return cast("Array", values[(0,) * len(batch)]) if batch else values


def evaluate(roots: Sequence[Expression], values: Mapping[str, ArrayLike]) -> list[Any]:
    """The value of each root: a float or an array `(n,)`."""
    arrays, shapes = bind(roots, values)

    def build() -> tuple[Program, list[bool]]:
        f = lowered_at(roots, arrays)
        bound = {name: a.ndim == 0 for name, a in arrays.items()}
        scalars = scalar_nodes(topological(roots), bound)
        flags = [n == 1 and scalars[r] for n, r in zip(f.sizes_out, roots, strict=True)]
        return Program(f.tape, scalar_inputs(arrays)), flags

    program, flags = cached(roots, ("eval", shapes), build)
    results = program.run(vectors(arrays))
    return [
        v.item() if scalar else np.array(v).reshape(-1)
        for v, scalar in zip(results, flags, strict=True)
    ]


def evaluate_batch(root: Expression, values: Mapping[str, ArrayLike]) -> Array:
    """Values `(*batch, n_out)` for inputs `(*batch, n)` whose batch axes broadcast."""
    arrays, _ = bind([root], values, as_batch)
    key = ("batch", tuple([(name, a.shape[-1]) for name, a in arrays.items()]))

    def build() -> tuple[Program, int]:
        f = lowered_at([root], arrays)
        return Program(f.tape), f.sizes_out[0]

    batch = batch_shape(arrays)
    program, size = cached([root], key, build)
    return np.array(np.broadcast_to(program.run(arrays)[0], (*batch, size)))


def batch_shape(arrays: Mapping[str, Array]) -> tuple[int, ...]:
    """The common batch axes of arrays that carry their vector on the last axis."""
    try:
        return np.broadcast_shapes(*(a.shape[:-1] for a in arrays.values()))
    except ValueError as error:
        shown = ", ".join(f"{name}: {a.shape}" for name, a in arrays.items())
        raise ValueError(f"batch axes do not broadcast against each other ({shown})") from error


def evaluate_jvp(
    root: Expression, tangents: Mapping[Variable, ArrayLike], values: Mapping[str, ArrayLike]
) -> Array:
    """`sum_x (d root / d x) t_x`, shape `(n_out,)`."""
    arrays, shapes = bind([root], values)
    checked(tangents, Mapping, "jvp", "tangents", "a dict of tangents by variable")
    pushed: dict[str, Array] = {}
    for variable, tangent in tangents.items():
        name = name_of(variable)
        if name not in arrays:
            raise unknown_name("variable", name, arrays)
        if name in pushed:
            raise ValueError(f"jvp: a variable has two tangents: {name}")
        pushed[name] = as_value(tangent, f"tangent of {name}")
    numbers = [tuple(arrays).index(name) for name in pushed]
    key = ("jvp", shapes, *numbers)
    program, seeds, size = _product(root, arrays, key, lambda f: jvp(f, numbers))
    for name, tangent in pushed.items():
        if tangent.size != arrays[name].size:
            raise wrong_size("jvp", f"tangent of {name}", tangent.size, arrays[name].size)
    bound = vectors({**arrays, **dict(zip(seeds, pushed.values(), strict=True))})
    return np.array(np.broadcast_to(program.run(bound)[0], (size,)))


def evaluate_vjp(
    root: Expression, cotangent: ArrayLike, values: Mapping[str, ArrayLike]
) -> dict[str, Array]:
    """`cotangent^T (d root / d x)` for every variable by name, each `(n_x,)`."""
    arrays, shapes = bind([root], values)
    pulled = as_value(cotangent, "cotangent")
    everything = range(len(arrays))
    program, seeds, size = _product(root, arrays, ("vjp", shapes), lambda f: vjp(f, everything))
    if pulled.size != size:
        raise wrong_size("vjp", "cotangent", pulled.size, size)
    results = program.run(vectors({**arrays, seeds[0]: pulled}))
    return {
        name: np.array(np.broadcast_to(value, (a.size,)))
        for (name, a), value in zip(arrays.items(), results, strict=True)
    }


def _product(
    root: Expression,
    arrays: Mapping[str, Array],
    key: tuple[object, ...],
    differentiate: Callable[[Lowered], Lowered],
) -> tuple[Program, tuple[str, ...], int]:
    """The program of a product with the Jacobian, its inputs besides, and the root's size."""

    def build() -> tuple[Program, tuple[str, ...], int]:
        f = lowered_at([root], arrays)
        g = differentiate(f)
        return Program(g.tape, scalar_inputs(arrays)), g.names_in[len(arrays) :], f.sizes_out[0]

    return cached([root], key, build)


def eval_multiple(exprs: Sequence[ExpressionLike], /, **values: ArrayLike) -> list[Any]:
    """The value of each expression; subexpressions that they share are computed once.

    Every variable of any of them is bound by keyword. Raises ValueError as `Expression.eval` does.
    """
    return evaluate(as_expressions("eval_multiple", exprs), values)
