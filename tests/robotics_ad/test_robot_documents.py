"""docs/robots.md names every public function of a robot, with its arguments; its example runs."""

import inspect
import re
from pathlib import Path
from typing import Any

import pytest

from robotics_ad import LoopConstraint, dynamics, inverse_kinematics, kinematics, packaged_arm
from robotics_ad.kinematics.configurations import JointwiseFunction
from robotics_ad.kinematics.loops import LoopFunction
from robotics_ad.multibody.function import LinkFunction, RobotFunction

PAGE = (Path(__file__).parents[2] / "docs/robots.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("module", [kinematics, dynamics], ids=lambda module: module.__name__)
def test_every_name_is_on_the_page(module):
    named = set(re.findall(r"`(\w+)[(`]", PAGE))
    assert set(module.__all__) <= named


def test_names_on_the_page_exist():
    named = set(re.findall(r"`([A-Z]\w+)\(", PAGE))
    modules = (kinematics, dynamics, inverse_kinematics)
    assert named <= {name for module in modules for name in module.__all__}


def arguments() -> dict[str, str]:
    """The arguments that the page gives for each function; several functions may share a row."""
    found: dict[str, str] = {}
    for line in PAGE.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("| `") or len(cells) < 3:
            continue
        names = re.findall(r"`(\w+)\(", cells[0])
        given = [text.replace("`", "") for text in cells[1].split("`, `")]
        for i, name in enumerate(names):
            found[name] = given[i] if len(given) == len(names) else given[0]
    return found


def test_arguments_on_the_page_are_those_of_the_functions():
    robot = packaged_arm()
    link = robot.link("tool")
    contacts, checked = [dynamics.PointContact(link)], 0
    pin = LoopConstraint("base", [0.1, 0.2, 0.3], link, [0.0, 0.0, 0.0], rotations="")
    for name, given in arguments().items():
        modules = (dynamics, kinematics, inverse_kinematics)
        kind = next(getattr(module, name) for module in modules if hasattr(module, name))
        if not issubclass(kind, LinkFunction | RobotFunction | JointwiseFunction):
            continue
        needed = [
            p.name
            for p in list(inspect.signature(kind.__init__).parameters.values())[2:]
            if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD
        ]
        values = {"local": [0.0, 0.0, 0.1], "contacts": contacts, "h": 1e-3, "length": 2}
        values["targets"] = "tool"
        extra = [values[n] for n in needed]
        if name == "FullDynamics":
            extra = [[(link, [0.0, 0.0, 0.1])]]
        if issubclass(kind, LoopFunction):
            extra = [None, [pin]] if name == "ClosedConfiguration" else [[pin]]
        function = kind(link if issubclass(kind, LinkFunction) else robot, *extra)
        names = [function.argname(i) for i in range(function.n_args())]
        assert given.split() == names, name
        checked += 1
    assert checked > 45


def test_the_examples_of_the_page_run():
    values: dict[str, Any] = {}
    for example in re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL):
        exec(compile(example, "robots.md", "exec"), values)
    assert values["J"].shape == (6, 7)
    assert values["a"].shape == (7,)
    assert values["load_urdf"](values["text"]).mass == pytest.approx(
        values["robot"].mass + 2.5 - values["robot"].links[7].inertia.mass
    )
