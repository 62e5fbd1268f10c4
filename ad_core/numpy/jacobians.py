"""Derivatives on numpy: Jacobians by as few products as their structure allows, and tensors.

Both are built once for an expression and inputs of given sizes, and then only run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ad_core.derivatives.compress import Compression, jacobian_pattern
from ad_core.derivatives.products import jacobian, jvp, vjp
from ad_core.graph.errors import unknown_name
from ad_core.graph.nodes import Expression, ExpressionLike, Variable, as_expressions, name_of
from ad_core.graph.values import Array, as_batch
from ad_core.graph.walks import terminals
from ad_core.lowering.lowered import Lowered, lower, lowered_graphs, make_tape
from ad_core.numpy.evaluate import batch_shape, bind, cached, lowered_at, scalar_inputs, vectors
from ad_core.numpy.program import Program
from ad_core.ops.structure import stack

if TYPE_CHECKING:
    from scipy.sparse import csr_array

ONE = cast("Array", np.float64(1.0))


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
    arrays, shapes = bind(roots, values)
    plan = cached(roots, ("jacobian", arg, shapes), lambda: _plan(roots, arg, arrays))
    matrix = plan.compression.matrix(plan.run(vectors(arrays), ()), ())
    if len(plan.rows) == 1:
        return [matrix]
    return [np.array(part) for part in np.split(matrix, np.cumsum(plan.rows)[:-1])]


def evaluate_derivative_batch(root: Expression, arg: str, values: Mapping[str, ArrayLike]) -> Array:
    """Jacobians `(*batch, n_out, n_arg)` for inputs `(*batch, n)`."""
    arrays, _ = bind([root], values, as_batch)
    batch = batch_shape(arrays)
    key = ("jacobian_batch", arg, tuple([(name, a.shape[-1]) for name, a in arrays.items()]))
    plan = cached([root], key, lambda: _plan([root], arg, arrays))
    return plan.compression.matrix(plan.run(arrays, batch), batch)


def derivative_sparse(root: Expression, arg: str, values: Mapping[str, ArrayLike]) -> csr_array:
    """`d root / d arg` as a scipy array `(n_out, n_arg)` of the entries that may be nonzero."""
    from scipy.sparse import csr_array

    arrays, shapes = bind([root], values)
    plan = cached([root], ("jacobian", arg, shapes), lambda: _plan([root], arg, arrays))
    pattern = plan.compression.pattern
    starts = np.searchsorted(pattern.codes, np.arange(pattern.rows + 1) * pattern.columns)
    data = plan.compression.entries(plan.run(vectors(arrays), ()), ())
    return csr_array((data, pattern.column, starts), shape=(pattern.rows, pattern.columns))


def sparsity(root: Expression, arg: str, sizes: Mapping[str, int]) -> NDArray[np.bool_]:
    """The entries of `d root / d arg` that may be nonzero, `(n_out, n_arg)`."""
    if arg not in (names := terminals([root])):
        raise unknown_name("variable", arg, names)
    f = lower(root, sizes=sizes, title="sparsity")
    return jacobian_pattern(f.tape, [_number(f, arg)]).to_array()


@dataclass(frozen=True)
class _Plan:
    """A program of the products that hold a Jacobian's entries, and where they hold them.

    `seeds` names the inputs for the tangents and the cotangents; `rows` cuts the Jacobian.
    """

    program: Program
    compression: Compression
    seeds: tuple[str | None, str | None]
    rows: tuple[int, ...]

    def run(self, bound: Mapping[str, Array], batch: tuple[int, ...]) -> list[Array]:
        """The products, for all seeds at once: they have an axis of their own before the batch."""
        given = dict(bound)
        both = (self.compression.tangents, self.compression.cotangents)
        for name, seeds in zip(self.seeds, both, strict=True):
            if name is not None:
                count, size = seeds.shape
                # one direction of one entry needs no axis of its own
                single = count == size == 1 and set(batch) <= {1}
                given[name] = ONE if single else seeds.reshape(count, *[1] * len(batch), size)
        return self.program.run(given)


def _plan(roots: Sequence[Expression], arg: str, arrays: Mapping[str, Array]) -> _Plan:
    f = lowered_at(roots, arrays)
    return _planned(f, _number(f, arg), scalar_inputs(arrays))


def _planned(f: Lowered, arg: int, scalars: Sequence[bool]) -> _Plan:
    rows = f.sizes_out
    if len(rows) > 1:
        f = lowered_graphs(f.title, [("out", stack(*f.roots))], f.tape.inputs, safe=f.safe)
    found = jacobian(f, [arg])
    both = [g for g in (found.pushed, found.pulled) if g is not None]
    inputs = [*f.tape.inputs, *(g.tape.inputs[-1] for g in both)]
    tape = make_tape([root for g in both for root in g.roots], inputs)
    pushed, pulled = (g and g.names_in[-1] for g in (found.pushed, found.pulled))
    return _Plan(Program(tape, scalars), found.compression, (pushed, pulled), rows)


def _number(f: Lowered, name: str) -> int:
    if name not in f.names_in:
        raise unknown_name("variable", name, f.names_in)
    return f.names_in.index(name)


def evaluate_tensor(
    root: Expression, args: tuple[str, ...], values: Mapping[str, ArrayLike]
) -> Array:
    """The derivative w.r.t. the names in turn: `(n_out, n_args[0], ..., n_args[-1])`."""
    if len(args) == 1:
        return evaluate_jacobians([root], args[0], values)[0]
    arrays, shapes = bind([root], values)
    key = ("tensor", args, shapes)
    plan, directions, place = cached([root], key, lambda: _tensor_plan(root, args, arrays))
    lead = tuple(count for _, count in directions)
    bound = vectors(arrays)
    for axis, (name, count) in enumerate(directions):
        axes = [1] * (1 + len(lead))
        axes[1 + axis] = count
        bound[name] = ONE if set(lead) == {1} else np.eye(count).reshape(*axes, count)
    return np.moveaxis(plan.compression.matrix(plan.run(bound, lead), lead), -2, place)


def _tensor_plan(
    root: Expression, args: tuple[str, ...], arrays: Mapping[str, Array]
) -> tuple[_Plan, list[tuple[str, int]], int]:
    """A direction for each name but the last, the first in reverse where that has fewer.

    Then the result's Jacobian w.r.t. the last name, by its structure.
    """
    f = lowered_at([root], arrays)
    numbers = [_number(f, arg) for arg in args]
    reverse = f.sizes_out[0] < f.sizes_in[numbers[0]]
    directions: list[tuple[str, int]] = []
    for axis, number in enumerate(numbers[:-1]):
        f = vjp(f, [number]) if reverse and axis == 0 else jvp(f, [number])
        directions.append(f.tape.inputs[-1])
    plan = _planned(f, numbers[-1], scalar_inputs(arrays))
    return plan, directions, 1 if reverse else 0
