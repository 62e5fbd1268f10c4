"""Ten thousand poses to configurations, and how one of them follows its pose.

`InverseKinematics` is a function of the graph; `IKSolver` asks it of arrays, on compiled kernels:
short rounds of damped steps, in which goals that are met leave and others start anew. The
derivative of the solution is that of the implicit function.

Run: python examples/26_inverse_kinematics_of_ten_thousand_poses.py
"""

import time

import numpy as np

from bridges.kernel import ad_to_kernel
from robotics_ad import IKSolver, InverseKinematics, packaged_arm
from robotics_ad.kinematics import WorldTransform


def main(samples: int = 10_000) -> tuple[float, float]:
    """The share of poses that are met, and how far the derivative is from a difference."""
    robot = packaged_arm()
    q = robot.random(np.random.default_rng(0), samples)
    poses = ad_to_kernel(WorldTransform(robot.link("tool")))(q)

    ik = InverseKinematics(robot, "tool", within=(np.deg2rad(0.1), 1e-3))
    solve = IKSolver(ik, ad_to_kernel)
    solve(poses[:1])  # builds kernels, or finds them in the cache
    began = time.perf_counter()
    found = solve(poses)
    seconds = time.perf_counter() - began
    share = float(found.converged.mean())
    print(f"{samples / seconds:,.0f} poses a second; {100 * share:.2f} % to 1 mm and 0.1 degrees")
    print(
        f"worst: {np.rad2deg(found.error[:, 0].max()):.3f} degrees, {found.error[:, 1].max():.6f} m"
    )

    exact = InverseKinematics(robot, "tool", within=(1e-10, 1e-10))
    e = exact("q0", "goal")
    inside = (found.q > robot.q_lower).all(1) & (found.q < robot.q_upper).all(1)
    at = int(np.flatnonzero(inside & found.converged)[0])
    q0 = e.eval(q0=found.q[at], goal=poses[at])
    up = np.zeros(12)
    up[11] = 1e-4  # m
    slope = e.derivative("goal", q0=q0, goal=poses[at])[:, 11]
    raised, lowered = (e.eval(q0=q0, goal=poses[at] + s * up) for s in (1.0, -1.0))
    difference = float(np.abs((raised - lowered) / (2.0 * up[11]) - slope).max())
    print(f"joints for a hand that rises: {np.round(slope, 3)} rad/m")
    print(f"beside differences of solutions: {difference:.1e}")
    return share, difference


if __name__ == "__main__":
    main()
