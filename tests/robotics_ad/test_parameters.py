"""Model numbers as arguments of graphs, against Pinocchio with the numbers changed in the file."""

import numpy as np
import parametrized_robot as parts
import pinocchio
import pytest
from parametrized_robot import pinocchio_model
from robot_files import urdf_path

import ad_core as ad
from robotics_ad import Inertia, Joint, Link, RobotModel, load_urdf
from robotics_ad.dynamics import (
    BiasForces,
    CenterOfMass,
    CentroidalMatrix,
    CoriolisForces,
    ForwardDynamics,
    GravityForces,
    InverseDynamics,
    KineticEnergy,
    MassMatrix,
    PotentialEnergy,
    TotalMass,
)
from robotics_ad.interop import pinocchio_order
from robotics_ad.kinematics import Jacobian, WorldTransform, WorldVelocity
from robotics_ad.model import PARAMETER_KINDS

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
    factors = rng.uniform(0.6, 1.5, 4)  # of density and of lengths along x, y, z
    by = factors[1:] if kind == "stretch" else s
    children = {joint: scaled_placement(by) for joint in CHILDREN.get(owner, [])}
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
        "stretch": (factors, lambda old: stretched(old, factors)),
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
    return np.array(values), inertias, children if kind in LENGTHS else {}


LENGTHS = ("size", "length", "stretch")


def stretched(old, factors):
    """The pseudo-inertia, integral of [r, 1] [r, 1]^T dm, of the body with r -> A r."""
    D = np.diag([*factors[1:], 1.0])
    J = np.prod(factors) * D @ old.toPseudoInertia().toMatrix() @ D
    return pinocchio.Inertia.FromPseudoInertia(pinocchio.PseudoInertia.FromMatrix(J))


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


# A link's numbers know no base: of most kinds there is a quick test on the floating one alone.
FIXED = [
    pytest.param(
        *("fixed", owner, kind),
        marks=pytest.mark.slow if kind not in ("com", "log_cholesky", *PLACEMENTS) else (),
    )
    for owner, kind in CASES
    if owner in ("payload", "turn", "mount")
]


@pytest.mark.parametrize(
    ("base", "owner", "kind"), [*FIXED, *(("floating", *case) for case in CASES)], ids=str
)
def test_each_kind_of_parameter_against_pinocchio(base, owner, kind):
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


# ---- links and joints that are easily forgotten


@pytest.mark.parametrize("kind", ["moments", "log_cholesky"])
def test_a_massless_link_gets_mass(kind):
    """What the tool holds: its numbers are a parameter of a link that has none."""
    varied = parts.robot("fixed", release=True).parametrize([("tool", kind)])
    values, inertias, _ = change("tool", kind, np.random.default_rng(12))
    model = pinocchio_model("fixed", inertias, {}, release=True)
    compare(varied, values, model, count=1)


def test_the_size_of_a_massless_link():
    robot = parts.robot("fixed").parametrize(["tool.size"])
    q = np.array([0.1, 0.2, 0.3])
    close(GravityForces(robot)(q, [1.5]).eval(), GravityForces(parts.robot("fixed"))(q).eval())


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
    foot = varied.link("foot")
    T = WorldTransform(foot)(q, values).eval()
    close(T, [*pinocchio.exp3(w).T.reshape(9), *t])
    np.testing.assert_array_equal(Jacobian(foot)(q, values).eval(), np.zeros(6))
    np.testing.assert_array_equal(WorldVelocity(foot)(q, [2.0], values).eval(), np.zeros(3))


@pytest.mark.parametrize("axis", range(3))
def test_stretched_boxes_are_boxes(axis):
    """Boxes and cylinders, uniform, against the formulas of Pinocchio."""
    factors = np.array([1.5, *np.where(np.arange(3) == axis, 2.5, 1.0)])
    sides, mass = np.array([0.1, 0.2, 0.3]), 2.0
    cases = [
        (pinocchio.Inertia.FromBox(mass, *sides),
         pinocchio.Inertia.FromBox(mass * 2.5 * 1.5, *(sides * factors[1:]))),
        (pinocchio.Inertia.FromCylinder(mass, 0.1, 0.4),
         pinocchio.Inertia.FromCylinder(mass * 2.5 * 1.5, 0.1, 1.0) if axis == 2 else None),
    ]  # fmt: skip
    for before, after in cases:
        link = Link("a", Inertia(before.mass, [0.0, 0.0, 0.15], before.inertia))
        robot = RobotModel("r", [Link("w"), link], [Joint("j", "spherical", "w", "a")])
        new = robot.parametrize(["a.stretch"]).with_parameters(factors).links[1].inertia
        if after is not None:
            np.testing.assert_allclose(new.mass, after.mass)
            np.testing.assert_allclose(new.rotational, after.inertia, atol=1e-15)
            np.testing.assert_allclose(new.com, factors[1:] * [0.0, 0.0, 0.15])


def test_the_whole_mass():
    """A function of parameters alone; and all densities by one number, the mass wanted."""
    rng, robot = np.random.default_rng(8), parts.robot("floating", release=True)
    varied = robot.parametrize(["arm.stretch", "payload.moments", "left.size", "push.damping"])
    values = varied.parameters * rng.uniform(0.9, 1.1, varied.n_parameters)
    mass = TotalMass(varied)("parameters")
    np.testing.assert_allclose(mass.eval(parameters=values), varied.with_parameters(values).mass)
    ad.check_derivatives(mass, {"parameters": values})
    assert TotalMass(robot)().eval() == pytest.approx(robot.mass)
    dense, total = robot.parametrize(["*.density"]), 20.0
    torque = GravityForces(dense)("q", dense.parameters * (ad.var("total", 1) / robot.mass))
    model = pinocchio_model("floating", {}, {}, release=True)
    q, order = robot.random(rng), pinocchio_order(robot, model)
    theirs = pinocchio.computeGeneralizedGravity(model, model.createData(), order.to_q(q))
    found = order.to_v(torque.eval(q=q, total=[total]))
    close(found, theirs * total / pinocchio.computeTotalMass(model))


def test_without_parameters_graphs_are_what_they_were():
    """A parameter elsewhere costs nothing in a chain that does not see it."""
    robot = load_urdf(urdf_path("panda_description/urdf/panda.urdf"))
    from bridges.casadi import ad_to_casadi

    plain = ad_to_casadi(WorldTransform(robot.link("panda_link4")))
    varied = robot.parametrize(["panda_link7.moments", "panda_joint6.placement"])
    with_argument = ad_to_casadi(WorldTransform(varied.link("panda_link4")))
    assert with_argument.n_instructions() == plain.n_instructions()
