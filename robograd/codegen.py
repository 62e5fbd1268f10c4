"""C files of a robot's functions, for controllers and for CasADi's `external`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import ad_core as ad
from bridges.casadi import ad_to_c
from bridges.casadi.lowering import identifier
from bridges.native.files import put_file
from robograd.robots import File, Mappings, chosen_robot
from robotics_ad import RobotModel
from robotics_ad.dynamics import InverseDynamics
from robotics_ad.kinematics import WorldTransform

FUNCTIONS = ("kinematics", "dynamics")
"""Pose of a link [R column by column, t] of q; torques of q, v, a."""


def generate(
    function: str,
    urdf: File,
    link: str | None,
    stages: int,
    output: Path,
    *,
    mjcf: File = None,
    mappings: Mappings | None = None,
) -> str:
    """Write the C text of a robot's function to `output`; returns how to build and load it.

    The robot is that of the URDF or xacro file (whose arguments `mappings` are), of the MJCF file,
    or the packaged arm; gravity is the file's.

    Raises ValueError for an unknown function or link, and for a name that no C function can have,
    OSError where a file fails.
    """
    robot, gravity = chosen_robot(urdf, mjcf, mappings)
    name = output.stem
    if output.suffix != ".c" or identifier(name) != name:
        raise ValueError(
            f"the name of {output} is the function's and '.c': letters, digits and single "
            f"underscores, a letter first; '{output.name}' is no C name"
        )
    expression = _expression(function, robot, link, gravity)
    put_file(output, ad_to_c(expression, name=name, mapped=stages).encode())
    library = output.with_suffix(".so").name
    flags = "-O2 -march=native -fPIC -shared -fno-math-errno -fno-trapping-math"
    return (
        f"cc {flags} -o {library} {output.name} -lm\n"
        f'python: casadi.external("{name}", "./{library}")'
    )


def _expression(
    function: str, robot: RobotModel, link: str | None, gravity: NDArray[np.float64]
) -> ad.Expression:
    q, v, a = ad.var("q", robot.nq), ad.var("v", robot.nv), ad.var("a", robot.nv)
    if function == "kinematics":
        return WorldTransform(robot.link(link or robot.link_names[-1]))(q)
    if function == "dynamics":
        return InverseDynamics(robot, gravity)(q, v, a)
    raise ValueError(f"no function '{function}'; functions: {', '.join(FUNCTIONS)}")
