"""Every URDF of example-robot-data against Pinocchio: all algorithms, fixed and floating base.

Three random states a robot, to 1e-9 relative. Robots in which joints mimic others come twice: with
each joint set free, as Pinocchio loads them by itself, and as they are, against its `mimic=True`.
Poses, mass matrix and inverse dynamics are compared on both bases, all else on either, in turn. The
quick tests have of each robot the first of its files, on either base.

All our values of one quantity come from one batched evaluation, those of several links from one
graph.
"""

from __future__ import annotations

import importlib.metadata
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pinocchio
import pytest
from robot_files import urdf_path

import ad_core as ad
from robotics_ad import RobotModel, load_urdf
from robotics_ad.dynamics import (
    CenterOfMass,
    CentroidalMatrix,
    ForwardDynamics,
    InverseDynamics,
    KineticEnergy,
    MassMatrix,
    PotentialEnergy,
)
from robotics_ad.interop import Order, pinocchio_order
from robotics_ad.kinematics import (
    DriftAcceleration,
    Jacobian,
    KinematicsBuilder,
    WorldTransform,
    WorldTransforms,
)

STATES = 3
FRAMES = {
    "world": pinocchio.WORLD,
    "local": pinocchio.LOCAL,
    "local_world_aligned": pinocchio.LOCAL_WORLD_ALIGNED,
}
REFUSED = {  # file -> what we say
    "alex_description/urdf/alex_psyonic_hands.urdf": "mimics 'index_q1': no such joint",
    "ur_description/urdf/ur3.urdf": "<robot> has no attribute 'name'",
}
WITH_MIMICS = (
    "baxter_description/urdf/baxter.urdf",
    "panda_description/urdf/panda.urdf",
    "panda_description/urdf/panda_collision.urdf",
    "pr2_description/urdf/pr2.urdf",
    "romeo_description/urdf/romeo.urdf",
    "talos_data/robots/talos_full_v2.urdf",
    "talos_data/robots/talos_full_v2_box.urdf",
    "tiago_pro_description/robots/tiago_pro.urdf",
)
NOT_MIMICKED = (  # by Pinocchio: a leader comes after a joint that follows it
    "romeo_description/urdf/romeo.urdf",
    "talos_data/robots/talos_full_v2.urdf",
    "talos_data/robots/talos_full_v2_box.urdf",
)
WITHOUT_MASS = (  # moving links at the end of an arm
    "romeo_description/urdf/romeo.urdf",
    "romeo_description/urdf/romeo_laas_small.urdf",
)
# so101.urdf has an <origin> in a <link>, which means nothing there
pytestmark = pytest.mark.filterwarnings("ignore:.*belongs elsewhere:UserWarning")
EPS = float(np.finfo(np.float64).eps)
ANGULAR_FIRST = [3, 4, 5, 0, 1, 2]


def every_urdf() -> list[str]:
    files = importlib.metadata.files("example-robot-data") or []
    names = [str(file).split("example-robot-data/robots/")[-1] for file in files]
    return sorted({name for name in names if name.endswith(".urdf")})


@dataclass(frozen=True)
class Case:
    name: str
    base: str
    mimics: bool = False

    def __str__(self) -> str:
        path = Path(self.name)
        mimics = ["mimics"] if self.mimics else []
        return "-".join([path.parts[0].split("_")[0], path.stem, self.base, *mimics])


BASES = ("fixed", "floating")
CASES = [Case(name, base) for name in every_urdf() if name not in REFUSED for base in BASES]
CASES += [Case(name, base, mimics=True) for name in WITH_MIMICS for base in BASES]
ONE_BASE = CASES[0::4] + CASES[3::4]  # bases come in pairs


def robot_of(case: Case) -> tuple[str, bool]:
    return Path(case.name).parts[0], case.mimics


FIRST = {robot_of(case): case.name for case in reversed(CASES)}


def marked(cases: list[Case]) -> list[Any]:
    """Parameters, of which those are quick that are of a robot's first file, on one base."""
    quick = {case for case in ONE_BASE if case.name == FIRST[robot_of(case)]}
    marks = {case: () if case in quick else pytest.mark.slow for case in cases}
    return [pytest.param(case, id=str(case), marks=marks[case]) for case in cases]


