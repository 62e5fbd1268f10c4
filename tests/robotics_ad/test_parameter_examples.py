"""The examples that have model numbers as parameters do what they say."""

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from robotics_ad import packaged_arm
from robotics_ad.dynamics import GravityForces

EXAMPLES = Path(__file__).parents[2] / "examples"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_masses_and_a_tool_are_identified() -> None:
    rows = load("21_system_identification").main(samples=2000, allowed=0.03)
    assert len(rows) == 10
    for wanted, got in list(rows.values())[1:7]:
        assert got == pytest.approx(wanted, rel=0.01)


def test_an_arm_designed_for_its_task_holds_with_less_torque() -> None:
    example = load("33_co_design")
    before, after, sizes = example.main()
    assert after < 0.7 * before
    assert np.all(sizes > 0.7 - 1e-6)
    assert np.all(sizes < 1.3 + 1e-6)
    assert np.ptp(sizes) > 0.1


def test_the_torque_of_the_co_design_is_that_of_a_model_with_the_numbers() -> None:
    arm = packaged_arm().parametrize(["link3.size", "tool.mass"])
    q = np.array([0.3, 0.6, 0.2, 1.2, 0.3, 0.8, 0.1])
    built = arm.with_parameters([1.2, 2.0])
    expected = GravityForces(built)(q).eval()
    np.testing.assert_allclose(GravityForces(arm)(q, [1.2, 2.0]).eval(), expected, atol=1e-12)


def test_a_payload_is_found_as_a_body() -> None:
    example = load("24_payload")
    linear, body = example.main()
    assert not linear.is_consistent()  # what makes the other way worth its while
    assert body.is_consistent()
    assert body.mass == pytest.approx(example.BOX.mass, abs=0.01)
    np.testing.assert_allclose(body.com, example.BOX.com, atol=3e-3)
