"""What `robograd bench` does: functions of a robot as kernels and layers beside installed peers.

All read the same numbers on one thread, take turns, and are compared before they are timed. The
repository's `make bench` measures more, on robots of its own.
"""

from __future__ import annotations

import importlib
import io
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bridges.kernel import ad_to_kernel
from robograd.robots import Mappings, is_mjcf, is_xacro, only_for_xacro
from robotics_ad import Mjcf, RobotModel, kinematics, load_urdf, read_mjcf
from robotics_ad.dynamics import ForwardDynamics, InverseDynamics
from robotics_ad.interop import pinocchio_order
from robotics_ad.load import expand_xacro

Array = NDArray[np.float64]

_ROUNDS = 9
_TURN = 0.05  # seconds that a turn lasts at least
_TOLERANCE = 1e-5  # some peers' constants pass through float32


@dataclass(frozen=True, eq=False)
class Subject:
    """A robot file, a link in it and states, (batch, n) each.

    Attributes:
        file: a URDF; or `scene`, what MuJoCo read.
    """

    file: str
    scene: Mjcf | None
    robot: RobotModel
    link: str
    q: Array
    v: Array
    x: Array


@dataclass(frozen=True, eq=False)
class Contender:
    """What is timed, and how its result is read as (batch, n), in the order of ours."""

    name: str
    call: Callable[[], Any]
    read: Callable[[Any], Array]


def bench(file: str, link: str | None, batch: int, mappings: Mappings | None = None) -> None:
    """Print microseconds a sample, the median of rounds, and the ratio to our kernel.

    Args:
        file: xacro if it ends in .xacro, else URDF or MJCF by its root element; joints that mimic
            move on their own.
        link: whose pose is computed; None: the last one.
        batch: samples a call.
        mappings: arguments of a xacro file.

    Raises:
        OSError, ImportError, ValueError: for the file, an unknown link, and a batch below 1.
    """
    if batch < 1:
        raise ValueError(f"--batch is {batch}, expected 1 or more")
    only_for_xacro(file, mappings)
    if is_xacro(file):  # peers read files, and none of them xacro
        with TemporaryDirectory() as folder:
            urdf = Path(folder, "expanded.urdf")
            urdf.write_text(expand_xacro(file, mappings=mappings), encoding="utf-8")
            bench(str(urdf), link, batch)
        return
    os.environ["ROBOGRAD_NUM_THREADS"] = "1"
    import torch

    torch.set_num_threads(1)
    subject = _subject(file, link, batch)
    robot = subject.robot
    print(f"{robot.name}: link {subject.link}, nq {robot.nq}, nv {robot.nv}, {batch:,} samples,")
    print("one thread; microseconds a sample (median) and times robograd's kernel\n")
    for title, function, inputs, peers in (
        ("pose", kinematics.WorldTransform(robot.link(subject.link)), 1, _poses),
        ("inverse dynamics", InverseDynamics(robot), 3, _inverse),
        ("forward dynamics", ForwardDynamics(robot), 3, _forward),
    ):
        print(title, flush=True)  # what follows may take a while to build
        ours = list(_ours(function, [subject.q, subject.v, subject.x][:inputs]))
        _print_rows([*ours, *peers(subject)], batch)


def _subject(file: str, link: str | None, batch: int) -> Subject:
    scene = read_mjcf(file) if is_mjcf(file) else None
    robot = load_urdf(file, mimics=False) if scene is None else scene.robot.release_mimics()
    name = robot.link_names[-1] if link is None else robot.link(link).name
    if not robot.nq:
        raise ValueError(f"{file}: no joint moves")
    rng = np.random.default_rng(0)
    q, v, x = robot.random(rng, (batch,)), *rng.normal(size=(2, batch, robot.nv))
    return Subject(file, scene, robot, name, q, v, x)


def _ours(function: Any, inputs: list[Array]) -> Iterator[Contender]:
    import torch

    from bridges.pytorch import ad_to_torch

    kernel, layer = ad_to_kernel(function), ad_to_torch(function)
    tensors = [torch.from_numpy(x) for x in inputs]
    yield Contender("robograd, kernel", lambda: kernel(*inputs), np.asarray)
    yield Contender("robograd, torch layer", lambda: layer(*tensors), _numpy)


def _numpy(tensor: Any) -> Array:
    return tensor.numpy()


# ---- peers; each is left out where it is not installed, or does not read such files


def _poses(subject: Subject) -> Iterator[Contender]:
    yield from _pinocchio(subject, _pinocchio_pose)
    if subject.scene is not None:
        yield _mujoco_pose(subject, subject.scene)
    elif subject.robot.nq == subject.robot.nv:
        yield from _if_it_can("pytorch_kinematics", lambda: _pytorch_kinematics(subject))
        yield from _if_it_can("adam", lambda: _adam(subject))


def _inverse(subject: Subject) -> Iterator[Contender]:
    yield from _pinocchio(subject, partial(_pinocchio_dynamics, "rnea"))


def _forward(subject: Subject) -> Iterator[Contender]:
    yield from _pinocchio(subject, partial(_pinocchio_dynamics, "aba"))


def _if_it_can(module: str, make: Callable[[], Contender]) -> Iterator[Contender]:
    if find_spec(module) is None:
        return
    try:
        with redirect_stderr(io.StringIO()):  # readers complain of every word that is not theirs
            made = make()
            made.call()
        yield made
    except Exception as error:  # whatever a peer finds wrong with a file
        reason = " ".join(str(error).split())[:80]
        sys.stderr.write(f"{module} does not take this robot: {reason}\n")