@dataclass(frozen=True)
class Pair:
    """Our robot and Pinocchio's, and a few states in the coordinates of both.

    With v_theirs = G v, also where they do not know of mimics: tau = G^T tau_theirs, and so on.
    """

    case: Case
    robot: RobotModel
    model: Any
    data: Any

    @cached_property
    def order(self) -> Order:
        return pinocchio_order(self.robot, self.model)

    @cached_property
    def G(self) -> np.ndarray:
        return self.order.to_v(np.eye(self.robot.nv)).T

    @cached_property
    def states(self) -> dict[str, np.ndarray]:
        """Our q, v, a and tau, a row for each state."""
        rng, nv = np.random.default_rng(0), self.robot.nv
        q = self.robot.random(rng, STATES)
        v, a, tau = rng.normal(size=(3, STATES, nv))
        return {"q": q, "v": v, "a": a, "tau": tau}

    @cached_property
    def links(self) -> list[str]:
        """The links that Pinocchio has, too: all but the world that a floating base is added to."""
        return [name for name in self.robot.link_names if self.model.existBodyName(name)]

    @property
    def ids(self) -> list[int]:
        """Pinocchio's frames of `few_links`."""
        return [self.model.getFrameId(name, pinocchio.FrameType.BODY) for name in self.few_links]

    @cached_property
    def few_links(self) -> list[str]:
        """Three of them, others for each file and base."""
        rng = np.random.default_rng([*str(self.case).encode()])
        return [self.links[int(i)] for i in rng.choice(len(self.links), min(3, len(self.links)))]

    def theirs(self, *names: str) -> list[tuple[np.ndarray, ...]]:
        """The states as Pinocchio takes them."""
        as_q, as_v = self.order.to_q, self.order.to_v
        columns = [(as_q if n == "q" else as_v)(self.states[n]) for n in names]
        return list(zip(*columns, strict=True))

    def ours(self, function: ad.Composite, **more: np.ndarray) -> np.ndarray:
        """A function of the robot at the states: (STATES, n_out)."""
        names = [function.argname(i) for i in range(function.n_args())]
        sizes = {n: function.n_in(i) for i, n in enumerate(names)}
        return self.evaluated(function(*(ad.var(n, sizes[n]) for n in names)), **more)

    def evaluated(self, expression: ad.Expression, **more: np.ndarray) -> np.ndarray:
        values = {n: x for n, x in (self.states | more).items() if n in expression.terminals()}
        return np.broadcast_to(expression.eval_batch(**values), (STATES, expression.size or 1))

    @cached_property
    def kinematics(self) -> dict[str, np.ndarray]:
        """Jacobians and drifts in all frames, of `few_links`: (STATES, links, ...)."""
        moved = KinematicsBuilder(self.robot, "q", "v", np.zeros(self.robot.nv))
        parts: dict[str, list[ad.Expression]] = {}
        for frame in FRAMES:
            parts[f"J {frame}"] = [moved.jacobian(name, frame) for name in self.few_links]
            parts[f"drift {frame}"] = [
                moved.link_acceleration(name, frame) for name in self.few_links
            ]
        together = self.evaluated(ad.stack(*(part for some in parts.values() for part in some)))
        ends = np.cumsum([sum(part.size or 1 for part in some) for some in parts.values()])
        found = np.split(together, ends[:-1], axis=1)
        return {
            what: some.reshape(STATES, len(self.few_links), -1)
            for what, some in zip(parts, found, strict=True)
        }

    @cached_property
    def poses(self) -> np.ndarray:
        """Of all `links`: (STATES, links, 12)."""
        if self.robot.nv == 0:
            q = np.zeros(0)
            fixed = [WorldTransform(self.robot.link(name))("q").eval(q=q) for name in self.links]
            return np.broadcast_to(fixed, (STATES, len(self.links), 12))
        together = self.ours(WorldTransforms(self.robot, self.links))
        return together.reshape(STATES, len(self.links), 12)

    def mass_matrix(self, q: np.ndarray) -> np.ndarray:
        """Theirs in our coordinates."""
        M = np.triu(pinocchio.crba(self.model, self.data, q))
        return self.G.T @ (M + np.triu(M, 1).T) @ self.G


@lru_cache(maxsize=1)
def pair(case: Case) -> Pair:
    path = urdf_path(case.name)
    robot = load_urdf(path, base=case.base, mimics=case.mimics)
    root = [pinocchio.JointModelFreeFlyer()] if case.base == "floating" else []
    mimic = case.mimics and case.name not in NOT_MIMICKED
    model = pinocchio.buildModelFromUrdf(str(path), *root, mimic=mimic)
    return Pair(case, robot, model, model.createData())


@pytest.fixture(scope="module", params=marked(CASES))
def both(request: pytest.FixtureRequest) -> Pair:
    return pair(request.param)


@pytest.fixture(scope="module", params=marked(ONE_BASE))
def moving(request: pytest.FixtureRequest) -> Pair:
    found = pair(request.param)
    if found.robot.nv == 0:
        pytest.skip("nothing moves")
    return found


