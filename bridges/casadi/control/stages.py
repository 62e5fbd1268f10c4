"""Transcription: phases as stages, each a graph of its own row of unknowns.

    phases -> `transcribe` -> stages -> `programs` -> native code

The unknowns are w = [x_0, u_0, x_1, u_1, ...], the rows of constraints [x_1 - F(x_0, u_0) and path
of 0, ...] in the order of the stages: so Jacobian and Hessian are banded, as fatrop reads them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

import numpy as np

from ad_core.graph import ADFunctionInterface, ADTerminal, Expression, rebuild
from ad_core.graph.errors import unknown_name, wrong_size
from ad_core.graph.nodes import var
from ad_core.graph.values import Array
from ad_core.lowering import Lowered, lower, lowered_graphs
from ad_core.ops import stack
from ad_core.ops.structure import Take
from bridges.casadi.control.phase import Constraint, Phase, bounds_of
from bridges.native.identity import tape_bytes

Sizes = dict[str, int]

W, ROW, SHARED = "w", "row", "shared"
REFERENCE, FOLLOWING = "reference of ", "following reference of "


@dataclass(frozen=True, eq=False)
class Stage:
    """`count` stages of one phase with the same graphs; the last of a phase stands for itself.

    Attributes:
        phase: the number of the phase.
        states, controls: unknowns by name, in the order of w.
        row: parameters of one stage by name, references of charts among them.
        following: the states of the stage after it, none at the end.
        graphs: `cost`, `residual` and `rows` (minus the states that follow, then constraints) as
            functions of w, row and shared; what there is not is missing.
        lower, upper: of the constraints; of the unknowns by `w_lower`, `w_upper`.
    """

    phase: int
    count: int
    states: Sizes
    controls: Sizes
    row: Sizes
    following: Sizes
    graphs: Lowered
    lower: Array
    upper: Array
    w_lower: Array
    w_upper: Array

    @property
    def n_x(self) -> int:
        """How many states."""
        return sum(self.states.values())

    @property
    def n_w(self) -> int:
        """How many unknowns."""
        return self.n_x + sum(self.controls.values())

    @property
    def n_row(self) -> int:
        """How many parameters of its own."""
        return sum(self.row.values())

    @property
    def n_following(self) -> int:
        """How many states of the stage after it."""
        return sum(self.following.values())

    @property
    def n_rows(self) -> int:
        """How many constraints, dynamics among them."""
        return self.n_following + len(self.lower)

    @cached_property
    def content(self) -> object:
        """What stages with the same graphs share; itself where a function is of somebody's own."""
        known = tape_bytes(self.graphs.tape)
        names = self.graphs.names_out
        return self if known is None else (known, names, self.n_x, self.n_following)

    def root(self, name: str) -> Expression | None:
        """A graph by its name."""
        found = dict(zip(self.graphs.names_out, self.graphs.roots, strict=True))
        return found.get(name)


@dataclass(frozen=True, eq=False)
class Transcription:
    """All stages in order, and the parameters that they share."""

    stages: tuple[Stage, ...]
    shared: Sizes

    def starts(self, attribute: str) -> list[int]:
        """Where each kind of stage begins in a vector of `attribute` (n_w, n_rows, n_row)."""
        return [0, *accumulate(s.count * getattr(s, attribute) for s in self.stages)]

    @property
    def n_shared(self) -> int:
        """How many parameters all stages share."""
        return sum(self.shared.values())


def transcribe(phases: Sequence[Phase]) -> Transcription:
    """The stages of phases one after the other.

    Raises ValueError for sizes and names that misfit.
    """
    sizes = [_sizes(phase, f"phase {i}") for i, phase in enumerate(phases)]
    shared: Sizes = {}
    for phase, own in zip(phases, sizes, strict=True):
        known = {*phase.dynamics, *phase.control_names, *phase.stage_parameters}
        for name, size in own.items():
            if name not in known and shared.setdefault(name, size) != size:
                raise wrong_size("ControlProblem", name, size, shared[name])
    stages: list[Stage] = []
    for i, phase in enumerate(phases):
        stages.append(_inner(i, phase, sizes[i], shared))
        after = (phases[i + 1], sizes[i + 1]) if i + 1 < len(phases) else None
        stages.append(_last(i, phase, sizes[i], after, shared))
    return Transcription(tuple(stages), shared)


def _sizes(phase: Phase, place: str) -> Sizes:
    """The size of every name in a phase."""
    found = lower([graph for _, graph in phase.graphs()], title=place)
    sizes = dict(found.tape.inputs)
    for name, size in zip(phase.dynamics, found.sizes_out, strict=False):
        if sizes.setdefault(name, size) != size:
            raise wrong_size(f"{place}: dynamics", name, size, sizes[name])
    for name in phase.control_names:
        if name not in sizes:
            raise unknown_name("variable", name, sizes)
    for name in phase.stage_parameters:
        if name not in sizes or name in phase.dynamics or name in phase.control_names:
            raise unknown_name("parameter", name, sizes)
    return sizes


@dataclass(frozen=True, eq=False)
class _Led:
    """A state of the stage after: its value here, or None where it is free; its chart.

    size: as it is in graphs; n: of its unknowns.
    """

    value: Expression | None
    difference: ADFunctionInterface | None
    size: int
    n: int

    @property
    def is_charted(self) -> bool:
        """Whether it comes as a tangent at its reference."""
        return self.difference is not None and self.value is not None


