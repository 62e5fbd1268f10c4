"""Derivatives of a `Lowered`: products with its Jacobian as `Lowered`s again, and the Jacobian.

Lowered -> jvp, vjp -> Lowered        Lowered -> jacobian -> Jacobian: seeds for such products
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ad_core.derivatives.compress import Compression, compress, jacobian_pattern
from ad_core.derivatives.products import Products
from ad_core.graph.nodes import ADTerminal
from ad_core.lowering.guards import guarded
from ad_core.lowering.lowered import Lowered, lowered_graphs


def jvp(f: Lowered, wrt: Sequence[int]) -> Lowered:
    """`t_o = sum_i (d y_o / d x_i) t_i`: takes the inputs, then a tangent for each input in `wrt`.

    Tangents are named `tan_x`, results `tan_y`.
    """
    f = guarded(f)
    seeds = _seeds(f, [(f"tan_{f.names_in[i]}", f.sizes_in[i]) for i in wrt])
    tangents = {f.names_in[i]: seed for i, seed in zip(wrt, seeds, strict=True)}
    pushed = Products(f.roots).push(tangents)
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
    found = compress(jacobian_pattern(f.tape, wrt))
    return Jacobian(
        f.sizes_in,
        found,
        jvp(f, wrt) if len(found.tangents) else None,
        vjp(f, wrt) if len(found.cotangents) else None,
    )


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
