"""Derivatives on numpy: Jacobians by as few products as their structure allows, and tensors.

Both are built once for an expression and inputs of given sizes, and then only run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from ad_core.derivatives.compress import Compression, compress, jacobian_pattern, whole
from ad_core.derivatives.products import clean, derivative_graph, jvp_graph, vjp_graph
from ad_core.graph.errors import unknown_name
from ad_core.graph.nodes import (
    ADTerminal,
    Expression,
    ExpressionLike,
    Variable,
    as_expressions,
    name_of,
)
from ad_core.graph.values import Array, as_batch
from ad_core.lowering.tape import make_tape
from ad_core.numpy.evaluate import (
    ONE,
    Built,
    batch_shape,
    bind,
    cached,
    check_names,
    fixed_at,
    vectors,
    zeros,
)
from ad_core.numpy.program import Program
from ad_core.ops.structure import spread, stack

TANGENT, COTANGENT = "@tangent", "@cotangent"


def derivative_multiple(
    exprs: Sequence[ExpressionLike], /, arg: Variable, **values: ArrayLike
) -> list[Array]:
    """The Jacobian of each expression w.r.t. the variable `arg`, each of shape `(n_out, n_arg)`.

    What the expressions share is computed once, in the values and in the derivatives.
    """
    roots = as_expressions("derivative_multiple", exprs)
    return evaluate_jacobians(roots, name_of(arg), values)


def evaluate_jacobians(
    roots: Sequence[Expression], arg: str, values: Mapping[str, ArrayLike]
) -> list[Array]:
    """Each root's Jacobian `(n_out, n_arg)`."""
    arrays, shapes = bind(values)
    key = ("jacobian", arg, shapes)
    program, plan = cached(roots, key, lambda: _build_jacobians(roots, arg, arrays))
    compression, rows = plan
    products = program.run(_seeded(vectors(arrays), compression, ()))
    matrix = compression.matrix(products, ())
    if len(rows) == 1:
        return [matrix]
    return [np.array(part) for part in np.split(matrix, np.cumsum(rows)[:-1])]


def jacobian_products(
    roots: Sequence[Expression], arg: str, values: Mapping[str, ArrayLike]
) -> tuple[Compression, list[Array]]:
    """The products that hold every entry of the roots' Jacobian, and where they hold it."""
    arrays, shapes = bind(values)
    key = ("products", arg, shapes)
    build = lambda: _build_jacobians(roots, arg, arrays, structured=True)  # noqa: E731
    program, (compression, _) = cached(roots, key, build)
    return compression, program.run(_seeded(vectors(arrays), compression, ()))


def evaluate_derivative_batch(root: Expression, arg: str, values: Mapping[str, ArrayLike]) -> Array:
    """Jacobians `(*batch, n_out, n_arg)` for inputs `(*batch, n)`."""
    arrays = {name: as_batch(value, name) for name, value in values.items()}
    batch = batch_shape(arrays)
    key = ("jacobian_batch", arg, tuple((name, a.shape[-1]) for name, a in arrays.items()))
    program, plan = cached([root], key, lambda: _build_jacobians([root], arg, arrays))
    compression, _ = plan
    return compression.matrix(program.run(_seeded(arrays, compression, batch)), batch)


def _build_jacobians(
    roots: Sequence[Expression], arg: str, arrays: Mapping[str, Array], structured: bool = False
) -> Built:
    declared = check_names(roots, arrays)
    if arg not in declared:
        raise unknown_name("variable", arg, declared)
    fixed, inputs = fixed_at(roots, arrays)
    rows = [root.size or 0 for root in fixed]
    (root,) = fixed if len(fixed) == 1 else [clean(stack(*fixed))]
    compression, graphs, seeds = _products(root, inputs, arg, structured)
    tape = make_tape(graphs, [*inputs, *seeds])
    scalar_inputs = [arrays[name].ndim == 0 for name, _ in inputs]
    return Program(tape, scalar_inputs), (compression, rows)


