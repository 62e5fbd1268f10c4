"""`ControlSolver`: arrays by name to the solver's vectors, and back to a `Solution`."""

# casadi's stubs leave most functions of symbols untyped; the public signatures are still checked.
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Any

import casadi
import numpy as np

from ad_core.graph.errors import checked, unknown_name
from ad_core.graph.nodes import listed
from ad_core.graph.values import Array, number, whole_number
from bridges.casadi.control.layout import Layout, Named
from bridges.casadi.control.library import Hessian, build_functions
from bridges.casadi.control.phase import Phase
from bridges.casadi.control.sensitivity import Sensitivity
from bridges.casadi.control.solution import Solution
from bridges.casadi.control.stages import Transcription
from bridges.casadi.panels import use_wide_panels
from bridges.native.objects import processors

_QUIET: dict[str, dict[str, Any]] = {
    "fatrop": {"fatrop.print_level": 0},
    "ipopt": {"ipopt.print_level": 0, "ipopt.sb": "yes"},
    "sqpmethod": {"print_iteration": False, "print_header": False, "print_status": False},
}
_MOST = {"fatrop": "fatrop.max_iter", "ipopt": "ipopt.max_iter", "sqpmethod": "max_iter"}
_TOLERANCES = {
    "fatrop": ("fatrop.tolerance",),
    "ipopt": ("ipopt.tol",),
    "sqpmethod": ("tol_du", "tol_pr"),
}


@dataclass(frozen=True)
class Settings:
    """What `ControlProblem.solver` was asked for."""

    solver: str
    hessian: Hessian
    max_iterations: int | None
    tolerance: float | None
    verbose: bool
    options: Mapping[str, Any]

    def for_casadi(self, made: Transcription) -> dict[str, Any]:
        """The options of `casadi.nlpsol`."""
        name = self.solver
        given: dict[str, Any] = {"print_time": False, "error_on_fail": False, "record_time": True}
        given |= {} if self.verbose else _QUIET[name]
        if self.max_iterations is not None:  # fatrop counts one more
            given[_MOST[name]] = self.max_iterations - (name == "fatrop")
        if self.tolerance is not None:
            given |= dict.fromkeys(_TOLERANCES[name], self.tolerance)
        if name == "fatrop":
            return {**given, **_structure(made), **self.options}
        given |= {"no_nlp_grad": True, "calc_lam_p": False}  # fatrop asks for it
        if name == "sqpmethod":
            given["qpsol"] = "piqp"
            given["qpsol_options"] = {"error_on_fail": False}
            if self.options.get("qpsol") == "hpipm":
                sizes = {k: v for k, v in _structure(made).items() if k in {"nx", "nu", "ng", "N"}}
                given["qpsol_options"] |= sizes
        return {**given, **self.options}


_ARGUMENTS = ("start", "guess", "parameters")


class _Bound:
    """A solver with arrays that it reads from and writes into, without conversions.

    Calls from several threads wait for each other.
    """

    def __init__(self, function: casadi.Function) -> None:
        self.function = function
        self._buffer: Any = casadi.FunctionBuffer(function)
        self._spent, self._lock = 0.0, threading.Lock()
        self._given = {n: np.zeros(function.nnz_in(i)) for i, n in enumerate(function.name_in())}
        self._found = {n: np.zeros(function.nnz_out(i)) for i, n in enumerate(function.name_out())}
        for i, array in enumerate(self._given.values()):
            self._buffer.set_arg(i, memoryview(array.data))
        for i, array in enumerate(self._found.values()):
            self._buffer.set_res(i, memoryview(array.data))

    def __call__(self, **numbers: Array) -> tuple[dict[str, Array], dict[str, Any], float]:
        """Results by name, the solver's report, seconds in functions; what is not given is 0."""
        with self._lock:
            for name, array in self._given.items():
                array[:] = numbers.get(name, 0.0)
            self._buffer._eval()
            stats, before = self._buffer.stats(), self._spent  # which counts on from call to call
            self._spent = sum(t for name, t in stats.items() if name.startswith("t_wall_nlp"))
            found = {name: array.copy() for name, array in self._found.items()}
            return found, stats, self._spent - before


