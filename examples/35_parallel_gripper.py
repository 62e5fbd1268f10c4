"""A parallel gripper: two parallelograms, one motor, and the force with which it holds a block.

Each finger is a driver, a follower and a pad; a loop pins the pad to the follower, so that pads
stay parallel. The left driver mimics the right one. A block between the pads is one more loop,
which holds their distance: closing it says how far the gripper shuts, and its force is the grip.

    virtual work: force * d(opening) / d(driver) = torque

Run: python examples/35_parallel_gripper.py
"""

import numpy as np

from robotics_ad import Inertia, Joint, Link, LoopConstraint, Mimic, RobotModel
from robotics_ad.dynamics import ContactForces
from robotics_ad.kinematics import ClosedConfiguration, WorldPosition

LENGTH, APART = 0.06, 0.03  # m: driver and follower, and how far apart their feet are
TORQUE = 0.8  # N m


def gripper() -> RobotModel:
    """Fingers along y that open along x; a driver's angle is 0 where it points along y."""
    body = Inertia(0.05, [0, LENGTH / 2, 0], 2e-5 * np.eye(3))
    links, joints, loops = [Link("palm")], list[Joint](), list[LoopConstraint]()
    for side, x in (("right", 1.0), ("left", -1.0)):
        driver, follower, pad = (f"{side} {part}" for part in ("driver", "follower", "pad"))
        links += [Link(driver, body), Link(follower, body), Link(pad, body)]
        mimic = Mimic("right motor", -1.0) if side == "left" else None
        turn = {"axis": [0, 0, -1]}  # positive turns y towards x
        joints += [
            Joint(f"{side} motor", "continuous", "palm", driver, mimic=mimic,
                  translation=[0.02 * x, 0, 0], **turn),
            Joint(f"{side} foot", "continuous", "palm", follower,
                  translation=[(0.02 + APART) * x, 0, 0], **turn),
            Joint(f"{side} wrist", "continuous", driver, pad,
                  translation=[0, LENGTH, 0], **turn),
        ]  # fmt: skip
        ends = (pad, [APART * x, 0, 0], follower, [0, LENGTH, 0])
        loops.append(LoopConstraint(*ends, "xy", rotations="", name=f"{side} pin"))
    return RobotModel("gripper", links, joints, loops=loops)


def block(width: float) -> LoopConstraint:
    """A block between the pads: the right pad is its width to the right of the left one."""
    return LoopConstraint(
        "left pad", [width, 0.03, 0], "right pad", [0, 0.03, 0], "x", rotations="", name="block"
    )


def main() -> list[tuple[float, float, float]]:
    """For blocks of several widths: the width, the force of the grip, that by virtual work."""
    robot = gripper()
    print(robot.pretty())
    free = ClosedConfiguration(robot, ["right motor"])("motor", "guess")
    right, left = (
        WorldPosition(robot.link(f"{side} pad"), [0, 0.03, 0])(free)[0]
        for side in ("right", "left")
    )
    opening = right - left
    motors = np.zeros(robot.nv)
    motors[robot.v_slices["right motor"]] = -TORQUE  # shuts
    rest, figures = np.zeros(robot.nv), list[tuple[float, float, float]]()
    for width in (0.03, 0.06, 0.1):
        loops = [*robot.loops, block(width)]
        q = ClosedConfiguration(robot, (), loops).eval(robot.neutral() + 0.2)
        forces = ContactForces(robot, loops).eval(q, rest, motors)
        angle = q[robot.q_slices["right motor"]]
        slope = opening.derivative("motor", motor=angle, guess=q)[0, 0]
        figures.append((width, float(forces[-1]), float(TORQUE / slope)))
        print(
            f"{1e3 * width:.0f} mm: drivers at {np.rad2deg(angle[0]):.1f} degrees, "
            f"{forces[-1]:.3f} N; by virtual work {TORQUE / slope:.3f} N"
        )
    return figures


if __name__ == "__main__":
    main()