def _products(
    root: Expression, inputs: Sequence[tuple[str, int]], arg: str, structured: bool = False
) -> tuple[Compression, list[Expression], list[tuple[str, int]]]:
    """The products of the root's Jacobian with seeds, as graphs, and the seeds' names and sizes."""
    rows, columns = root.size or 0, dict(inputs)[arg]
    if min(rows, columns) > 1 or structured:
        compression = compress(
            jacobian_pattern(make_tape([root], inputs), [list(dict(inputs)).index(arg)])
        )
    else:
        compression = whole(rows, columns)
    seeds: list[tuple[str, int]] = []
    graphs: list[Expression] = []
    if len(compression.tangents):
        seeds.append((TANGENT, columns))
        graphs += jvp_graph([root], {arg: ADTerminal(*seeds[-1])})
    if len(compression.cotangents):
        seeds.append((COTANGENT, rows))
        found = vjp_graph([root], [ADTerminal(*seeds[-1])], [arg])
        graphs.append(found[arg] if arg in found else zeros(columns))
    return compression, [clean(g) for g in graphs], seeds


def _seeded(
    bound: Mapping[str, Array], compression: Compression, batch: tuple[int, ...]
) -> dict[str, Array]:
    """The inputs and the seeds, which have an axis of their own before those of the batch."""
    both = {TANGENT: compression.tangents, COTANGENT: compression.cotangents}
    unit = (1,) * len(batch)
    result = dict(bound)
    for name, seeds in both.items():
        count, size = seeds.shape
        # one direction of one entry needs no axis of its own
        single = count == size == 1 and set(batch) <= {1}
        result[name] = ONE if single else seeds.reshape(count, *unit, size)
    return result


def evaluate_tensor(
    root: Expression, args: tuple[str, ...], values: Mapping[str, ArrayLike]
) -> Array:
    """The derivative w.r.t. the names in turn: `(n_out, n_args[0], ..., n_args[-1])`."""
    if len(args) == 1:
        return evaluate_jacobians([root], args[0], values)[0]
    arrays, shapes = bind(values)
    key = ("tensor", args, shapes)
    program, plan = cached([root], key, lambda: _build_tensor(root, args, arrays))
    compression, directions, place = plan
    lead = tuple(count for _, count, _ in directions)
    bound = _seeded(vectors(arrays), compression, lead)
    for axis, (name, count, _) in enumerate(directions):
        axes = [1] * (1 + len(lead))
        axes[1 + axis] = count
        bound[name] = ONE if set(lead) == {1} else np.eye(count).reshape(*axes, count)
    return np.moveaxis(compression.matrix(program.run(bound), lead), -2, place)


def _build_tensor(root: Expression, args: tuple[str, ...], arrays: Mapping[str, Array]) -> Built:
    """A direction for each name but the last, the first in reverse where that has fewer.

    Then the result's Jacobian w.r.t. the last name, by its structure.
    """
    declared = check_names([root], arrays)
    for arg in args:
        if arg not in declared:
            raise unknown_name("variable", arg, declared)
    (fixed,), inputs = fixed_at([root], arrays)
    sizes = dict(inputs)
    n_out, dims = fixed.size or 0, tuple(sizes[a] for a in args)
    reverse = n_out < dims[0]
    directions = [(f"@{axis}", size, args[axis]) for axis, size in enumerate(dims[:-1])]
    start = fixed
    if reverse:
        directions[0] = ("@0", n_out, args[0])
        found = vjp_graph([fixed], [ADTerminal("@0", n_out)], [args[0]])
        start = clean(found.get(args[0], zeros(dims[0])))
    steps = [(arg, name) for name, _, arg in directions[1 if reverse else 0 :]]
    (graph,) = derivative_graph([start], steps)
    named = [*inputs, *((name, count) for name, count, _ in directions)]
    compression, graphs, seeds = _products(_of_size(graph, start.size), named, args[-1])
    tape = make_tape(graphs, [*named, *seeds])
    scalar_inputs = [arrays[name].ndim == 0 for name, _ in inputs]
    return Program(tape, scalar_inputs), (compression, directions, 1 if reverse else 0)


def _of_size(e: Expression, size: int | None) -> Expression:
    """A derivative that turned out to be one number for all entries, as a vector of them."""
    return e if e.size == size or size is None else spread(e, size)
