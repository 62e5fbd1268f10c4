"""`ControlLayer`: a solver of a control problem as a layer, from parameters to the solution.

parameters (batched) -> solves side by side -> solution;  gradient by the conditions at it
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from ad_core.graph import Array, checked, number, whole_number

Named = dict[str, Array]


class SolvesControl(Protocol):
    """What a layer asks of a solver: `bridges.casadi.ControlSolver` has it."""

    def solve_batch(self, problems: Sequence[Mapping[str, Any]], threads: int | None) -> list[Any]:
        """The solutions of these problems."""
        ...

    def gradients(
        self, solution: Any, cotangents: Sequence[Named], barrier: float, cost: float
    ) -> tuple[Named, Named]:
        """Gradients by the parameters and by the start."""
        ...


@dataclass(frozen=True, eq=False)
class ControlResult:
    """Solutions of a batch.

    Attributes:
        phases: of each phase states (B, N + 1, n) and controls (B, N, n) by name.
        cost: (B,).
        solved: (B,), whether the solver's conditions hold. Where they do not, the numbers are the
            last iterate's, and a gradient that reaches them is a RuntimeError: weigh by `solved`.
        solutions: the solver's own, which serve as `guess` of the next call.
    """

    phases: tuple[dict[str, Tensor], ...]
    cost: Tensor
    solved: Tensor
    solutions: tuple[Any, ...]

    def __getitem__(self, name: str) -> Tensor:
        """The rows of a state or control, of all phases that have it one behind the other."""
        found = [values[name] for values in self.phases if name in values]
        if not found:
            known = dict.fromkeys(n for values in self.phases for n in values)
            raise KeyError(f"no state or control '{name}'; there are: {', '.join(known)}")
        return torch.cat(found, dim=1)


class ControlLayer(torch.nn.Module):
    """The solution of a control problem as a differentiable function of parameters and start.

        (x, u)(p, x_0) = argmin cost(x, u, p)  subject to the problem's constraints

    The gradient is that of the conditions of optimality at the solution (`Sensitivity`): one linear
    solve a sample. Solves run on threads. Numbers are float64 on the CPU inside, and have the type
    and the device of the arguments outside.

    Args:
        solver: of `ControlProblem.solver`; tight tolerances give exact gradients.
        barrier: mu > 0 smooths the derivative where constraints become active: let the solver end
            at the same mu (IPOPT's option `mu_target`), and it is exact again.
        threads: of solves side by side; None: as many as processors.
    """

    def __init__(
        self, solver: SolvesControl, *, barrier: float = 0.0, threads: int | None = None
    ) -> None:
        super().__init__()
        place = "ControlLayer"
        for name in ("solve_batch", "gradients"):
            if not hasattr(solver, name):
                raise TypeError(
                    f"{place}: argument 'solver' is a {type(solver).__name__}, expected a "
                    "ControlSolver"
                )
        self.barrier = number(barrier, f"{place}: barrier")
        if not 0.0 <= self.barrier < float("inf"):
            raise ValueError(f"{place}: barrier is {barrier}, expected 0 or more")
        self.threads = threads
        if threads is not None:
            whole_number(threads, f"{place}: threads", least=1)
        self.solver = solver

    def forward(
        self,
        parameters: Mapping[str, Tensor] | None = None,
        start: Mapping[str, Tensor] | None = None,
        guess: Any = None,
    ) -> ControlResult:
        """The solutions of a batch of problems.

        Args:
            parameters: every parameter by name, (B, n), of stages (B, points, n); without B for
                one that all samples share.
            start: states at the first point by name, likewise.
            guess: as `ControlSolver.solve` takes it, for all samples; or a list of B of them.

        Raises ValueError for shapes and names that misfit.
        """
        given: dict[tuple[str, str], Tensor] = {}
        for kind, named in (("parameters", parameters or {}), ("start", start or {})):
            checked(named, Mapping, "ControlLayer", kind, "a dict of tensors by name")
            for name, value in named.items():
                given[kind, name] = checked(value, Tensor, "ControlLayer", name, "a tensor")
        stages = getattr(self.solver, "stage_parameters", ())
        axes = {key: 1 + (key[1] in stages) for key in given}
        sizes = {key: value.shape[0] for key, value in given.items() if value.ndim > axes[key]}
        batch = max(sizes.values(), default=1)
        for (kind, name), size in sizes.items():
            if size != batch or given[kind, name].ndim > axes[kind, name] + 1:
                shape = tuple(given[kind, name].shape)
                raise ValueError(f"ControlLayer: {kind}: '{name}' has shape {shape}, batch {batch}")
        call = _Call(self, tuple(given), tuple(key in sizes for key in given), batch, guess)
        cost, *values = cast("tuple[Tensor, ...]", _Solve.apply(call, *given.values()))
        rest = iter(values)
        phases = tuple({name: next(rest) for name in named} for named in call.solutions[0].phases)
        solved = torch.tensor([s.success for s in call.solutions], device=cost.device)
        return ControlResult(phases, cost, solved, tuple(call.solutions))


class _Call:
    """One call of a layer: what its arguments are, and later the solutions."""

    def __init__(
        self,
        layer: ControlLayer,
        keys: tuple[tuple[str, str], ...],
        batched: tuple[bool, ...],
        batch: int,
        guess: Any,
    ) -> None:
        self.layer, self.keys, self.batched, self.batch = layer, keys, batched, batch
        listed = isinstance(guess, (list, tuple))
        self.guesses = list(cast("Sequence[Any]", guess)) if listed else [guess] * batch
        if len(self.guesses) != batch:
            raise ValueError(f"ControlLayer: guess has {len(self.guesses)} entries, batch {batch}")
        self.solutions: list[Any] = []

    def problems(self, arrays: Sequence[Array]) -> list[dict[str, Any]]:
        """The arguments of `solve` for each sample."""
        found: list[dict[str, Any]] = []
        for b in range(self.batch):
            problem: dict[str, Any] = {"parameters": {}, "start": {}, "guess": self.guesses[b]}
            for (kind, name), array, many in zip(self.keys, arrays, self.batched, strict=True):
                problem[kind][name] = array[b] if many else array
            found.append(problem)
        return found

    def gradients(
        self, solution: Any, rows: Sequence[Array | None]
    ) -> dict[tuple[str, str], Array]:
        """By every argument, of one sample; rows: of the cost, then of each state and control."""
        cost, values = rows[0], iter(rows[1:])
        named: list[Named] = []
        for phase in solution.phases:
            pairs = [(name, next(values)) for name in phase]
            named.append({name: row for name, row in pairs if row is not None})
        by = self.layer.solver.gradients(
            solution, named, self.layer.barrier, 0.0 if cost is None else float(cost)
        )
        kinds = zip(("parameters", "start"), by, strict=True)
        return {(kind, name): row for kind, parts in kinds for name, row in parts.items()}


class _Solve(torch.autograd.Function):
    """Cost, and states and controls of every phase."""

    @staticmethod
    def forward(ctx: Any, call: _Call, *tensors: Tensor) -> tuple[Tensor, ...]:
        ctx.call, ctx.like = call, tensors
        layer = call.layer
        problems = call.problems([_array(t) for t in tensors])
        call.solutions = layer.solver.solve_batch(problems, layer.threads)
        first = call.solutions[0]
        values = [np.array([solution.cost for solution in call.solutions])]
        for i, phase in enumerate(first.phases):
            values += [np.stack([s.phases[i][name] for s in call.solutions]) for name in phase]
        found = [torch.from_numpy(value) for value in values]
        return tuple(t.to(tensors[0]) if tensors else t for t in found)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad_outputs: Any) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        call: _Call = ctx.call
        arrays = [None if c is None else _array(c) for c in grad_outputs]
        found = [np.zeros(tuple(t.shape)) for t in ctx.like]
        for b, solution in enumerate(call.solutions):
            rows = [None if array is None else array[b] for array in arrays]
            if not any(row is not None and np.any(row) for row in rows):
                continue
            if not solution.success:
                raise RuntimeError(
                    f"ControlLayer: sample {b} is not solved ({solution.status}) and has no "
                    "gradient; weigh the loss by `solved`"
                )
            by = call.gradients(solution, rows)
            for gradient, key, many in zip(found, call.keys, call.batched, strict=True):
                place = gradient[b : b + 1] if many else gradient
                place += by[key].reshape(place.shape)
        gradients = [torch.from_numpy(g).to(t) for g, t in zip(found, ctx.like, strict=True)]
        return None, *gradients


def _array(tensor: Tensor) -> Array:
    return tensor.detach().to(device="cpu", dtype=torch.float64).numpy()
