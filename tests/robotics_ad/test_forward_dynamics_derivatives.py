"""Derivatives of forward dynamics by inverse dynamics at the solution, to the third order.

CasADi differentiates the same function by itself, through how accelerations are computed.
"""

from __future__ import annotations

import casadi
import numpy as np
import parametrized_robot as parts
import pytest
from robot_files import urdf_path
from robot_trees import body

import ad_core as ad
from ad_core.derivatives.products import jvp_graph, vjp_graph
from ad_core.lowering import fix_sizes
from bridges.casadi import ad_to_casadi
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


def directions(at, k: int) -> dict[str, np.ndarray]:
    return {name: np.cos(np.arange(x.size) + k) for name, x in at.items()}


@pytest.mark.parametrize("name", list(FUNCTIONS))
def test_three_orders_equal_casadis(name: str):
    """Forward twice, then a gradient."""
    function = FUNCTIONS[name]
    at = point(function)
    variables = {x: ad.var(x, value.size) for x, value in at.items()}
    ours = fix_sizes([function(*variables.values())], {})
    for k in range(2):
        moves = {x: ad.constant(d) for x, d in directions(at, k).items()}
        ours += jvp_graph([ours[-1]], moves)
    weights = np.cos(np.arange(ours[-1].size or 0) + 0.5)
    gradients = vjp_graph([ours[-1]], [ad.constant(weights)], list(variables.values()))

    symbols = [casadi.SX.sym(x, value.size) for x, value in at.items()]
    whole = casadi.vertcat(*symbols)
    theirs = [ad_to_casadi(function, symbolic="SX")(*symbols)]
    for k in range(2):
        move = np.concatenate(list(directions(at, k).values()))
        theirs.append(casadi.jtimes(theirs[-1], whole, move))
    theirs.append(casadi.jtimes(theirs[-1], whole, weights, True))
    expected = casadi.Function("f", symbols, theirs)(*at.values())

    found = [e.eval_batch(**at) for e in ours]
    found.append(np.concatenate([g.eval_batch(**at) for g in gradients.values()]))
    for mine, other in zip(found, expected, strict=True):
        other = other.full().reshape(-1)
        np.testing.assert_allclose(mine, other, rtol=1e-8, atol=1e-9 * np.abs(other).max())
