"""Every function of a robot or a link, with parameters and with the numbers in the model."""

import inspect

import numpy as np
import parametrized_robot as parts
import pytest

from robotics_ad import LoopConstraint, RobotModel, dynamics, kinematics
from robotics_ad.dynamics import ForwardDynamics, InverseDynamics, JointFriction, MassMatrix
from robotics_ad.kinematics.loops import LoopFunction
from robotics_ad.multibody.function import LinkFunction, RobotFunction


def close(ours, theirs) -> None:
    scale = max(1.0, float(np.abs(theirs).max(initial=0.0)))
    np.testing.assert_allclose(ours, theirs, rtol=0.0, atol=1e-9 * scale)


def instances(robot: RobotModel):
    """One object of each function of a robot or of a link that the package has."""
    link = robot.link("tool")
    for module in (dynamics, kinematics):
        for name in module.__all__:
            kind = getattr(module, name)
            if not inspect.isclass(kind):
                continue
            if issubclass(kind, LinkFunction):
                yield kind(link, *extra(kind, link))
            elif issubclass(kind, RobotFunction):
                yield kind(robot, *extra(kind, link))


def extra(kind, link):
    """Values for the arguments without default that follow the robot or the link."""
    names = list(inspect.signature(kind.__init__).parameters.values())[2:]
    given = {
        "local": [0.1, -0.2, 0.3],
        "point": [0.1, -0.2, 0.3],
        "points": [[0.1, 0.2, 0.3]],
        "contacts": [dynamics.PointContact(link, np.array([0.1, -0.2, 0.3]))],
        "h": 1e-3,
        "length": 2,
    }
    if kind is dynamics.ActuatedTorques:  # a floating base has no motor
        given["contacts"] = [dynamics.FrameContact(link)]
    if issubclass(kind, LoopFunction):
        tie = LoopConstraint("arm", [0.1, 0.2, 0.3], link, [0.0, 0.1, 0.0], "x", rotations="")
        return [[tie]] if kind is kinematics.LoopError else [(), [tie]]
    needed = [p for p in names if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD]
    return [given[p.name] for p in needed]


EVERYTHING = [
    "root.com",
    "arm.mass",
    "arm.com",
    "arm.inertia",
    "slide.log_cholesky",
    "slide.length",
    "payload.moments",
    "right.size",
    "left.density",
    "turn.rotation",
    "push.placement",
    "mount.translation",
    "follow.rotation",
    "turn.damping",
    "follow.damping",
    "finger.friction",
    "follow.armature",
    "push.stiffness",
    "follow.stiffness",
    "push.armature",
]


def varied_numbers(robot: RobotModel, seed: int) -> np.ndarray:
    """Values near the nominal ones that a body can have."""
    rng, values = np.random.default_rng(seed), robot.parameters.copy()
    for name, where in robot.parameter_slices.items():
        kind = name.rpartition(".")[2]
        size = where.stop - where.start
        if kind in ("moments", "inertia"):
            values[where] *= rng.uniform(0.8, 1.3)
        elif kind in ("damping", "friction", "armature", "stiffness"):
            values[where] = rng.uniform(0.1, 0.6)
        else:
            values[where] += 0.1 * rng.normal(size=size)
    return values


@pytest.mark.parametrize("base", [pytest.param("fixed", marks=pytest.mark.slow), "floating"])
def test_every_function_equals_that_of_the_model_with_the_numbers(base):
    """Two ways to the same value; the model with other numbers is compared with Pinocchio above."""
    varied = parts.robot(base).parametrize(EVERYTHING)
    values = varied_numbers(varied, 6)
    plain = varied.with_parameters(values)
    assert plain.parametrized == ()
    assert plain.parameters.size == 0
    rng, seen = np.random.default_rng(7), 0
    for with_argument, without in zip(instances(varied), instances(plain), strict=True):
        seen += 1
        names = [without.argname(i) for i in range(without.n_args())]
        given = {
            name: varied.random(rng)
            if name.startswith(("q", "guess"))
            else rng.normal(size=without.n_in(i))
            for i, name in enumerate(names)
        }
        assert with_argument.argname(with_argument.n_args() - 1) == "parameters"
        expected = without(*names).eval(**given)
        found = with_argument(*names, "parameters").eval(parameters=values, **given)
        scale = max(1.0, float(np.abs(expected).max()))
        error = float(np.abs(np.asarray(found) - expected).max())
        assert error <= 1e-9 * scale, (str(without), error)
    assert seen > 25


