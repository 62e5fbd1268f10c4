"""Importing a package loads no engine that the user did not ask for."""

import subprocess
import sys

import pytest


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