class ControlSolver:
    """Solves a `ControlProblem` for starts and parameters; made by `ControlProblem.solver`.

    Attributes:
        functions: CasADi's functions of the program by the names that solvers ask for: `nlp_f`,
            `nlp_g`, `nlp_jac_g`, `nlp_hess_l`, ...
        solver: the solver as CasADi's function.
    """

    def __init__(self, made: Transcription, phases: Sequence[Phase], settings: Settings) -> None:
        place = "ControlSolver"
        checked(made, Transcription, place, "made", "a Transcription")
        for phase in listed(phases, f"{place}: argument 'phases'", "Phase"):
            checked(phase, Phase, place, "phases", "a list of Phase")
        checked(settings, Settings, place, "settings", "Settings")
        self.layout, self.settings = Layout(made, phases), settings
        self.functions = build_functions(made, settings.solver, settings.hessian)
        self._made, self._phases = made, phases
        self._solvers = [self._one_solver()]
        self.solver = self._solvers[0].function
        self._sensitivity = cache(self._sensitivity_at)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._made, self._phases, self.settings)

    @property
    def stage_parameters(self) -> tuple[str, ...]:
        """The parameters that have a row for each point."""
        return tuple(dict.fromkeys(n for phase in self._phases for n in phase.stage_parameters))

    def solve(
        self,
        start: Mapping[str, Any] | None = None,
        guess: Mapping[str, Any] | Sequence[Mapping[str, Any]] | Solution | None = None,
        parameters: Mapping[str, Any] | None = None,
    ) -> Solution:
        """The solution for these numbers.

        Args:
            start: states at the first point by name; others start anywhere within their bounds.
            guess: values by name, one for all points of a phase or a row for each; a list of such
                dicts where there are several phases; or a solution, whose multipliers serve, too. A
                state that is not named is guessed as its start, anything else as 0.
            parameters: every parameter by name; those of stages with a row for each point.

        Raises ValueError for names, sizes and missing parameters.
        """
        return self._solved(self._solvers[0], start, guess, parameters)

    def solve_batch(
        self, problems: Sequence[Mapping[str, Any]], threads: int | None = None
    ) -> list[Solution]:
        """Several problems, each the arguments of `solve` by name, on threads side by side.

        threads: at most so many; None: as many as processors.
        """
        every = listed(problems, "solve_batch: argument 'problems'", "arguments of solve")
        for problem in every:
            checked(problem, Mapping, "solve_batch", "problems", "a list of dicts")
            for name in problem:
                if name not in _ARGUMENTS:
                    raise unknown_name("argument of solve", name, _ARGUMENTS)
        most = processors() if threads is None else threads
        count = min(whole_number(most, "solve_batch: threads", least=1), max(len(every), 1))
        while len(self._solvers) < count:
            self._solvers.append(self._one_solver())
        free = queue.SimpleQueue[_Bound]()
        for solver in self._solvers[:count]:
            free.put(solver)

        def one(problem: Mapping[str, Any]) -> Solution:
            solver = free.get()
            try:
                return self._solved(solver, **problem)
            finally:
                free.put(solver)

        with ThreadPoolExecutor(count) as pool:
            return list(pool.map(one, every))

    def gradients(
        self,
        solution: Solution,
        cotangents: Sequence[Named],
        barrier: float = 0.0,
        cost: float = 0.0,
    ) -> tuple[Named, Named]:
        """Gradients of a function of a solution and its cost, by the parameters and by the start.

        Args:
            solution: one of this solver.
            cotangents: the function's gradient by states and controls, of each phase by name; what
                is not named is 0.
            barrier: mu of `Sensitivity`; 0 for the derivative of the solution itself.
            cost: the function's derivative by the cost.

        Raises:
            ValueError: for a solution that is none.
            FloatingPointError: where the conditions at the solution do not determine it.
        """
        checked(solution, Solution, "gradients", "solution", "a Solution")
        every = self.layout.cotangents(cotangents, solution.phases)
        x_bar, by_reference = self.layout.pulled(every, solution.references, solution.x)
        mu = number(barrier, "gradients: barrier")
        p_bar, held = self._sensitivity(mu).pull(solution, x_bar, number(cost, "gradients: cost"))
        parameters, start = self.layout.gradients(p_bar, held)
        for name, rows in by_reference[0].items():
            start[name] = rows[0] + self.layout.by_reference(p_bar, name)
        return parameters, start

    def _sensitivity_at(self, barrier: float) -> Sensitivity:
        functions = build_functions(self._made, "sensitivity", "exact")
        return Sensitivity(functions, self.layout.lower, self.layout.upper, barrier)

    def _one_solver(self) -> _Bound:
        options, name = self.settings.for_casadi(self._made), self.settings.solver
        if {"fatrop", "hpipm"} & {name, options.get("qpsol")}:
            use_wide_panels()
        return _Bound(casadi.nlpsol("solver", name, self.functions["nlp"], options))

    def _solved(
        self,
        solver: _Bound,
        start: Mapping[str, Any] | None = None,
        guess: Mapping[str, Any] | Sequence[Mapping[str, Any]] | Solution | None = None,
        parameters: Mapping[str, Any] | None = None,
    ) -> Solution:
        layout, fixed = self.layout, self.layout.start(start or {})
        given = guess.phases if isinstance(guess, Solution) else guess
        values = layout.guess(given, fixed)
        x0 = layout.packed(layout.at_references(values))
        p = layout.parameters(parameters or {}, values)
        bounds = layout.bounds(fixed)
        numbers = {"x0": x0, "p": p, "lbx": bounds[0], "ubx": bounds[1]}
        numbers |= {"lbg": layout.lower, "ubg": layout.upper}
        if isinstance(guess, Solution):
            numbers |= {"lam_x0": guess.lam_x, "lam_g0": guess.lam_g}
        begin = time.perf_counter()
        result, stats, inside = solver(**numbers)
        seconds = time.perf_counter() - begin
        return Solution(
            phases=layout.unpacked(result["x"], values),
            cost=float(result["f"][0]),
            success=bool(stats["success"]),
            status=_status(stats),
            iterations=int(stats["iter_count"]),
            seconds=seconds,
            function_seconds=inside,
            x=result["x"],
            p=p,
            lam_x=result["lam_x"],
            lam_g=result["lam_g"],
            bounds=bounds,
            references=tuple(values),
        )


def _status(stats: Mapping[str, Any]) -> str:
    """Why the solver stopped; fatrop gives a number, which is 0 where it has solved the problem."""
    said = str(stats["return_status"])
    if said.isdecimal():
        return "Solve_Succeeded" if stats["success"] else f"no solution: fatrop returned {said}"
    return said


def _structure(made: Transcription) -> dict[str, Any]:
    """The stages as fatrop's options."""
    stages = made.stages
    nx = [n for s in stages for n in [s.n_x] * s.count]
    nu = [n for s in stages for n in [s.n_w - s.n_x] * s.count]
    ng = [n for s in stages for n in [s.n_rows - s.n_following] * s.count]
    equality: list[bool] = []
    for s in stages:
        equality += ([True] * s.n_following + (s.lower == s.upper).tolist()) * s.count
    sizes = {"nx": nx, "nu": nu, "ng": ng, "N": len(nx) - 1}
    return {"structure_detection": "manual", "equality": equality, **sizes}
