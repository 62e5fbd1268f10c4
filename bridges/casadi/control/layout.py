"""Where arrays by name lie in the vectors of a program."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from ad_core.derivatives.products import vjp_graph
from ad_core.graph import Expression
from ad_core.graph.errors import checked, unknown_name
from ad_core.graph.nodes import var
from ad_core.graph.values import Array, real
from ad_core.lowering import lower
from bridges.casadi.control.phase import Phase
from bridges.casadi.control.stages import FOLLOWING, REFERENCE, Sizes, Stage, Transcription

Named: TypeAlias = "dict[str, Array]"
"""Rows by name, one for each point."""
Guess: TypeAlias = "Mapping[str, Any] | Sequence[Mapping[str, Any]]"


class Layout:
    """The vectors x (unknowns), p (parameters) and their bounds, of a transcribed problem.

    Attributes:
        lower, upper: bounds of all rows.
    """

    def __init__(self, made: Transcription, phases: Sequence[Phase]) -> None:
        self._made, self._phases = made, phases
        self.lower, self.upper = (
            np.concatenate(
                [np.tile(row, s.count) for s, row in zip(made.stages, rows, strict=True)]
            )
            for rows in zip(*map(_bounds, made.stages), strict=True)
        )

    def start(self, start: Mapping[str, Any]) -> Named:
        """States at the first point, as vectors."""
        sizes = self.state_sizes(0)
        return {
            name: _rows(value, (), _size(sizes, name, "state"), f"start: '{name}'")
            for name, value in checked(start, dict, "solve", "start", "a dict").items()
        }

    def guess(self, given: Guess | None, start: Named) -> list[Named]:
        """Of each phase the states at all points and the controls at all but the last.

        Raises ValueError for a state on a manifold without guess or start.
        """
        n = len(self._phases)
        if given is None or isinstance(given, Mapping):
            given = [given or {}] + [{}] * (n - 1) if n == 1 or not given else [given] * n
        if len(given) != n:
            raise ValueError(f"solve: guess has {len(given)} phases, the problem {n}")
        return [self._guess(i, named, start, n > 1) for i, named in enumerate(given)]

    def _guess(self, i: int, given: Mapping[str, Any], start: Named, several: bool) -> Named:
        phase, states = self._phases[i], self.state_sizes(i)
        controls = self._made.stages[2 * i].controls
        for name in given:
            if not several:
                _size({**states, **controls}, name, "state or control")
        values: Named = {}
        for name, size in {**states, **controls}.items():
            points = phase.nodes + (name in states)
            if name in given:
                values[name] = _rows(given[name], (points,), size, f"guess: '{name}'")
            elif name in start and name in states:
                values[name] = np.tile(start[name], (points, 1))
            elif name in phase.charts:
                raise ValueError(f"solve: '{name}' is on a manifold and has no guess in phase {i}")
            else:
                values[name] = np.zeros((points, size))
            if i == 0 and name in start and name in states:
                values[name][0] = start[name]
        return values

    def at_references(self, values: Sequence[Named]) -> list[Named]:
        """The same as unknowns: what is on a manifold is at its reference."""
        return [
            own | {name: np.zeros((len(own[name]), integrate.n_in(1)))
                   for name, (integrate, _) in phase.charts.items()}
            for phase, own in zip(self._phases, values, strict=True)
        ]  # fmt: skip

    def packed(self, values: Sequence[Named], *, leads: bool = True) -> Array:
        """The vector of unknowns, from those of each phase by name.

        leads: whether states that a transition leaves free are those of the next phase; else 0.
        """
        x = np.zeros(self._made.starts("n_w")[-1])
        for k, stage, block in self._blocks(x, "n_w"):
            own, at = values[stage.phase], 0
            for name, n in {**stage.states, **stage.controls}.items():
                part, at = slice(at, at + n), at + n
                if name in stage.states:
                    block[:, part] = self._rows_of(own[name], k)
                elif k % 2 == 0:
                    block[:, part] = own[name]
                elif leads:
                    block[:, part] = values[stage.phase + 1][name][0]
        return x

    def unpacked(self, x: Array, references: Sequence[Named]) -> tuple[Named, ...]:
        """States and controls of each phase by name."""
        parts = self._unknowns(x)
        for phase, own, reference in zip(self._phases, parts, references, strict=True):
            for name in phase.charts:
                own[name] = _charted(phase, name).eval_batch(x=reference[name], d=own[name])
        return tuple(parts)

    def _unknowns(self, x: Array) -> list[Named]:
        """The unknowns of each phase by name."""
        parts: list[Named] = [{} for _ in self._phases]
        for k, stage, block in self._blocks(x, "n_w"):
            at = 0
            for name, n in {**stage.states, **stage.controls}.items():
                found, at = block[:, at : at + n].copy(), at + n
                if name in stage.states and k % 2:
                    found = np.concatenate([parts[stage.phase][name], found])
                if name in stage.states or k % 2 == 0:
                    parts[stage.phase][name] = found
        return parts

    def pulled(
        self, cotangents: Sequence[Named], references: Sequence[Named], x: Array
    ) -> tuple[Array, list[Named]]:
        """Gradients by states and controls as those by the unknowns x, and by the references."""
        unknowns: list[Named] = []
        by_references: list[Named] = []
        every = zip(self._phases, cotangents, references, self._unknowns(x), strict=True)
        for phase, own, reference, tangents in every:
            unknowns.append(dict(own))
            by_references.append({})
            for name in phase.charts:
                graph, at = _charted(phase, name), {"x": reference[name], "d": tangents[name]}
                by = [var(v, rows.shape[-1]) for v, rows in at.items()]
                seed = var("seed", reference[name].shape[-1])
                pulled = vjp_graph(lower(graph).roots, [seed], by)
                found = {v: e.eval_batch(**at, seed=own[name]) for v, e in pulled.items()}
                unknowns[-1][name], by_references[-1][name] = found["d"], found["x"]
        return self.packed(unknowns, leads=False), by_references

    def gradients(self, p_bar: Array) -> tuple[Named, list[Named]]:
        """The gradient by p as parameters by name, and the first reference of each phase."""
        named: dict[str, list[Array]] = {}
        first: list[Named] = [{} for _ in self._phases]
        end = self._made.starts("n_row")[-1]
        for k, stage, block in self._blocks(p_bar[:end], "n_row"):
            at = 0
            for name, n in stage.row.items():
                rows, at = block[:, at : at + n], at + n
                if name.startswith(REFERENCE) and k % 2 == 0:
                    first[stage.phase][name.removeprefix(REFERENCE)] = rows[0]
                elif not name.startswith((REFERENCE, FOLLOWING)):
                    named.setdefault(name, []).append(rows)
        found = {name: np.concatenate(rows) for name, rows in named.items()}
        for name, n in self._made.shared.items():
            found[name], end = p_bar[end : end + n], end + n
        return found, first

    def parameters(self, given: Mapping[str, Any], references: Sequence[Named]) -> Array:
        """The vector p. Raises ValueError where a parameter is missing, or one is not known."""
        made = self._made
        own = [name for phase in self._phases for name in phase.stage_parameters]
        known = {**made.shared, **dict.fromkeys(own, 0)}
        for name in checked(given, dict, "solve", "parameters", "a dict"):
            _size(known, name, "parameter")
        for name in known:
            if name not in given:
                raise ValueError(f"solve: parameter '{name}' is missing")
        p = np.zeros(made.starts("n_row")[-1] + made.n_shared)
        begins: dict[str, int] = {}
        for k, stage, block in self._blocks(p[: made.starts("n_row")[-1]], "n_row"):
            at = 0
            for name, n in stage.row.items():
                part, at = slice(at, at + n), at + n
                state = name.rpartition(" of ")[2]
                if name.startswith(FOLLOWING):
                    after = stage.phase + k % 2
                    rows = references[after][state]
                    block[:, part] = rows[0] if k % 2 else rows[1:]
                elif name.startswith(REFERENCE):
                    block[:, part] = self._rows_of(references[stage.phase][state], k)
                else:
                    total = sum(s.count for s in made.stages if name in s.row)
                    rows = _rows(given[name], (total,), n, f"parameters: '{name}'")
                    first = begins.get(name, 0)
                    block[:, part] = rows[first : first + stage.count]
                    begins[name] = first + stage.count
        at = made.starts("n_row")[-1]
        for name, n in made.shared.items():
            p[at : at + n] = _rows(given[name], (), n, f"parameters: '{name}'")
            at += n
        return p

    def bounds(self, start: Named) -> tuple[Array, Array]:
        """Bounds of the unknowns, equal where a state starts."""
        stages = self._made.stages
        lower = np.concatenate([np.tile(s.w_lower, s.count) for s in stages])
        upper = np.concatenate([np.tile(s.w_upper, s.count) for s in stages])
        at = 0
        for name, n in self._made.stages[0].states.items():
            if name in start:
                fixed = 0.0 if name in self._phases[0].charts else start[name]
                lower[at : at + n] = upper[at : at + n] = fixed
            at += n
        return lower, upper

    def first_states(self, x: Array) -> Named:
        """The first states of a vector like that of the unknowns."""
        found: Named = {}
        at = 0
        for name, n in self._made.stages[0].states.items():
            found[name], at = x[at : at + n], at + n
        return found

    def state_sizes(self, i: int) -> Sizes:
        """The size of each state of a phase, as users give it."""
        stage = self._made.stages[2 * i]
        return {name: stage.row.get(REFERENCE + name, n) for name, n in stage.states.items()}

    def _blocks(self, vector: Array, attribute: str) -> Iterator[tuple[int, Stage, Array]]:
        """Each kind of stage with its part of a vector, a row a stage."""
        ends = self._made.starts(attribute)
        for k, stage in enumerate(self._made.stages):
            n = getattr(stage, attribute)
            yield k, stage, vector[ends[k] : ends[k + 1]].reshape(stage.count, n)

    @staticmethod
    def _rows_of(rows: Array, k: int) -> Array:
        """Those of points 0 ... N - 1, or of the last."""
        return rows[:-1] if k % 2 == 0 else rows[-1:]


def _charted(phase: Phase, name: str) -> Expression:
    """A state as a graph of its reference x and the tangent d."""
    integrate = phase.charts[name][0]
    return integrate(var("x", integrate.n_in(0)), var("d", integrate.n_in(1)))


def _bounds(stage: Stage) -> tuple[Array, Array]:
    """Of the rows of one stage; those that lead to the next are 0."""
    zeros = np.zeros(stage.n_following)
    return np.concatenate([zeros, stage.lower]), np.concatenate([zeros, stage.upper])


def _size(sizes: Mapping[str, int], name: str, kind: str) -> int:
    if name not in sizes:
        raise unknown_name(kind, name, sizes)
    return sizes[name]


def _rows(value: Any, lead: tuple[int, ...], size: int, place: str) -> Array:
    """A value of shape (*lead, size); one without the leading axis is for all."""
    array = real(value, f"solve: {place}")
    if array.ndim == 0 or (size == 1 and lead and array.shape == lead):
        array = array[..., None]
    shape = (*lead, size)
    if array.shape not in {(1,), (size,), shape}:
        raise ValueError(f"solve: {place} has shape {array.shape}, expected {shape}")
    return np.broadcast_to(array, shape).copy()
