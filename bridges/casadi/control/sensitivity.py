"""`Sensitivity`: how a solution moves with its parameters, by the conditions that it fulfils.

    [ H  A' ] [dx]        [L_xp dp]
    [ A  -D ] [dy]  =  -  [ g_p dp]

with the Hessian H and the Jacobian A at the solution. A row that is active has D = 0; one that is
not leaves the system, and so does an unknown that is held at a bound. With a barrier mu every
inequality stays, with D = s / y of slack s and multiplier y on s y = mu, as in interior-point
methods: the derivative is then continuous where the active set changes. (Fiacco: Introduction to
sensitivity and stability analysis in nonlinear programming, 1983.)
"""

# casadi's stubs leave most functions of symbols untyped; the public signatures are still checked.
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import casadi
import numpy as np

from ad_core.graph.values import Array
from bridges.casadi.control.solution import Solution


class Sensitivity:
    """Gradients of a function of a solution, from its gradient by the unknowns.

    functions: `nlp_g`, `nlp_jac_g`, `nlp_hess_l`, `nlp_pull` of the problem.
    lower, upper: bounds of its rows.
    """

    def __init__(
        self, functions: Mapping[str, casadi.Function], lower: Array, upper: Array, barrier: float
    ) -> None:
        self._functions, self._barrier = functions, barrier
        self._lower, self._upper = lower, upper
        hessian = functions["nlp_hess_l"].sparsity_out(0)
        jacobian = functions["nlp_jac_g"].sparsity_out(0)
        self._n, m = jacobian.size2(), jacobian.size1()
        h_row, h_column = (np.array(t) for t in hessian.get_triplet())
        a_row, a_column = (np.array(t) for t in jacobian.get_triplet())
        every = np.arange(self._n + m)
        rows = np.concatenate([h_row, self._n + a_row, a_column, every])
        columns = np.concatenate([h_column, a_column, self._n + a_row, every])
        size = self._n + m
        sparsity = casadi.Sparsity.triplet(size, size, rows.tolist(), columns.tolist())
        self._sparsity = sparsity
        self._rows, self._columns = (np.array(t) for t in sparsity.get_triplet())
        keys = self._columns * size + self._rows  # in order, as CasADi stores them
        self._places = np.searchsorted(keys, columns * size + rows)
        self._diagonal = self._places[-size:]
        self._lock = threading.Lock()
        self._solver = casadi.Linsol("kkt", "qr", sparsity)

    def pull(self, solution: Solution, x_bar: Array, cost: float) -> tuple[Array, Array]:
        """`x_bar . dx/dp + cost df/dp`, and the same by the bounds that unknowns are held at.

        Raises ValueError for a solution that is none, and FloatingPointError where the conditions
        do not determine the derivative.
        """
        if not solution.success:
            raise ValueError(f"the solver ended with {solution.status}: it has no derivative")
        f, n = self._functions, self._n
        args = (solution.x, solution.p, 1.0, solution.lam_g)
        H = _nonzeros(f["nlp_hess_l"](*args))
        A = _nonzeros(f["nlp_jac_g"](solution.x, solution.p))
        bound = _weights(solution.x, *solution.bounds, solution.lam_x, self._barrier)
        rows = _flat(f["nlp_g"](solution.x, solution.p))
        weight = _weights(rows, self._lower, self._upper, solution.lam_g, self._barrier)
        values = np.zeros(len(self._rows))
        np.add.at(values, self._places[: len(H) + 2 * len(A)], np.concatenate([H, A, A]))
        held = np.concatenate([np.isinf(bound), weight == 0.0])
        kept = ~held
        full = values.copy()
        values *= kept[self._rows] * kept[self._columns]
        added = np.concatenate([bound, -1.0 / np.where(weight == 0.0, 1.0, weight)])
        values[self._diagonal] = np.where(held, 1.0, values[self._diagonal] + added)
        right = np.where(kept, np.concatenate([x_bar, np.zeros(len(weight))]), 0.0)
        matrix = casadi.DM(self._sparsity, values)
        with self._lock:  # the solver keeps its factors
            moved = _flat(self._solver.solve(matrix, casadi.DM(right)))
        if not np.all(np.isfinite(moved)):
            raise FloatingPointError(
                "the conditions at the solution do not determine its derivative"
            )
        u, v = moved[:n], moved[n:]
        p_bar = cost * _flat(f["nlp_grad"](*args)) - _flat(f["nlp_pull"](*args, u, v))
        whole = np.bincount(self._columns, full * moved[self._rows], minlength=len(moved))[:n]
        return p_bar, np.where(np.isinf(bound), x_bar - whole - cost * solution.lam_x, 0.0)


def _weights(value: Array, lower: Array, upper: Array, multiplier: Array, barrier: float) -> Array:
    """Y / s of each inequality: infinite where it is active or an equation, 0 where it is idle."""
    weights = np.zeros(len(value))
    sides = (
        (value - lower, -multiplier, upper - value),
        (upper - value, multiplier, value - lower),
    )
    for slack, y, other in sides:
        if barrier:  # the other side pushes, too
            y = y + barrier / np.maximum(other, 1e-12)
        gap = np.maximum(slack, 0.0) - np.maximum(y, 0.0)
        finite = np.where(np.isfinite(slack), gap, 0.0)
        if barrier:  # the nearest pair with s y = barrier along s - y
            larger = (np.abs(finite) + np.sqrt(finite**2 + 4.0 * barrier)) / 2.0
            weight = np.where(finite < 0.0, larger**2 / barrier, barrier / larger**2)
        else:
            weight = np.where(finite < 0.0, np.inf, 0.0)
        weights += np.where(np.isfinite(slack), weight, 0.0)
    weights[lower == upper] = np.inf
    return weights


def _flat(value: Any) -> Array:
    return np.asarray(value, dtype=np.float64).reshape(-1)


def _nonzeros(value: Any) -> Array:
    return np.asarray(value.nonzeros(), dtype=np.float64)
