"""Names of parameters: which there are, where their values stand, and what is refused."""

import numpy as np
import parametrized_robot as parts
import pinocchio
import pytest

import robotics_ad
from robotics_ad import Inertia, RobotModel
from robotics_ad.dynamics import TO_PINOCCHIO, GravityForces, InverseDynamics
from robotics_ad.model import from_log_cholesky, ten_numbers


def test_nominal_values_change_nothing():
    robot = parts.robot("floating")
    names = ["*.com", "*.inertia", "*.mass", "*.length", "*.placement", "*.damping"]
    varied = robot.parametrize(names)
    q, v, a = robot.random(np.random.default_rng(0)), np.ones(robot.nv), np.ones(robot.nv)
    expected = InverseDynamics(robot)(q, v, a).eval()
    found = InverseDynamics(varied)(q, v, a, varied.parameters).eval()
    np.testing.assert_allclose(found, expected, atol=1e-12)
    same = varied.with_parameters(varied.parameters)
    np.testing.assert_allclose(InverseDynamics(same)(q, v, a).eval(), expected, atol=1e-12)


def test_names_and_slices():
    robot = parts.robot("fixed")
    varied = robot.parametrize(["*t.mass", ("finger", "placement")]).parametrize(["arm.com"])
    assert varied.parameter_names == (
        "root.mass", "left.mass", "right.mass", "finger.placement", "arm.com",
    )  # fmt: skip
    assert varied.parameters.tolist() == [
        4.0,
        0.3,
        0.4,
        0.02,
        0.06,
        0.04,
        0,
        0,
        0,
        0.05,
        0.15,
        -0.02,
    ]
    assert varied.parameter_slices["finger.placement"] == slice(3, 9)
    f = InverseDynamics(varied)
    assert (f.n_args(), f.n_in(3), f.argname(3)) == (4, 12, "parameters")
    assert "nv=3, 12 parameters)" in repr(varied)
    assert robot.parameters.size == 0
    assert robot.parameter_names == ()
    free = varied.floating().parametrize(["root*.placement"])
    assert free.parameter_names == (*varied.parameter_names, "root_joint.placement")
    with pytest.raises(ValueError, match="argument 'parameters' has size 11, expected 12"):
        f("q", "v", "a", np.zeros(11))
    with pytest.raises(ValueError, match=r"argument 'parameters' has shape \(3,\), expected \(12,"):
        varied.with_parameters(np.zeros(3))


def test_names_with_dots_and_brackets():
    robot = robotics_ad.RobotModel(
        "odd",
        [robotics_ad.Link("a.b"), robotics_ad.Link("c[0].mass", Inertia(1.0, [0, 0, 1.0]))],
        [robotics_ad.Joint("j.1", "revolute", "a.b", "c[0].mass", axis=[0, 1, 0])],
    )
    varied = robot.parametrize(
        [("c[0].mass", "mass"), "c[0].mass.com", "j.1.damping", "*.1.friction"]
    )
    assert varied.parameter_slices["c[0].mass.com"] == slice(1, 4)
    assert robot.parametrize(["c[*.mass"]).parameter_names == ("c[0].mass.mass",)
    moment = GravityForces(varied)("q", "parameters")
    tau = moment.eval(q=[0.5], parameters=[2.0, 0.0, 0.0, 3.0, 0.0, 0.0])
    assert tau[0] == pytest.approx(-2.0 * 9.81 * 3.0 * np.sin(0.5), rel=1e-12)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["arm.weight"], "expected 'name.kind' or .* with a kind of mass, com"),
        (["mass"], "expected 'name.kind'"),
        (["leg.mass"], "parameter 'leg.mass': no link 'leg' with a mass; links: root, arm"),
        (["mount.damping"], "no joint 'mount' with a damping; joints: turn, push, finger, follow"),
        (["x*.com"], r"no link 'x\*' with a com"),
        (["tool.density"], "no link 'tool' with a density"),
        (["arm.mass", "*.mass"], "parameters 'arm.mass' and 'arm.mass' both change the mass"),
        (["arm.com", "arm.log_cholesky"], "'arm.com' and 'arm.log_cholesky' both change the com"),
        (["arm.length", "arm.size"], "'arm.length' and 'arm.size' both change the length"),
        (["push.rotation", "push.placement"], "both change the rotation"),
    ],
)
def test_bad_names_are_refused(names, message):
    with pytest.raises(ValueError, match=message):
        parts.robot("fixed").parametrize(names)


@pytest.mark.parametrize("names", ["arm.mass", [3], [("arm", "mass", "kg")], [["arm", "mass"]]])
def test_names_of_the_wrong_kind_are_refused(names):
    with pytest.raises(TypeError, match="parametrize: "):
        parts.robot("fixed").parametrize(names)


def test_numbers_that_nothing_can_have_are_refused():
    robot = parts.robot("fixed")
    with pytest.raises(ValueError, match=r"parameter 'arm.mass': inertia: mass is -1"):
        robot.parametrize(["arm.mass"]).with_parameters([-1.0])
    with pytest.raises(
        ValueError, match=r"parameter 'finger.damping': joint 'finger': damping is -2"
    ):
        robot.parametrize(["finger.damping"]).with_parameters([-2.0])
    with pytest.raises(ValueError, match=r"parameter 'arm.moments': the mass is 0"):
        robot.parametrize(["arm.moments"]).with_parameters([0.0, 1.0, *np.zeros(8)])
    point = RobotModel(
        "point", [robotics_ad.Link("a"), robotics_ad.Link("b", Inertia(1.0))],
        [robotics_ad.Joint("j", "revolute", "a", "b")],
    )  # fmt: skip
    pointed = point.parametrize(["b.log_cholesky"])
    with pytest.raises(ValueError, match=r"parameter 'b.log_cholesky': log-Cholesky: mass 1.0"):
        _ = pointed.parameters
    full = from_log_cholesky(np.linspace(-1.0, 1.0, 10))  # graphs do without nominal values
    tau = InverseDynamics(pointed)([0.1], [0.2], [0.3], np.linspace(-1.0, 1.0, 10)).eval()
    found = RobotModel("full", [point.links[0], robotics_ad.Link("b", full)], point.joints)
    np.testing.assert_allclose(tau, InverseDynamics(found)([0.1], [0.2], [0.3]).eval(), rtol=1e-12)
    varied = robot.parametrize(["push.placement", "arm.mass"])
    with pytest.raises(ValueError, match="joint 'push' has parameters: lock it before"):
        varied.lock_joints({"push": 0.1})
    assert varied.lock_joints({"turn": 0.1}).parameter_names == ("push.placement", "arm.mass")


def test_the_ten_numbers_in_pinocchios_order():
    rng = np.random.default_rng(1)
    A = rng.normal(size=(3, 3))
    I = np.trace(A @ A.T) * np.eye(3) - A @ A.T
    I = 0.5 * (I + I.T)
    com = rng.normal(size=3)
    theirs = pinocchio.Inertia(2.0, com, I).toDynamicParameters()
    np.testing.assert_allclose(
        ten_numbers(Inertia(2.0, com, I))[list(TO_PINOCCHIO)], theirs, atol=1e-13
    )
