"""Model predictive control in MuJoCo: an arm's tool follows an eight while somebody pushes it.

    minimise    sum_k |w_p (p(q_k) - goal_k)|^2 / 2 + |w_q (q_k - rest)|^2 / 2 + |w_v v_k|^2 / 2
                      + |tau_k / limit|^2 / 2
    subject to  v_k+1 = v_k + h a_k,   q_k+1 = q_k + h v_k+1,
                |tau_k| <= limit,   |v_k| <= limit of speeds

over 20 nodes of 20 ms with tau = InverseDynamics(q, v, a). Every 20 ms the problem is solved from
the state that MuJoCo has come to, starting at the last solution moved by one node, and the first
torque is applied. The solver is built once: states, goals and guesses are numbers to it.

Run: python examples/38_receding_horizon.py [picture.png]
"""

import sys
import time

import mujoco
import numpy as np

import ad_core as ad
from bridges.casadi import Constraint, ControlProblem, ControlSolver, Phase
from robotics_ad import packaged_arm
from robotics_ad.data import packaged_arm_text
from robotics_ad.dynamics import InverseDynamics
from robotics_ad.interop import mujoco_order
from robotics_ad.kinematics import WorldPosition

NODES, H, SUBSTEPS = 20, 0.02, 10
ROBOT = packaged_arm()
REST = np.array([0.0, 0.5, 0.0, 1.2, 0.0, 0.8, 0.3])
POSITION, POSTURE, SPEED = 60.0, 0.3, 0.05  # weights: 1/m, 1/rad, s/rad
PUSH, PUSHED = np.array([0.0, 25.0, 0.0]), (1.6, 1.8)  # N; from when to when, s
Q, V, A = (ad.var(name, ROBOT.nv) for name in "qva")
TOOL = WorldPosition(ROBOT.link("tool"))(Q)
TORQUE = InverseDynamics(ROBOT)(Q, V, A)


def solver() -> ControlSolver:
    """Of the states `q` and `v`, the controls `a` and the `goal` of each point."""
    share = TORQUE / ROBOT.effort_limit
    off = POSITION * (TOOL - ad.var("goal", 3))
    aims = ad.stack(off, POSTURE * (Q - REST), SPEED * V)
    faster = V + H * A
    phase = Phase(
        nodes=NODES,
        dynamics={"q": Q + H * faster, "v": faster},
        controls=[A],
        residual=ad.stack(aims, share),
        end_residual=aims,
        path=[Constraint(share, -1.0, 1.0)],
        bounds={"v": (-ROBOT.v_limit, ROBOT.v_limit)},
        stage_parameters=["goal"],
    )
    return ControlProblem(phase).solver("fatrop", tolerance=1e-4)


def goals(t: float) -> np.ndarray:
    """An eight in the air from t on, which begins slowly: (NODES + 1, 3), m."""
    times = t + H * np.arange(NODES + 1)
    s = 2.0 * times**2 / (times + 0.5)
    return TOOL.eval(q=REST) + np.stack([0 * s, 0.2 * np.sin(s), 0.12 * np.sin(2 * s)], axis=1)


def main(picture: str | None = None, seconds: float = 6.0) -> tuple[float, float]:
    """The largest distance of the tool from its goal without a push, m; a solution's time, s."""
    control = solver()
    model = mujoco.MjModel.from_xml_string(packaged_arm_text())
    model.opt.disableflags |= int(mujoco.mjtDisableBit.mjDSBL_CONTACT)
    model.opt.timestep = H / SUBSTEPS
    order, data = mujoco_order(ROBOT, model), mujoco.MjData(model)
    data.qpos[:] = order.to_q(REST)
    guess = None
    errors, times, places = list[float](), list[float](), list[np.ndarray]()
    for k in range(round(seconds / H)):
        q, v, ahead = order.from_q(data.qpos), order.from_v(data.qvel), goals(k * H)
        began = time.perf_counter()
        found = control.solve({"q": q, "v": v}, guess, {"goal": ahead})
        times.append(time.perf_counter() - began)
        guess = found.shift()
        places.append(np.stack([ahead[0], TOOL.eval(q=q)]))
        errors.append(float(np.linalg.norm(places[-1][1] - ahead[0])))
        data.qfrc_applied[:] = order.to_v(TORQUE.eval(q=q, v=v, a=found["a"][0]))
        data.xfrc_applied[-1, :3] = PUSH if PUSHED[0] <= k * H < PUSHED[1] else 0.0
        for _ in range(SUBSTEPS):
            mujoco.mj_step(model, data)
    calm = [e for k, e in enumerate(errors) if not PUSHED[0] <= k * H < PUSHED[1] + 0.4]
    half, most = 1e3 * np.quantile(times, [0.5, 0.99])
    print(
        f"{len(times)} controls, {half:.1f} ms each, 99 % of them below {most:.1f} ms; the tool is "
        f"within {1e3 * max(calm):.1f} mm of its goal, {1e3 * max(errors):.1f} mm when pushed"
    )
    if picture is not None:
        draw(picture, np.stack(places, axis=1))
    return max(calm), float(half) / 1e3


def draw(path: str, places: np.ndarray) -> None:
    """The goal's way and the tool's, seen along x: the push is where they part."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.0, 4.6), layout="constrained")
    axes = figure.subplots()
    for way, style, label in zip(places, ("k--", "b-"), ("goal", "tool"), strict=True):
        axes.plot(way[:, 1], way[:, 2], style, lw=1.2, label=label)
    axes.set(xlabel="y, m", ylabel="z, m", aspect="equal")
    axes.legend()
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main(*sys.argv[1:2])
