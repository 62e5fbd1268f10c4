"""Importing a package loads no engine that the user did not ask for, and installs bring little."""

import importlib.metadata
import subprocess
import sys

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("ad_core", {"torch", "casadi", "bridges", "scipy", "matplotlib"}),
        ("robotics_ad", {"torch", "casadi", "bridges", "mujoco", "coal", "scipy", "matplotlib"}),
        ("bridges.casadi", {"torch", "robotics_ad", "matplotlib"}),
        ("bridges.native", {"torch", "casadi", "robotics_ad", "scipy", "matplotlib"}),
        ("bridges.kernel", {"torch", "casadi", "robotics_ad", "scipy", "matplotlib"}),
        (
            "bridges.pytorch",
            {"casadi", "robotics_ad", "scipy", "matplotlib", "torch._dynamo"},
        ),
        ("robograd.cli", {"torch", "casadi", "numpy", "matplotlib"}),
    ],
)
def test_import_loads_only_what_it_needs(module: str, absent: set[str]) -> None:
    program = f"import {module}, sys; print(*sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert module in result.stdout.split()
    assert not absent & set(result.stdout.split())


def brought_by(package: str) -> set[str]:
    """What an install of a package brings, without extras."""
    found: set[str] = set()
    waiting = [package]
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name not in found:
            found.add(name)
            for line in importlib.metadata.requires(name) or []:
                needed = Requirement(line)
                if needed.marker is None or needed.marker.evaluate({"extra": ""}):
                    waiting.append(needed.name)
    return found


def test_an_install_brings_three_packages_and_what_torch_needs() -> None:
    assert brought_by("robograd") - brought_by("torch") == {"robograd", "casadi", "numpy"}
