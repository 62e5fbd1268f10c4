"""Steps in a row, and the linearisation of one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import numpy as np

import ad_core as ad
from ad_core.graph import Expression, one_of, whole_number
from robotics_ad.dynamics.compliance import Compliance
from robotics_ad.dynamics.function import GRAVITY, Gravity
from robotics_ad.dynamics.step import Method, Step, StepFunction
from robotics_ad.kinematics.configurations import Difference, Integrate
from robotics_ad.model import RobotModel
from robotics_ad.multibody.function import Sizes
from robotics_ad.multibody.tree import Tree


class Rollout(StepFunction):
    """The states of `length` steps: [q, v] after the last, nq + nv entries, or of all.

    A function of q0 (nq), v0 (nv) and taus (length * nv), of which step t takes the entries from
    t nv on: `ad.scan` of `Step`, whose code and memory for derivatives do not grow as steps written
    out would.

    Args:
        robot, h, method, gravity, passive, friction_speed, limits: as for `Step`.
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
    ) -> None:
        self.length = whole_number(length, "Rollout: length")
        self.keep: Literal["last", "all"] = keep
        one_of(keep, "Rollout: keep", ("last", "all"))
        options = {"gravity": gravity, "passive": passive, "friction_speed": friction_speed}
        super().__init__(robot, h, method, **options, limits=limits)
        self.step = Step(robot, h, method, **options, limits=limits)
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
        q, v, tau = args[:3]
        n, robot = self.robot.nv, self.robot
        d = ad.var(_TANGENT, 3 * n)
        moved = (Integrate(robot)(q, d[0:n]), v + d[n : 2 * n], tau + d[2 * n : 3 * n], *args[3:])
        reached, faster = self.stepped(tree, moved)
        about, _ = self.stepped(tree, args)
        tangents = ad.stack(Difference(robot)(about, reached), faster)
        return ad.jacobian(tangents, _TANGENT).replace(**{_TANGENT: np.zeros(3 * n)})


_TANGENT = "tangent of the state and the torques"
