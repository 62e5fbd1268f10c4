"""Functions of dynamics with every kind of joint and option, and numbers to try them at."""

from __future__ import annotations

import numpy as np
import parametrized_robot as parts
from robot_files import urdf_path
from robot_trees import body

import ad_core as ad
from robotics_ad import Joint, Link, RobotModel, load_urdf
from robotics_ad.dynamics import ForwardDynamics, FullDynamics, Step

PARAMETERS = ["arm.log_cholesky", "slide.mass", "push.placement", "follow.armature"]


def joints_of_all_types() -> RobotModel:
    """A chain on a floating base, deep enough for articulated bodies."""
    kinds = ("floating", "revolute", "universal", "planar", "spherical", "prismatic", "helical")
    rng = np.random.default_rng(0)
    links, joints = [Link("base", body(rng))], list[Joint]()
    for n, kind in enumerate(kinds):
        parent, pitch = links[-1].name, 0.3 if kind == "helical" else 0.0
        links.append(Link(f"link{n}", body(rng)))
        place = [0.1, 0.2, -0.1 * n]
        joints.append(Joint(f"j{n}", kind, parent, f"link{n}", translation=place, pitch=pitch))
    return RobotModel("all", links, joints)


def functions() -> dict[str, ad.Composite]:
    arm = load_urdf(urdf_path("z1_description/urdf/z1.urdf"))
    parametrized = parts.robot("fixed").parametrize(PARAMETERS)
    every = joints_of_all_types()
    return {
        "locked": ForwardDynamics(arm.lock_joints({arm.joint_names[1]: 0.4}), friction=True),
        "all joint types": ForwardDynamics(every, "argument", [every.links[3].name]),
        "parameters": ForwardDynamics(parametrized, friction=True),
        "forces": FullDynamics(parametrized, ["tool"]),
        "step": Step(parametrized, 1e-2, "implicit"),
    }


FUNCTIONS = functions()


def point(function) -> dict[str, np.ndarray]:
    rng, robot = np.random.default_rng(0), function.robot
    at = {name: rng.normal(size=n) for name, n in function.arguments().items()}
    at["q"] = robot.random(rng)
    if robot.parametrized:
        at["parameters"] = robot.parameters * rng.uniform(0.9, 1.1, robot.n_parameters)
    return at