@pytest.mark.parametrize("options", [{"friction": True}, {"gravity": "argument"}, {}])
def test_options_beside_parameters(options):
    varied = parts.robot("floating").parametrize(EVERYTHING)
    values = varied_numbers(varied, 8)
    plain, rng = varied.with_parameters(values), np.random.default_rng(9)
    for kind in (InverseDynamics, ForwardDynamics):
        ours = kind(varied, wrenches_on=[varied.link("tool"), varied.link("root")], **options)
        theirs = kind(plain, wrenches_on=[plain.link("tool"), plain.link("root")], **options)
        args = [varied.random(rng), *(rng.normal(size=theirs.n_in(i))
                for i in range(1, theirs.n_args()))]  # fmt: skip
        close(ours(*args, values).eval(), theirs(*args).eval())


def test_numbers_of_joints():
    """Damping, friction and rotor inertia; those of a joint that follows count for its leader."""
    names = [
        f"{joint}.{kind}" for kind in ("damping", "friction") for joint in ("finger", "follow")
    ]
    names += ["push.armature", "follow.armature"]
    varied = parts.robot("fixed").parametrize(names)
    np.testing.assert_allclose(varied.parameters, [0.2, 0.3, 0.1, 0.05, 0.0, 0.0])
    x = np.array([0.7, 0.4, 0.3, 0.2, 1.1, 0.6])
    v = np.array([0.3, -0.5, 0.9])  # turn, push, finger
    friction = JointFriction(varied)("v", "parameters").eval(v=v, parameters=x)
    expected = [0.5 * 0.3 + 0.2, -0.1 * 0.5, (0.7 + 2.25 * 0.4) * 0.9 + 0.3 + 1.5 * 0.2]
    np.testing.assert_allclose(friction, expected, rtol=1e-14)
    q, zero = np.array([0.1, -0.2, 0.3]), np.zeros(6)
    M = MassMatrix(varied)("q", "parameters")
    added = M.eval(q=q, parameters=x) - M.eval(q=q, parameters=zero)
    np.testing.assert_allclose(added.reshape(3, 3), np.diag([0.0, 1.1, 2.25 * 0.6]), atol=1e-14)


def test_a_kinematics_builder_takes_them():
    varied = parts.robot("fixed").parametrize(["push.placement", "mount.rotation"])
    values = varied.parameters + np.linspace(-0.2, 0.2, 9)
    rng = np.random.default_rng(11)
    q, v = varied.random(rng), rng.normal(size=varied.nv)
    builder = kinematics.KinematicsBuilder(varied, "q", "v", parameters="x")
    built = kinematics.KinematicsBuilder(varied.with_parameters(values), "q", "v")
    pose, velocity = builder.world_transform("tool"), builder.world_velocity("tool")
    close(pose.eval(x=values, q=q), built.world_transform("tool").eval(q=q))
    close(velocity.eval(x=values, q=q, v=v), built.world_velocity("tool").eval(q=q, v=v))
    with pytest.raises(ValueError, match="argument 'parameters' has size 4, expected 9"):
        kinematics.KinematicsBuilder(varied, "q", parameters=np.zeros(4))
    with pytest.raises(ValueError, match="robot 'parts' has parameters, and a graph is built with"):
        kinematics.KinematicsBuilder(varied)
