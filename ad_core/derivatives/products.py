"""Products with a graph's Jacobian, as graphs again: tangents pushed, cotangents pulled.

    roots (sizes fixed, simplest forms) -> Products -> push, pull -> graphs in their simplest forms
    Lowered -> jvp, vjp -> Lowered        Lowered -> jacobian -> Jacobian: seeds for such products

The results may be differentiated in turn, which is how derivatives of every order are made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ad_core.derivatives.choices import Cotangent, pull, summed
from ad_core.derivatives.compress import Compression, by_columns, compress, jacobian_pattern
from ad_core.functions.opaque import opaque_jvp
from ad_core.graph.errors import unknown_size
from ad_core.graph.nodes import (
    ADFunctionCall,
    ADTerminal,
    Constant,
    Expression,
    Variable,
    name_of,
)
from ad_core.graph.walks import terminals, topological
from ad_core.lowering.guards import guarded, guarded_graphs
from ad_core.lowering.lowered import Lowered, lowered_graphs
from ad_core.lowering.simplify import Simplifier, is_zero
from ad_core.ops.elementwise import stationary
from ad_core.ops.primitive import Op, Term
from ad_core.ops.structure import spread


class Products:
    """The products of one graph; what several of them share is made once.

    all_columns: whether tangents are pushed by rules for many of them (`Op.columns_rule`).
    """

    def __init__(self, roots: Sequence[Expression], all_columns: bool = False) -> None:
        self._roots = tuple(roots)
        self._order = topological(roots)
        self._all_columns = all_columns
        self._passed = _passed(roots, all_columns)
        self._simplest = Simplifier(self._order)

    def push(self, tangents: Mapping[str, Expression]) -> list[Expression]:
        """`sum_x (d root / d x) t_x` of each root, for tangents `t_x` of the variables named.

        A tangent has its variable's size. What does not depend on them gives zeros, and a tangent
        that is the same for all entries may be given as one.
        """
        pushed: dict[Expression, Expression | None] = {}
        for node in self._order:
            if isinstance(node, ADTerminal):
                pushed[node] = tangents.get(node.name)
            elif isinstance(node, ADFunctionCall) and node in self._passed:
                incoming = [pushed[a] for a in node.args]
                active = any(t is not None for t in incoming)
                pushed[node] = self._moved(self._push(node, incoming)) if active else None
            else:
                pushed[node] = None
        return self._released([self._whole(pushed[root], root.size) for root in self._roots])

    def pull(
        self, cotangents: Sequence[Expression], variables: Mapping[str, int]
    ) -> list[Expression]:
        """`sum_root cotangent_root^T (d root / d x)` for each variable `x`, given with its size.

        A cotangent has its root's size.
        """
        active: set[Expression] = set()
        for node in self._order:
            if isinstance(node, ADTerminal):
                if node.name in variables:
                    active.add(node)
            elif isinstance(node, ADFunctionCall) and not active.isdisjoint(node.args):
                active.add(node)
        pulled: dict[Expression, Cotangent] = {}

        def collect(node: Expression, gradient: Cotangent | None) -> None:
            if gradient is None or node not in active:
                return
            here, known = gradient.simplest(self._simplest), pulled.pop(node, None)
            if here is not None and known is not None:
                here = summed(known, here).simplest(self._simplest)
            elif here is None:
                here = known
            if here is not None:
                pulled[node] = here

        for root, cotangent in zip(self._roots, cotangents, strict=True):
            collect(root, Cotangent(cotangent))
        for node in reversed(self._order):
            if isinstance(node, ADFunctionCall) and node in pulled:
                needed = [a in active for a in node.args]
                for arg, gradient in zip(node.args, pull(node, pulled[node], needed), strict=True):
                    collect(arg, gradient)
        gradients: dict[str, Cotangent] = {}
        for node in self._order:
            if isinstance(node, ADTerminal) and node in pulled:
                here, known = pulled[node], gradients.get(node.name)
                gradients[node.name] = here if known is None else summed(known, here)
        products = {name: gradient.value for name, gradient in gradients.items()}
        wholes = [self._whole(products.get(name), size) for name, size in variables.items()]
        return self._released(wholes)

    def _push(self, node: ADFunctionCall, incoming: Sequence[Expression | None]) -> Term:
        if not isinstance(node.func, Op):
            return opaque_jvp(node, incoming)
        rule = node.func.columns_rule if self._all_columns else node.func.jvp_rule
        return rule(node.args, node, incoming)

    def _released(self, products: list[Expression]) -> list[Expression]:
        """The products with `x` for `stationary(x)`: only this differentiation passes it by."""
        if not any(
            isinstance(node, ADFunctionCall) and node.func is stationary for node in self._order
        ):
            return products
        new: dict[Expression, Expression] = {}
        for node in topological(products):
            new[node] = node
            if isinstance(node, ADFunctionCall):
                args = [new[a] for a in node.args]
                if node.func is stationary:
                    new[node] = args[0]
                elif any(a is not b for a, b in zip(args, node.args, strict=True)):
                    new[node] = self._simplest(ADFunctionCall(node.func, args))
        return [new[product] for product in products]

    def _moved(self, product: Expression | None) -> Expression | None:
        """A product in its simplest form; None where that is zero."""
        simplest = None if product is None else self._simplest(product)
        return None if simplest is None or is_zero(simplest) else simplest

    def _whole(self, product: Expression | None, size: int | None) -> Expression:
        """A product as an expression of as many entries as it has."""
        if product is None:
            return Constant(0.0 if size in (None, 1) else np.zeros(size))
        return self._simplest(spread(product, size))


def _passed(roots: Sequence[Expression], all_columns: bool) -> set[Expression]:
    """The nodes that tangents pass."""

    def read(call: ADFunctionCall) -> Sequence[Expression]:
        if isinstance(call.func, Op) and call.func.ruled:
            return call.args[call.func.passed(all_columns)]
        return call.args

    return set(topological(roots, read))


def jvp_graph(roots: Sequence[Expression], tangents: Mapping[str, Expression]) -> list[Expression]:
    """`Products.push` for one product."""
    return Products(guarded_graphs(roots)).push(tangents)


def vjp_graph(
    roots: Sequence[Expression], cotangents: Sequence[Expression], variables: Sequence[Variable]
) -> dict[str, Expression]:
    """`Products.pull` for one product, by name.

    A variable that the graph does not have is given as a node, which tells its size; by name it is
    a ValueError.
    """
    sizes = terminals([*roots, *(v for v in variables if isinstance(v, ADTerminal))])
    sized: dict[str, int] = {}
    for name in map(name_of, variables):
        size = sizes.get(name)
        if size is None:
            raise unknown_size("vjp_graph", name)
        sized[name] = size
    pulled = Products(guarded_graphs(roots)).pull(cotangents, sized)
    return dict(zip(sized, pulled, strict=True))


def jvp(f: Lowered, wrt: Sequence[int]) -> Lowered:
    """`t_o = sum_i (d y_o / d x_i) t_i`: takes the inputs, then a tangent for each input in `wrt`.

    Tangents are named `tan_x`, results `tan_y`.
    """
    return _pushed(f, wrt, all_columns=False)


def columns(f: Lowered, wrt: Sequence[int]) -> Lowered:
    """As `jvp`, for many tangents: operations that do not depend on them may be more."""
    return _pushed(f, wrt, all_columns=True)


def _pushed(f: Lowered, wrt: Sequence[int], all_columns: bool) -> Lowered:
    f = guarded(f)
    seeds = _seeds(f, [(f"tan_{f.names_in[i]}", f.sizes_in[i]) for i in wrt])
    tangents = {f.names_in[i]: seed for i, seed in zip(wrt, seeds, strict=True)}
    pushed = Products(f.roots, all_columns).push(tangents)
    roots = [(f"tan_{name}", e) for name, e in zip(f.names_out, pushed, strict=True)]
    return lowered_graphs(f"jvp of {f.title}", roots, _inputs(f, seeds), f.single, safe=True)


def vjp(f: Lowered, wrt: Sequence[int]) -> Lowered:
    """`g_i = sum_o (d y_o / d x_i)^T w_o`: takes the inputs, then a cotangent for each output.

    It gives a gradient for each input in `wrt`. Cotangents are named `cot_y`, results `grad_x`.
    """
    f = guarded(f)
    seeds = _seeds(f, [(f"cot_{n}", m) for n, m in zip(f.names_out, f.sizes_out, strict=True)])
    variables = dict(f.tape.inputs[i] for i in wrt)
    pulled = Products(f.roots).pull(seeds, variables)
    roots = [(f"grad_{name}", e) for name, e in zip(variables, pulled, strict=True)]
    return lowered_graphs(f"vjp of {f.title}", roots, _inputs(f, seeds), len(wrt) == 1, safe=True)


def hessian_vp(f: Lowered) -> Lowered:
    """`h_i = sum_j (d^2 L / d x_i d x_j) t_j` with `L = sum_o w_o . y_o`.

    It takes the inputs, a cotangent for each output, and a tangent for each input.
    """
    everything = range(len(f.names_in))
    return jvp(vjp(f, everything), everything)


@dataclass(frozen=True)
class Jacobian:
    """`d y / d x` of all outputs, one behind the other, by all inputs in `wrt`, likewise.

    Its entries are those of products: `pushed` (a `jvp`) with each row of `compression.tangents`,
    then `pulled` (a `vjp`) with each row of `compression.cotangents`; None where there are no rows.
    A row is cut into the tangents of the inputs in `wrt`, or into the cotangents of the outputs.
    `sizes_in` are the sizes of all inputs.
    """

    sizes_in: tuple[int, ...]
    compression: Compression
    pushed: Lowered | None
    pulled: Lowered | None


def jacobian(f: Lowered, wrt: Sequence[int]) -> Jacobian:
    """The Jacobian by the fewest products that a simple search over its structure finds."""
    f = guarded(f)
    return _compressed(f, wrt, compress(jacobian_pattern(f.tape, wrt)))


def _compressed(f: Lowered, wrt: Sequence[int], found: Compression) -> Jacobian:
    return Jacobian(
        f.sizes_in,
        found,
        jvp(f, wrt) if len(found.tangents) else None,
        vjp(f, wrt) if len(found.cotangents) else None,
    )


def jacobian_in_full(f: Lowered, wrt: Sequence[int], *, symmetric: bool = False) -> Jacobian:
    """As `jacobian`, for products that are written out with each seed.

    There is a tangent for each column, unless products are far fewer, where parts of the graph know
    their Jacobians, or where the matrix is symmetric: what of a column is above the diagonal is
    then not computed.
    """
    f = guarded(f)
    pattern = jacobian_pattern(f.tape, wrt)
    found, known = compress(pattern), _know_columns(f)
    products = pattern.rows if known else found.count
    if (known or symmetric) and pattern.columns <= _COLUMNS_A_PRODUCT * products:
        return Jacobian(f.sizes_in, by_columns(pattern), columns(f, wrt), None)
    return _compressed(f, wrt, found)


_COLUMNS_A_PRODUCT = 4


def _know_columns(f: Lowered) -> bool:
    funcs = {type(node.func) for node in topological(f.roots) if isinstance(node, ADFunctionCall)}
    return any(issubclass(t, Op) and t.columns_rule is not Op.columns_rule for t in funcs)


def _seeds(f: Lowered, named: Sequence[tuple[str, int]]) -> list[ADTerminal]:
    """New variables beside the inputs of `f`; a name that is taken gets `_` behind it."""
    taken = set(f.names_in)
    seeds: list[ADTerminal] = []
    for name, size in named:
        while name in taken:
            name += "_"
        taken.add(name)
        seeds.append(ADTerminal(name, size))
    return seeds


def _inputs(f: Lowered, seeds: Sequence[ADTerminal]) -> list[tuple[str, int]]:
    return [*f.tape.inputs, *((seed.name, seed.size or 0) for seed in seeds)]
