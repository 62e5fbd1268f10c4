"""Rollouts of an arm: kernels, MuJoCo's, and the same loop in torch around a layer of one step."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import numpy as np
import torch

import ad_core as ad
from ad_core import math as adm
from benchmarks.model import Arrays, Case, Limit, Measured, Timed, Work, contender
from benchmarks.ours import accelerations, several, single, work
from benchmarks.robots import Robot, robot
from bridges.kernel import Kernel, ad_to_kernel
from bridges.pytorch import ad_to_torch
from robotics_ad.dynamics import Rollout, Step
from robotics_ad.interop import mujoco_order

H = 1e-3
LENGTH, LONG = 50, 100


def rollout(robot: Robot, length: int, keep: str) -> ad.Expression:
    """States of `length` semi-implicit steps, of q0, v0 and taus."""
    function = Rollout(robot.model, H, length, keep=keep)  # pyright: ignore[reportArgumentType]
    return function(*(ad.var(name, n) for name, n in function.arguments().items()))


def inputs(case: Case, length: int) -> Arrays:
    """q0, v0 and the torques of all steps."""
    nv = case.arm.model.nv
    return case.configurations(), case.normal(nv, seed=3), case.normal(length * nv, seed=4)


@contender("rollout kernel")
def kernel(case: Case) -> Timed:
    """All states of 50 steps."""
    found = ad_to_kernel(rollout(case.arm, LENGTH, "all"), dtype=case.dtype)
    return Timed(partial(found, *inputs(case, LENGTH)), single, work=work(found))


def _forward_dynamics(case: Case, _: Work) -> Timed:
    """The forward dynamics kernel on as many states as the rollouts have steps."""
    found = ad_to_kernel(accelerations(case.arm), dtype=case.dtype)
    nv = case.arm.model.nv
    q, v, taus = inputs(case, LENGTH)
    states = np.repeat(q, LENGTH, axis=0), np.repeat(v, LENGTH, axis=0), taus.reshape(-1, nv)
    return Timed(partial(found, *states))


forward_dynamics = Limit("forward dynamics kernel, a sample a step", _forward_dynamics)


@contender("MuJoCo's rollout, one thread", "mujoco")
def mujocos(case: Case) -> Timed:
    """`mujoco.rollout` without contact and limits."""
    import mujoco
    from mujoco.rollout import rollout as roll

    model = mujoco.MjModel.from_xml_string(case.arm.urdf)
    off = mujoco.mjtDisableBit
    model.opt.disableflags |= int(off.mjDSBL_CONSTRAINT) | int(off.mjDSBL_ACTUATION)
    model.opt.timestep, model.opt.integrator = H, mujoco.mjtIntegrator.mjINT_EULER
    order, data = mujoco_order(case.arm.model, model), mujoco.MjData(model)
    q, v, taus = inputs(case, LENGTH)
    states = np.zeros((case.batch, mujoco.mj_stateSize(model, mujoco.mjtState.mjSTATE_FULLPHYSICS)))
    states[:, 1:] = np.hstack([order.to_q(q), order.to_v(v)])
    forces = order.to_v(taus.reshape(case.batch, LENGTH, -1))
    applied = int(mujoco.mjtState.mjSTATE_QFRC_APPLIED)
    call = partial(roll, model, data, states, forces, control_spec=applied)

    def read(result: tuple[np.ndarray, np.ndarray]) -> Arrays:
        """Our order, a row a rollout."""
        after = result[0][..., 1:]
        parts = (
            order.from_q(after[..., : model.nq]),
            order.from_v(after[..., model.nq : model.nq + model.nv]),
        )
        return (np.concatenate(parts, axis=-1).reshape(case.batch, -1),)

    return Timed(call, read, 1e-8)


# ---- gradients by the controls


def objective(robot: Robot) -> tuple[ad.Expression, ad.Expression]:
    """A weighted sum of the last state of 100 steps, and its gradient by the torques."""
    last = rollout(robot, LONG, "last")
    value = adm.dot(last, weights(robot))
    return value, ad.gradient(value, "taus")


def weights(robot: Robot) -> np.ndarray:
    """Of the entries of the last state."""
    return np.cos(np.arange(float(robot.model.nq + robot.model.nv)))


@contender("kernel of value and gradient")
def gradient_kernel(case: Case) -> Timed:
    """Both in one call."""
    found = ad_to_kernel(objective(case.arm), ["q0", "v0", "taus"], dtype=case.dtype)
    return Timed(partial(found, *inputs(case, LONG)), _flat, work=work(found))


@contender("loop in torch around the layer of a step")
def gradient_loop(case: Case) -> Timed:
    """A hundred calls of our layer, and autograd through them."""
    step = Step(case.arm.model, H)
    layer = ad_to_torch(step(*(ad.var(name, n) for name, n in step.arguments().items())))
    q, v, taus = (torch.from_numpy(x) for x in inputs(case, LONG))
    taus.requires_grad_()
    nv, scale = case.arm.model.nv, torch.from_numpy(weights(case.arm))

    def call() -> tuple[torch.Tensor, torch.Tensor]:
        x, y = q, v
        for tau in taus.split(nv, dim=1):
            x, y = layer(x, y, tau).split((q.shape[1], nv), dim=1)
        value = torch.cat([x, y], dim=1) @ scale
        return value.detach(), torch.autograd.grad(value.sum(), taus)[0]

    return Timed(call, _flat, 1e-8)


def _flat(results: object) -> Arrays:
    value, gradient = several(results)
    return value.reshape(-1), gradient


# ---- memory


def _peak(found: Kernel, arrays: Arrays) -> int:
    """How many bytes more a call holds at its peak than there were before it, results included."""
    Path("/proc/self/clear_refs").write_text("5")  # the peak is that from now on
    before = _status("VmRSS")
    results = found(*arrays)
    peak = _status("VmHWM") - before
    del results
    return peak


def _status(name: str) -> int:
    text = Path(f"/proc/{os.getpid()}/status").read_text()
    return 1024 * int(text.split(f"{name}:")[1].split()[0])


def memory_figures(quick: bool) -> list[Measured]:
    """The peak of a call for value and gradient, over the bytes of states and gradients."""
    case = Case(robot("panda"), 256 if quick else 4_096, "float64")
    found = ad_to_kernel(objective(case.arm), ["q0", "v0", "taus"])
    least = case.batch * LONG * 8 * (case.arm.model.nq + 2 * case.arm.model.nv)
    arrays = inputs(case, LONG)
    found(*(np.zeros_like(x[:1]) for x in arrays))  # loads code
    peak = _peak(found, arrays)
    return [
        Measured("peak over states and gradients", peak / least, "", at_most=1.5),
        Measured("peak", peak / 2**20, "MiB"),
        Measured("states and gradients", least / 2**20, "MiB"),
    ]
