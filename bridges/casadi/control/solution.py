"""`Solution`: what a solver found, by name and as it is."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ad_core.graph.errors import unknown_name
from ad_core.graph.values import Array, whole_number


@dataclass(frozen=True, eq=False, repr=False)
class Solution:
    """States, controls and multipliers of a solved problem.

    Attributes:
        phases: of each phase states (N + 1 rows) and controls (N rows) by name.
        cost: the cost.
        success: whether the solver's conditions hold; where not, `status` says why, and the rest is
            the last iterate.
        status: in the solver's words; of fatrop, which has none, whether there is a solution.
        iterations, seconds: of the solver; `function_seconds` of them in the problem's functions.
        x, p, lam_x, lam_g: CasADi's vectors: unknowns, parameters, multipliers of bounds and rows.
        bounds: of the unknowns; references: of each phase, where charts are taken.
    """

    phases: tuple[dict[str, Array], ...]
    cost: float
    success: bool
    status: str
    iterations: int
    seconds: float
    function_seconds: float
    x: Array
    p: Array
    lam_x: Array
    lam_g: Array
    bounds: tuple[Array, Array]
    references: tuple[dict[str, Array], ...]

    def __getitem__(self, name: str) -> Array:
        """The rows of a state or control, of all phases that have it one behind the other."""
        found = [values[name] for values in self.phases if name in values]
        if not found:
            known = dict.fromkeys(n for values in self.phases for n in values)
            raise unknown_name("state or control", name, known)
        return np.concatenate(found)

    def __repr__(self) -> str:
        names = dict.fromkeys(n for values in self.phases for n in values)
        result = "solved" if self.success else f"not solved ({self.status})"
        return (
            f"Solution({result}: cost {self.cost:.6g}, {self.iterations} iterations,"
            f" {1e3 * self.seconds:.1f} ms; {', '.join(names)})"
        )

    def shift(self, steps: int = 1) -> Solution:
        """As a guess for the time `steps` later: rows move up, the last one stays.

        Multipliers stay where they are.
        """
        whole_number(steps, "Solution.shift: steps")
        phases = tuple(
            {name: _moved(rows, steps) for name, rows in values.items()} for values in self.phases
        )
        return replace(self, phases=phases)


def _moved(rows: Array, steps: int) -> Array:
    return rows[np.minimum(np.arange(len(rows)) + steps, len(rows) - 1)]
