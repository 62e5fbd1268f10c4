"""A leg with a torso, in a plane, jumps forward and lands, by CasADi and IPOPT.

    minimise    sum_k |tau_k / limit|^2 h
    subject to  push      a = ConstrainedDynamics(q, v, tau), heel and toe held, forces in the cone
                flight    a = FullDynamics(q, v, tau), soles above the floor
                landing   v+ = ImpactDynamics(q, v), heel and toe on the floor 0.4 m ahead
                land      as in the push, to rest in the pose that the jump began with

Each phase runs over its own time, which is free. A step is v+ = v + h a with q+ = Integrate(q,
h (v + v+) / 2), so the torso turns and moves as a rigid body does. The robot is the text below;
nothing of the dynamics is written by hand, and IPOPT gets exact Hessians, of contact forces too.

Run: python examples/40_jump_with_ipopt.py [picture.png]
"""

import sys
from dataclasses import dataclass

import casadi
import numpy as np

import ad_core as ad
from bridges.casadi import ad_to_casadi
from robotics_ad import RobotModel, load_urdf
from robotics_ad.dynamics import (
    ConstrainedDynamics,
    ContactForces,
    FullDynamics,
    ImpactDynamics,
    PointContact,
)
from robotics_ad.kinematics import Integrate, KinematicsBuilder

HEIGHT, AHEAD = 0.4, 0.4  # how far the hip rises and the foot gets, m
GAINS = {"velocity_gain": 30.0, "position_gain": 225.0}  # keep the soles where they are
FRICTION = 0.7
WEIGHT = 29.0 * 9.81  # N
STEPS = {"push": 24, "flight": 14, "land": 24}
MOTORS = ("hip", "knee", "ankle")
LIMIT = np.array([180.0, 220.0, 120.0])  # hip, knee, ankle, N m


def link(name: str, mass: float, length: float, up: float) -> str:
    """A rod along z with its centre `up` above the origin."""
    spread = mass * length**2 / 12.0 + 0.01
    return (
        f'<link name="{name}"><inertial><origin xyz="0 0 {up}"/><mass value="{mass}"/><inertia '
        f'ixx="{spread}" iyy="{spread}" izz="0.01" ixy="0" ixz="0" iyz="0"/></inertial></link>'
    )


def hinge(name: str, ends: tuple[str, str], down: float, range_: tuple[float, float]) -> str:
    """A joint about y, `down` below the parent's origin."""
    (parent, child), (lower, upper) = ends, range_
    return (
        f'<joint name="{name}" type="revolute"><parent link="{parent}"/><child link="{child}"/>'
        f'<origin xyz="0 0 {-down}"/><axis xyz="0 1 0"/>'
        f'<limit lower="{lower}" upper="{upper}" effort="200" velocity="9"/></joint>'
    )


LEG = f"""<robot name="leg"><link name="world"/>
{link("torso", 20.0, 0.5, 0.25)}{link("thigh", 5.0, 0.4, -0.2)}{link("shin", 3.0, 0.4, -0.2)}
<link name="foot"><inertial><origin xyz="0.05 0 -0.03"/><mass value="1.0"/>
<inertia ixx="0.002" iyy="0.005" izz="0.005" ixy="0" ixz="0" iyz="0"/></inertial></link>
<joint name="plane" type="planar"><parent link="world"/><child link="torso"/>
<axis xyz="0 1 0"/></joint>
{hinge("hip", ("torso", "thigh"), 0.0, (-2.2, 0.6))}
{hinge("knee", ("thigh", "shin"), 0.4, (0.05, 2.6))}
{hinge("ankle", ("shin", "foot"), 0.4, (-1.2, 0.9))}</robot>"""
SOLES = [(-0.07, 0.0, -0.06), (0.15, 0.0, -0.06)]  # heel and toe in the foot's frame


@dataclass(frozen=True)
class Functions:
    """The robot's functions, as CasADi takes them."""

    robot: RobotModel
    stance: casadi.Function
    flight: casadi.Function
    impact: casadi.Function
    integrate: casadi.Function
    places: casadi.Function


