"""`ControlSolver`: arrays by name to the solver's vectors, and back to a `Solution`."""

# casadi's stubs leave most functions of symbols untyped; the public signatures are still checked.
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import casadi
import numpy as np

from ad_core.graph.values import Array
from bridges.casadi.control.layout import Layout
from bridges.casadi.control.phase import Phase
from bridges.casadi.control.solution import Solution
from bridges.casadi.control.stages import Transcription

_QUIET: dict[str, dict[str, Any]] = {
    "fatrop": {"fatrop.print_level": 0},
    "ipopt": {"ipopt.print_level": 0, "ipopt.sb": "yes"},
    "sqpmethod": {"print_iteration": False, "print_header": False, "print_status": False},
}
_LIMITS = {
    "fatrop": ("fatrop.max_iter", ("fatrop.tolerance",)),
    "ipopt": ("ipopt.max_iter", ("ipopt.tol",)),
    "sqpmethod": ("max_iter", ("tol_du", "tol_pr")),
}
_QP: dict[str, Any] = {"qpsol": "piqp"}


class ControlSolver:
    """Solves a `ControlProblem` for starts and parameters; made by `ControlProblem.solver`.

    Attributes:
        functions: CasADi's functions of the program by the names that solvers ask for: `nlp_f`,
            `nlp_g`, `nlp_jac_g`, `nlp_hess_l`, ...
        solver: the solver as CasADi's function.
    """

    def __init__(  # noqa: PLR0917
        self,
        made: Transcription,
        phases: Sequence[Phase],
        functions: Mapping[str, casadi.Function],
        name: str,
        max_iterations: int | None,
        tolerance: float | None,
        verbose: bool,
        options: Mapping[str, Any],
    ) -> None:
        self.layout = Layout(made, phases)
        self.functions = dict(functions)
        given: dict[str, Any] = {"print_time": False, "error_on_fail": False, "record_time": True}
        if name != "fatrop":  # which asks for it
            given |= {"no_nlp_grad": True, "calc_lam_p": False}
        given |= {} if verbose else _QUIET[name]
        most, tolerances = _LIMITS[name]
        if max_iterations is not None:
            given[most] = max_iterations
        if tolerance is not None:
            given |= dict.fromkeys(tolerances, tolerance)
        if name == "fatrop":
            given |= _structure(made)
        if name == "sqpmethod" and "qpsol" not in options:
            given |= _QP
        self.name = name
        self.solver: casadi.Function = casadi.nlpsol(
            "solver", name, self.functions["nlp"], {**given, **options}
        )

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
        layout = self.layout
        fixed = layout.start(start or {})
        before = guess if isinstance(guess, Solution) else None
        given = guess.phases if isinstance(guess, Solution) else guess
        values = layout.guess(given, fixed)
        x0, p = layout.packed(values), layout.parameters(parameters or {}, values)
        lbx, ubx = layout.bounds(fixed)
        multipliers = {"lam_x0": before.lam_x, "lam_g0": before.lam_g} if before else {}
        begin = time.perf_counter()
        result = self.solver(
            x0=x0, p=p, lbx=lbx, ubx=ubx, lbg=layout.lower, ubg=layout.upper, **multipliers
        )
        seconds = time.perf_counter() - begin
        stats = self.solver.stats()
        x, lam_x, lam_g = (_flat(result[name]) for name in ("x", "lam_x", "lam_g"))
        return Solution(
            phases=layout.unpacked(x, values),
            cost=float(result["f"]),
            success=bool(stats["success"]),
            status=str(stats["return_status"]),
            iterations=int(stats["iter_count"]),
            seconds=seconds,
            function_seconds=_function_seconds(stats),
            x=x,
            p=p,
            lam_x=lam_x,
            lam_g=lam_g,
        )


def _function_seconds(stats: Mapping[str, Any]) -> float:
    return float(sum(t for name, t in stats.items() if name.startswith("t_wall_nlp")))


def _flat(value: Any) -> Array:
    return np.asarray(value, dtype=np.float64).reshape(-1)


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
