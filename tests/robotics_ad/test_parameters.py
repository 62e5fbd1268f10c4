"""Model numbers as arguments of graphs, against Pinocchio with the numbers changed in the file."""

import inspect

import numpy as np
import parametrized_robot as parts
import pinocchio
import pytest
from parametrized_robot import pinocchio_model
from robot_files import urdf_path

import robotics_ad
from robotics_ad import Inertia, RobotModel, dynamics, kinematics, load_urdf
from robotics_ad.dynamics import (
    BiasForces,
    CenterOfMass,
    CentroidalMatrix,
    CoriolisForces,
    ForwardDynamics,
    GravityForces,
    InverseDynamics,
    JointFriction,
    KineticEnergy,
    MassMatrix,
    PotentialEnergy,
)
from robotics_ad.dynamics.robot_function import RobotFunction
from robotics_ad.interop import pinocchio_order
from robotics_ad.kinematics import Jacobian, WorldTransform
from robotics_ad.kinematics.positions import LinkFunction
from robotics_ad.log_cholesky import from_log_cholesky
from robotics_ad.parameters import PARAMETER_KINDS, ten_numbers

CHILDREN = {"root": ["turn"], "arm": ["push"], "slide": ["mount"], "payload": ["finger", "follow"],
            "left": [], "right": ["tip"]}  # fmt: skip
# our order of the ten numbers in Pinocchio's [m, mc, Ixx, Ixy, Iyy, Ixz, Iyz, Izz]
TO_PINOCCHIO = [0, 1, 2, 3, 4, 7, 5, 8, 9, 6]


def close(ours, theirs) -> None:
    scale = max(1.0, float(np.abs(theirs).max(initial=0.0)))
    np.testing.assert_allclose(ours, theirs, rtol=0.0, atol=1e-9 * scale)


def scaled_placement(s):
    return lambda pose: pinocchio.SE3(pose.rotation, s * pose.translation)


def change(owner, kind, rng):
    """(values of the parameter, changes of inertias, changes of placements), by Pinocchio."""
    w, t = rng.normal(size=3), rng.normal(size=3)
    com, m, s = 0.2 * rng.normal(size=3), rng.uniform(0.5, 3.0), rng.uniform(0.6, 1.5)
    A = rng.normal(size=(3, 3))
    spread = A @ A.T + 0.1 * np.eye(3)
    I = 0.05 * (np.trace(spread) * np.eye(3) - spread)
    six = I[[0, 1, 2, 0, 0, 1], [0, 1, 2, 1, 2, 2]]
    theta = 0.4 * rng.normal(size=10)
    ten = pinocchio.Inertia(m, com, I).toDynamicParameters()
    children = {joint: scaled_placement(s) for joint in CHILDREN.get(owner, [])}
    links = {
        "mass": ([m], lambda old: pinocchio.Inertia(m, old.lever, old.inertia)),
        "com": (com, lambda old: pinocchio.Inertia(old.mass, com, old.inertia)),
        "inertia": (six, lambda old: pinocchio.Inertia(old.mass, old.lever, I)),
        "moments": (
            ten[[TO_PINOCCHIO.index(i) for i in range(10)]],
            lambda old: pinocchio.Inertia.FromDynamicParameters(ten),
        ),
        "log_cholesky": (
            theta,
            lambda old: pinocchio.Inertia.FromLogCholeskyParameters(
                pinocchio.LogCholeskyParameters(theta)
            ),
        ),
        "density": ([s], lambda old: pinocchio.Inertia(s * old.mass, old.lever, s * old.inertia)),
        "size": (
            [s],
            lambda old: pinocchio.Inertia(s**3 * old.mass, s * old.lever, s**5 * old.inertia),
        ),
        "length": ([s], None),
    }
    joints = {
        "translation": (t, lambda pose: pinocchio.SE3(pose.rotation, t)),
        "rotation": (
            w,
            lambda pose: pinocchio.SE3(pinocchio.exp3(w) @ pose.rotation, pose.translation),
        ),
        "placement": (
            [*t, *w],
            lambda pose: pinocchio.SE3(pinocchio.exp3(w) @ pose.rotation, t),
        ),
    }
    if kind in joints:
        values, placed = joints[kind]
        return np.array(values), {}, {owner: placed}
    values, inertial = links[kind]
    inertias = {} if inertial is None else {owner: inertial}
    return np.array(values), inertias, children if kind in ("size", "length") else {}


