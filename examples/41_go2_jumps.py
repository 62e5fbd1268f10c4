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
from importlib import metadata
from pathlib import Path

import numpy as np

import ad_core as ad
from bridges.casadi import Constraint, ControlProblem, Phase, Solution
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
    """The problem, and its graphs of q, v, a and f, the forces on feet over the weight."""

    def __init__(self) -> None:
        self.robot = robot = go2()
        self.weight = 9.81 * robot.mass
        self.limit = robot.effort_limit[6:]
        self.q, self.v = ad.var("q", robot.nq), ad.var("v", robot.nv)
        self.a, self.f = ad.var("a", robot.nv), ad.var("f", 12)
        self.feet, self.speeds, _ = self.motion(self.q, self.v)
        self.stand = self._standing()
        phases = [self.phase(name, held=name != "flight") for name in STEPS]
        self.problem = ControlProblem(phases)

    def _standing(self) -> Array:
        """On its feet, the trunk above them."""
        q = self.robot.neutral()
        q[7:] = np.tile([0.0, 0.8, -1.5], 4)
        q[2] = RADIUS - self.feet.eval(q=q)[2]
        return q

    def motion(self, q: ad.Expression, v: ad.Expression) -> list[ad.Expression]:
        """Positions, velocities and accelerations of the feet, 12 each."""
        kin = KinematicsBuilder(self.robot, q, v, self.a)
        every = kin.world_position, kin.world_velocity, kin.world_acceleration
        return [ad.stack(*map(of, FEET)) for of in every]

    def forces(self, q: ad.Expression, v: ad.Expression, held: bool) -> ad.Expression:
        """ID - J^T f: what the trunk and the motors have to give."""
        total = InverseDynamics(self.robot)(q, v, self.a)
        for i, foot in enumerate(FEET if held else ()):
            force = self.weight * self.f[3 * i : 3 * i + 3]
            total = total - PointForceTorques(self.robot.link(foot))(q, force)
        return total

    def phase(self, name: str, held: bool) -> Phase:
        """What the phases share; a step is looked at in its middle."""
        robot, a, steps, T = self.robot, self.a, STEPS[name], ad.var(f"T_{name}", 1)
        h = T / steps
        q, v = self.after(h / 2)
        forces = self.forces(q, v, held)
        share = forces[6:] / self.limit
        small = [1e-3 * a, 0.03 * self.f] if held else [1e-3 * a]
        joints = Constraint(self.q[7:], robot.q_lower[7:], robot.q_upper[7:])
        path = [Constraint(forces[:6] / self.weight), Constraint(share, -1.0, 1.0), joints]
        end = [joints]
        after = dict(zip("qv", self.after(h), strict=True))
        feet, speeds, pulls = self.motion(q, v)
        if held:
            off = feet - ad.var("spots", 12)
            path += [Constraint(pulls + 2 * GAIN * speeds + GAIN**2 * off)]
            path += [Constraint(self.cone(), 0.0, np.inf)]
        else:
            heights = ad.stack(*(feet[3 * i + 2] for i in range(4)))
            path += [Constraint(heights - ad.var("clearance", 1), 0.0, np.inf)]
            end += [Constraint(self.feet - ad.var("touch_down", 12)), Constraint(self.speeds)]
        if name == "landing":
            pose = Difference(robot)(ad.var("goal", robot.nq), self.q)[:6]
            end += [Constraint(pose), Constraint(self.v[:6])]
        return Phase(
            nodes=steps,
            dynamics={**after, T.name: T},
            controls=[a, self.f] if held else [a],
            residual=ad.sqrt(h) * ad.stack(share, *small),
            path=path,
            bounds={"v": (-robot.v_limit, robot.v_limit), T.name: (0.15, 0.8)},
            end=end,
            charts={"q": (Integrate(robot), Difference(robot))},
            stage_parameters=["spots" if held else "clearance"],
        )

    def after(self, t: ad.Expression) -> tuple[ad.Expression, ad.Expression]:
        """Configuration and velocity after a time of the same accelerations."""
        moved = Integrate(self.robot)(self.q, t * self.v + t * t / 2 * self.a)
        return moved, self.v + t * self.a

    def cone(self) -> ad.Expression:
        """A pyramid of forces within the friction cone of each foot: 16 rows above 0."""
        rows = [
            FRICTION / np.sqrt(2.0) * self.f[3 * i + 2] + sign * self.f[3 * i + axis]
            for i in range(4)
            for axis in (0, 1)
            for sign in (-1, 1)
        ]
        return ad.stack(*rows)

    def numbers(self, ahead: float, turn: float) -> dict[str, Array]:
        """Parameters: where the feet stand and land, the pose of the trunk at the end, heights."""
        goal = self.stand.copy()
        goal[0], goal[3:7] = ahead, [np.cos(turn / 2), 0.0, 0.0, np.sin(turn / 2)]
        begin, end = (self.feet.eval(q=q) for q in (self.stand, goal))
        s = np.arange(STEPS["flight"] + 1) / STEPS["flight"]
        clearance = RADIUS + CLEARANCE * np.sin(np.pi * s) ** 2
        spots = np.repeat([begin, end], [STEPS["stance"] + 1, STEPS["landing"] + 1], axis=0)
        return {"spots": spots, "touch_down": end, "goal": goal, "clearance": clearance}

    def guess(self, goal: Array) -> list[dict[str, object]]:
        """It stands, flies through the air in a curve, and stands."""
        s = np.linspace(0.0, 1.0, STEPS["flight"] + 1)
        fly = np.array([self.robot.interpolate(self.stand, goal, x) for x in s])
        fly[:, 2] += 0.8 * s * (1.0 - s)
        up = np.tile([0.0, 0.0, 0.25], 4)
        return [
            {"q": self.stand, "v": 0.0, "f": up, "T_stance": 0.3},
            {"q": fly, "v": 0.0, "T_flight": 0.35},
            {"q": goal, "v": 0.0, "f": up, "T_landing": 0.4},
        ]

    def solve(self, ahead: float = AHEAD, turn: float = TURN) -> tuple[Solution, dict[str, Array]]:
        """A jump so far ahead (m) with such a turn (rad), and its parameters."""
        numbers = self.numbers(ahead, turn)
        solver = self.problem.solver("fatrop", tolerance=1e-6, max_iterations=300)
        start = {"q": self.stand, "v": 0.0}
        return solver.solve(start, self.guess(numbers["goal"]), numbers), numbers

    def motions(self, found: Solution, samples: int) -> dict[str, dict[str, Array]]:
        """Each phase at instants between its points: `q`, `v`, `a`, `f` and the time `t`."""
        motions: dict[str, dict[str, Array]] = {}
        for (name, steps), values in zip(STEPS.items(), found.phases, strict=True):
            duration = values[f"T_{name}"][0, 0]
            t = (np.arange(samples) + 0.5) / samples * duration
            k = (t / duration * steps).astype(int)
            s = (t - k * duration / steps)[:, None]
            v, a = values["v"][k], values["a"][k]
            f = values["f"][k] if "f" in values else np.zeros((samples, 12))
            q = self.robot.integrate(values["q"][k], s * v + s * s / 2 * a)
            motions[name] = {"t": t, "q": q, "v": v + s * a, "a": a, "f": f}
        return motions

    def violations(self, found: Solution, numbers: dict[str, Array]) -> dict[str, float]:
        """How far constraints are from holding at 1,000 instants of each phase."""
        worst: dict[str, float] = {}

        def see(name: str, value: Array) -> None:
            worst[name] = max(worst.get(name, 0.0), float(np.max(value)))

        forces, robot = self.forces(self.q, self.v, held=True), self.robot
        for name, motion in self.motions(found, 1000).items():
            q, f = motion["q"], self.weight * motion["f"].reshape(-1, 4, 3)
            total = forces.eval_batch(**motion)
            see("moment that nothing gives, N m", np.abs(total[:, :3]))
            see("force that nothing gives, N", np.abs(total[:, 3:6]))
            see("torque beyond its limit, N m", np.abs(total[:, 6:]) - self.limit)
            see("angle beyond its limit, rad", np.abs(q - np.clip(q, robot.q_lower, robot.q_upper)))
            see("speed beyond its limit, rad/s", np.abs(motion["v"][:, 6:]) - robot.v_limit[6:])
            feet = self.feet.eval_batch(q=q)
            see("foot in the floor, mm", 1e3 * (RADIUS - feet[:, 2::3]))
            if name != "flight":
                spots = numbers["spots"][0 if name == "stance" else -1]
                see("foot off its spot, mm", 1e3 * np.abs(feet - spots))
                see(
                    "force out of the cone, N",
                    np.hypot(f[..., 0], f[..., 1]) - FRICTION * f[..., 2],
                )
        return worst