def functions() -> Functions:
    """Graphs of the phases; positions of the hip, knee, ankle, heel, toe and shoulder."""
    robot = load_urdf(LEG)
    foot, (heel, toe) = robot.link("foot"), SOLES
    # a rigid foot: where the heel cannot slide, the toe cannot either
    contacts = [PointContact(foot, heel, "xz"), PointContact(foot, toe, "z")]
    q, v, tau = ad.var("q", robot.nq), ad.var("v", robot.nv), ad.var("tau", len(MOTORS))
    everywhere = ad.stack(np.zeros(robot.nv - len(MOTORS)), tau)
    soles = ad.var("soles", 6)
    held = ConstrainedDynamics(robot, contacts, **GAINS)(q, v, everywhere, soles)
    forces = ContactForces(robot, contacts, **GAINS)(q, v, everywhere, soles)
    free = FullDynamics(robot, actuated=MOTORS)(q, v, tau)
    builder = KinematicsBuilder(robot, q)
    places = ad.stack(
        *(builder.world_position(name) for name in ("thigh", "shin", "foot")),
        *(builder.world_position("foot", local) for local in SOLES),
        builder.world_position("torso", [0.0, 0.0, 0.5]),
    )
    return Functions(
        robot,
        ad_to_casadi((held, forces), ["q", "v", "tau", "soles"]),
        ad_to_casadi(free, ["q", "v", "tau"]),
        ad_to_casadi(ImpactDynamics(robot, contacts)),
        ad_to_casadi(Integrate(robot)),
        ad_to_casadi(places, ["q"]),
    )


def crouch(fun: Functions) -> np.ndarray:
    """The squat that the jump starts from, both soles on the floor."""
    q = fun.robot.neutral()
    for name, angle in (("hip", -0.9), ("knee", 1.6), ("ankle", -0.7)):
        q[fun.robot.q_slices[name]] = angle
    low = fun.places(q).full().reshape(6, 3)[3:5]
    plane = fun.robot.q_slices["plane"]
    q[plane.start] -= low[0, 2]  # the plane of y has the axes z, x
    q[plane.start + 1] -= low[:, 0].mean()
    return q


@dataclass(frozen=True)
class Phase:
    """A phase's unknowns, and the force on its soles in units of the weight (None: in flight)."""

    q: casadi.MX
    v: casadi.MX
    share: casadi.MX  # torques / limits
    h: casadi.MX
    along: casadi.MX | None
    up: casadi.MX | None


def phase(opti: casadi.Opti, fun: Functions, name: str, guess: np.ndarray) -> Phase:
    """A phase with its steps, limits, and forces or heights of the soles."""
    steps, n = STEPS[name], fun.robot.nv
    q, v = opti.variable(n, steps + 1), opti.variable(n, steps + 1)
    share, h = opti.variable(len(MOTORS), steps), opti.variable()
    along = up = None
    if name == "flight":
        a = fun.flight.map(steps)(q[:, :-1], v[:, :-1], LIMIT * share)
        heights = fun.places.map(steps - 1)(q[:, 1:-1])[[11, 14], :]
        opti.subject_to(casadi.vec(heights) >= 0.0)
    else:
        soles = casadi.repmat(fun.places(q[:, 0])[9:15], 1, steps)
        a, forces = fun.stance.map(steps)(q[:, :-1], v[:, :-1], LIMIT * share, soles)
        along, up = forces[0, :] / WEIGHT, (forces[1, :] + forces[2, :]) / WEIGHT
        opti.subject_to(casadi.vec(forces[1:, :]) / WEIGHT >= 0.0)
        opti.subject_to(FRICTION * up - along >= 0.0)
        opti.subject_to(FRICTION * up + along >= 0.0)
    step = h / 2 * (v[:, :-1] + v[:, 1:])
    opti.subject_to(v[:, 1:] == v[:, :-1] + h * a)
    opti.subject_to(q[:, 1:] == fun.integrate.map(steps)(q[:, :-1], step))
    opti.subject_to(opti.bounded(-1.0, casadi.vec(share), 1.0))
    opti.subject_to(opti.bounded(fun.robot.q_lower[3:], q[3:, 1:], fun.robot.q_upper[3:]))
    fastest = fun.robot.v_limit[3:]
    opti.subject_to(opti.bounded(-fastest, v[3:, 1:], fastest))
    opti.subject_to(opti.bounded(0.005, h, 0.4 / steps))
    opti.set_initial(q, np.tile(guess[:, None], steps + 1))
    opti.set_initial(h, 0.02)
    return Phase(q, v, share, h, along, up)


