"""What a control problem is written in: phases of stages, and constraints, as graphs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ad_core.graph import ADFunctionInterface, ADTerminal, Expression, Variable
from ad_core.graph.errors import checked, unknown_name
from ad_core.graph.nodes import listed, names_of
from ad_core.graph.values import Array, real, whole_number

Bounds = tuple[ArrayLike, ArrayLike]
Chart = tuple[ADFunctionInterface, ADFunctionInterface]


@dataclass(frozen=True, eq=False)
class Constraint:
    """`lower <= value <= upper`, entry by entry; an equation where both are equal.

    Args:
        value: a graph of states, controls and parameters.
        lower, upper: a number, or one for each entry; infinite where there is no bound.

    Raises ValueError where a lower bound is above the upper one, or nan.
    """

    value: Expression
    lower: ArrayLike = 0.0
    upper: ArrayLike = 0.0

    def __post_init__(self) -> None:
        checked(self.value, Expression, "Constraint", "value", "an expression")
        bounds_of((self.lower, self.upper), None, "Constraint")


@dataclass(frozen=True, eq=False)
class Phase:
    """Stages of one kind: `nodes` steps from point 0 to point `nodes`.

        minimise    sum_k cost(x_k, u_k) + |residual(x_k, u_k)|^2 / 2  +  the same at the end of x_N
        subject to  x_k+1 = dynamics(x_k, u_k),  path(x_k, u_k) within bounds, end(x_N) too,

    k = 0 ... N - 1. All are graphs; every name in them that is no state and no control is a
    parameter. A free duration T is a state with `"T": T` among the dynamics, and steps of T / N.

    Args:
        nodes: N, the number of steps.
        dynamics: the next value of each state, by the state's name.
        controls: names of the controls, or the variables.
        cost: of a step; a graph of one entry.
        residual: whose squares are a cost too: with `hessian="gauss_newton"` its curvature is left
            out, so that the Hessian is positive where `cost` is convex.
        path: constraints at points 0 ... N - 1.
        bounds: of states and controls at every point, by name: (lower, upper).
        end_cost, end_residual, end: the same at point N, where there are no controls.
        transition: states of the next phase at its point 0, as graphs of this one's at point N; by
            default those of the same names. What the next phase has besides starts anywhere.
        charts: for a state on a manifold the functions (integrate(x, d), difference(x0, x1)), such
            as `Integrate(robot)` and `Difference(robot)`: the unknowns are then tangents d at a
            reference, x = integrate(reference, d), which the solver takes from its guess.
        stage_parameters: names of parameters with a value for each point, 0 ... N.
    """

    nodes: int
    dynamics: Mapping[str, Expression]
    controls: Sequence[Variable] = ()
    cost: Expression | None = None
    residual: Expression | None = None
    path: Sequence[Constraint] = ()
    bounds: Mapping[str, Bounds] = field(default_factory=dict[str, Bounds])
    end_cost: Expression | None = None
    end_residual: Expression | None = None
    end: Sequence[Constraint] = ()
    transition: Mapping[str, Expression] = field(default_factory=dict[str, Expression])
    charts: Mapping[str, Chart] = field(default_factory=dict[str, Chart])
    stage_parameters: Sequence[str] = ()

    def __post_init__(self) -> None:
        whole_number(self.nodes, "Phase: argument 'nodes'", least=1)
        for name in ("dynamics", "bounds", "transition", "charts"):
            checked(getattr(self, name), Mapping, "Phase", name, "a dict by names of variables")
        for name in ("controls", "path", "end", "stage_parameters"):
            listed(getattr(self, name), f"Phase: argument '{name}'", "several")
        for name in ("path", "end"):
            for constraint in getattr(self, name):
                checked(constraint, Constraint, "Phase", name, "a list of Constraint")
        for name, value in self.graphs():
            checked(value, Expression, "Phase", name, "an expression")
        self._check_names()

    def _check_names(self) -> None:
        if not self.dynamics:
            raise ValueError("Phase: argument 'dynamics' names no state")
        names = [*self.dynamics, *self.control_names]
        repeated = {name for name in names if names.count(name) > 1}
        if repeated:
            raise ValueError(f"Phase: '{min(repeated)}' is named twice among states and controls")
        for name in self.bounds:
            if name not in names:
                raise ValueError(f"Phase: bounds: {unknown_name('state or control', name, names)}")
            if name in self.charts:
                raise ValueError(
                    f"Phase: bounds of '{name}', which is on a manifold; use Constraint in path"
                )
        for name in self.charts:
            if name not in self.dynamics:
                raise ValueError(f"Phase: charts: {unknown_name('state', name, self.dynamics)}")

    @property
    def control_names(self) -> tuple[str, ...]:
        """The controls' names."""
        return names_of("Phase: argument 'controls'", self.controls)

    def graphs(self) -> list[tuple[str, Any]]:
        """Every graph, with the argument that it is in."""
        found: list[tuple[str, Any]] = [("dynamics", e) for e in self.dynamics.values()]
        found += [("transition", e) for e in self.transition.values()]
        for name in ("cost", "residual", "end_cost", "end_residual"):
            if getattr(self, name) is not None:
                found.append((name, getattr(self, name)))
        found += [("path", c.value) for c in self.path]
        found += [("end", c.value) for c in self.end]
        found += [("controls", u) for u in self.controls if isinstance(u, ADTerminal)]
        return found


def bounds_of(bounds: Bounds, size: int | None, place: str) -> tuple[Array, Array]:
    """Lower and upper bounds as vectors of `size` entries (None: as they come)."""
    both = listed(bounds, f"{place}: bounds", "(lower, upper)")
    if len(both) != 2:
        raise ValueError(f"{place}: bounds are {len(both)}, expected (lower, upper)")
    pair = [real(b, f"{place}: bounds") for b in both]
    if size is not None:
        for b in pair:
            if b.ndim and b.shape != (size,):
                raise ValueError(f"{place}: bounds have shape {b.shape}, expected ({size},)")
        pair = [np.broadcast_to(b, (size,)).copy() for b in pair]
    lower, upper = pair
    if not np.all(lower <= upper):
        raise ValueError(f"{place}: lower bound {lower} above upper bound {upper}, or nan")
    return lower, upper
