"""C files of a robot's functions, for controllers and for CasADi's `external`."""

from __future__ import annotations

from pathlib import Path

import ad_core as ad
from bridges.casadi import ad_to_c
from robotics_ad import RobotModel, load_urdf, packaged_arm
from robotics_ad.dynamics import InverseDynamics
from robotics_ad.kinematics import WorldTransform

FUNCTIONS = ("kinematics", "dynamics")
"""Pose of a link [R column by column, t] of q; torques of q, v, a."""


def generate(function: str, urdf: Path | None, link: str | None, stages: int, output: Path) -> str:
    """Write the C text of a robot's function to `output`; returns how to build and load it.

    Raises ValueError for an unknown function or link, OSError where a file fails.
    """
    robot = packaged_arm() if urdf is None else load_urdf(urdf)
    name = output.stem
    if not name.isidentifier():
        raise ValueError(f"the name of {output} is the function's, and '{name}' is no C name")
    output.write_text(ad_to_c(_expression(function, robot, link), name=name, mapped=stages))
    library = output.with_suffix(".so").name
    flags = "-O2 -march=native -fPIC -shared -fno-math-errno -fno-trapping-math"
    return (
        f"cc {flags} -o {library} {output.name} -lm\n"
        f'python: casadi.external("{name}", "./{library}")'
    )


def _expression(function: str, robot: RobotModel, link: str | None) -> ad.Expression:
    q, v, a = ad.var("q", robot.nq), ad.var("v", robot.nv), ad.var("a", robot.nv)
    if function == "kinematics":
        return WorldTransform(robot.link(link or robot.link_names[-1]))(q)
    if function == "dynamics":
        return InverseDynamics(robot)(q, v, a)
    raise ValueError(f"no function '{function}'; functions: {', '.join(FUNCTIONS)}")
