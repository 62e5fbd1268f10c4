"""Graphs of robots as bytes: every function of the package has them, and nothing is left out."""

from __future__ import annotations

import hashlib
import inspect
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import parametrized_robot as parts
import pytest
from robot_files import urdf_path

import ad_core as ad
from ad_core.content import Content, content_of
from ad_core.lowering.signature import signature
from robotics_ad import RobotModel, dynamics, kinematics, load_urdf, packaged_arm, se3, so3

ROOT = Path(__file__).parents[2]


def content(func: Any) -> Content:
    found = content_of(signature(func))
    assert found is not None, func
    return found


def functions(robot: RobotModel) -> Iterator[ad.Composite]:
    """One object of each function of a robot or of a link that the package has."""
    link = robot.link("tool")
    given: dict[str, Any] = {
        "robot": robot,
        "link": link,
        "local": [0.1, -0.2, 0.3],
        "point": [0.1, -0.2, 0.3],
        "points": [[0.1, 0.2, 0.3]],
        "contacts": [dynamics.PointContact(link, np.array([0.1, -0.2, 0.3]))],
    }
    for module in (dynamics, kinematics):
        for kind in {getattr(module, name): None for name in module.__all__}:
            if inspect.isclass(kind) and issubclass(kind, ad.Composite):
                parameters = list(inspect.signature(kind.__init__).parameters.values())[1:]
                needed = [p.name for p in parameters if p.default is p.empty]
                yield kind(*(given[name] for name in needed if name in given))


VARIED = ["arm.mass", "slide.log_cholesky", "turn.rotation", "turn.damping", "push.stiffness"]


@pytest.mark.parametrize("base", ["fixed", "floating"])
@pytest.mark.parametrize("varied", [[], VARIED], ids=["numbers", "parameters"])
def test_every_function_comes_back(base: str, varied: list[str]) -> None:
    """With the same value; and its bytes are the same after it was used."""
    robot = parts.robot(base).parametrize(varied)
    rng = np.random.default_rng(3)
    seen: set[bytes] = set()
    count = 0
    for function in functions(robot):
        chosen = signature(function)
        values = {n: rng.normal(size=root) for n, root in arguments(function).items()}
        if "q" in values:
            values["q"] = robot.random(rng)
        if varied and "parameters" in values:
            values["parameters"] = robot.parameters
        before = content(function)
        want = chosen.roots[0].eval(**values)
        assert content(function) == before, function
        again, _ = before.read()
        np.testing.assert_array_equal(again.roots[0].eval(**values), want, str(function))
        seen.add(before.data)
        count += 1
    assert count > 40
    assert len(seen) == count


def arguments(function: ad.Composite) -> dict[str, int]:
    return {function.argname(i): function.n_in(i) for i in range(function.n_args())}


def test_every_function_of_groups_has_bytes() -> None:
    found = {
        content(f(*(ad.var(f"x{i}", f.n_in(i)) for i in range(count(f))))).data
        for module in (so3, se3)
        for f in vars(module).values()
        if isinstance(f, ad.Composite)
    }
    assert len(found) > 30


def count(function: ad.Composite) -> int:
    """How many arguments to give it; 3 where it takes any number."""
    return 3 if function.n_args() < 0 else function.n_args()


def panda() -> RobotModel:
    return load_urdf(urdf_path("panda_description/urdf/panda.urdf"))


def test_other_numbers_have_other_bytes() -> None:
    """One bit of one number of a link or a joint, and everything that changes a model."""
    robot = panda()
    text = Path(urdf_path("panda_description/urdf/panda.urdf")).read_text()
    edits = [
        ('value="0.7', 'value="0.70000000000000007'),
        ('xyz="0 0 0.333"', 'xyz="0 0 0.3330000000000001"'),
        ('xyz="0 0 0.333"', 'xyz="0 1e-300 0.333"'),
        ("panda_joint3", "panda_joint_3"),
    ]
    models = [robot]
    for old, new in edits:
        if old in text:
            models.append(load_urdf(text.replace(old, new)))
    assert len(models) > 3
    lock = robot.joint_names[-1]
    models += [
        robot.floating(),
        robot.lock_joints({lock: 0.0}),
        robot.lock_joints({lock: 0.01}),
        robot.parametrize(["panda_link3.mass"]),
        robot.parametrize(["panda_link3.com"]),
        robot.parametrize(["panda_link4.mass"]),
        packaged_arm(),
    ]
    found = [content(dynamics.InverseDynamics(model)).data for model in models]
    assert len(set(found)) == len(models)
    gravities = [(0.0, 0.0, -9.81), (0.0, 0.0, -9.82), (0.0, -0.0, -9.81), "argument"]
    found = [content(dynamics.InverseDynamics(robot, gravity)).data for gravity in gravities]
    assert len(set(found)) == len(gravities)


def test_equal_models_have_equal_bytes() -> None:
    """Loaded twice, and after the model has answered all sorts of questions."""
    robot = panda()
    before = content(dynamics.ForwardDynamics(robot))
    robot.random(np.random.default_rng(0))
    robot.pretty()
    _ = robot.mass, robot.q_lower, robot.armature, robot.parameter_slices
    assert content(dynamics.ForwardDynamics(robot)) == before
    assert content(dynamics.ForwardDynamics(panda())) == before


SAME = """
import hashlib, sys
from ad_core.content import content_of
from ad_core.lowering.signature import signature
from robotics_ad import load_urdf
from robotics_ad.dynamics import ForwardDynamics
function = ForwardDynamics(load_urdf(sys.argv[1]).parametrize(["panda_link3.mass", "*.damping"]))
print(hashlib.sha256(content_of(signature(function)).data).hexdigest())
"""


def test_bytes_are_the_same_in_every_process() -> None:
    found: set[str] = set()
    for seed in ("0", "1", "77"):
        ran = subprocess.run(
            [sys.executable, "-c", SAME, urdf_path("panda_description/urdf/panda.urdf")],
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert ran.returncode == 0, ran.stderr
        found.add(ran.stdout.strip())
    assert len(found) == 1
    assert len(found.pop()) == 2 * hashlib.sha256().digest_size