def main(picture: str | None = None) -> tuple[str, float, float, float]:
    """IPOPT's status, how far the hip rises (m), friction used, how far a sole moves (m)."""
    fun = functions()
    start = crouch(fun)
    opti = casadi.Opti()
    ways = {"push": (0.0, 0.0), "flight": (HEIGHT, AHEAD / 2), "land": (0.0, AHEAD)}
    phases = {
        name: phase(opti, fun, name, start + np.array([*way, 0, 0, 0, 0]))
        for name, way in ways.items()
    }
    push, flight, land = phases.values()
    opti.subject_to(push.q[:, 0] == start)
    opti.subject_to(push.v[:, 0] == 0.0)
    opti.subject_to(flight.q[:, 0] == push.q[:, -1])
    opti.subject_to(flight.v[:, 0] == push.v[:, -1])
    opti.subject_to(flight.q[0, STEPS["flight"] // 2] >= start[0] + HEIGHT)
    down = fun.places(flight.q[:, -1])
    opti.subject_to(down[[11, 14]] == 0.0)  # both soles touch down
    opti.subject_to(down[9] == fun.places(start)[9] + AHEAD)
    opti.subject_to(land.q[:, 0] == flight.q[:, -1])
    opti.subject_to(land.v[:, 0] == fun.impact(flight.q[:, -1], flight.v[:, -1]))
    opti.subject_to(land.q[3:, -1] == start[3:])  # the contacts see to the rest
    opti.subject_to(land.v[3:, -1] == 0.0)
    opti.minimize(sum(p.h * casadi.sumsqr(p.share) for p in phases.values()))
    quiet = {"print_time": False, "ipopt.print_level": 0, "ipopt.sb": "yes"}
    opti.solver("ipopt", {"expand": True, **quiet, "ipopt.max_iter": 600})
    solution = opti.solve()

    stats = solution.stats()
    found = {name: solution.value(p.q) for name, p in phases.items()}
    height = float(np.max(found["flight"][0]) - start[0])
    used = max(
        float(np.max(np.abs(solution.value(p.along)) / solution.value(p.up))) for p in (push, land)
    )
    soles = [fun.places.map(found[n].shape[1])(found[n]).full()[9:15] for n in ("push", "land")]
    moved = max(float(np.ptp(places, axis=1).max()) for places in soles)
    times = ", ".join(f"{n} {STEPS[n] * solution.value(p.h):.2f} s" for n, p in phases.items())
    print(f"{stats['return_status']} after {stats['iter_count']} iterations")
    print(f"the hip rises {height:.3f} m; {times}")
    print(f"friction used: {used:.2f} of {FRICTION}; standing soles move {1e3 * moved:.1f} mm")
    if picture is not None:
        draw(picture, fun, found)
    return stats["return_status"], height, used, moved


def draw(path: str, fun: Functions, configurations: dict[str, np.ndarray]) -> None:
    """The leg as a stick figure at some instants of each phase, side by side."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10.0, 3.6), layout="constrained")
    for axes, (name, q) in zip(figure.subplots(1, 3, sharey=True), configurations.items(),
                               strict=True):  # fmt: skip
        chosen = np.linspace(0, q.shape[1] - 1, 6).astype(int)
        for shade, k in zip(np.linspace(0.8, 0.0, len(chosen)), chosen, strict=True):
            hip, knee, ankle, heel, toe, head = fun.places(q[:, k]).full().reshape(6, 3)
            limb = np.stack([head, hip, knee, ankle, heel, toe, ankle])
            axes.plot(limb[:, 0], limb[:, 2], color=str(shade), marker="o", markersize=2.5)
        axes.axhline(0.0, color="tab:brown")
        axes.set(title=name, xlabel="x, m", aspect="equal")
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main(*sys.argv[1:2])
