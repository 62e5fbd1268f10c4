"""A robot from MJCF: computed-torque control, simulated by MuJoCo.

    tau = M(q) (a_d + 2 w (v_d - v) + w^2 (q_d - q)) + C(q, v) v + g(q) + passive(q, v)

`read_mjcf` takes the model through MuJoCo's compiler, so both sides mean the same robot: its
shoulder is two joints at one body, with springs, damping and rotor inertia. The torques come from
a compiled kernel of `InverseDynamics`; MuJoCo integrates the motion.

Run: python examples/07_control_in_mujoco.py
"""

import mujoco
import numpy as np

import ad_core as ad
from bridges.kernel import ad_to_kernel
from robotics_ad import read_mjcf
from robotics_ad.dynamics import InverseDynamics, JointSprings

MODEL = """
<mujoco model="arm">
  <option timestep="0.0005" gravity="0 0 -9.81"/>
  <worldbody>
    <body name="upper arm" pos="0 0 1">
      <joint name="yaw" axis="0 0 1" damping="0.2" armature="0.05"/>
      <joint name="pitch" axis="0 1 0" pos="0 0 0.1" stiffness="3" springref="20" damping="0.1"/>
      <geom type="capsule" size="0.04" fromto="0 0 0.1 0.5 0 0.1"/>
      <body name="forearm" pos="0.5 0 0.1">
        <joint name="elbow" axis="0 1 0" armature="0.02"/>
        <geom type="capsule" size="0.03" fromto="0 0 0 0.4 0 0"/>
        <site name="tip" pos="0.4 0 0"/>
      </body>
    </body>
  </worldbody>
  <actuator><motor joint="yaw"/><motor joint="pitch"/><motor joint="elbow"/></actuator>
</mujoco>"""


def wanted(t: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Angles, rates and accelerations at time t: one sine for each joint."""
    rate, size = np.array([1.0, 1.7, 2.3]), np.array([0.8, 0.5, 0.9])
    return (
        size * np.sin(rate * t),
        size * rate * np.cos(rate * t),
        -size * rate**2 * np.sin(rate * t),
    )


def main(seconds: float = 4.0, w: float = 20.0) -> float:
    """The largest error of an angle over the last second, rad."""
    scene = read_mjcf(MODEL)
    robot, order = scene.robot, scene.order
    print(f"{robot}; left to MuJoCo: {', '.join(scene.left_out)}")
    q, v, a = (ad.var(name, 3) for name in "qva")
    passive = JointSprings(robot)(q) + v * robot.damping
    torques = ad_to_kernel(
        InverseDynamics(robot, scene.gravity)(q, v, a) + passive, ["q", "v", "a"]
    )

    data = mujoco.MjData(scene.model)
    data.qpos[:] = order.to_q([0.3, -0.2, 0.5])  # off the path: the error dies out
    worst = 0.0
    while data.time < seconds:
        q_d, v_d, a_d = wanted(data.time)
        q_now, v_now = order.from_q(data.qpos), order.from_v(data.qvel)
        error = q_d - q_now
        data.ctrl[:] = torques(q_now, v_now, a_d + 2.0 * w * (v_d - v_now) + w**2 * error)
        if data.time > seconds - 1.0:
            worst = max(worst, float(np.abs(error).max()))
        mujoco.mj_step(scene.model, data)
    print(f"largest error in the last second: {1e3 * worst:.2g} mrad")
    return worst


if __name__ == "__main__":
    main()
