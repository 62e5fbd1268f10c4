"""What `help` lists of a public class is what users call, each name with a word about it."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator

import pytest
from public_names import PACKAGES, exporting

from ad_core import ADFunctionInterface, Composite
from robotics_ad.multibody.function import RobotFunction

# What every function has: the interface, and what says of one of ours what it takes and gives.
OF_FUNCTIONS = {
    name for kind in (ADFunctionInterface, Composite, RobotFunction) for name in dir(kind)
}
# What some have besides, for users.
OWN = {
    "CollisionDistances": {"names"},
    "Curve": {"at", "breaks", "data", "piece"},
    "InverseKinematics": {"errors", "goal_sizes", "values"},
    "TorchModuleFunction": {"find_size", "like", "vector"},
}


def public_classes() -> Iterator[type]:
    found: set[type] = set()
    for module in exporting():
        for name in importlib.import_module(module).__all__:
            value = getattr(importlib.import_module(module), name)
            if inspect.isclass(value) and value.__module__.split(".")[0] in PACKAGES:
                found.add(value)
    assert len(found) > 150
    yield from sorted(found, key=lambda kind: kind.__qualname__)


def listed(kind: type) -> set[str]:
    """What `help(kind)` lists by name, but for what other libraries' bases have."""
    return {
        attribute.name
        for attribute in inspect.classify_class_attrs(kind)
        if not attribute.name.startswith("_")
        and attribute.defining_class.__module__.split(".")[0] in PACKAGES
    }


def unexplained(kind: type) -> set[str]:
    """What is listed without a docstring of its own or a word in those of the classes."""
    told = " ".join(base.__doc__ or "" for base in kind.__mro__ if base is not object)
    return {
        name
        for name in listed(kind)
        if not getattr(inspect.getattr_static(kind, name), "__doc__", None)
        or isinstance(inspect.getattr_static(kind, name), (str, int, float, tuple))
        if not re.search(rf"\b{name}\b", told)
    }


def test_functions_list_what_functions_have_and_no_more() -> None:
    besides: dict[str, set[str]] = {}
    for kind in filter(lambda k: issubclass(k, ADFunctionInterface), public_classes()):
        own = set[str]().union(*(OWN.get(base.__name__, set()) for base in kind.__mro__))
        if more := listed(kind) - OF_FUNCTIONS - own:
            besides[kind.__name__] = more
    assert not besides


def test_everything_that_is_listed_is_explained() -> None:
    silent = {
        kind.__name__: names
        for kind in public_classes()
        if not issubclass(kind, ADFunctionInterface) and (names := unexplained(kind))
    }
    assert not silent


def test_it_is_what_help_shows(capsys: pytest.CaptureFixture[str]) -> None:
    from robotics_ad import InverseKinematics

    help(InverseKinematics)
    shown = set(re.findall(r"^ \|  (\w+)(?:\(|$)", capsys.readouterr().out, re.MULTILINE))
    shown = {name for name in shown if not name.startswith("_")} - {"InverseKinematics"}
    assert shown <= OF_FUNCTIONS | OWN["InverseKinematics"]
    assert {"eval", "arguments"} <= shown