def _module(name: str) -> Any:
    """A peer, none of which has types."""
    return importlib.import_module(name)


def _pinocchio(
    subject: Subject, make: Callable[[Subject, Any, Any], Contender]
) -> Iterator[Contender]:
    if subject.scene is None:

        def made() -> Contender:
            model = _module("pinocchio").buildModelFromUrdf(subject.file)
            return make(subject, model, pinocchio_order(subject.robot, model))

        yield from _if_it_can("pinocchio", made)


def _pinocchio_pose(subject: Subject, model: Any, order: Any) -> Contender:
    pinocchio = _module("pinocchio")
    data, frame, q = model.createData(), model.getFrameId(subject.link), list(order.to_q(subject.q))

    def call() -> list[Any]:
        poses: list[Any] = []
        for sample in q:
            pinocchio.forwardKinematics(model, data, sample)
            poses.append(pinocchio.updateFramePlacement(model, data, frame).homogeneous)
        return poses

    return Contender("Pinocchio, a call a sample", call, lambda poses: _twelve(np.stack(poses)))


def _pinocchio_dynamics(algorithm: str, subject: Subject, model: Any, order: Any) -> Contender:
    run, data = getattr(_module("pinocchio"), algorithm), model.createData()
    q, v, x = order.to_q(subject.q), order.to_v(subject.v), order.to_v(subject.x)
    states = list(zip(q, v, x, strict=True))
    return Contender(
        "Pinocchio, a call a sample",
        lambda: [run(model, data, *state).copy() for state in states],
        lambda results: order.from_v(np.stack(results)),
    )


def _mujoco_pose(subject: Subject, scene: Mjcf) -> Contender:
    mujoco, model = _module("mujoco"), scene.model
    data, q = mujoco.MjData(model), list(scene.order.to_q(subject.q))
    body = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_BODY, subject.link)

    def call() -> list[Any]:
        poses: list[Any] = []
        for sample in q:
            data.qpos[:] = sample
            mujoco.mj_kinematics(model, data)
            poses.append(np.concatenate([data.xmat[body], data.xpos[body]]))
        return poses

    def read(poses: list[Any]) -> Array:
        rows = np.stack(poses)
        return np.concatenate([rows[:, [0, 3, 6, 1, 4, 7, 2, 5, 8]], rows[:, 9:]], axis=1)

    return Contender("MuJoCo, all bodies, a call a sample", call, read)


def _pytorch_kinematics(subject: Subject) -> Contender:
    import torch

    build = _module("pytorch_kinematics").build_serial_chain_from_urdf
    chain = build(Path(subject.file).read_bytes(), subject.link).to(dtype=torch.float64)
    on_the_way = subject.robot.subchain(subject.link).joint_names
    columns = [subject.robot.q_slices[name].start for name in on_the_way]
    q = torch.from_numpy(subject.q[:, columns])
    return Contender(
        "pytorch_kinematics",
        lambda: chain.forward_kinematics(q, end_only=True).get_matrix(),
        lambda poses: _twelve(_numpy(poses)),
    )


def _adam(subject: Subject) -> Contender:
    import torch

    names, device = list(subject.robot.joint_names), torch.device("cpu")
    make = _module("adam.pytorch").KinDynComputations
    computations = make(subject.file, names, device, torch.float64)
    q, base = torch.from_numpy(subject.q), torch.eye(4, dtype=torch.float64)
    base = base.expand(len(q), 4, 4)
    return Contender(
        "adam",
        lambda: computations.forward_kinematics(subject.link, base, q),
        lambda poses: _twelve(_numpy(poses)),
    )


def _twelve(poses: Array) -> Array:
    """(batch, 4, 4) -> (batch, 12), rotations column by column."""
    return poses[:, :3, :].transpose(0, 2, 1).reshape(-1, 12)


# ---- timing


def _print_rows(contenders: list[Contender], batch: int) -> None:
    wanted = contenders[0].read(contenders[0].call())
    scale = 1.0 + float(np.abs(wanted).max())
    same = [c for c in contenders if _apart(c, wanted) <= _TOLERANCE * scale]
    seconds = _in_turn([c.call for c in same])
    for contender in contenders:
        if contender not in same:
            print(f"  {contender.name:<38}{'another result':>12}")
            continue
        times = seconds[same.index(contender)]
        ratio = median(b / a for a, b in zip(seconds[0], times, strict=True))
        print(f"  {contender.name:<38}{_short(median(times) / batch * 1e6):>12}{_short(ratio):>9}")
    print()


def _short(number: float) -> str:
    """Three digits that matter."""
    return f"{number:,.0f}" if number >= 100.0 else f"{number:.3g}"


def _apart(contender: Contender, wanted: Array) -> float:
    got = contender.read(contender.call())
    return float(np.abs(got - wanted).max()) if got.shape == wanted.shape else np.inf


def _in_turn(calls: list[Callable[[], Any]]) -> list[list[float]]:
    """Seconds a call, by contender and round; short calls are repeated within a turn."""
    repeats: list[int] = []
    for call in calls:
        began = time.perf_counter()
        call()
        repeats.append(max(1, round(_TURN / max(time.perf_counter() - began, 1e-9))))
    seconds: list[list[float]] = [[] for _ in calls]
    for _ in range(_ROUNDS):
        for times, call, count in zip(seconds, calls, repeats, strict=True):
            began = time.perf_counter()
            for _ in range(count):
                call()
            times.append((time.perf_counter() - began) / count)
    return seconds
