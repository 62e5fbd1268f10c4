"""Inverse kinematics by descent on `se3.error`, from random starts, joint limits off."""

import casadi
import numpy as np
import pytest
import torch

import ad_core as ad
from bridges.casadi import ad_to_casadi
from bridges.pytorch import ad_to_torch
from robotics_ad import packaged_arm, se3
from robotics_ad.kinematics import WorldTransform

STARTS = 100


@pytest.fixture(scope="module")
def problem():
    """The error of the tool's pose in (q, target), and reachable targets with starts."""
    arm, rng = packaged_arm(), np.random.default_rng(0)
    forward = WorldTransform(arm.link("tool"))
    targets = forward("q").eval_batch(q=arm.random(rng, STARTS))
    error = se3.error(forward(ad.var("q", 7)), ad.var("target", 12))
    return error, arm.random(rng, STARTS), targets


def solved(error, found, targets) -> int:
    """How many configurations put the tool where it should be, to 1e-8 rad and m."""
    left = error.eval_batch(q=found, target=targets)
    return int((np.linalg.norm(left, axis=1) < 1e-8).sum())


def test_through_torch(problem):
    error, starts, targets = problem
    layer = ad_to_torch(error)
    found: list[np.ndarray] = []
    for start, target in zip(torch.tensor(starts), torch.tensor(targets), strict=True):
        q = start.clone().requires_grad_()
        optimizer = torch.optim.LBFGS(
            [q],
            max_iter=400,
            history_size=20,
            tolerance_grad=1e-12,
            tolerance_change=0.0,
            line_search_fn="strong_wolfe",
        )

        def loss(q=q, target=target, optimizer=optimizer):
            optimizer.zero_grad()
            value = 0.5 * (layer(q, target) ** 2).sum()
            value.backward()
            return value

        optimizer.step(loss)
        found.append(q.detach().numpy())
    assert solved(error, np.array(found), targets) >= 0.95 * STARTS


def test_through_ipopt(problem):
    error, starts, targets = problem
    function = ad_to_casadi(error, ["q", "target"])
    q, target = casadi.SX.sym("q", 7), casadi.SX.sym("target", 12)
    program = {"x": q, "p": target, "f": 0.5 * casadi.sumsqr(function(q, target))}
    quiet = {"ipopt.print_level": 0, "print_time": False, "ipopt.sb": "yes", "ipopt.tol": 1e-10}
    solver = casadi.nlpsol("ik", "ipopt", program, quiet)
    found = [
        np.array(solver(x0=start, p=target)["x"]).reshape(-1)
        for start, target in zip(starts, targets, strict=True)
    ]
    assert solved(error, np.array(found), targets) >= 0.95 * STARTS
