"""Jacobians of dynamics with all entries written out: values, and how many operations they take.

CasADi differentiates the same functions by itself; Pinocchio has algorithms of its own.
"""

from __future__ import annotations

import casadi
import numpy as np
import parametrized_robot as parts
import pinocchio
import pytest
from dynamics_cases import FUNCTIONS, joints_of_all_types, point
from robot_files import urdf_path

import ad_core as ad
from ad_core.graph import ADFunctionInterface
from ad_core.lowering import lower
from bridges.casadi import ad_to_casadi
from bridges.kernel.source import GraphSource
from bridges.native.interpret import interpret
from bridges.native.program import Program
from robotics_ad import load_urdf
from robotics_ad.dynamics import ForwardDynamics, InverseDynamics, Rollout
from robotics_ad.kinematics import Integrate, WorldTransform

ALL = joints_of_all_types()
VARIED = parts.robot("floating").parametrize(["*.moments", "*.placement", "follow.armature"])
CASES = {
    **FUNCTIONS,
    "torques of all joint types": InverseDynamics(ALL, "argument", [ALL.links[3].name]),
    "torques of parameters": InverseDynamics(VARIED, friction=True),
    "torques on a fixed base": InverseDynamics(parts.robot("fixed"), friction=True),
}
G1 = "g1_description/urdf/g1_29dof_rev_1_0.urdf"


def hessian(function: ADFunctionInterface) -> Program:
    """All second derivatives of the results' sum with weights, by the first three inputs."""
    every = (0, 1, 2)
    return GraphSource.of(lower(function)).derived("vjp", every).derived("jacobian", every).program


def program(function: ADFunctionInterface, inputs: int) -> Program:
    """All Jacobians by the first inputs."""
    return GraphSource.of(lower(function)).derived("jacobian", tuple(range(inputs))).program


def run(found: Program, at: dict[str, np.ndarray]) -> list[np.ndarray]:
    outputs = [np.empty((1, n)) for n in found.output_sizes]
    interpret(found, [x[None] for x in at.values()], outputs)
    return [out[0] for out in outputs]


@pytest.mark.parametrize("name", list(CASES))
def test_entries_equal_casadis(name: str):
    function = CASES[name]
    at = point(function)
    symbols = [casadi.SX.sym(x, value.size) for x, value in at.items()]
    value = ad_to_casadi(function, symbolic="SX")(*symbols)
    theirs = casadi.Function("f", symbols, [casadi.jacobian(value, x) for x in symbols])
    found = run(program(function, len(at)), at)
    for ours, J in zip(found, theirs(*at.values()), strict=True):
        J = J.full()
        bound = 1e-10 * max(1.0, np.abs(J).max())
        np.testing.assert_allclose(ours.reshape(J.shape), J, rtol=1e-9, atol=bound)


def test_on_a_floating_base_they_are_pinocchios(free_twin_of):
    """Along tangents of q, in Pinocchio's order of them."""
    twin = free_twin_of(urdf_path("anymal_c_simple_description/urdf/anymal.urdf"), "floating")
    robot, nv = twin.robot, twin.robot.nv
    order = twin.to_pin_v(np.arange(nv)).astype(int)
    along = Integrate(robot)("q", ad.var("x", nv))
    functions = [program(f(robot), 3) for f in (InverseDynamics, ForwardDynamics)]
    for q, v, x in twin.states(2):
        T = along.derivative("x", q=q, x=np.zeros(nv))
        state = (twin.to_pin_q(q), twin.to_pin_v(v), twin.to_pin_v(x))
        algorithms = (pinocchio.computeRNEADerivatives, pinocchio.computeABADerivatives)
        theirs = [tuple(map(np.array, f(twin.model, twin.data, *state))) for f in algorithms]
        for found, expected in zip(functions, theirs, strict=True):
            by_q, by_v, by_x = run(found, {"q": q, "v": v, "x": x})
            ours = (by_q.reshape(nv, -1) @ T, by_v.reshape(nv, nv), by_x.reshape(nv, nv))
            for J, other in zip(ours, expected, strict=True):
                whole = np.triu(other) + np.triu(other, 1).T if J is ours[2] else other
                bound = 1e-10 * max(1.0, np.abs(whole).max())
                np.testing.assert_allclose(J[np.ix_(order, order)], whole, atol=bound)


