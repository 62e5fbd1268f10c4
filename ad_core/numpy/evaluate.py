"""Evaluation on numpy: values, Jacobians, products and batches, from cached programs.

The first evaluation of an expression with inputs of given sizes lowers and differentiates it; later
ones only run the program. Programs live in a bounded cache beside the graph, never on its nodes.
"""

from __future__ import annotations

import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike

from ad_core.derivatives.products import clean, jvp_graph, vjp_graph
from ad_core.graph.errors import unknown_name, wrong_size
from ad_core.graph.nodes import (
    ADFunctionCall,
    ADTerminal,
    Constant,
    Expression,
    ExpressionLike,
    Variable,
    as_expressions,
    name_of,
)
from ad_core.graph.values import Array, as_batch, as_value
from ad_core.graph.walks import terminals
from ad_core.lowering.scalars import scalar_flags
from ad_core.lowering.tape import SizeProbe, fix_sizes, make_tape
from ad_core.numpy.program import Program

CACHE_SIZE = 512
ONE = cast("Array", np.float64(1.0))
Shapes = tuple[tuple[str, tuple[int, ...]], ...]
Built = tuple[Program, Any]

_cache_lock = threading.RLock()
_cache: OrderedDict[object, tuple[list[weakref.ref[Expression]], Built]] = OrderedDict()


def cached(
    roots: Sequence[Expression], key: tuple[object, ...], build: Callable[[], Built]
) -> Built:
    """The program for these very nodes and this key, forgotten with the first of them that dies."""
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


def bind(values: Mapping[str, ArrayLike], what: str = "") -> tuple[dict[str, Array], Shapes]:
    """The values as float arrays, and their shapes, by which programs are told apart.

    In errors a value is called by `what` and its name.
    """
    arrays = {name: as_value(value, what + name) for name, value in values.items()}
    return arrays, tuple((name, a.shape) for name, a in arrays.items())


def vectors(arrays: Mapping[str, Array]) -> dict[str, Array]:
    """Values of one entry as numpy scalars, which programs are fastest on."""
    return {n: a if a.size != 1 else a[()] if a.ndim == 0 else a[0] for n, a in arrays.items()}


def check_names(roots: Sequence[Expression], given: Mapping[str, object]) -> dict[str, int | None]:
    """The variables of the roots; raises unless exactly they are bound."""
    declared = terminals(roots)
    for name in given:
        if name not in declared:
            raise unknown_name("variable", name, declared)
    for name in declared:
        if name not in given:
            raise ValueError(f"variable '{name}' has no value; bound: {', '.join(given) or 'none'}")
    return declared


def fixed_at(
    roots: Sequence[Expression], arrays: Mapping[str, Array]
) -> tuple[list[Expression], list[tuple[str, int]]]:
    """The roots with the sizes of these values, and the inputs' names and sizes."""
    sizes = {name: a.shape[-1] if a.ndim else 1 for name, a in arrays.items()}
    return fix_sizes(roots, sizes, _size_probe(arrays)), list(sizes.items())


def _size_probe(arrays: Mapping[str, Array]) -> SizeProbe:
    """Find the size of an opaque result by evaluating the call at the first of the values."""

    def probe(call: ADFunctionCall) -> tuple[int, bool]:
        args = evaluate_bound(call.args, {n: _first_sample(a) for n, a in arrays.items()})
        result = as_value(call.func.eval(*args), str(call.func))
        return result.size, result.ndim == 0

    return probe


def _first_sample(values: Array) -> Array:
    """The first vector of a batch, or zeros where the batch is empty."""
    batch: tuple[int, ...] = values.shape[:-1]
    if 0 in batch:
        return np.zeros(int(values.shape[-1]))
    return cast("Array", values[(0,) * len(batch)]) if batch else values


def evaluate_bound(roots: Sequence[Expression], arrays: Mapping[str, Array]) -> list[Any]:
    """`evaluate` where more names may be bound than the roots need."""
    names = terminals(roots)
    return evaluate(roots, {name: arrays[name] for name in names})


