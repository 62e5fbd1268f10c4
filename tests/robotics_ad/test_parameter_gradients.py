"""Derivatives with respect to model numbers, on every engine."""

import casadi
import numpy as np
import parametrized_robot as parts
import pinocchio
import pytest
import torch
from parametrized_robot import pinocchio_model

import ad_core as ad
from bridges.casadi import ad_to_casadi
from bridges.kernel import ad_to_kernel
from bridges.pytorch import ad_to_torch
from robotics_ad import Joint, Link, RobotModel
from robotics_ad.dynamics import (
    TO_PINOCCHIO,
    CenterOfMass,
    ForwardDynamics,
    InverseDynamics,
    KineticEnergy,
    MassMatrix,
)
from robotics_ad.interop import pinocchio_order
from robotics_ad.kinematics import Jacobian, WorldPosition, WorldTransform

MIXED = [
    "arm.log_cholesky", "slide.com", "slide.mass", "slide.inertia", "payload.moments", "left.size",
    "right.density", "arm.length", "push.placement", "mount.rotation", "turn.translation",
    "turn.damping", "finger.friction", "follow.armature",
]  # fmt: skip


def robot(base: str = "fixed") -> RobotModel:
    return parts.robot(base).parametrize(MIXED)


def functions(model: RobotModel):
    tool = model.link("tool")
    return {
        "rnea": (InverseDynamics(model, friction=True), ("q", "v", "a", "parameters")),
        "aba": (ForwardDynamics(model, friction=True), ("q", "v", "tau", "parameters")),
        "crba": (MassMatrix(model), ("q", "parameters")),
        "com": (CenterOfMass(model), ("q", "parameters")),
        "energy": (KineticEnergy(model), ("q", "v", "parameters")),
        "pose": (WorldTransform(tool), ("q", "parameters")),
        "jacobian": (Jacobian(tool, "world"), ("q", "parameters")),
    }


def point(model: RobotModel, names, seed: int) -> dict[str, np.ndarray]:
    rng, at = np.random.default_rng(seed), {}
    for name in names:
        at[name] = model.random(rng) if name == "q" else rng.normal(size=model.nv)
    at["parameters"] = model.parameters * rng.uniform(0.9, 1.1, model.parameters.size)
    at["parameters"][model.parameter_slices["mount.rotation"]] = [0.2, -0.3, 0.1]
    return at


@pytest.mark.parametrize("name", list(functions(robot())))
def test_derivatives_equal_central_differences(name):
    model = robot("floating")
    function, names = functions(model)[name]
    f, at, h = function(*names), point(model, names, 1), 1e-6
    J = f.derivative("parameters", **at)
    for column in range(model.parameters.size):
        step = np.zeros(model.parameters.size)
        step[column] = h
        up, down = (
            np.atleast_1d(f.eval(**{**at, "parameters": at["parameters"] + s}))
            for s in (step, -step)
        )
        difference = (up - down) / (2.0 * h)
        atol = 1e-7 * max(1.0, np.abs(difference).max(), np.abs(up).max())
        np.testing.assert_allclose(J[:, column], difference, atol=atol)


@pytest.mark.parametrize("base", ["fixed", "floating"])
def test_the_derivative_with_respect_to_ten_numbers_is_pinocchios_regressor(base):
    """For links that are alone on their body, at numbers that are not the nominal ones."""
    plain = parts.robot(base, release=True)
    names = ["arm", "left", "right"]
    varied = plain.parametrize([(name, "moments") for name in names])
    rng = np.random.default_rng(2)
    q, v, a = plain.random(rng), rng.normal(size=plain.nv), rng.normal(size=plain.nv)
    tau = InverseDynamics(varied)("q", "v", "a", "parameters")
    J = tau.derivative("parameters", q=q, v=v, a=a, parameters=1.3 * varied.parameters)
    model = pinocchio_model(base, {}, {}, release=True)
    order = pinocchio_order(plain, model)
    Y = pinocchio.computeJointTorqueRegressor(
        model, model.createData(), order.to_q(q), order.to_v(v), order.to_v(a)
    )
    joints = {"arm": "turn", "left": "finger", "right": "follow"}
    for i, name in enumerate(names):
        ours = J[:, 10 * i : 10 * i + 10][:, list(TO_PINOCCHIO)]
        first = 10 * (model.getJointId(joints[name]) - 1)
        np.testing.assert_allclose(order.to_v(ours.T).T, Y[:, first : first + 10], atol=1e-10)


@pytest.mark.parametrize("name", ["rnea", "pose"])
def test_torch_gradcheck(name):
    model = robot()
    function, names = functions(model)[name]
    layer = ad_to_torch(function)
    at = point(model, names, 3)
    inputs = [torch.tensor(at[n], requires_grad=n == "parameters") for n in names]
    assert torch.autograd.gradcheck(layer, inputs, atol=1e-6)


