"""Go2 jumps ahead and turns: stance, flight and landing of free durations, by inverse dynamics.

    minimise    sum_k h |tau_k / limit|^2,   and little of accelerations and forces
    subject to  v_k+1 = v_k + h a_k,   q_k+1 = Integrate(q_k, h v_k + h^2/2 a_k),   h = T / N,
                ID(q, v, a) - sum_i J_i(q)^T f_i = [0; tau],   |tau| <= limit,
                stance, landing:  feet held where they are, their forces in the friction cone,
                flight:  feet above the floor, which they leave and meet at rest

Unknowns are q on its manifold, v and each phase's duration T, and as controls accelerations and
contact forces: no mass matrix is inverted. Feet are held by p'' + 2 g p' + g^2 (p - spot) = 0.

Run: python examples/41_go2_jumps.py [picture.png]  (needs the package example-robot-data)
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import numpy as np

import ad_core as ad
from bridges.casadi import Constraint, ControlProblem, Phase
from robotics_ad import RobotModel, load_urdf
from robotics_ad.dynamics import InverseDynamics, PointForceTorques
from robotics_ad.kinematics import Difference, Integrate, KinematicsBuilder

FEET = ("FL_foot", "FR_foot", "RL_foot", "RR_foot")
AHEAD, TURN, CLEARANCE = 0.5, np.pi / 4, 0.12  # m, rad, m
FRICTION, GAIN, RADIUS = 0.6, 20.0, 0.022  # of feet: friction, 1/s, m
STEPS = {"stance": 30, "flight": 20, "landing": 30}
Array = np.ndarray


def go2() -> RobotModel:
    files = metadata.files("example-robot-data") or []
    (file,) = (f for f in files if str(f).endswith("go2_description/urdf/go2.urdf"))
    return load_urdf(Path(str(file.locate())).read_text(encoding="utf-8"), base="floating")


class Jump:
    """The problem and its graphs, functions of q, v, a, f (forces on feet over the weight), T."""

    def __init__(self) -> None:
        self.robot = robot = go2()
        self.weight = 9.81 * robot.mass
        self.limit = robot.effort_limit[6:]
        self.q, self.v = ad.var("q", robot.nq), ad.var("v", robot.nv)
        self.a, self.f = ad.var("a", robot.nv), ad.var("f", 12)
        kin = KinematicsBuilder(robot, self.q, self.v, self.a)
        self.feet = ad.stack(*map(kin.world_position, FEET))
        self.speeds = ad.stack(*map(kin.world_velocity, FEET))
        self.pulls = ad.stack(*map(kin.world_acceleration, FEET))
        self.stand = self._standing()
        self.problem = ControlProblem(
            [self.stance("stance"), self.flight(), self.stance("landing")]
        )

    def _standing(self) -> Array:
        """On its feet, the trunk above them."""
        q = self.robot.neutral()
        q[7:] = np.tile([0.0, 0.8, -1.5], 4)
        q[2] = RADIUS - self.feet.eval(q=q)[2]
        return q

    def forces(self, held: bool) -> ad.Expression:
        """ID - J^T f: what the trunk and the motors have to give."""
        total = InverseDynamics(self.robot)(self.q, self.v, self.a)
        if held:
            for i, foot in enumerate(FEET):
                force = self.weight * self.f[3 * i : 3 * i + 3]
                total = total - PointForceTorques(self.robot.link(foot))(self.q, force)
        return total

    def phase(self, name: str, path: list[Constraint], end: list[Constraint], held: bool) -> Phase:
        """What all phases share."""
        q, v, a, steps = self.q, self.v, self.a, STEPS[name]
        T = ad.var(f"T_{name}", 1)
        h = T / steps
        forces = self.forces(held)
        share = forces[6:] / self.limit
        small = [1e-3 * a, 0.03 * self.f] if held else [1e-3 * a]
        joints = Constraint(q[7:], self.robot.q_lower[7:], self.robot.q_upper[7:])
        return Phase(
            nodes=steps,
            dynamics={
                "q": Integrate(self.robot)(q, h * v + h * h / 2 * a),
                "v": v + h * a,
                T.name: T,
            },
            controls=[a, self.f] if held else [a],
            residual=ad.sqrt(h) * ad.stack(share, *small),
            path=[
                Constraint(forces[:6] / self.weight),
                Constraint(share, -1.0, 1.0),
                joints,
                *path,
            ],
            bounds={
                "v": (-self.robot.v_limit, self.robot.v_limit),
                T.name: (0.15, 0.8),
            },
            end=[joints, *end],
            charts={"q": (Integrate(self.robot), Difference(self.robot))},
        )

    def stance(self, name: str) -> Phase:
        """Feet stay at `spots_<name>` (12), and push."""
        spots = ad.var(f"spots_{name}", 12)
        held = self.pulls + 2 * GAIN * self.speeds + GAIN**2 * (self.feet - spots)
        pyramid = [
            FRICTION / np.sqrt(2.0) * self.f[3 * i + 2] - sign * self.f[3 * i + axis]
            for i in range(4)
            for axis in (0, 1)
            for sign in (-1, 1)
        ]
        path = [Constraint(held), Constraint(ad.stack(*pyramid), 0.0, np.inf)]
        end: list[Constraint] = []
        if name == "landing":
            pose = Difference(self.robot)(ad.var("goal", self.robot.nq), self.q)[:6]
            end = [Constraint(pose), Constraint(self.v[:6])]
        return self.phase(name, path, end, held=True)

    def flight(self) -> Phase:
        """Feet above `clearance`, and down at rest on the spots of the landing."""
        heights = ad.stack(*(self.feet[3 * i + 2] for i in range(4)))
        above = Constraint(heights - ad.var("clearance", 1), 0.0, np.inf)
        down = self.feet - ad.var("spots_landing", 12)
        found = self.phase(
            "flight", [above], [Constraint(down), Constraint(self.speeds)], held=False
        )
        from dataclasses import replace

        return replace(found, stage_parameters=["clearance"])

    def numbers(self, ahead, turn):
        R = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
        goal = self.stand.copy()
        goal[:3] = R @ goal[:3] + [ahead, 0, 0]
        goal[3:7] = [np.cos(turn / 2), 0, 0, np.sin(turn / 2)]
        s = np.linspace(0, 1, STEPS["flight"] + 1)
        clear = RADIUS + CLEARANCE * np.sin(np.pi * s) ** 2
        clear[0] = RADIUS - 1e-3
        return {
            "spots_stance": self.feet.eval(q=self.stand),
            "spots_landing": self.feet.eval(q=goal),
            "goal": goal,
            "clearance": clear,
        }

    def guess(self, p):
        goal = p["goal"]
        up = np.zeros(12)
        up[2::3] = 0.25
        s = np.linspace(0, 1, STEPS["flight"] + 1)
        fly = np.array([self.robot.interpolate(self.stand, goal, x) for x in s])
        fly[:, 2] += 0.2 * 4 * s * (1 - s)
        zero = np.zeros(18)
        return [
            {"q": self.stand, "v": zero, "T_stance": 0.3, "f": up},
            {"q": fly, "v": zero, "T_flight": 0.35},
            {"q": goal, "v": zero, "T_landing": 0.4, "f": up},
        ]