def compare(varied: RobotModel, values, model, count=2) -> None:
    """Every function with an outside value, on a robot without mimics."""
    data, order = model.createData(), pinocchio_order(varied, model)
    rng, nv = np.random.default_rng(5), varied.nv
    index = order.to_v(np.arange(nv)).astype(int)
    rnea, aba = InverseDynamics(varied), ForwardDynamics(varied)
    at = ("q", "v", "a", "parameters")
    torque = rnea(*at)
    accelerate = aba("q", "v", "tau", "parameters")
    for _ in range(count):
        q, v, a = varied.random(rng), rng.normal(size=nv), rng.normal(size=nv)
        pq, pv, pa = order.to_q(q), order.to_v(v), order.to_v(a)
        state = {"q": q, "v": v, "parameters": values}
        tau = torque.eval(a=a, **state)
        close(order.to_v(tau), pinocchio.rnea(model, data, pq, pv, pa))
        close(accelerate.eval(tau=tau, **state), a)
        M = MassMatrix(varied)("q", "parameters").eval(q=q, parameters=values).reshape(nv, nv)
        full = np.triu(pinocchio.crba(model, data, pq))
        close(M[np.ix_(index, index)], full + np.triu(full, 1).T)
        close(KineticEnergy(varied)(*at[:2], at[3]).eval(**state),
              pinocchio.computeKineticEnergy(model, data, pq, pv))  # fmt: skip
        close(PotentialEnergy(varied)("q", "parameters").eval(q=q, parameters=values),
              pinocchio.computePotentialEnergy(model, data, pq))  # fmt: skip
        close(CenterOfMass(varied)("q", "parameters").eval(q=q, parameters=values),
              pinocchio.centerOfMass(model, data, pq))  # fmt: skip
        close(order.to_v(GravityForces(varied)("q", "parameters").eval(q=q, parameters=values)),
              pinocchio.computeGeneralizedGravity(model, data, pq))  # fmt: skip
        bias = BiasForces(varied)("q", "v", "parameters").eval(**state)
        close(order.to_v(bias), pinocchio.nonLinearEffects(model, data, pq, pv))
        coriolis = CoriolisForces(varied)("q", "v", "parameters").eval(**state)
        pinocchio.computeCoriolisMatrix(model, data, pq, pv)
        close(order.to_v(coriolis), data.C @ pv)
        pinocchio.ccrba(model, data, pq, pv)
        A = CentroidalMatrix(varied)("q", "parameters").eval(q=q, parameters=values)
        close(A.reshape(6, nv), order.from_v(data.Ag[[3, 4, 5, 0, 1, 2]]))
        pinocchio.framesForwardKinematics(model, data, pq)
        for name in ("payload", "left", "tool"):
            frame = model.getFrameId(name, pinocchio.FrameType.BODY)
            link, pose = varied.link(name), data.oMf[frame]
            T = WorldTransform(link)("q", "parameters").eval(q=q, parameters=values)
            close(T, [*pose.rotation.T.reshape(9), *pose.translation])
            for seen, reference in (("local", pinocchio.LOCAL), ("world", pinocchio.WORLD)):
                J = Jacobian(link, seen)("q", "parameters").eval(q=q, parameters=values)
                theirs = pinocchio.computeFrameJacobian(model, data, pq, frame, reference)
                close(J.reshape(6, nv), order.from_v(theirs[[3, 4, 5, 0, 1, 2]]))


LINK_KINDS = [row.name for row in PARAMETER_KINDS.values() if row.of == "link"]
PLACEMENTS = ["translation", "rotation", "placement"]
CASES = [
    *((link, kind) for link in ("slide", "payload") for kind in LINK_KINDS),
    *((link, kind) for link in ("root", "right") for kind in ("com", "log_cholesky", "size")),
    *((joint, kind) for joint in ("push", "mount") for kind in PLACEMENTS),
    ("turn", "placement"), ("follow", "rotation"), ("tip", "translation"),
]  # fmt: skip


@pytest.mark.parametrize("base", ["fixed", "floating"])
@pytest.mark.parametrize(("owner", "kind"), CASES, ids=".".join)
def test_each_kind_of_parameter_against_pinocchio(owner, kind, base):
    values, inertias, placements = change(owner, kind, np.random.default_rng(1))
    model = pinocchio_model(base, inertias, placements, release=True)
    varied = parts.robot(base, release=True).parametrize([f"{owner}.{kind}"])
    assert varied.parameters.shape == values.shape
    compare(varied, values, model, count=1)


@pytest.mark.parametrize("base", ["fixed", "floating"])
def test_many_parameters_at_once(base):
    rng = np.random.default_rng(2)
    chosen = [("arm", "mass"), ("arm", "com"), ("arm", "inertia"), ("payload", "log_cholesky"),
              ("slide", "moments"), ("left", "size"), ("right", "density"), ("push", "rotation"),
              ("mount", "placement"), ("turn", "translation")]  # fmt: skip
    values, inertias, placements = [], {}, {}
    for owner, kind in chosen:
        x, changes, moves = change(owner, kind, rng)
        values.append(x)
        for link, new in changes.items():
            inertias[link] = composed(inertias.get(link), new)
        placements.update(moves)
    model = pinocchio_model(base, inertias, placements, release=True)
    varied = parts.robot(base, release=True).parametrize(chosen)
    assert varied.parameter_names == tuple(".".join(names) for names in chosen)
    compare(varied, np.concatenate(values), model)


def composed(first, second):
    return second if first is None else lambda old: second(first(old))