@pytest.mark.parametrize("name", ["rnea", "aba", "com", "pose"])
def test_engines_agree(name):
    """Values and gradients on torch, SX and the kernel, for a batch of other parameters each."""
    model = robot()
    function, names = functions(model)[name]
    samples = [point(model, names, seed) for seed in range(4)]
    batch = {n: np.stack([at[n] for at in samples]) for n in names}
    f = function(*names)
    expected = f.eval_batch(**batch)
    gradient = f.derivative_batch("parameters", **batch)
    kernel = ad_to_kernel(function)
    scale = max(1.0, np.abs(expected).max())
    np.testing.assert_allclose(kernel(*batch.values()), expected, atol=1e-11 * scale)
    program = ad_to_casadi(function)
    x = [casadi.SX.sym(n, model.nq if n == "q" else batch[n].shape[1]) for n in names]
    J = casadi.Function("J", x, [casadi.jacobian(program(*x), x[-1])])
    for i, at in enumerate(samples):
        np.testing.assert_allclose(
            np.array(J(*at.values())), gradient[i], atol=1e-9 * max(1.0, np.abs(gradient[i]).max())
        )
    inputs = [torch.tensor(batch[n]) for n in names]
    inputs[-1].requires_grad_()
    weights = torch.linspace(-1.0, 1.0, expected.shape[-1], dtype=torch.float64)
    out = ad_to_torch(function)(*inputs)
    np.testing.assert_allclose(out.detach().numpy(), expected, atol=1e-11 * scale)
    (out @ weights).sum().backward()
    wanted = np.einsum("i,nij->nj", weights.numpy(), gradient)
    found = inputs[-1].grad
    assert found is not None
    np.testing.assert_allclose(found.numpy(), wanted, atol=1e-9 * max(1.0, np.abs(wanted).max()))


def test_parameters_of_a_torch_layer_are_learnt():
    """A payload's ten numbers from torques, with log-Cholesky, from a wrong start."""
    true = parts.robot("fixed")
    model = true.parametrize(["payload.log_cholesky"])
    rng = np.random.default_rng(4)
    q, v, a = (
        torch.tensor(x) for x in (true.random(rng, 200), *rng.normal(size=(2, 200, true.nv)))
    )
    torque = ad_to_torch(InverseDynamics(true))(q, v, a)
    start = torch.tensor(model.parameters) + torch.tensor(0.3 * rng.normal(size=10))
    layer = ad_to_torch(InverseDynamics(model), trainable={"parameters": start})
    optimizer = torch.optim.LBFGS(
        layer.parameters(), max_iter=200, tolerance_change=1e-14, line_search_fn="strong_wolfe"
    )

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        total = (layer(q, v, a) - torque).square().mean()
        total.backward()
        return total

    optimizer.step(loss)
    assert loss().item() < 1e-10
    found = model.with_parameters(layer.parameters_.detach().numpy())
    again = ad_to_torch(InverseDynamics(found))(q, v, a)
    torch.testing.assert_close(again, torque, atol=1e-4, rtol=0.0)


def test_co_design_with_ipopt():
    """A planar arm, its upper link twice the lower, that reaches a point at a right angle."""
    arm = RobotModel(
        "planar", [Link(n) for n in ("base", "upper", "lower", "tip")],
        [Joint("shoulder", "continuous", "base", "upper", axis=[0, 0, 1]),
         Joint("elbow", "continuous", "upper", "lower", translation=[0.5, 0, 0], axis=[0, 0, 1]),
         Joint("end", "fixed", "lower", "tip", translation=[0.5, 0, 0])],
    ).parametrize(["upper.length", "lower.length"])  # fmt: skip
    tip = ad_to_casadi(WorldPosition(arm.link("tip")))
    shoulder, factors = casadi.SX.sym("s"), casadi.SX.sym("factors", 2)
    reached = tip(casadi.vertcat(shoulder, np.pi / 2), factors)[:2]
    goal = np.array([0.9, 1.2])
    problem = {
        "x": casadi.vertcat(shoulder, factors),
        "f": (factors[0] - 2.0 * factors[1]) ** 2,
        "g": reached - goal,
    }
    options = {"print_time": False, "ipopt.print_level": 0, "ipopt.sb": "yes"}
    solver = casadi.nlpsol("design", "ipopt", problem, options)
    found = solver(x0=[0.3, 1.0, 1.0], lbg=0, ubg=0, lbx=[-4, 0.1, 0.1])
    upper, lower = np.array(found["x"]).ravel()[1:]
    # upper^2 + lower^2 = (1.5 / 0.5)^2 with upper = 2 lower
    np.testing.assert_allclose([upper, lower], [6.0 / np.sqrt(5.0), 3.0 / np.sqrt(5.0)], rtol=1e-6)


def test_second_derivatives_are_symmetric_and_right():
    model = parts.robot("fixed").parametrize(["slide.log_cholesky", "push.placement"])
    energy = KineticEnergy(model)("q", "v", "parameters")
    rng = np.random.default_rng(6)
    at = {"q": model.random(rng), "v": rng.normal(size=model.nv)}
    at["parameters"] = model.parameters + 0.2 * rng.normal(size=16)
    H = ad.hessian(energy, "parameters").eval(**at).reshape(2 * (model.parameters.size,))
    np.testing.assert_allclose(H, H.T, atol=1e-10)
    direction, h = np.random.default_rng(7).normal(size=H.shape[0]), 1e-5
    slopes = [
        energy.derivative("parameters", **{**at, "parameters": at["parameters"] + s * direction})
        for s in (h, -h)
    ]
    np.testing.assert_allclose(H @ direction, (slopes[0] - slopes[1])[0] / (2 * h), atol=1e-5)