def close(ours: Any, theirs: Any, scale: Any = None, axes: int = 1) -> None:
    """Equal to 1e-9 of the largest entry beyond the first `axes` (states, links), or of `scale`."""
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    assert ours.shape == theirs.shape
    assert np.isfinite(theirs).all()
    if scale is None:
        inner = tuple(range(axes, theirs.ndim))
        scale = np.abs(theirs).max(axis=inner, keepdims=True, initial=0.0)
    error = np.abs(ours - theirs)
    right = bool((error <= 1e-9 * scale).all())
    assert right, f"off by {error.max()}"


def test_files_that_are_refused_say_why():
    for name, reason in REFUSED.items():
        with pytest.raises(ValueError, match=reason):
            load_urdf(urdf_path(name))
    with pytest.raises(ValueError, match="mimic joint is not in the kinematic tree"):
        pinocchio.buildModelFromUrdf(str(urdf_path(next(iter(REFUSED)))), mimic=True)
    assert load_urdf(urdf_path(next(iter(REFUSED))), mimics=False).nv == 39


def test_frames(both):
    """Every frame of Pinocchio's model: of links, of moving joints and of fixed joints."""
    robot, model, data = both.robot, both.model, both.data
    ours, links = both.poses, {name: i for i, name in enumerate(both.links)}
    of_joint = {joint.name: links[joint.child] for joint in robot.joints}
    frames = [frame for frame in model.frames if frame.name != "universe"]
    at = [
        (links if frame.type == pinocchio.FrameType.BODY else of_joint)[frame.name]
        for frame in frames
    ]
    assert set(at) == set(links.values())
    theirs = []
    for (q,) in both.theirs("q"):
        pinocchio.forwardKinematics(model, data, q)
        placed = [data.oMi[frame.parentJoint] * frame.placement for frame in frames]
        theirs.append([[*pose.rotation.T.ravel(), *pose.translation] for pose in placed])
    close(ours[:, at], theirs, axes=2)
    if robot.nv > 0:
        for name in both.few_links:
            close(both.ours(WorldTransform(robot.link(name))), ours[:, links[name]])


def test_jacobians(moving):
    robot, model, data, nv = moving.robot, moving.model, moving.data, moving.robot.nv
    theirs = {frame: [] for frame in FRAMES}
    for (q,) in moving.theirs("q"):
        pinocchio.computeJointJacobians(model, data, q)
        pinocchio.updateFramePlacements(model, data)
        for frame, at in theirs.items():
            J = [pinocchio.getFrameJacobian(model, data, i, FRAMES[frame]) for i in moving.ids]
            at.append(np.array(J)[:, ANGULAR_FIRST] @ moving.G)
    for (frame, found), name in zip(theirs.items(), moving.few_links, strict=False):
        found = np.array(found).reshape(STATES, -1, 6 * nv)
        close(moving.kinematics[f"J {frame}"], found, axes=2)
        alone = moving.ours(Jacobian(robot.link(name), frame))
        close(alone, found[:, moving.few_links.index(name)])


def test_drift(moving):
    """Spatial acceleration in the frames at rest, classical where the axes are the world's."""
    robot, model, data = moving.robot, moving.model, moving.data
    theirs = {frame: [] for frame in FRAMES}
    for q, v in moving.theirs("q", "v"):
        pinocchio.forwardKinematics(model, data, q, v, np.zeros_like(v))
        pinocchio.updateFramePlacements(model, data)
        for frame, at in theirs.items():
            kind = "Classical" if frame == "local_world_aligned" else ""
            get = getattr(pinocchio, f"getFrame{kind}Acceleration")
            at.append([get(model, data, i, FRAMES[frame]).vector for i in moving.ids])
    squared = (moving.states["v"] ** 2).max(axis=1)
    for (frame, found), name in zip(theirs.items(), moving.few_links, strict=False):
        found = np.array(found)[..., ANGULAR_FIRST]
        scale = np.maximum(np.abs(found).max(axis=(1, 2)), squared)[:, None]
        close(moving.kinematics[f"drift {frame}"], found, scale[:, None])
        alone = moving.ours(DriftAcceleration(robot.link(name), frame))
        close(alone, found[:, moving.few_links.index(name)], scale)