def _led(phase: Phase, sizes: Sizes, values: Mapping[str, Expression]) -> dict[str, _Led]:
    """The states of `phase`, with these values."""
    tangents = _tangents(phase, sizes)
    differences = {name: chart[1] for name, chart in phase.charts.items()}
    return {
        name: _Led(values.get(name), differences.get(name), sizes[name], tangents[name])
        for name in phase.dynamics
    }


def _tangents(phase: Phase, sizes: Mapping[str, int]) -> Sizes:
    """The number of unknowns of each state."""
    return {
        name: phase.charts[name][0].n_in(1) if name in phase.charts else sizes[name]
        for name in phase.dynamics
    }


def _inner(i: int, phase: Phase, sizes: Sizes, shared: Sizes) -> Stage:
    """The points 0 ... N - 1 of a phase."""
    controls = {name: sizes[name] for name in phase.control_names}
    costs = {"cost": phase.cost, "residual": phase.residual}
    led = _led(phase, sizes, phase.dynamics)
    return _Maker(i, phase, sizes, shared).stage(phase.nodes, controls, costs, phase.path, led)


def _last(
    i: int, phase: Phase, sizes: Sizes, after: tuple[Phase, Sizes] | None, shared: Sizes
) -> Stage:
    """The last point of a phase, which leads to the first of the next one."""
    led: dict[str, _Led] = {}
    states: Mapping[str, Expression] = after[0].dynamics if after else {}
    for name in phase.transition:
        if name not in states:
            raise unknown_name("state of a next phase", name, states)
    if after is not None:
        same = {name: var(name, sizes[name]) for name in phase.dynamics}
        led = _led(*after, {**same, **phase.transition})
    free = {name: one.n for name, one in led.items() if one.value is None}
    costs = {"cost": phase.end_cost, "residual": phase.end_residual}
    return _Maker(i, phase, sizes, shared).stage(1, free, costs, phase.end, led)


def _parts(name: str, sizes: Mapping[str, int]) -> dict[str, Expression]:
    """Parts of a vector by their names."""
    whole = var(name, sum(sizes.values()))
    return {
        part: Take(tuple(range(end - size, end)))(whole)
        for (part, size), end in zip(sizes.items(), accumulate(sizes.values()), strict=True)
    }


@dataclass(frozen=True, eq=False)
class _Maker:
    """Makes the stages of one phase."""

    number: int
    phase: Phase
    sizes: Sizes
    shared: Sizes

    def stage(
        self,
        count: int,
        controls: Sizes,
        costs: Mapping[str, Expression | None],
        constraints: Sequence[Constraint],
        led: Mapping[str, _Led],
    ) -> Stage:
        """`count` stages with these graphs of states, controls and parameters."""
        phase, sizes, place = self.phase, self.sizes, f"phase {self.number}"
        unknowns = {**_tangents(phase, sizes), **controls}
        row = {name: sizes[name] for name in phase.stage_parameters}
        row |= {REFERENCE + name: sizes[name] for name in phase.charts}
        row |= {
            FOLLOWING + n: one.size
            for n, one in led.items()
            if one.difference is not None and one.value is not None
        }
        unknown, own = _parts(W, unknowns), _parts(ROW, row)
        values = {**unknown, **own, **_parts(SHARED, self.shared)}
        for name, (integrate, _) in phase.charts.items():
            values[name] = integrate(own[REFERENCE + name], unknown[name])

        def put(graph: Expression) -> Expression:
            return rebuild([graph], lambda leaf: _value(leaf, values))[0]

        given = {name: put(graph) for name, graph in costs.items() if graph is not None}
        rows: list[Expression] = []
        for name, one in led.items():
            if one.value is None:
                rows.append(-unknown[name])
            elif one.difference is None:
                rows.append(-put(one.value))
            else:
                rows.append(-one.difference(own[FOLLOWING + name], put(one.value)))
        rows += [put(constraint.value) for constraint in constraints]
        inputs = [(W, sum(unknowns.values())), (ROW, sum(row.values()))]
        inputs.append((SHARED, sum(self.shared.values())))
        roots, sizes_out = [*given.values(), *rows], list[int]()
        if roots:
            found = lower(roots, [var(n, m) for n, m in inputs], title=place)
            roots, sizes_out = list(found.roots), list(found.sizes_out)
        graphs = list(zip(given, roots, strict=False))
        if rows:
            graphs.append(("rows", stack(*roots[len(given) :])))
        if "cost" in given and sizes_out[0] != 1:
            raise wrong_size(place, "cost", sizes_out[0], 1)
        sizes_of = sizes_out[len(given) + len(led) :]
        bounds = [
            bounds_of((constraint.lower, constraint.upper), size, f"{place}: Constraint")
            for constraint, size in zip(constraints, sizes_of, strict=True)
        ]
        limits = [
            bounds_of(phase.bounds.get(name, _FREE), size, f"{place}: '{name}'")
            for name, size in unknowns.items()
        ]
        return Stage(
            self.number,
            count,
            _tangents(phase, sizes),
            controls,
            row,
            {name: one.n for name, one in led.items()},
            lowered_graphs(place, graphs, inputs),
            *_sides(bounds),
            *_sides(limits),
        )


_FREE = (-np.inf, np.inf)


def _value(leaf: Expression, values: Mapping[str, Expression]) -> Expression:
    return values.get(leaf.name, leaf) if isinstance(leaf, ADTerminal) else leaf


def _sides(pairs: Iterable[tuple[Array, Array]]) -> tuple[Array, Array]:
    """All lower bounds, and all upper ones."""
    pairs = list(pairs)
    lower, upper = (np.concatenate([np.zeros(0), *(p[k] for p in pairs)]) for k in (0, 1))
    return lower, upper
