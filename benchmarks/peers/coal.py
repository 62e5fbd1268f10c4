"""Pinocchio with coal: distances of the same capsules, and their gradients in Python."""

from __future__ import annotations

from typing import Any

import numpy as np

import ad_core as ad
from benchmarks.capsules import panda_capsules
from benchmarks.distances import self_collision
from benchmarks.model import Case, Timed, contender
from benchmarks.peers.pinocchio import load


@contender("Pinocchio and coal, a call a sample", "coal", "pin")
def all_pairs(case: Case) -> Timed:
    """`computeDistances`: kinematics and all pairs in C++."""
    import pinocchio

    model, bodies = _scene(case)
    data, found, q = model.createData(), bodies.createData(), _configurations(case)

    def call() -> None:
        for sample in q:
            pinocchio.computeDistances(model, data, bodies, found, sample)

    def values(_: None) -> tuple[Any]:
        rows: list[list[float]] = []
        for sample in q:
            pinocchio.computeDistances(model, data, bodies, found, sample)
            rows.append([result.min_distance for result in found.distanceResults])
        return (np.array(rows),)

    return Timed(call, values, 1e-9, remark="no derivatives")


@contender("Pinocchio and coal, a call a pair, with gradients", "coal", "pin")
def pair_by_pair(case: Case) -> Timed:
    """A loop in Python over samples and pairs: n . (J_b at p_b - J_a at p_a)."""
    import pinocchio

    model, bodies = _scene(case)
    data, found, q = model.createData(), bodies.createData(), _configurations(case)
    objects = bodies.geometryObjects
    joints = [
        (objects[pair.first].parentJoint, objects[pair.second].parentJoint)
        for pair in bodies.collisionPairs
    ]

    def call() -> Any:
        rows = np.empty((len(q), len(joints)))
        slopes = np.empty((len(q), len(joints), model.nv))
        for sample, row, slope in zip(q, rows, slopes, strict=True):
            pinocchio.computeJointJacobians(model, data, sample)
            pinocchio.updateGeometryPlacements(model, data, bodies, found)
            whole = data.J
            for k, (a, b) in enumerate(joints):
                result = pinocchio.computeDistance(bodies, found, k)
                n, p = result.normal, result.getNearestPoint1()
                row[k] = result.min_distance
                # a force along n acts at both points: its moment about the world's origin is one
                wrench = np.concatenate([n, _cross(p, n)])
                slope[k] = wrench @ (_columns(model, whole, b) - _columns(model, whole, a))
        return rows, slopes

    def nonzeros(results: Any) -> tuple[Any, Any]:
        rows, slopes = results
        return rows, slopes[:, self_collision(case.arm)(ad.var("q", model.nq)).sparsity("q")]

    return Timed(call, nonzeros, 1e-6)


def _cross(a: Any, b: Any) -> Any:
    """The product a x b, faster than numpy's."""
    (x, y, z), (u, v, w) = a.tolist(), b.tolist()
    return np.array([y * w - z * v, z * u - x * w, x * v - y * u])


def _columns(model: Any, whole: Any, joint: int) -> Any:
    """The columns of a Jacobian about the world's origin that move a joint; a chain's are first."""
    columns = np.zeros_like(whole)
    columns[:, :joint] = whole[:, :joint]
    return columns


def _configurations(case: Case) -> list[Any]:
    return list(case.configurations().astype(np.float64))


def _scene(case: Case) -> tuple[Any, Any]:
    """The model, and its capsules with the pairs of our rows."""
    import coal
    import pinocchio

    model, bodies = load(case.arm), pinocchio.GeometryModel()
    numbers: dict[tuple[str, int], int] = {}
    for link, placed in panda_capsules().items():
        frame = model.frames[model.getFrameId(link)]
        for i, one in enumerate(placed):
            at = frame.placement * pinocchio.SE3(one.rotation, one.translation)
            shape = coal.Capsule(one.shape.radius, one.shape.length)
            body = pinocchio.GeometryObject(f"{link}{i}", frame.parentJoint, at, shape)
            numbers[link, i] = bodies.addGeometryObject(body)
    for a, b in self_collision(case.arm).pairs:
        bodies.addCollisionPair(pinocchio.CollisionPair(numbers[a], numbers[b]))
    return model, bodies