def test_mass_matrix_and_inverse_dynamics(both):
    robot, model, data, G, nv = both.robot, both.model, both.data, both.G, both.robot.nv
    if nv == 0:
        pytest.skip("nothing moves")
    M = both.ours(MassMatrix(robot)).reshape(STATES, nv, nv)
    close(M, [both.mass_matrix(q) for (q,) in both.theirs("q")])
    tau = both.ours(InverseDynamics(robot))
    close(tau, [G.T @ pinocchio.rnea(model, data, *at) for at in both.theirs("q", "v", "a")])


def test_forward_dynamics(moving):
    """Against ABA; with mimics, which it does not know, against a solution with their M."""
    robot, model, data, G = moving.robot, moving.model, moving.data, moving.G
    inverse = moving.ours(InverseDynamics(robot))
    twice = {n: np.concatenate([x, x]) for n, x in moving.states.items()}
    twice["tau"] = np.concatenate([moving.states["tau"], inverse])
    ours = ForwardDynamics(robot)("q", "v", "tau").eval_batch(
        **{n: twice[n] for n in ("q", "v", "tau")}
    )
    if moving.case.name in WITHOUT_MASS:
        assert not np.isfinite(ours).all(axis=1).any()
        return
    theirs = []
    for (q, v, theirs_tau), tau in zip(
        moving.theirs("q", "v", "tau"), moving.states["tau"], strict=True
    ):
        if moving.case.mimics:
            bias = G.T @ pinocchio.nonLinearEffects(model, data, q, v)
            theirs.append(np.linalg.solve(moving.mass_matrix(q), tau - bias))
        else:
            theirs.append(pinocchio.aba(model, data, q, v, theirs_tau) @ G)
    # all ways lose what the mass matrix is conditioned like: 1e8 for one robot, 1e13 for another
    condition = np.array([np.linalg.cond(moving.mass_matrix(q)) for (q,) in moving.theirs("q")])
    lost, largest = 1e9 * EPS * condition[:, None], np.abs(theirs).max(axis=1, keepdims=True)
    close(ours[:STATES], theirs, largest * np.maximum(1.0, 0.01 * lost))
    a = moving.states["a"]
    close(ours[STATES:], a, np.maximum(np.abs(a).max(axis=1, keepdims=True), lost))


def test_external_wrenches(moving):
    robot, model, data, G = moving.robot, moving.model, moving.data, moving.G
    names = sorted(set(moving.few_links))
    links, rng = [robot.link(name) for name in names], np.random.default_rng(3)
    wrenches = rng.normal(size=(STATES, len(names), 6))
    theirs = []
    for at, given in zip(moving.theirs("q", "v", "a"), wrenches, strict=True):
        on_joints = [pinocchio.Force.Zero() for _ in range(model.njoints)]
        for name, wrench in zip(names, given, strict=True):
            frame = model.frames[model.getFrameId(name, pinocchio.FrameType.BODY)]
            force = pinocchio.Force(wrench[3:], wrench[:3])
            on_joints[frame.parentJoint] += frame.placement.act(force)
        theirs.append(G.T @ pinocchio.rnea(model, data, *at, on_joints))
    inverse = InverseDynamics(robot, wrenches_on=links)
    close(moving.ours(inverse, wrenches=wrenches.reshape(STATES, -1)), theirs)


def test_energies_and_momentum(moving):
    robot, model, data, G = moving.robot, moving.model, moving.data, moving.G
    com, kinetic, potential, momentum, matrix = [], [], [], [], []
    for (q, v), ours in zip(moving.theirs("q", "v"), moving.states["v"], strict=True):
        com.append(pinocchio.centerOfMass(model, data, q).copy())
        if moving.case.mimics and moving.case.name not in NOT_MIMICKED:  # it has none of these
            kinetic.append([0.5 * ours @ moving.mass_matrix(q) @ ours])
            mass = pinocchio.computeTotalMass(model)
            potential.append([-mass * float(model.gravity.linear @ com[-1])])
        else:
            kinetic.append([pinocchio.computeKineticEnergy(model, data, q, v)])
            potential.append([pinocchio.computePotentialEnergy(model, data, q)])
        pinocchio.ccrba(model, data, q, v)
        matrix.append(data.Ag[ANGULAR_FIRST] @ G)
        momentum.append([*data.hg.angular, *data.hg.linear])
    close(moving.ours(CenterOfMass(robot)), com)
    close(moving.ours(KineticEnergy(robot)), kinetic)
    reach = robot.mass * 9.81 * np.abs(com).max(axis=1, keepdims=True)
    close(moving.ours(PotentialEnergy(robot)), potential, reach)
    A = moving.ours(CentroidalMatrix(robot)).reshape(STATES, 6, robot.nv)
    close(A, matrix)
    close(np.einsum("nij,nj->ni", A, moving.states["v"]), momentum)
