"""Derivatives of forward dynamics by inverse dynamics at the solution, to the third order.

CasADi differentiates the same function by itself, through how accelerations are computed.
"""

from __future__ import annotations

import casadi
import numpy as np
import pytest
from dynamics_cases import FUNCTIONS, point

import ad_core as ad
from ad_core.derivatives.products import jvp_graph, vjp_graph
from ad_core.lowering import fix_sizes
from bridges.casadi import ad_to_casadi


def directions(at, k: int) -> dict[str, np.ndarray]:
    return {name: np.cos(np.arange(x.size) + k) for name, x in at.items()}


@pytest.mark.parametrize("name", list(FUNCTIONS))
def test_three_orders_equal_casadis(name: str):
    """Forward twice, then a gradient."""
    function = FUNCTIONS[name]
    at = point(function)
    variables = {x: ad.var(x, value.size) for x, value in at.items()}
    ours = fix_sizes([function(*variables.values())], {})
    for k in range(2):
        moves = {x: ad.constant(d) for x, d in directions(at, k).items()}
        ours += jvp_graph([ours[-1]], moves)
    weights = np.cos(np.arange(ours[-1].size or 0) + 0.5)
    gradients = vjp_graph([ours[-1]], [ad.constant(weights)], list(variables.values()))

    symbols = [casadi.SX.sym(x, value.size) for x, value in at.items()]
    whole = casadi.vertcat(*symbols)
    theirs = [ad_to_casadi(function, symbolic="SX")(*symbols)]
    for k in range(2):
        move = np.concatenate(list(directions(at, k).values()))
        theirs.append(casadi.jtimes(theirs[-1], whole, move))
    theirs.append(casadi.jtimes(theirs[-1], whole, weights, True))
    expected = casadi.Function("f", symbols, theirs)(*at.values())

    found = [e.eval_batch(**at) for e in ours]
    found.append(np.concatenate([g.eval_batch(**at) for g in gradients.values()]))
    for mine, other in zip(found, expected, strict=True):
        other = other.full().reshape(-1)
        np.testing.assert_allclose(mine, other, rtol=1e-8, atol=1e-9 * np.abs(other).max())
