"""Importing a package loads no engine that the user did not ask for, and installs bring little."""

import importlib.metadata
import subprocess
import sys

import pytest
from fresh_process import run_python
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


FIRST_CALLS = """
    import sys
    import torch
    import ad_core as ad
    from bridges.pytorch import ad_to_torch
    layer = ad_to_torch(ad.math.dot(ad.var("x", 3), ad.math.sin(ad.var("y", 3))))
    x = torch.ones(4, 1, 3, requires_grad=True)
    for y in (torch.ones(4, 1, 3), torch.ones(3), torch.ones(1, 5, 3)):
        (slope,) = torch.autograd.grad(layer(x, y).sum(), x, create_graph=True)
        slope.sum().backward()
    print(*sys.modules)
"""


def test_the_first_calls_of_a_layer_load_no_compiler_of_torch() -> None:
    """It takes a second and more."""
    loaded = set(run_python(FIRST_CALLS).split())
    assert "torch" in loaded
    assert not {"sympy", "torch._dynamo", "torch._inductor"} & loaded


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
