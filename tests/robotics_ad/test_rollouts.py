"""Rollouts on every engine beside the loop written out in torch, which differentiates it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from backends import ENGINES, compute

import ad_core as ad
from ad_core import math as adm
from bridges.native import scalars
from bridges.pytorch import ad_to_torch
from robotics_ad import Inertia, Joint, Link, RobotModel, packaged_arm
from robotics_ad.dynamics import Rollout, Step

M, m, L, H, T = 1.2, 0.4, 0.6, 0.05, 3
Tensor = torch.Tensor


@pytest.fixture(scope="module")
def cartpole() -> RobotModel:
    """A cart of 1.2 kg and on it a point of 0.4 kg at the end of a rod; q = [x, angle]."""
    joints = [
        Joint("rail", "prismatic", "world", "cart", axis=[1, 0, 0]),
        Joint("hinge", "continuous", "cart", "pole", axis=[0, 1, 0], damping=0.3),
    ]
    pole = Inertia(m, com=[0.0, 0.0, L])
    return RobotModel(
        "cartpole", [Link("world"), Link("cart", Inertia(M)), Link("pole", pole)], joints
    )


def step_in_torch(x: Tensor, tau: Tensor) -> Tensor:
    """Lagrange's equations of the cart-pole: upright at 0, turning about y."""
    (_, angle, _, spin), (force, torque) = x, tau
    s, c = torch.sin(angle), torch.cos(angle)
    mass = torch.stack(
        [torch.stack([M + m + 0 * c, m * L * c]), torch.stack([m * L * c, 0 * c + m * L**2])]
    )
    right = torch.stack([force + m * L * s * spin**2, torque - 0.3 * spin + m * 9.81 * L * s])
    v = x[2:] + H * torch.linalg.solve(mass, right)
    return torch.cat([x[:2] + H * v, v])


def written_out(x: Tensor, taus: Tensor) -> Tensor:
    rows = []
    for tau in taus.reshape(-1, 2):
        x = step_in_torch(x, tau)
        rows.append(x)
    return torch.cat(rows)


@pytest.mark.parametrize("engine", ENGINES)
def test_values_and_derivatives_beside_torch(
    cartpole: RobotModel, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All states, their Jacobian, and the Hessian of a weighted sum, by the torques."""
    monkeypatch.setattr(scalars, "WRITTEN_OUT", 0)
    rng = np.random.default_rng(0)
    values = {"q0": rng.normal(size=2), "v0": rng.normal(size=2), "taus": rng.normal(size=2 * T)}
    function = Rollout(cartpole, H, T, keep="all")
    e = function(*(ad.var(name, n) for name, n in function.arguments().items()))
    weights = np.cos(np.arange(4.0 * T))
    gradient = ad.gradient(adm.dot(e, weights), "taus")
    found = compute(
        engine, (e, ad.jacobian(e, "taus"), gradient, ad.jacobian(gradient, "taus")), values
    )
    x = torch.from_numpy(np.concatenate([values["q0"], values["v0"]]))
    taus = torch.from_numpy(values["taus"])
    jacobian = torch.func.jacrev(lambda u: written_out(x, u))(taus)
    scalar = torch.func.grad(lambda u: (written_out(x, u) * torch.from_numpy(weights)).sum())
    want = (written_out(x, taus), jacobian, scalar(taus), torch.func.jacfwd(scalar)(taus))
    for have, right in zip(found, want, strict=True):
        np.testing.assert_allclose(have, right.reshape(-1), atol=1e-11)


def test_the_layer_trains_through_steps(cartpole: RobotModel) -> None:
    """Gradients of a batch by autograd: through the layer and through the loop in torch."""
    function = Rollout(cartpole, H, T)
    layer = ad_to_torch(function)
    rng = np.random.default_rng(1)
    q, v = (torch.from_numpy(rng.normal(size=(3, 2))) for _ in range(2))
    taus = torch.from_numpy(rng.normal(size=(3, 2 * T))).requires_grad_()
    (have,) = torch.autograd.grad(layer(q, v, taus).square().sum(), taus)
    ends = torch.stack([written_out(torch.cat([q[i], v[i]]), taus[i])[-4:] for i in range(3)])
    (want,) = torch.autograd.grad(ends.square().sum(), taus)
    np.testing.assert_allclose(have, want, atol=1e-12)


@pytest.mark.parametrize("method", ["semi_implicit", "rk4", "implicit"])
def test_a_rollout_is_its_steps(method: str) -> None:
    """On an arm with a floating base and gravity as an argument."""
    robot = packaged_arm().floating()
    options = {"method": method, "gravity": "argument"}
    rng, count = np.random.default_rng(2), 4
    q, v, taus = robot.random(rng), rng.normal(size=robot.nv), rng.normal(size=(count, robot.nv))
    g = np.array([0.5, 0.1, -3.0])
    rollout = Rollout(robot, 0.01, count, keep="all", **options)
    assert list(rollout.arguments()) == ["q0", "v0", "taus", "gravity"]
    assert rollout.shape == (count, robot.nq + robot.nv)
    found = rollout.eval(q, v, taus.reshape(-1), g).reshape(rollout.shape)
    step = Step(robot, 0.01, **options)
    for row, tau in zip(found, taus, strict=True):
        q, v = np.split(step.eval(q, v, tau, g), [robot.nq])
        np.testing.assert_allclose(row, np.concatenate([q, v]), atol=1e-12)
    last = Rollout(robot, 0.01, count, **options)
    assert last.shape == (robot.nq + robot.nv,)


def test_parameters_of_the_model_are_held(cartpole: RobotModel) -> None:
    """The derivative by the damping of a joint is that of the steps in a row."""
    robot, rng = cartpole.parametrize(["hinge.damping"]), np.random.default_rng(3)
    for method in ("semi_implicit", "implicit"):
        function = Rollout(robot, H, T, method)
        e = function(*(ad.var(name, n) for name, n in function.arguments().items()))
        q, v, taus = rng.normal(size=2), rng.normal(size=2), rng.normal(size=2 * T)
        at = {"q0": q, "v0": v, "taus": taus, "parameters": robot.parameters}
        same = Rollout(cartpole, H, T, method).eval(q, v, taus)
        np.testing.assert_allclose(e.eval(**at), same, atol=1e-13)
        up, down = (e.eval(**{**at, "parameters": robot.parameters + s}) for s in (1e-6, -1e-6))
        slope = e.derivative("parameters", **at)[:, 0]
        np.testing.assert_allclose(slope, (up - down) / 2e-6, atol=1e-8)


def test_errors_name_the_argument(cartpole: RobotModel) -> None:
    with pytest.raises(ValueError, match="Rollout: length"):
        Rollout(cartpole, H, -1)
    with pytest.raises(ValueError, match="Rollout: keep is 'some', expected one of last, all"):
        Rollout(cartpole, H, 2, keep="some")  # pyright: ignore[reportArgumentType]
