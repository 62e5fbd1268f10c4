"""Differential operators as expressions: Jacobian, gradient, divergence, curl, Laplacian, Hessian.

Each takes an expression whose sizes are known (declare variables as `var(name, size)`) and the name
of a variable, and gives an expression that can be evaluated, differentiated again, or lowered.
"""

from __future__ import annotations

import numpy as np

from ad_core.derivatives.compress import compress, jacobian_pattern
from ad_core.derivatives.products import clean, jvp_graph, vjp_graph
from ad_core.graph.errors import unknown_name, unknown_size, wrong_size
from ad_core.graph.nodes import (
    Constant,
    Expression,
    ExpressionLike,
    Variable,
    as_expression,
    name_of,
)
from ad_core.graph.walks import sizes_asked, terminals, topological
from ad_core.lowering.tape import fix_sizes, make_tape
from ad_core.ops.reduction import sum_
from ad_core.ops.structure import Take, stack, total


def jacobian(e: ExpressionLike, arg: Variable) -> Expression:
    """`J_ij = d e_i / d x_j`, row by row: an expression of `n_out n_arg` entries.

    Raises ValueError where `arg` is not a variable of `e`, or a size is not known.
    """
    fixed, name, n = _prepared(e, arg, "jacobian")
    m = fixed.size or 0
    if m <= n:
        return _stacked([_pulled(fixed, name, row, m, n) for row in range(m)])
    columns = _stacked([_pushed(fixed, name, column, n) for column in range(n)])
    return clean(Take(tuple(j * m + i for i in range(m) for j in range(n)))(columns))


def gradient(e: ExpressionLike, arg: Variable) -> Expression:
    """`(grad e)_j = d e / d x_j` of an expression of one entry: `n_arg` entries."""
    fixed, name, n = _prepared(e, arg, "gradient")
    if fixed.size != 1:
        raise wrong_size("gradient", "e", fixed.size or 0, 1)
    return _pulled(fixed, name, 0, 1, n)


def divergence(e: ExpressionLike, arg: Variable) -> Expression:
    """`div e = sum_i d e_i / d x_i`, a scalar, of an expression as large as the variable."""
    fixed, name, n = _prepared(e, arg, "divergence")
    if fixed.size != n:
        raise wrong_size("divergence", "e", fixed.size or 0, n)
    return _trace(fixed, name, n)


def curl(e: ExpressionLike, arg: Variable) -> Expression:
    """`(curl e)_i = eps_ijk d e_k / d x_j`, 3 entries, of 3 entries in a variable of 3."""
    fixed, name, n = _prepared(e, arg, "curl")
    for argument, size in (("arg", n), ("e", fixed.size)):
        if size != 3:
            raise wrong_size("curl", argument, size or 0, 3)
    d = [_pushed(fixed, name, j, n) for j in range(n)]
    return clean(stack(d[1][2] - d[2][1], d[2][0] - d[0][2], d[0][1] - d[1][0]))


def laplacian(e: ExpressionLike, arg: Variable) -> Expression:
    """`sum_i d^2 e / d x_i^2`, entry by entry of e: as many entries as e has."""
    fixed, name, n = _prepared(e, arg, "laplacian")
    if fixed.size == 1:
        return _whole(_trace(_pulled(fixed, name, 0, 1, n), name, n), 1)
    terms = [_pushed(_pushed(fixed, name, i, n), name, i, n) for i in range(n)]
    return clean(sum_(*terms, Constant(np.zeros(fixed.size or 0))))


def hessian(e: ExpressionLike, arg: Variable) -> Expression:
    """`H_ij = d^2 e / d x_i d x_j` of an expression of one entry, row by row: `n_arg^2` entries."""
    fixed, name, n = _prepared(e, arg, "hessian")
    if fixed.size != 1:
        raise wrong_size("hessian", "e", fixed.size or 0, 1)
    slope = _pulled(fixed, name, 0, 1, n)
    return _stacked([_pushed(slope, name, j, n) for j in range(n)])


def _prepared(e: ExpressionLike, arg: Variable, operator: str) -> tuple[Expression, str, int]:
    """The expression with all sizes fixed, and the variable's name and size."""
    name = name_of(arg)
    node = as_expression(e)
    declared = terminals([node])
    if name not in declared:
        raise unknown_name("variable", name, declared)
    asked = sizes_asked(topological([node]))
    size = asked.get(name) if declared[name] is None else declared[name]
    if size is None:
        raise unknown_size(operator, name)
    return fix_sizes([node], asked)[0], name, size


def _trace(fixed: Expression, name: str, n: int) -> Expression:
    """`sum_i d e_i / d x_i`, by as few products as the Jacobian's structure allows."""
    inputs = [(k, size) for k, size in terminals([fixed]).items() if size is not None]
    if name not in dict(inputs):
        return Constant(0.0)
    found = compress(jacobian_pattern(make_tape([fixed], inputs), [list(dict(inputs)).index(name)]))
    on_diagonal = found.pattern.row == found.pattern.column
    terms: list[Expression] = []
    for number, seed in enumerate([*found.tangents, *found.cotangents]):
        places = tuple(found.place[on_diagonal & (found.product == number)].tolist())
        if places and number < len(found.tangents):
            product = jvp_graph([fixed], {name: Constant(seed)})[0]
        elif places:
            product = vjp_graph([fixed], [Constant(seed)], [name])[name]
        else:
            continue
        terms.append(total(Take(places)(_whole(product, n))))
    return clean(sum_(*terms, 0.0))


def _basis(place: int, size: int) -> Constant:
    value = np.zeros(size)
    value[place] = 1.0
    return Constant(value)


def _pushed(fixed: Expression, name: str, place: int, size: int) -> Expression:
    """`d e / d x_place`, as many entries as e has."""
    return _whole(jvp_graph([fixed], {name: _basis(place, size)})[0], fixed.size or 0)


def _pulled(fixed: Expression, name: str, place: int, m: int, n: int) -> Expression:
    """`d e_place / d x`, n entries."""
    found = vjp_graph([fixed], [_basis(place, m)], [name])
    return _whole(found[name], n) if name in found else Constant(np.zeros(n))


def _whole(e: Expression, size: int) -> Expression:
    """The expression after the rewrites, as a vector of `size` entries."""
    simple = clean(e)
    return simple if simple.size == size else clean(simple + np.zeros(size))


def _stacked(parts: list[Expression]) -> Expression:
    return clean(stack(*parts)) if parts else Constant(np.zeros(0))
