"""Gradients of solutions against CasADi's own sensitivities and against differences."""

import casadi
import numpy as np
import pytest
import torch
from control_problems import heading, pendulum

import ad_core as ad
from ad_core import math as adm
from bridges.casadi import Constraint, ControlProblem, ControlSolver, Phase
from bridges.pytorch import ControlLayer

TIGHT = 1e-11


@pytest.fixture(scope="module")
def solver() -> ControlSolver:
    return ControlProblem(pendulum()).solver("fatrop", tolerance=TIGHT)


def arguments(seed: int, batch: int) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    draws = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=draws, dtype=torch.float64)

    weight = torch.tensor([1.0, 1.3], dtype=torch.float64) + 0.1 * normal(2)
    given = {"goal": normal(batch, 2), "weight": weight, "d": 0.1 * normal(batch, 8, 1)}
    start = {"x": 0.2 * normal(batch, 2)}
    for value in (*given.values(), *start.values()):
        value.requires_grad_()
    return given, start


@pytest.mark.parametrize("seed", range(4))
def test_gradients_by_parameters_and_start(solver: ControlSolver, seed: int) -> None:
    """Of states, controls and cost; with limits that are active in some samples."""
    layer = ControlLayer(solver)
    given, start = arguments(seed, 3)
    names = list(given)

    def run(*values: torch.Tensor) -> tuple[torch.Tensor, ...]:
        result = layer(dict(zip(names, values[:-1], strict=True)), {"x": values[-1]})
        assert bool(result.solved.all())
        return result["x"], result["u"], result.cost

    values = (*given.values(), start["x"])
    assert torch.autograd.gradcheck(run, values, eps=1e-5, atol=1e-6, rtol=1e-5)
    limits = run(*values)[1].abs()
    assert bool((limits > 0.4999).any())  # so that the draw is not without


def test_gradients_are_those_of_casadis_solver(solver: ControlSolver) -> None:
    given, start = arguments(7, 1)
    result = ControlLayer(solver)(given, start)
    draws = torch.Generator().manual_seed(1)
    weights = {
        name: torch.randn(result[name].shape, generator=draws, dtype=torch.float64)
        for name in ("x", "u")
    }
    loss = sum((weights[name] * result[name]).sum() for name in weights)
    assert isinstance(loss, torch.Tensor)
    loss.backward()

    (solution,) = result.solutions
    program, layout = ControlProblem(pendulum()).program(), solver.layout
    x, n = program["x"], solution.x.size
    program["g"] = casadi.vertcat(program["g"], x[:2])  # the start as an equation
    options = {"ipopt.print_level": 0, "print_time": False, "ipopt.sb": "yes", "ipopt.tol": 1e-11}
    options |= {"bound_consistency": True, "min_lam": 1e-7}  # it takes every multiplier for active
    plain = casadi.nlpsol("plain", "ipopt", program, options)
    p, x0 = casadi.MX.sym("p", solution.p.size), casadi.MX.sym("x0", 2)
    lower, upper = (bound.copy() for bound in solution.bounds)
    lower[:2], upper[:2] = -np.inf, np.inf
    lbg, ubg = (casadi.vertcat(bound, x0) for bound in (layout.lower, layout.upper))
    found = plain(x0=solution.x, p=p, lbx=lower, ubx=upper, lbg=lbg, ubg=ubg)["x"]
    rows = torch.cat([weights["x"][0, :7], weights["u"][0]], dim=1).reshape(-1)
    seed = casadi.DM(torch.cat([rows, weights["x"][0, 7]]).numpy())
    pulled = [casadi.jtimes(found, by, seed, True) for by in (p, x0)]
    by_p, by_x = (np.array(v).reshape(-1) for v in casadi.Function("f", [p, x0], pulled)(
        solution.p, solution.x[:2]
    ))  # fmt: skip
    assert n == seed.numel()
    got = [given["d"].grad, *(given[name].grad for name in problem_parameters())]
    ours = np.concatenate([g.numpy().reshape(-1) for g in got if g is not None])
    assert np.allclose(ours, by_p, rtol=1e-6, atol=1e-7)
    assert start["x"].grad is not None
    assert np.allclose(start["x"].grad[0], by_x, rtol=1e-6, atol=1e-7)


def problem_parameters() -> list[str]:
    return list(ControlProblem(pendulum()).parameters)


