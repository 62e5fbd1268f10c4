"""Small control problems of every kind, for tests of functions, solvers and layers."""

from collections.abc import Callable

import ad_core as ad
from ad_core import math as adm
from bridges.casadi import Constraint, ControlProblem, Phase
from robotics_ad import load_urdf
from robotics_ad.kinematics import Difference, Integrate


def pendulum(nodes: int = 7, **changes: object) -> Phase:
    """A driven pendulum with a disturbance of each stage, a goal and weights for all."""
    x, u, d = ad.var("x", 2), ad.var("u", 1), ad.var("d", 1)
    goal, weight = ad.var("goal", 2), ad.var("weight", 2)
    rate = u[0] - adm.sin(x[0]) + d[0]
    fields: dict[str, object] = {
        "nodes": nodes,
        "dynamics": {"x": ad.stack(x[0] + 0.1 * x[1], x[1] + 0.1 * rate)},
        "controls": ["u"],
        "cost": 0.05 * ad.sum_(u * u) * weight[1] * weight[1] * adm.cosh(0.2 * x[0]),
        "residual": weight[0] * (x - goal) * adm.sqrt(0.5 + u[0] * u[0]),
        "path": [Constraint(x[1] + 0.1 * u[0], -0.8, 0.8)],
        "bounds": {"u": (-0.5, 0.5)},
        "end_residual": ad.stack(3.0 * (x - goal), 0.1 * x[0] * x[1]),
        "stage_parameters": ["d"],
    }
    return Phase(**{**fields, **changes})  # type: ignore[arg-type]


def bare() -> Phase:
    """Neither costs nor constraints nor controls."""
    x = ad.var("x", 3)
    return Phase(nodes=2, dynamics={"x": x + 0.1 * adm.sin(x)})


def two_phases() -> list[Phase]:
    """A ball that is thrown, bounces, and flies on; both phases last as long as they like.

    The second phase has a state of its own (its duration), which starts anywhere.
    """
    y, v, T, S = ad.var("y", 2), ad.var("v", 2), ad.var("T", 1), ad.var("S", 1)

    def flight(duration: ad.Expression) -> dict[str, ad.Expression]:
        h = duration[0] / 6.0
        drag = -0.1 * v * adm.sqrt(ad.sum_(v * v) + 0.01)
        faster = v + h * (ad.constant([0.0, -9.81]) + drag)
        return {"y": y + h * v, "v": faster}

    first = Phase(
        nodes=6,
        dynamics={**flight(T), "T": T},
        bounds={"T": (0.1, 2.0)},
        end=[Constraint(y[1])],
        transition={"v": ad.stack(v[0], -0.7 * v[1])},
        end_cost=0.01 * T[0] * T[0],
    )
    second = Phase(
        nodes=6,
        dynamics={**flight(S), "S": S},
        bounds={"S": (0.1, 2.0)},
        end=[Constraint(y - ad.var("hole", 2))],
        end_residual=0.1 * v,
    )
    return [first, second]


@ad.composite("turn", argnames=["z", "angle"], n_in=[2, 1], n_out=2)
def turn(z: ad.Expression, angle: ad.Expression) -> ad.Expression:
    """A unit vector of the plane, turned by an angle."""
    c, s = adm.cos(angle[0]), adm.sin(angle[0])
    return ad.stack(c * z[0] - s * z[1], s * z[0] + c * z[1])


@ad.composite("angle", argnames=["z0", "z1"], n_in=[2, 2], n_out=1)
def angle(z0: ad.Expression, z1: ad.Expression) -> ad.Expression:
    """The angle from one unit vector to another."""
    return ad.stack(adm.atan2(z0[0] * z1[1] - z0[1] * z1[0], z0[0] * z1[0] + z0[1] * z1[1]))


def heading(nodes: int = 5) -> Phase:
    """A direction in the plane that turns with an inertia, from one to another."""
    z, w, u, goal = ad.var("z", 2), ad.var("w", 1), ad.var("u", 1), ad.var("goal", 2)
    h = 1.0 / nodes
    return Phase(
        nodes=nodes,
        dynamics={"z": turn(z, h * w), "w": w + h * u},
        controls=["u"],
        cost=ad.sum_(u * u),
        residual=0.1 * ad.stack(z[0] * w[0], z[1]),
        end=[Constraint(angle(goal, z)), Constraint(w)],
        charts={"z": (turn, angle)},
    )


def chained() -> list[Phase]:
    """Two phases of it; the second one starts where the first one ends, turned."""
    first, z = heading(3), ad.var("z", 2)
    turned = {"z": turn(z, ad.constant([0.4]) * z[0])}
    free = {**vars(first), "transition": turned, "end": (), "end_cost": 0.1 * z[0]}
    return [Phase(**free), heading(4)]


def flying(nodes: int = 5) -> Phase:
    """A free rigid body from pose to pose by the least velocities."""
    text = """<robot name="body"><link name="base"><inertial><mass value="1"/>
        <inertia ixx="0.1" iyy="0.2" izz="0.3" ixy="0" ixz="0" iyz="0"/></inertial>
        </link></robot>"""
    robot = load_urdf(text, base="floating")
    q, w, goal = ad.var("q", 7), ad.var("w", 6), ad.var("goal", 7)
    integrate, difference = Integrate(robot), Difference(robot)
    return Phase(
        nodes=nodes,
        dynamics={"q": integrate(q, w / float(nodes))},
        controls=["w"],
        residual=w,
        end=[Constraint(difference(goal, q))],
        charts={"q": (integrate, difference)},
    )


PROBLEMS: dict[str, Callable[[], ControlProblem]] = {
    "pendulum": lambda: ControlProblem(pendulum()),
    "one step": lambda: ControlProblem(pendulum(1, residual=None)),
    "bare": lambda: ControlProblem(bare()),
    "two phases": lambda: ControlProblem(two_phases()),
    "manifold": lambda: ControlProblem(heading()),
    "phases on a manifold": lambda: ControlProblem(chained()),
}
