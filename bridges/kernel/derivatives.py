"""Derivative functions of a `casadi.Function`, by CasADi's own differentiation.

Every function here has dense column vectors as inputs and outputs, in and out, so derivatives of
derivatives need nothing new.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import casadi

ca: Any = casadi  # its stubs leave most functions untyped


class Columns(NamedTuple):
    """A function as expressions: `outputs` of `inputs`, slices of the one symbol `all_inputs`."""

    all_inputs: Any
    inputs: list[Any]
    outputs: list[Any]
    symbol: Any  # makes a symbol: (name, size) -> SX or MX


def column_function(function: casadi.Function) -> casadi.Function:
    """`function` with every input and output as a dense column vector, matrices columnwise."""
    sparsities = [function.sparsity_in(i) for i in range(function.n_in())]
    sparsities += [function.sparsity_out(o) for o in range(function.n_out())]
    if all(s.is_dense() and s.is_column() for s in sparsities):
        return function
    columns = open_columns(function)
    return _function(
        function.name(), columns.inputs, columns.outputs, function.name_in(), function.name_out()
    )


def open_columns(function: casadi.Function) -> Columns:
    """The function applied to symbols: SX if it is of SX, else MX."""
    symbol: Any = ca.SX.sym if function.is_a("SXFunction") else ca.MX.sym
    sizes = [function.numel_in(i) for i in range(function.n_in())]
    everything, inputs = _split_symbol(symbol, "x", sizes)
    shaped = [ca.reshape(x, function.size_in(i)) for i, x in enumerate(inputs)]
    outputs = [ca.vec(ca.densify(y)) for y in function.call(shaped)]
    return Columns(everything, inputs, outputs, symbol)


def vjp_function(function: casadi.Function, wrt: Sequence[int]) -> casadi.Function:
    """`(inputs, cotangents) -> J^T cotangent` for the inputs `wrt`: one gradient each."""
    columns = _open_differentiable(function)
    cotangent, parts = _split_symbol(columns.symbol, "w", _sizes_out(function))
    gradient = ca.jtimes(ca.vertcat(*columns.outputs), columns.all_inputs, cotangent, True)
    gradients = ca.vertsplit(gradient, _offsets(_sizes_in(function)))
    names = [f"cot_{n}" for n in function.name_out()]
    return _function(
        "vjp",
        [*columns.inputs, *parts],
        [ca.densify(gradients[i]) for i in wrt],
        [*function.name_in(), *names],
        [f"grad_{function.name_in(i)}" for i in wrt],
    )


def jvp_function(function: casadi.Function, wrt: Sequence[int]) -> casadi.Function:
    """`(inputs, tangents of the inputs wrt) -> J tangent`: one tangent per output."""
    columns = _open_differentiable(function)
    tangents = {i: columns.symbol(f"t{i}", function.numel_in(i)) for i in wrt}
    direction = [tangents.get(i, ca.SX(function.numel_in(i), 1)) for i in range(function.n_in())]
    y = ca.vertcat(*columns.outputs)
    product = ca.jtimes(y, columns.all_inputs, ca.densify(ca.vertcat(*direction)))
    return _function(
        "jvp",
        [*columns.inputs, *tangents.values()],
        [ca.densify(p) for p in ca.vertsplit(product, _offsets(_sizes_out(function)))],
        [*function.name_in(), *(f"tan_{function.name_in(i)}" for i in wrt)],
        [f"tan_{n}" for n in function.name_out()],
    )


def jacobian_function(function: casadi.Function, wrt: Sequence[int]) -> casadi.Function:
    """`inputs -> d output / d input`, flattened row by row, for every output and then input."""
    columns = _open_differentiable(function)
    blocks = _jacobian_blocks(function, columns, wrt)
    return _function(
        "jacobian",
        columns.inputs,
        # The transpose, column by column, is the matrix row by row.
        [ca.densify(ca.vec(block.T)) for block in blocks],
        function.name_in(),
    )


def jacobian_values_function(function: casadi.Function, wrt: Sequence[int]) -> casadi.Function:
    """`inputs -> structural nonzeros`, row by row, of every Jacobian of `jacobian_function`."""
    columns = _open_differentiable(function)
    blocks = _jacobian_blocks(function, columns, wrt)
    values = [_nonzeros(block.T) for block in blocks]
    return _function("jacobian_values", columns.inputs, values, function.name_in())


def jacobian_patterns(
    function: casadi.Function, wrt: Sequence[int]
) -> list[tuple[list[int], list[int]]]:
    """Rows and columns of the structural nonzeros of every Jacobian, in the order of the values."""
    columns = _open_differentiable(function)
    patterns: list[tuple[list[int], list[int]]] = []
    for block in _jacobian_blocks(function, columns, wrt):
        entry_columns, rows = block.T.sparsity().get_triplet()
        patterns.append((list(rows), list(entry_columns)))
    return patterns


def hessian_vp_function(function: casadi.Function) -> casadi.Function:
    """`(inputs, cotangents, tangents) -> d/de grad(x + e tangent)`, one vector per input.

    grad is the vector-Jacobian product with the cotangents: the result is H tangent, where H is the
    Hessian of `sum(cotangent . output)`.
    """
    n_in = function.n_in()
    reverse = vjp_function(function, range(n_in))
    forward = jvp_function(reverse, range(n_in))
    return _function_renamed(
        forward,
        [*reverse.name_in(), *(f"tan_{n}" for n in function.name_in())],
        [f"hess_{n}" for n in function.name_in()],
    )


def _jacobian_blocks(function: casadi.Function, columns: Columns, wrt: Sequence[int]) -> list[Any]:
    # One Jacobian of everything lets CasADi share its work between the blocks.
    whole = ca.jacobian(ca.vertcat(*columns.outputs), columns.all_inputs)
    row_edges = _offsets(_sizes_out(function))
    column_edges = _offsets(_sizes_in(function))
    return [
        whole[row_edges[o] : row_edges[o + 1], column_edges[i] : column_edges[i + 1]]
        for o in range(function.n_out())
        for i in wrt
    ]


def _nonzeros(matrix: Any) -> Any:
    return matrix.nz[:] if matrix.nnz() else type(matrix)(0, 1)


def _split_symbol(symbol: Any, name: str, sizes: Sequence[int]) -> tuple[Any, list[Any]]:
    """One symbol of all the sizes together, and its slices; None and single symbols for MX.

    Slices of an SX symbol are symbols themselves, slices of an MX symbol are not.
    """
    if symbol is ca.SX.sym:
        everything = symbol(name, sum(sizes))
        return everything, list(ca.vertsplit(everything, _offsets(sizes)))
    return None, [symbol(f"{name}{i}", size) for i, size in enumerate(sizes)]


def _open_differentiable(function: casadi.Function) -> Columns:
    columns = open_columns(function)
    if columns.all_inputs is None:
        raise NotImplementedError(
            f"{function.name()}: no derivatives, because CasADi cannot expand it to SX"
        )
    return columns


def _sizes_in(function: casadi.Function) -> list[int]:
    return [function.numel_in(i) for i in range(function.n_in())]


def _sizes_out(function: casadi.Function) -> list[int]:
    return [function.numel_out(o) for o in range(function.n_out())]


def _offsets(sizes: Sequence[int]) -> list[int]:
    offsets = [0]
    for size in sizes:
        offsets.append(offsets[-1] + size)
    return offsets


def _function(
    name: str,
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    names_in: Sequence[str] | None = None,
    names_out: Sequence[str] | None = None,
) -> casadi.Function:
    names_in = list(names_in or [f"i{i}" for i in range(len(inputs))])
    names_out = list(names_out or [f"o{o}" for o in range(len(outputs))])
    if len({*names_in, *names_out}) < len(names_in) + len(names_out):
        names_in = [f"i{i}" for i in range(len(inputs))]
        names_out = [f"o{o}" for o in range(len(outputs))]
    return ca.Function(name, list(inputs), list(outputs), names_in, names_out)


def _function_renamed(
    function: casadi.Function, names_in: Sequence[str], names_out: Sequence[str]
) -> casadi.Function:
    columns = open_columns(function)
    return _function("hessian_vp", columns.inputs, columns.outputs, names_in, names_out)