def test_starts_on_manifolds() -> None:
    """By the start, along the circle."""
    solver = ControlProblem(heading(4)).solver("fatrop", tolerance=TIGHT)
    layer = ControlLayer(solver)

    def run(a: torch.Tensor, b: torch.Tensor, w: torch.Tensor) -> tuple[torch.Tensor, ...]:
        z, goal = (torch.stack([t.cos(), t.sin()], dim=-1) for t in (a, b))
        result = layer({"goal": goal}, {"z": z, "w": w})
        return result["z"], result["u"], result.cost

    a = torch.tensor([0.3, 2.9], dtype=torch.float64, requires_grad=True)
    b = torch.tensor([1.1, -2.9], dtype=torch.float64, requires_grad=True)
    w = torch.tensor([[0.4], [-0.3]], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(run, (a, b, w), eps=1e-5, atol=1e-6, rtol=1e-5)


def test_unsolved_samples_are_marked_and_have_no_gradient(solver: ControlSolver) -> None:
    layer = ControlLayer(solver)
    given, start = arguments(0, 2)
    wild = torch.tensor([[0.1, 0.0], [0.1, 30.0]], dtype=torch.float64, requires_grad=True)
    result = layer(given, {"x": wild})
    assert result.solved.tolist() == [True, False]
    assert start
    with pytest.raises(RuntimeError, match="sample 1 is not solved"):
        result["u"].sum().backward()
    result = layer(given, {"x": wild})
    (result["u"].sum(dim=(1, 2)) * result.solved).sum().backward()
    assert wild.grad is not None
    assert wild.grad[1].abs().max() == 0.0
    assert wild.grad[0].abs().max() > 0.0


def test_a_barrier_is_exact_where_the_solver_ends_at_it() -> None:
    """IPOPT at `mu_target`: its solutions are smooth, and so are the gradients."""
    mu = 1e-3
    options = {"ipopt.mu_target": mu, "ipopt.tol": 1e-10, "ipopt.bound_relax_factor": 0.0}
    solver = ControlProblem(pendulum(4)).solver("ipopt", options=options)
    layer = ControlLayer(solver, barrier=mu)
    weight = torch.tensor([1.0, 1.3], dtype=torch.float64)
    x = torch.tensor([0.1, 0.0], dtype=torch.float64)

    def run(goal: torch.Tensor) -> torch.Tensor:
        d = torch.zeros(5, 1, dtype=torch.float64)
        return layer({"goal": goal, "weight": weight, "d": d}, {"x": x})["u"]

    goal = torch.tensor([0.9, 0.2], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(run, (goal,), eps=1e-5, atol=1e-6, rtol=1e-4)


def test_types_and_shapes(solver: ControlSolver) -> None:
    layer = ControlLayer(solver, threads=2)
    given, start = arguments(2, 4)
    result = layer({n: v.detach().float() for n, v in given.items()}, {"x": start["x"][0]})
    assert result["x"].shape == (4, 8, 2)
    assert result["u"].dtype == torch.float32
    again = layer(given, start, guess=result.solutions)
    assert bool(again.solved.all())
    with pytest.raises(KeyError, match="no state or control 'y'"):
        result["y"]
    with pytest.raises(ValueError, match="'x' has shape"):
        layer(given, {"x": start["x"][:3]})
    with pytest.raises(ValueError, match="guess has 3 entries, batch 4"):
        layer(given, start, guess=list(result.solutions[:3]))
    with pytest.raises(TypeError, match="argument 'solver' is a str, expected a ControlSolver"):
        ControlLayer("fatrop")  # type: ignore[arg-type]


def random_problem(seed: int) -> ControlProblem:
    """A problem drawn at random: dynamics, costs, limits."""
    rng = np.random.default_rng(seed)
    n, m = int(rng.integers(1, 4)), int(rng.integers(1, 3))
    x, u, p = ad.var("x", n), ad.var("u", m), ad.var("p", 3)
    A, B, C = 0.4 * rng.normal(size=(n, n)), rng.normal(size=(n, m)), rng.normal(size=(n, 3))

    def times(M: np.ndarray, v: ad.Expression) -> ad.Expression:
        return adm.matmul(ad.constant(M.reshape(-1)), v, M.shape, (M.shape[1], 1))

    drift = 0.3 * adm.tanh(times(A, x)) + 0.2 * times(B, u) + 0.1 * adm.sin(times(C, p))
    limit = float(rng.uniform(0.2, 0.6)) if seed % 2 else np.inf
    return ControlProblem(
        Phase(
            int(rng.integers(2, 7)),
            {"x": x + drift},
            ["u"],
            cost=0.1 * adm.exp(0.3 * p[0]) * ad.sum_(u * u) + 0.01 * ad.sum_(x * x * x * x),
            residual=x - times(rng.normal(size=(n, 3)), p),
            end_residual=2.0 * x - p[1],
            bounds={"u": (-limit, limit)},
            path=[Constraint(x[0] + 0.1 * u[0], -3.0 * limit, 2.0 * limit)] if seed % 2 else (),
        )
    )


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_random_problems(seed: int) -> None:
    solver = random_problem(seed).solver("fatrop", tolerance=1e-12)
    layer = ControlLayer(solver)
    rng = np.random.default_rng(seed)
    n = solver.layout.state_sizes()["x"]
    p = torch.from_numpy(0.5 * rng.normal(size=(2, 3))).requires_grad_()
    x = torch.from_numpy(0.05 * rng.normal(size=(2, n))).requires_grad_()

    def run(p: torch.Tensor, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        result = layer({"p": p}, {"x": x})
        assert bool(result.solved.all())
        return result["u"], result["x"], result.cost

    assert torch.autograd.gradcheck(run, (p, x), eps=1e-5, atol=1e-6, rtol=1e-6)