def evaluate(roots: Sequence[Expression], values: Mapping[str, ArrayLike]) -> list[Any]:
    """The value of each root: a float or an array `(n,)`."""
    arrays, shapes = bind(values)

    def build() -> Built:
        check_names(roots, arrays)
        fixed, inputs = fixed_at(roots, arrays)
        scalar_inputs = [arrays[name].ndim == 0 for name, _ in inputs]
        program = Program(make_tape(fixed, inputs), scalar_inputs)
        bound = {name: a.ndim == 0 for name, a in arrays.items()}
        by_node = scalar_flags(roots, bound)
        flags = [f.size == 1 and by_node[r] for f, r in zip(fixed, roots, strict=True)]
        return program, flags

    program, flags = cached(roots, ("eval", shapes), build)
    results = program.run(vectors(arrays))
    return [
        v.item() if scalar else np.array(v).reshape(-1)
        for v, scalar in zip(results, flags, strict=True)
    ]


def evaluate_batch(root: Expression, values: Mapping[str, ArrayLike]) -> Array:
    """Values `(*batch, n_out)` for inputs `(*batch, n)` whose batch axes broadcast."""
    arrays = {name: as_batch(value, name) for name, value in values.items()}
    key = ("batch", tuple((name, a.shape[-1]) for name, a in arrays.items()))

    def build() -> Built:
        check_names([root], arrays)
        fixed, inputs = fixed_at([root], arrays)
        return Program(make_tape(fixed, inputs)), fixed[0].size

    batch = batch_shape(arrays)
    program, size = cached([root], key, build)
    return np.array(np.broadcast_to(program.run(arrays)[0], (*batch, size)))


def zeros(size: int) -> Expression:
    """A vector of `size` zeros."""
    return Constant(np.zeros(size))


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
    arrays, shapes = bind(values)
    if not isinstance(tangents, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError("jvp: expected a dict of tangents by variable")
    named_tangents = {name_of(variable): tangent for variable, tangent in tangents.items()}
    if len(named_tangents) < len(tangents):
        raise ValueError(f"jvp: a variable has two tangents: {', '.join(named_tangents)}")
    pushed, tangent_shapes = bind(named_tangents, "tangent of ")

    def build() -> Built:
        declared = check_names([root], arrays)
        fixed, inputs = fixed_at([root], arrays)
        for name, tangent in pushed.items():
            if name not in declared:
                raise unknown_name("variable", name, declared)
            if tangent.size != arrays[name].size:
                raise wrong_size("jvp", f"tangent of {name}", tangent.size, arrays[name].size)
        seeds = [(f"@{name}", tangent.size) for name, tangent in pushed.items()]
        named = {n[1:]: ADTerminal(n, size) for n, size in seeds}
        graph = clean(jvp_graph(fixed, named)[0])
        scalar_inputs = [arrays[name].ndim == 0 for name, _ in inputs]
        return Program(make_tape([graph], [*inputs, *seeds]), scalar_inputs), fixed[0].size

    program, size = cached([root], ("jvp", shapes, tangent_shapes), build)
    bound = vectors({**arrays, **{f"@{name}": t for name, t in pushed.items()}})
    return np.array(np.broadcast_to(program.run(bound)[0], (size,)))


def evaluate_vjp(
    root: Expression, cotangent: ArrayLike, values: Mapping[str, ArrayLike]
) -> dict[str, Array]:
    """`cotangent^T (d root / d x)` for every variable by name, each `(n_x,)`."""
    arrays, shapes = bind(values)
    pulled = as_value(cotangent, "cotangent")

    def build() -> Built:
        names = list(check_names([root], arrays))
        fixed, inputs = fixed_at([root], arrays)
        size = fixed[0].size
        if pulled.size != size:
            raise wrong_size("vjp", "cotangent", pulled.size, size or 0)
        graphs = vjp_graph(fixed, [ADTerminal("@", size)], names)
        roots = [clean(graphs[n]) if n in graphs else zeros(dict(inputs)[n]) for n in names]
        scalar_inputs = [arrays[name].ndim == 0 for name, _ in inputs]
        tape = make_tape(roots, [*inputs, ("@", pulled.size)])
        return Program(tape, scalar_inputs), [(n, dict(inputs)[n]) for n in names]

    program, names = cached([root], ("vjp", shapes, pulled.size), build)
    results = program.run(vectors({**arrays, "@": pulled}))
    return {
        name: np.array(np.broadcast_to(value, (size,)))
        for (name, size), value in zip(names, results, strict=True)
    }


def eval_multiple(exprs: Sequence[ExpressionLike], /, **values: ArrayLike) -> list[Any]:
    """The value of each expression; subexpressions that they share are computed once.

    Every variable of any of them is bound by keyword. Raises ValueError as `Expression.eval` does.
    """
    return evaluate(as_expressions("eval_multiple", exprs), values)
