"""Parameters on random trees of random joints: any choice of numbers, any function."""

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from robot_trees import state, trees

from robotics_ad import RobotModel
from robotics_ad.dynamics import (
    CenterOfMass,
    CentroidalMomentum,
    ForwardDynamics,
    InverseDynamics,
    InverseDynamicsRegressor,
    KineticEnergy,
    MassMatrix,
    PotentialEnergy,
)
from robotics_ad.kinematics import Jacobian, WorldTransform, WorldVelocity
from robotics_ad.model import PARAMETER_KINDS, ten_numbers


def choices(robot: RobotModel) -> list[str]:
    """All parameters that the robot may have, one by one."""
    names: list[str] = []
    for row in PARAMETER_KINDS.values():
        if row.of == "link":
            names += [f"{link.name}.{row.name}" for link in robot.links]
        else:
            still = [j.name for j in robot.joints if j.type.nv == 0]
            rates = row.name in ("damping", "friction", "armature", "stiffness")
            names += [
                f"{j.name}.{row.name}" for j in robot.joints if not (rates and j.name in still)
            ]
    return names


@st.composite
def varied_trees(draw: st.DrawFn) -> tuple[RobotModel, np.ndarray]:
    """A tree with up to eight parameters, and values near the nominal ones."""
    robot = draw(trees())
    wanted = draw(st.lists(st.sampled_from(choices(robot)), max_size=8, unique=True, min_size=1))
    varied = robot
    for name in wanted:
        try:
            varied = varied.parametrize([name])
        except ValueError as error:
            assume("both change" in str(error))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    values = varied.parameters * rng.uniform(0.8, 1.2, varied.parameters.size)
    for name, where in varied.parameter_slices.items():
        kind = name.rpartition(".")[2]
        if kind in ("rotation", "com", "translation", "placement", "log_cholesky"):
            values[where] += 0.3 * rng.normal(size=where.stop - where.start)
        elif kind in ("inertia", "moments"):  # one factor keeps a body's numbers those of a body
            values[where] = varied.parameters[where] * rng.uniform(0.8, 1.2)
    return varied, values


@settings(max_examples=15)
@given(varied_trees())
def test_graphs_with_an_argument_equal_those_of_the_model_with_the_numbers(case):
    varied, values = case
    plain = varied.with_parameters(values)
    q, v, a = state(varied)
    for kind, args in (
        (InverseDynamics, (q, v, a)),
        (MassMatrix, (q,)),
        (KineticEnergy, (q, v)),
        (PotentialEnergy, (q,)),
        (CenterOfMass, (q,)),
        (CentroidalMomentum, (q, v)),
        (InverseDynamicsRegressor, (q, v, a)),
    ):
        expected = np.asarray(kind(plain)(*args).eval())
        found = np.asarray(kind(varied)(*args, values).eval())
        scale = max(1.0, float(np.abs(expected).max(initial=0.0)))
        assert np.abs(found - expected).max(initial=0.0) <= 1e-9 * scale, kind
    last = varied.link_names[-1]
    for kind, args in ((WorldTransform, (q,)), (Jacobian, (q,)), (WorldVelocity, (q, v))):
        expected = np.asarray(kind(plain.link(last))(*args).eval())
        found = np.asarray(kind(varied.link(last))(*args, values).eval())
        np.testing.assert_allclose(found, expected, atol=1e-9 * max(1.0, np.abs(expected).max()))
    tau = InverseDynamics(varied, friction=True)(q, v, a, values).eval()
    back = ForwardDynamics(varied, friction=True)(q, v, tau, values).eval()
    np.testing.assert_allclose(back, a, atol=1e-6 * max(1.0, np.abs(a).max()))


@settings(max_examples=10)
@given(trees())
def test_torques_are_the_regressor_times_the_numbers(robot):
    q, v, a = state(robot)
    links = {link.name: link for link in robot.links}
    numbers = [links[name].inertia for name in robot.moving_links]
    pi = np.concatenate([np.zeros(10) if i is None else ten_numbers(i) for i in numbers])
    Y = InverseDynamicsRegressor(robot)(q, v, a).eval().reshape(robot.nv, pi.size)
    tau = InverseDynamics(robot)(q, v, a).eval() - robot.armature * a
    np.testing.assert_allclose(Y @ pi, tau, atol=1e-9 * max(1.0, np.abs(tau).max()))