def main(picture: str | None = None) -> tuple[Solution, dict[str, float]]:
    """The solution, and how far its constraints are from holding between the points."""
    jump = Jump()
    found, numbers = jump.solve()
    worst = jump.violations(found, numbers)
    durations = ", ".join(f"{name} {found[f'T_{name}'][0, 0]:.2f} s" for name in STEPS)
    print(f"{jump.problem}\nsolved: {found.success}, {found.iterations} iterations; {durations}")
    print(f"{found.seconds:.1f} s in fatrop, of these {found.function_seconds:.1f} s in functions")
    for name, value in worst.items():
        print(f"  {name}: {max(value, 0.0):.2g}")
    if picture is not None:
        draw(picture, jump, found)
    return found, worst


def draw(path: str, jump: Jump, found: Solution) -> None:
    """The robot from the side at some instants, and over it the forces on its feet."""
    from matplotlib.figure import Figure

    kin = KinematicsBuilder(jump.robot, jump.q)
    legs = [foot[:2] for foot in FEET]
    ends = [f"{leg}_{part}" for leg in legs for part in ("hip", "thigh", "calf", "foot")]
    places = ad.stack(*map(kin.world_position, ends))
    figure = Figure(figsize=(11.0, 1.5), layout="constrained")
    axes = figure.subplots(1, 1)
    shift = 0.0
    for name, motion in jump.motions(found, 4).items():
        for q, f in zip(motion["q"], motion["f"], strict=True):
            points = places.eval(q=q).reshape(4, 4, 3) + np.array([shift, 0.0, 0.0])
            trunk = points[[0, 2, 3, 1, 0], 0]
            axes.plot(trunk[:, 0], trunk[:, 2], color="black", linewidth=2.5)
            for leg, force in zip(points, f.reshape(4, 3), strict=True):
                axes.plot(leg[:, 0], leg[:, 2], color="tab:blue", linewidth=1.2)
                tip = leg[3] + 0.4 * force
                axes.plot([leg[3, 0], tip[0]], [leg[3, 2], tip[2]], color="tab:red", linewidth=1.0)
            shift += 0.55
        middle = points[:, 0, 0].mean() - 1.5 * 0.55
        axes.text(middle, 0.58, f"{name}, {found[f'T_{name}'][0, 0]:.2f} s", ha="center")
    axes.axhline(0.0, color="tab:brown")
    axes.set(aspect="equal", xticks=[], ylabel="z, m", ylim=(-0.05, 0.68))
    figure.savefig(path, dpi=90)


if __name__ == "__main__":
    main(*sys.argv[1:2])