@pytest.mark.parametrize(("function", "count"), [(InverseDynamics, 2583), (ForwardDynamics, 4791)])
def test_operations_of_an_arm(panda, function, count):
    panda7 = panda.robot.lock_joints({"panda_finger_joint1": 0.0})
    assert program(function(panda7), 3).n_ops <= count


@pytest.mark.parametrize(
    ("function", "count"),
    [(InverseDynamics, 22652), pytest.param(ForwardDynamics, 103256, marks=pytest.mark.slow)],
)
def test_operations_of_a_humanoid(function, count):
    robot = load_urdf(urdf_path(G1), base="floating")
    assert program(function(robot), 3).n_ops <= count


def test_hessians_of_a_lagrangian_equal_casadis():
    """Entries above the diagonal are those below."""
    function = InverseDynamics(parts.robot("fixed"))
    at = point(function)
    weights = np.cos(np.arange(float(function.n_out())))
    symbols = [casadi.SX.sym(x, value.size) for x, value in at.items()]
    value = casadi.dot(ad_to_casadi(function, symbolic="SX")(*symbols), weights)
    whole = casadi.hessian(value, casadi.vertcat(*symbols))[0]
    theirs = casadi.Function("f", symbols, [whole])(*at.values()).full()
    found = run(hessian(function), {**at, "weights": weights})
    sizes = [x.size for x in at.values()]
    blocks = [block.reshape(-1, n) for block, n in zip(found, 3 * sizes, strict=True)]
    ours = np.block([blocks[3 * i : 3 * i + 3] for i in range(3)])
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-10 * np.abs(theirs).max())


def test_operations_of_hessians_of_a_lagrangian(panda):
    panda7 = panda.robot.lock_joints({"panda_finger_joint1": 0.0})
    assert hessian(InverseDynamics(panda7)).n_ops <= 7164


@pytest.mark.parametrize(("name", "count"), [("pose", 302), ("ID", 1273), ("FD", 2279)])
def test_operations_of_a_gradient(panda, name, count):
    panda7 = panda.robot.lock_joints({"panda_finger_joint1": 0.0})
    tip = WorldTransform(panda7.link("panda_hand_tcp"))
    functions = {"pose": tip, "ID": InverseDynamics(panda7), "FD": ForwardDynamics(panda7)}
    source = GraphSource.of(lower(functions[name]))
    every = tuple(range(len(source.signature.sizes_in)))
    assert source.derived("vjp", every).program.n_ops <= count


@pytest.mark.slow
def test_operations_of_a_humanoids_hessian():
    robot = load_urdf(urdf_path(G1), base="floating")
    assert hessian(InverseDynamics(robot)).n_ops <= 60185


def test_second_derivatives_at_edges_keep_their_sides():
    """At 0 a power has other second derivatives by base and exponent than by exponent and base."""
    x, y = ad.var("x", 1), ad.var("y", 1)
    source = GraphSource.of(lower(x**y, [x, y])).derived("vjp", (0, 1))
    found = run(
        source.derived("jacobian", (0, 1)).program,
        {"x": np.zeros(1), "y": np.ones(1), "w": np.ones(1)},
    )
    slopes = [ad.jacobian(x**y, name) for name in "xy"]
    at = {"x": np.zeros(1), "y": np.ones(1)}
    expected = [J.derivative(name, **at).item() for J in slopes for name in "xy"]
    np.testing.assert_array_equal([f.item() for f in found], expected)


def test_operations_of_a_rollout_and_its_gradient(panda):
    """Two loops, of which the second neither factors M again nor solves for accelerations."""
    panda7 = panda.robot.lock_joints({"panda_finger_joint1": 0.0})
    rollout = Rollout(panda7, 1e-3, 100)
    variables = [ad.var(name, n) for name, n in rollout.arguments().items()]
    value = ad.math.dot(rollout(*variables), np.ones(14))
    both = lower((value, ad.gradient(value, "taus")), variables)
    found = GraphSource.of(both).program
    assert len(found.loops) == 2
    assert found.text_ops <= 2488
