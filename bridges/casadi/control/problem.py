"""`ControlProblem`: phases of stages as one nonlinear program, and its solvers.

phases -> stages -> functions of all stages as native code -> a solver of CasADi -> `Solution`
"""

# casadi's stubs leave most functions of symbols untyped; the public signatures are still checked.
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import casadi

from ad_core.graph.errors import checked, one_of
from ad_core.graph.nodes import listed
from ad_core.graph.values import flag, number, whole_number
from bridges.casadi.control.library import SOLVERS, Hessian
from bridges.casadi.control.phase import Phase
from bridges.casadi.control.solver import ControlSolver, Settings
from bridges.casadi.control.stages import Transcription, transcribe
from bridges.casadi.lowering import symbol_for, symbolic_function


class ControlProblem:
    """A problem of optimal control by direct multiple shooting, from phases one after the other.

        minimise    sum of the stages' costs
        subject to  x_k+1 = F(x_k, u_k),   constraints of each stage,   bounds of x_k and u_k

    The unknowns are states and controls of all points. Its functions, the Jacobian and the exact
    Hessian of the Lagrangian are native code over all stages at once that writes into the solver's
    own arrays; the order of unknowns and constraints is the one that fatrop reads.

    Args:
        phases: one `Phase` or several; the last point of each leads to the first of the next.

    Raises:
        ValueError: for names and sizes that misfit.
        TypeError: for what is no phase.
    """

    def __init__(self, phases: Phase | Sequence[Phase]) -> None:
        place = "ControlProblem: argument 'phases'"
        every = [phases] if isinstance(phases, Phase) else listed(phases, place, "Phase")
        for phase in every:
            checked(phase, Phase, "ControlProblem", "phases", "a Phase, or a list of them")
        if not every:
            raise ValueError(f"{place} is empty")
        self.phases = tuple(every)
        self.transcription: Transcription = transcribe(self.phases)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.phases,)

    def __repr__(self) -> str:
        stages = self.transcription.stages
        n_w, n_g = (self.transcription.starts(a)[-1] for a in ("n_w", "n_rows"))
        points = sum(stage.count for stage in stages)
        return f"ControlProblem({points} points, {n_w} unknowns, {n_g} constraints)"

    @property
    def parameters(self) -> dict[str, int]:
        """The parameters that all stages share, with their sizes."""
        return dict(self.transcription.shared)

    def solver(
        self,
        solver: str = "fatrop",
        *,
        hessian: Hessian = "exact",
        max_iterations: int | None = None,
        tolerance: float | None = None,
        verbose: bool = False,
        options: Mapping[str, Any] | None = None,
    ) -> ControlSolver:
        """A solver of this problem; its functions are built now, or found in the cache.

        Args:
            solver: "fatrop" (structure of stages), "ipopt", or "sqpmethod" (which solves quadratic
                programs by the solver that the option `qpsol` names: "piqp" unless given, "hpipm"
                with the structure of stages, or another of CasADi's).
            hessian: "exact", or "gauss_newton": residuals' squares by J^T J, without curvature of
                constraints.
            max_iterations: the most iterations; for real time a few, whose result is as good as
                they make it. Fatrop takes two at least.
            tolerance: of the optimality conditions, in the solver's own measure.
            verbose: whether the solver prints its iterations.
            options: of `casadi.nlpsol`, over those made here.

        Raises:
            ValueError: for an unknown solver or Hessian.
            BuildError: where there is no compiler; `program` needs none.
        """
        place = "ControlProblem.solver"
        one_of(solver, f"{place}: solver", SOLVERS)
        one_of(hessian, f"{place}: hessian", ("exact", "gauss_newton"))
        if max_iterations is not None:
            least = 2 if solver == "fatrop" else 1
            whole_number(max_iterations, f"{place}: max_iterations of {solver}", least)
        flag(verbose, f"{place}: verbose")
        checked(options or {}, Mapping, place, "options", "a dict")
        if tolerance is not None:
            tolerance = number(tolerance, f"{place}: tolerance")
        settings = Settings(
            solver, hessian, max_iterations, tolerance, verbose, dict(options or {})
        )
        return ControlSolver(self.transcription, self.phases, settings)

    def program(self) -> dict[str, casadi.MX]:
        """The same as symbols `x`, `p`, `f`, `g`, for `casadi.nlpsol` and whoever reads programs.

        Slower: CasADi's own functions, one for each kind of stage, mapped over the stages.
        """
        made = self.transcription
        n_w, n_row = (made.starts(a)[-1] for a in ("n_w", "n_row"))
        x, p = casadi.MX.sym("x", n_w), casadi.MX.sym("p", n_row + made.n_shared)
        shared = p[n_row:]
        f, rows = casadi.MX(0), list[casadi.MX]()
        w_at, row_at = made.starts("n_w"), made.starts("n_row")
        for i, stage in enumerate(made.stages):
            w = casadi.reshape(x[w_at[i] : w_at[i + 1]], stage.n_w, stage.count)
            row = casadi.reshape(p[row_at[i] : row_at[i + 1]], stage.n_row, stage.count)
            if not stage.graphs.roots:
                continue
            one = symbolic_function(stage.graphs, f"stage_{i}", symbol_for(stage.graphs.tape), {})
            every = one.map(stage.count).call([w, row, casadi.repmat(shared, 1, stage.count)])
            found = dict(zip(stage.graphs.names_out, every, strict=True))
            if "cost" in found:
                f += casadi.sum2(found["cost"])
            if "residual" in found:
                f += casadi.sumsqr(found["residual"]) / 2
            if "rows" in found:
                m, columns = stage.n_following, found["rows"]
                if m:
                    first = columns[:m, :] + self._following(x, i)
                    columns = casadi.vertcat(first, columns[m:, :])
                rows.append(casadi.vec(columns))
        return {"x": x, "p": p, "f": f, "g": casadi.vertcat(*rows)}

    def _following(self, x: Any, i: int) -> Any:
        """The states of the stages after those of kind `i`, a column each."""
        stages, at = self.transcription.stages, self.transcription.starts("n_w")
        stage, m = stages[i], stages[i].n_following
        inner = casadi.reshape(x[at[i] : at[i + 1]], stage.n_w, stage.count)[:m, 1:]
        return casadi.horzcat(inner, x[at[i + 1] : at[i + 1] + m])
