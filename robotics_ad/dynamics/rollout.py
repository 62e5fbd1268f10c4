"""Steps in a row, and the linearisation of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import numpy as np

import ad_core as ad
from ad_core import math as adm
from ad_core.graph import ADTerminal, Expression, one_of, rebuild, whole_number
from robotics_ad.dynamics.compliance import Compliance
from robotics_ad.dynamics.compliant_contacts import CompliantContact
from robotics_ad.dynamics.function import GRAVITY, Gravity
from robotics_ad.dynamics.step import Method, Step, StepFunction
from robotics_ad.kinematics.configurations import Difference, Integrate
from robotics_ad.kinematics.loops import Loops
from robotics_ad.model import RobotModel
from robotics_ad.multibody.function import Sizes
from robotics_ad.multibody.tree import Tree


class Rollout(StepFunction):
    """The states of `length` steps: [q, v] after the last, nq + nv entries, or of all.

    A function of q0 (nq), v0 (nv) and taus (length * nv), of which step t takes the entries from
    t nv on: `ad.scan` of `Step`, whose code and memory for derivatives do not grow as steps written
    out would.

    Args:
        robot, h, method, gravity, passive, friction_speed, limits, contacts: as for `Step`.
        loops, loop_damping, loop_time: as for `Step`.
        length: how many steps.
        keep: "last", or "all": (length, nq + nv), a row for each step.
    """

    ARGUMENTS: ClassVar[Sizes] = {"q0": "nq", "v0": "nv", "taus": "taus"}

    def __init__(
        self,
        robot: RobotModel,
        h: float,
        length: int,
        method: Method = "semi_implicit",
        *,
        keep: Literal["last", "all"] = "last",
        gravity: Gravity = GRAVITY,
        passive: bool = True,
        friction_speed: float = 0.0,
        limits: Compliance | None = None,
        contacts: Sequence[CompliantContact] = (),
        loops: Loops = None,
        loop_damping: float = 0.0,
        loop_time: float | None = None,
    ) -> None:
        self.length = whole_number(length, "Rollout: length")
        self.keep: Literal["last", "all"] = keep
        one_of(keep, "Rollout: keep", ("last", "all"))
        options: dict[str, Any] = {
            "gravity": gravity,
            "passive": passive,
            "friction_speed": friction_speed,
            "limits": limits,
            "contacts": contacts,
            "loops": loops,
            "loop_damping": loop_damping,
            "loop_time": loop_time,
        }
        super().__init__(robot, h, method, **options)
        self.step = Step(robot, h, method, **options)
        self.RESULT = ("length", "nq + nv") if keep == "all" else ("nq + nv",)

    def sizes(self) -> Mapping[str, int]:
        return {**super().sizes(), "length": self.length, "taus": self.length * self.robot.nv}

    def expand(self, *args: Expression) -> Expression:
        named = dict(zip(self.arguments(), args, strict=True))
        begin = {"q": named.pop("q0"), "v": named.pop("v0")}
        read = {"tau": named.pop("taus"), **named}
        return ad.scan(self.step, begin, read, length=self.length, keep=self.keep)


class LinearizedStep(StepFunction):
    """[A B], (2 nv, 3 nv) entries row by row: a `Step` to first order about a state.

        [dq'; dv'] = A [dq; dv] + B dtau

    where dq moves the configuration along a tangent, q moved by dq (`Integrate`), in the axes of
    v; likewise dq'. A function of q (nq), v (nv) and tau (nv); its arguments are those of `Step`.
    """

    RESULT = ("2 nv", "3 nv")

    def sizes(self) -> Mapping[str, int]:
        nv = self.robot.nv
        return {**super().sizes(), "2 nv": 2 * nv, "3 nv": 3 * nv}

    def build(self, tree: Tree, *args: Expression) -> Expression:
        names = list(self.arguments())[: len(args)]
        at = [ad.var(name, self.n_in(i)) for i, name in enumerate(names)]
        rows = [
            row
            for entries in self._blocks(tree, at)
            for i in range(self.robot.nv)
            for row in (block[self.robot.nv * i : self.robot.nv * (i + 1)] for block in entries)
        ]
        return _with(ad.stack(*rows), dict(zip(names, args, strict=True)))

    def _blocks(self, tree: Tree, at: Sequence[Expression]) -> list[list[Expression]]:
        """[[dq'/dq, dq'/dv, dq'/dtau], [dv'/dq, ...]], nv by nv each, of variables."""
        robot, nq, nv = self.robot, self.robot.nq, self.robot.nv
        following, faster = self._stepped(tree, at)
        moved = ad.jacobian(Integrate(robot)(at[0], ad.var(_TANGENT, nv)), _TANGENT)
        into = _with(moved, {_TANGENT: ad.constant(np.zeros(nv))})
        error = Difference(robot)(following, ad.var(_TANGENT, nq))
        back = _with(ad.jacobian(error, _TANGENT), {_TANGENT: following})

        result, blocks = ad.stack(following, faster), list[list[Expression]]([[], []])
        for name in ("q", "v", "tau"):  # of both at once: they share the accelerations
            J, n = ad.jacobian(result, name), nq if name == "q" else nv
            for half, part in enumerate((J[: nq * n], J[nq * n :])):
                if half == 0:
                    part = adm.matmul(back, part, (nv, nq), (nq, n))
                if name == "q":
                    part = adm.matmul(part, into, (nv, nq), (nq, nv))
                blocks[half].append(part)
        return blocks


def _with(e: Expression, values: Mapping[str, Expression]) -> Expression:
    """The graph with those of its variables that are named replaced."""
    return rebuild(
        [e], lambda leaf: values.get(leaf.name, leaf) if isinstance(leaf, ADTerminal) else leaf
    )[0]


_TANGENT = "tangent"