@pytest.mark.parametrize("base", ["fixed", "floating"])
@pytest.mark.parametrize(
    ("owner", "kind"),
    [("right", "moments"), ("right", "mass"), ("follow", "placement"), ("payload", "length")],
)
def test_joints_that_follow(owner, kind, base):
    """The robot with its mimic on: inverse dynamics and poses by Pinocchio, the rest follows."""
    values, inertias, placements = change(owner, kind, np.random.default_rng(3))
    model = pinocchio_model(base, inertias, placements)
    data, varied = model.createData(), parts.robot(base).parametrize([(owner, kind)])
    order, rng = pinocchio_order(varied, model), np.random.default_rng(4)
    q, v, a = varied.random(rng), rng.normal(size=varied.nv), rng.normal(size=varied.nv)
    state = {"q": q, "v": v, "parameters": values}
    tau = InverseDynamics(varied)("q", "v", "a", "parameters").eval(a=a, **state)
    theirs = pinocchio.rnea(model, data, order.to_q(q), order.to_v(v), order.to_v(a))
    close(order.to_v(tau), theirs)
    back = ForwardDynamics(varied)("q", "v", "tau", "parameters").eval(tau=tau, **state)
    close(back, a)
    pinocchio.framesForwardKinematics(model, data, order.to_q(q))
    pose = data.oMf[model.getFrameId("tool", pinocchio.FrameType.BODY)]
    T = WorldTransform(varied.link("tool"))("q", "parameters").eval(q=q, parameters=values)
    close(T, [*pose.rotation.T.reshape(9), *pose.translation])


# ---- every function there is


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
    }
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
        elif kind in ("damping", "friction", "armature"):
            values[where] = rng.uniform(0.1, 0.6)
        else:
            values[where] += 0.1 * rng.normal(size=size)
    return values


@pytest.mark.parametrize("base", ["fixed", "floating"])
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
            name: varied.random(rng) if name.startswith("q") else rng.normal(size=without.n_in(i))
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


# ---- names, slices, errors


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


def test_a_massless_link_gets_mass():
    """What the tool holds: its ten numbers are a parameter, nominally zero."""
    robot = parts.robot("fixed", release=True)
    varied = robot.parametrize(["tool.moments"])
    np.testing.assert_array_equal(varied.parameters, np.zeros(10))
    body = pinocchio.Inertia.Random()
    values = body.toDynamicParameters()[[TO_PINOCCHIO.index(i) for i in range(10)]]
    model = pinocchio_model("fixed", {"tool": lambda old: body}, {}, release=True)
    compare(varied, values, model, count=1)


def test_the_ten_numbers_in_pinocchios_order():
    rng = np.random.default_rng(1)
    A = rng.normal(size=(3, 3))
    I = np.trace(A @ A.T) * np.eye(3) - A @ A.T
    I = 0.5 * (I + I.T)
    com = rng.normal(size=3)
    theirs = pinocchio.Inertia(2.0, com, I).toDynamicParameters()
    np.testing.assert_allclose(ten_numbers(Inertia(2.0, com, I))[TO_PINOCCHIO], theirs, atol=1e-13)


def test_where_the_base_stands_is_a_parameter_too():
    """A joint fixed to the world: calibration of where a robot is mounted."""
    text = (
        '<robot name="r"><link name="world"/><link name="foot"/><link name="arm">'
        '<inertial><mass value="2"/><origin xyz="0 0 0.5"/>'
        '<inertia ixx="0.1" iyy="0.1" izz="0.1" ixy="0" ixz="0" iyz="0"/></inertial></link>'
        '<joint name="stand" type="fixed"><parent link="world"/><child link="foot"/></joint>'
        '<joint name="j" type="continuous"><parent link="foot"/><child link="arm"/>'
        '<axis xyz="0 1 0"/></joint></robot>'
    )
    varied = load_urdf(text).parametrize(["stand.placement", "foot.mass"])
    w, t = np.array([0.3, -0.4, 0.2]), np.array([1.0, 2.0, 3.0])
    values = np.array([*t, *w, 50.0])
    model = pinocchio.buildModelFromXML(text)
    model.jointPlacements[1] = pinocchio.SE3(pinocchio.exp3(w), t)
    data, q = model.createData(), np.array([0.7])
    pq = np.array([np.cos(0.7), np.sin(0.7)])
    tau = GravityForces(varied)(q, values).eval()
    close(tau, pinocchio.computeGeneralizedGravity(model, data, pq))
    com = CenterOfMass(varied)(q, values).eval()
    close(com, pinocchio.centerOfMass(model, data, pq))


def test_without_parameters_graphs_are_what_they_were():
    """A parameter elsewhere costs nothing in a chain that does not see it."""
    robot = load_urdf(urdf_path("panda_description/urdf/panda.urdf"))
    from bridges.casadi import ad_to_casadi

    plain = ad_to_casadi(WorldTransform(robot.link("panda_link4")))
    varied = robot.parametrize(["panda_link7.moments", "panda_joint6.placement"])
    with_argument = ad_to_casadi(WorldTransform(varied.link("panda_link4")))
    assert with_argument.n_instructions() == plain.n_instructions()


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
