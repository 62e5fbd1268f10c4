"""Robots on every engine: forward kinematics and inverse dynamics agree in value and derivative."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pytest
import torch
from robot_files import urdf_path

import ad_core as ad
from bridges.casadi import ad_to_casadi
from bridges.kernel import ad_to_kernel
from bridges.pytorch import ad_to_torch
from robotics_ad import load_urdf, packaged_arm
from robotics_ad.dynamics import InverseDynamics
from robotics_ad.kinematics import WorldTransform

STATES = 20


@dataclass(frozen=True)
class Case:
    """A function of a robot, and states to compare at: one array `(STATES, n)` an argument."""

    function: ad.Composite
    names: tuple[str, ...]
    states: tuple[np.ndarray, ...]

    @cached_property
    def expression(self) -> ad.Expression:
        return self.function(
            *(ad.var(n, s.shape[1]) for n, s in zip(self.names, self.states, strict=True))
        )

    def values(self, i: int) -> dict[str, np.ndarray]:
        return {n: s[i] for n, s in zip(self.names, self.states, strict=True)}

    def tensors(self, count: int = STATES) -> tuple[torch.Tensor, ...]:
        return tuple(torch.tensor(s[:count], requires_grad=True) for s in self.states)


def robot_named(name: str) -> Any:
    if name == "arm7":
        return packaged_arm()
    files = {
        "panda": "panda_description/urdf/panda.urdf",
        "ur5": "ur_description/urdf/ur5_robot.urdf",
    }
    return load_urdf(urdf_path(files[name]))


TOOL = {"arm7": "tool", "panda": "panda_link8", "ur5": "tool0"}


@pytest.fixture(
    scope="module",
    params=[
        "arm7 FK",
        "panda FK",
        pytest.param("ur5 FK", marks=pytest.mark.slow),
        "panda ID",
        pytest.param("ur5 ID", marks=pytest.mark.slow),
    ],
)
def case(request: pytest.FixtureRequest) -> Case:
    name, kind = request.param.split()
    robot = robot_named(name)
    rng = np.random.default_rng(7)
    q = np.stack([robot.random(rng) for _ in range(STATES)])
    if kind == "FK":
        return Case(WorldTransform(robot.link(TOOL[name])), ("q",), (q,))
    v, a = rng.normal(size=(2, STATES, robot.nv))
    return Case(InverseDynamics(robot), ("q", "v", "a"), (q, v, a))


def test_values_agree(case: Case) -> None:
    expected = np.stack([case.expression.eval(**case.values(i)) for i in range(STATES)])
    tensors = [t.detach() for t in case.tensors()]
    function = ad_to_casadi(case.function)
    sampled = [function(*case.values(i).values()).full().ravel() for i in range(STATES)]
    for got in (
        case.expression.eval_batch(**dict(zip(case.names, case.states, strict=True))),
        ad_to_torch(case.function, engine="torch")(*tensors).numpy(),
        ad_to_torch(case.function, engine="kernel")(*tensors).numpy(),
        ad_to_kernel(case.function)(*case.states),
        np.stack(sampled),
    ):
        np.testing.assert_allclose(got, expected, rtol=1e-10, atol=1e-10)


def test_jacobians_agree(case: Case) -> None:
    expected = [
        np.stack([case.expression.derivative(n, **case.values(i)) for i in range(STATES)])
        for n in case.names
    ]
    kernel = ad_to_kernel(case.function).jacobian()(*case.states)
    casadi_jacobian = ad_to_casadi(case.function).jacobian()
    size_out = expected[0].shape[1]
    blocks = [
        casadi_jacobian.call([*case.values(i).values(), np.zeros(size_out)]) for i in range(STATES)
    ]
    numbers = tuple(range(len(case.names)))
    tensors = [t.detach() for t in case.tensors()]
    layers = [ad_to_torch(case.function, engine=e) for e in ("torch", "kernel")]
    by_torch = [torch.func.vmap(torch.func.jacrev(f, numbers))(*tensors) for f in layers]
    for k, want in enumerate(expected):
        from_kernel = kernel[k] if isinstance(kernel, tuple) else kernel
        from_casadi = np.stack([np.array(row[k]) for row in blocks])
        for got in (from_kernel, from_casadi, *(jacobians[k].numpy() for jacobians in by_torch)):
            np.testing.assert_allclose(got, want, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("engine", ["kernel", "torch"])
def test_gradcheck_and_gradgradcheck(case: Case, engine: str) -> None:
    layer = ad_to_torch(case.function, engine=engine)
    inputs = case.tensors(1)
    assert torch.autograd.gradcheck(layer, inputs, fast_mode=len(case.names) > 1)
    assert torch.autograd.gradgradcheck(layer, inputs, fast_mode=True)


def test_second_derivatives_agree_with_torch(case: Case) -> None:
    """Our derivative graph of order two beside autograd through the straight-line code."""
    layer = ad_to_torch(case.function, engine="torch")
    point = [t.detach()[0] for t in case.tensors(1)]
    by_torch = torch.func.hessian(lambda q: layer(q, *point[1:]))(point[0])
    ours = case.expression.gen_derivative([case.names[0]] * 2, **case.values(0))
    np.testing.assert_allclose(ours, by_torch.numpy(), rtol=1e-9, atol=1e-9)
