"""Where arrays by name lie in the vectors of a program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ad_core.derivatives.products import vjp_graph
from ad_core.graph import Expression
from ad_core.graph.errors import checked, unknown_name
from ad_core.graph.nodes import listed, var
from ad_core.graph.values import Array, real
from ad_core.lowering import lower
from bridges.casadi.control.phase import Phase
from bridges.casadi.control.stages import FOLLOWING, REFERENCE, Sizes, Stage, Transcription

Named: TypeAlias = "dict[str, Array]"
"""Rows by name, one for each point."""
Guess: TypeAlias = "Mapping[str, Any] | Sequence[Mapping[str, Any]]"
Places: TypeAlias = "NDArray[np.int64]"


class _Rows(NamedTuple):
    """Places in p that hold references: rows `part` of a state of a phase."""

    places: Places
    phase: int
    state: str
    part: slice


class Layout:
    """The vectors x (unknowns), p (parameters) and their bounds, of a transcribed problem.

    Attributes:
        lower, upper: bounds of all rows.
    """

    def __init__(self, made: Transcription, phases: Sequence[Phase]) -> None:
        self._phases, self._sizes = phases, [_state_sizes(s) for s in made.stages[::2]]
        self._shared = made.shared
        self._unknowns: list[dict[str, Places]] = [{} for _ in phases]
        self._led: list[tuple[Places, int, str]] = []  # free states that a transition leads to
        self._parameters: dict[str, Places] = {}
        self._references: list[_Rows] = []
        self._place_unknowns(made)
        self._place_parameters(made)
        stages = made.stages
        self.lower = _tiled([np.append(np.zeros(s.n_following), s.lower) for s in stages], stages)
        self.upper = _tiled([np.append(np.zeros(s.n_following), s.upper) for s in stages], stages)
        self._w_lower = _tiled([s.w_lower for s in stages], stages)
        self._w_upper = _tiled([s.w_upper for s in stages], stages)
        self._n_x, self._n_p = made.starts("n_w")[-1], made.starts("n_row")[-1] + made.n_shared

    def _place_unknowns(self, made: Transcription) -> None:
        for k, (stage, start) in enumerate(zip(made.stages, made.starts("n_w"), strict=False)):
            own, block = self._unknowns[stage.phase], _block(start, stage.count, stage.n_w)
            for name, places in _columns(block, {**stage.states, **stage.controls}):
                if name in stage.states:
                    before = [own[name]] if name in own else []
                    own[name] = np.concatenate([*before, places])
                elif k % 2 == 0:
                    own[name] = places
                else:
                    self._led.append((places[0], stage.phase + 1, name))

    def _place_parameters(self, made: Transcription) -> None:
        found: dict[str, list[Places]] = {}
        for k, (stage, start) in enumerate(zip(made.stages, made.starts("n_row"), strict=False)):
            last, i = k % 2, stage.phase
            for name, places in _columns(_block(start, stage.count, stage.n_row), stage.row):
                if name.startswith(FOLLOWING):
                    state = name.removeprefix(FOLLOWING)
                    part = slice(0, 1) if last else slice(1, None)
                    self._references.append(_Rows(places, i + last, state, part))
                elif name.startswith(REFERENCE):
                    state = name.removeprefix(REFERENCE)
                    part = slice(-1, None) if last else slice(0, -1)
                    self._references.append(_Rows(places, i, state, part))
                else:
                    found.setdefault(name, []).append(places)
        self._parameters = {name: np.concatenate(parts) for name, parts in found.items()}
        end = made.starts("n_row")[-1]
        for name, places in _columns(_block(end, 1, made.n_shared), made.shared):
            self._parameters[name] = places[0]

    def state_sizes(self) -> Sizes:
        """The sizes of the states at the first point."""
        return dict(self._sizes[0])

    def start(self, start: Mapping[str, Any]) -> Named:
        """States at the first point, as vectors."""
        checked(start, Mapping, "solve", "start", "a dict")
        values = {
            name: _rows(value, (_size(self._sizes[0], name, "state"),), f"start: '{name}'")
            for name, value in start.items()
        }
        for name, value in values.items():
            if not np.all(np.isfinite(value)):
                raise ValueError(f"solve: start: '{name}' is {value}, expected finite numbers")
        return values

    def guess(self, given: Guess | None, start: Named) -> list[Named]:
        """Of each phase the states at all points and the controls at all but the last.

        Raises ValueError for a state on a manifold without guess or start.
        """
        n = len(self._phases)
        if given is None:
            every: list[Mapping[str, Any]] = [{}] * n
        elif isinstance(given, Mapping):
            every = [given] * n
        else:
            every = listed(given, "solve: argument 'guess'", "dicts, one for each phase")
        if len(every) != n:
            raise ValueError(f"solve: guess has {len(every)} phases, the problem {n}")
        known = {name: 0 for own in self._unknowns for name in own}
        for named in every:
            for name in checked(named, Mapping, "solve", "guess", "a dict of arrays by name"):
                _size(known, name, "state or control")
        return [self._guess(i, named, start) for i, named in enumerate(every)]

    def _guess(self, i: int, given: Mapping[str, Any], start: Named) -> Named:
        values: Named = {}
        for name, places in self._unknowns[i].items():
            n = self._sizes[i][name] if name in self._sizes[i] else int(places.shape[1])
            shape = (len(places), n)
            starts = name in start and name in self._sizes[i]
            if name in given:
                values[name] = _rows(given[name], shape, f"guess: '{name}'")
            elif starts:
                values[name] = np.tile(start[name], (shape[0], 1))
            elif name in self._phases[i].charts:
                raise ValueError(f"solve: '{name}' is on a manifold and has no guess in phase {i}")
            else:
                values[name] = np.zeros(shape)
            if i == 0 and starts:
                values[name][0] = start[name]
        return values

    def at_references(self, values: Sequence[Named]) -> list[Named]:
        """The same as unknowns: what is on a manifold is at its reference."""
        every = zip(self._phases, self._unknowns, values, strict=True)
        return [
            {**own, **{name: np.zeros(places[name].shape) for name in phase.charts}}
            for phase, places, own in every
        ]

    def packed(self, unknowns: Sequence[Named], *, leads: bool = True) -> Array:
        """The vector of unknowns, from those of each phase by name.

        leads: whether states that a transition leaves free are those of the next phase; else 0.
        """
        x = np.zeros(self._n_x)
        for own, places in zip(unknowns, self._unknowns, strict=True):
            for name, where in places.items():
                x[where] = own[name]
        for where, i, name in self._led if leads else ():
            x[where] = unknowns[i][name][0]
        return x

    def unpacked(self, x: Array, references: Sequence[Named]) -> tuple[Named, ...]:
        """States and controls of each phase by name."""
        parts = [{name: x[where] for name, where in own.items()} for own in self._unknowns]
        for phase, own, reference in zip(self._phases, parts, references, strict=True):
            for name in phase.charts:
                own[name] = _charted(phase, name).eval_batch(x=reference[name], d=own[name])
        return tuple(parts)

    def pulled(
        self, cotangents: Sequence[Named], references: Sequence[Named], x: Array
    ) -> tuple[Array, list[Named]]:
        """Gradients by states and controls as those by the unknowns x, and by the references."""
        unknowns: list[Named] = []
        by_references: list[Named] = []
        every = zip(self._phases, cotangents, references, self._unknowns, strict=True)
        for phase, own, reference, places in every:
            unknowns.append(dict(own))
            by_references.append({})
            for name in phase.charts:
                graph, at = _charted(phase, name), {"x": reference[name], "d": x[places[name]]}
                by = [var(v, rows.shape[-1]) for v, rows in at.items()]
                seed = var("seed", reference[name].shape[-1])
                pulled = vjp_graph(lower(graph).roots, [seed], by)
                found = {v: e.eval_batch(**at, seed=own[name]) for v, e in pulled.items()}
                unknowns[-1][name], by_references[-1][name] = found["d"], found["x"]
        return self.packed(unknowns, leads=False), by_references

    def parameters(self, given: Mapping[str, Any], references: Sequence[Named]) -> Array:
        """The vector p. Raises ValueError where a parameter is missing, or one is not known."""
        for name in checked(given, Mapping, "solve", "parameters", "a dict"):
            if name not in self._parameters:
                raise unknown_name("parameter", name, self._parameters)
        p = np.zeros(self._n_p)
        for name, where in self._parameters.items():
            if name not in given:
                raise ValueError(f"solve: parameter '{name}' is missing")
            p[where] = _rows(given[name], where.shape, f"parameters: '{name}'")
        for where, i, state, part in self._references:
            p[where] = references[i][state][part]
        return p

    def cotangents(self, given: Sequence[Named], values: Sequence[Named]) -> list[Named]:
        """Of each phase an array for each of `values`; 0 where none is given.

        Raises ValueError for counts, names and shapes that misfit.
        """
        place = "gradients: argument 'cotangents'"
        every = listed(given, place, "dicts, one for each phase")
        if len(every) != len(values):
            raise ValueError(f"{place} has {len(every)} phases, the problem {len(values)}")
        found: list[Named] = []
        for named, own in zip(every, values, strict=True):
            for name in checked(named, Mapping, "gradients", "cotangents", "a list of dicts"):
                _size(dict.fromkeys(own, 0), name, "state or control")
            found.append({name: np.zeros_like(rows) for name, rows in own.items()})
            for name, value in named.items():
                array = real(value, f"{place}: '{name}'")
                if array.shape != own[name].shape:
                    raise ValueError(
                        f"{place}: '{name}' has shape {array.shape}, expected {own[name].shape}"
                    )
                found[-1][name] = array
        return found

    def gradients(self, p_bar: Array, held: Array) -> tuple[Named, Named]:
        """Gradients by p and by the values that unknowns are held at, by names.

        Those by the start are of tangents where it is on a manifold; see `by_reference`.
        """
        parameters = {name: p_bar[where] for name, where in self._parameters.items()}
        start = {name: held[self._unknowns[0][name][0]] for name in self._sizes[0]}
        return parameters, start

    def by_reference(self, p_bar: Array, state: str) -> Array:
        """The gradient by the first reference of a state, as far as it is one by p."""
        first = next(r for r in self._references if (r.phase, r.state) == (0, state))
        return p_bar[first.places[0]]

    def bounds(self, start: Named) -> tuple[Array, Array]:
        """Bounds of the unknowns, equal where a state starts."""
        lower, upper = self._w_lower.copy(), self._w_upper.copy()
        for name, value in start.items():
            where = self._unknowns[0][name][0]
            lower[where] = upper[where] = 0.0 if name in self._phases[0].charts else value
        return lower, upper


def _block(start: int, count: int, width: int) -> Places:
    """Places from `start` on, `count` rows of so many."""
    return np.arange(start, start + count * width).reshape(count, width)


def _columns(block: Places, sizes: Sizes) -> list[tuple[str, Places]]:
    """The columns of each part of a row."""
    ends = accumulate(sizes.values())
    return [(n, block[:, end - m : end]) for (n, m), end in zip(sizes.items(), ends, strict=True)]


def _state_sizes(stage: Stage) -> Sizes:
    """The size of each state as users give it."""
    return {name: stage.row.get(REFERENCE + name, n) for name, n in stage.states.items()}


def _charted(phase: Phase, name: str) -> Expression:
    """A state as a graph of its reference x and the tangent d."""
    integrate = phase.charts[name][0]
    return integrate(var("x", integrate.n_in(0)), var("d", integrate.n_in(1)))


def _tiled(rows: Sequence[Array], stages: Sequence[Stage]) -> Array:
    """A row of each kind of stage as often as there are such stages."""
    every = [np.tile(row, s.count) for row, s in zip(rows, stages, strict=True)]
    return np.concatenate([np.zeros(0), *every])


def _size(sizes: Mapping[str, int], name: str, kind: str) -> int:
    if name not in sizes:
        raise unknown_name(kind, name, sizes)
    return sizes[name]


def _rows(value: Any, shape: tuple[int, ...], place: str) -> Array:
    """A value of this shape; one without the leading axis is for all, and a number for every entry.

    Returns a copy.
    """
    array = real(value, f"solve: {place}")
    if array.shape == shape:
        return array.copy()
    if array.ndim == 0 or (shape[-1] == 1 and len(shape) > 1 and array.shape == shape[:1]):
        array = array[..., None]
    if array.shape not in {(1,), shape[-1:], shape}:
        raise ValueError(f"solve: {place} has shape {array.shape}, expected {shape}")
    return np.broadcast_to(array, shape).copy()
