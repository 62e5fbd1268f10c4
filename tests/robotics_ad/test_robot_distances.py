"""Distances within a robot and to obstacles, beside Pinocchio's with coal, and their structure."""

from __future__ import annotations

import numpy as np
import pinocchio
import pytest
from backends import COMPOSED, compute
from hypothesis import Phase, given, settings
from pair_rows import entries
from robot_trees import trees
from scipy.spatial.transform import Rotation

import ad_core as ad
from bridges.casadi import ad_to_casadi
from bridges.kernel import ad_to_kernel
from robotics_ad import packaged_arm, se3
from robotics_ad.data import packaged_arm_text
from robotics_ad.geometry import CollisionDistances, PairDistance, SelfCollision, SweptClearance
from robotics_ad.kinematics import Integrate, WorldTransform
from robotics_ad.model import Box, Capsule, HalfSpace, PlacedShape, RobotModel, Sphere

coal = pytest.importorskip("coal")
ARM = packaged_arm()
TILT = Rotation.from_rotvec([0.3, -0.5, 0.4]).as_matrix()
SHAPES = {
    name: [PlacedShape(Capsule(0.06 + 0.003 * k, 0.1 + 0.02 * k), TILT, [0.01 * k, 0.0, 0.05])]
    for k, name in enumerate(ARM.link_names)
}
SHAPES["link5"] = [*SHAPES["link5"], PlacedShape(Sphere(0.07), translation=[0.0, 0.1, 0.0])]
OBSTACLES = {
    "floor": PlacedShape(HalfSpace(), translation=[0.0, 0.0, -0.3]),
    "ball": Sphere(0.2),
    "post": PlacedShape(Box([0.1, 0.1, 1.5]), TILT, [0.5, 0.3, 0.4]),
}
SOME = [
    (("link2", 0), ("tool", 0)),
    (("link5", 1), ("link1", 0)),
    (("link7", 0), "floor"),
    (("link5", 1), "ball"),
    (("tool", 0), "ball"),
    (("link6", 0), "post"),
]
BALL = entries((np.eye(3), np.array([0.4, -0.2, 0.6])))
QS = ARM.random(np.random.default_rng(1), 20)


def of_pinocchio(pairs) -> tuple:
    """The model, and coal's objects for the arm's shapes and the pairs of them."""
    model = pinocchio.buildModelFromXML(packaged_arm_text())
    bodies, numbers = pinocchio.GeometryModel(), {}
    for link, placed in SHAPES.items():
        frame = model.frames[model.getFrameId(link)]
        for i, one in enumerate(placed):
            at = frame.placement * pinocchio.SE3(one.rotation, one.translation)
            shape = one.shape
            theirs = (
                coal.Sphere(shape.radius)
                if isinstance(shape, Sphere)
                else coal.Capsule(shape.radius, shape.length)
            )
            numbers[link, i] = bodies.addGeometryObject(
                pinocchio.GeometryObject(f"{link}{i}", frame.parentJoint, at, theirs)
            )
    for a, b in pairs:
        bodies.addCollisionPair(pinocchio.CollisionPair(numbers[a], numbers[b]))
    return model, bodies


def test_distances_within_an_arm_are_those_of_pinocchio():
    rows = SelfCollision(ARM, shapes=SHAPES)
    assert len(rows.pairs) > 20
    model, bodies = of_pinocchio(rows.pairs)
    data, found = model.createData(), bodies.createData()
    ours = rows("q").eval_batch(q=QS)
    for q, d in zip(QS, ours, strict=True):
        pinocchio.computeDistances(model, data, bodies, found, q)
        theirs = [result.min_distance for result in found.distanceResults]
        np.testing.assert_allclose(d, theirs, atol=1e-9)


@pytest.mark.parametrize("engine", COMPOSED)
def test_obstacles_at_rest_and_moving_on_every_engine(engine: str):
    rows = CollisionDistances(ARM, OBSTACLES, margin=0.02, pairs=SOME, shapes=SHAPES)
    assert rows.moving == ("ball",)
    assert rows.arguments() == {"q": 7, "poses": 12}
    e = rows(ad.var("q", 7), ad.var("poses", 12))
    q = QS[0]
    d, slope = compute(engine, [e, ad.jacobian(e, "q")], {"q": q, "poses": BALL})
    for row, (a, b), name in zip(d, rows.pairs, rows.names, strict=True):
        other = at_rest(b) if isinstance(b, str) else placed_pose(ARM, b, q)
        shapes = [SHAPES[p[0]][p[1]].shape if not isinstance(p, str) else shape(p) for p in (a, b)]
        alone = PairDistance(*shapes).eval(placed_pose(ARM, a, q), other)
        np.testing.assert_allclose(row, alone - 0.02, atol=1e-12, err_msg=name)
    theirs = np.array(ad_to_casadi(e, ["q", "poses"]).jacobian()(q, BALL, 0)[0])
    np.testing.assert_allclose(slope.reshape(len(d), 7), theirs, atol=1e-9)


def shape(name: str):
    obstacle = OBSTACLES[name]
    return obstacle.shape if isinstance(obstacle, PlacedShape) else obstacle


def at_rest(name: str) -> np.ndarray:
    obstacle = OBSTACLES[name]
    return BALL if name == "ball" else entries((obstacle.rotation, obstacle.translation))


def placed_pose(robot: RobotModel, place, q: np.ndarray, shapes=SHAPES) -> np.ndarray:
    one = shapes[place[0]][place[1]]
    T = WorldTransform(robot.link(place[0]))("q").eval(q=q)
    return se3.mul(T, np.array(entries((one.rotation, one.translation))))


def test_rows_depend_on_the_joints_between_their_shapes_alone():
    rows = SelfCollision(ARM, shapes=SHAPES)
    e = rows(ad.var("q", 7))
    pattern = e.sparsity("q")
    order = {name: k for k, name in enumerate(ARM.link_names)}
    for row, ((a, _), (b, _)) in zip(pattern, rows.pairs, strict=True):
        low, high = sorted(min(order[link], 7) for link in (a, b))
        assert row.tolist() == [low <= k < high for k in range(7)]
    dense = np.array(ad_to_casadi(e).jacobian()(QS[0], 0))
    np.testing.assert_allclose(dense[~pattern], 0.0, atol=1e-14)
    kernel = ad_to_kernel(e)
    ((rows_of, columns),) = kernel.jacobian_pattern()
    np.testing.assert_allclose(kernel.jacobian_values()(QS[0]), dense[rows_of, columns], atol=1e-12)


def bodies(robot: RobotModel) -> dict[str, list[PlacedShape]]:
    rng = np.random.default_rng(7)
    return {
        link.name: [
            PlacedShape(
                Capsule(0.1, 0.3), Rotation.random(rng=rng).as_matrix(), rng.normal(size=3)
            ),
            PlacedShape(Sphere(0.2), translation=0.2 * rng.normal(size=3)),
        ]
        for link in robot.links
    }


@settings(deadline=None, max_examples=6, phases=[Phase.explicit, Phase.generate])
@given(trees())
def test_any_tree_of_joints(robot: RobotModel):
    """Values by link transforms; derivatives along motions, which keep quaternions unit."""
    shapes = bodies(robot)
    places = [(link.name, 0) for link in robot.links]
    pairs = [(a, b) for i, a in enumerate(places) for b in places[i + 1 :]]
    rows = CollisionDistances(
        robot,
        {"ball": PlacedShape(Sphere(0.1))},
        pairs=[*pairs, (places[-1], "ball")],
        shapes=shapes,
    )
    q = robot.random(np.random.default_rng(0))
    e = rows(ad.var("q", robot.nq))
    d = e.eval(q=q)
    for row, (a, b) in zip(d[:-1], pairs, strict=True):
        poses = [placed_pose(robot, p, q, shapes) for p in (a, b)]
        alone = PairDistance(shapes[a[0]][0].shape, shapes[b[0]][0].shape).eval(*poses)
        np.testing.assert_allclose(row, alone, atol=1e-10)
    theirs = np.array(ad_to_casadi(e).jacobian()(q, 0))
    along = Integrate(robot)(q, "v").derivative("v", v=np.zeros(robot.nv))
    np.testing.assert_allclose(e.derivative("q", q=q) @ along, theirs @ along, atol=1e-8)


@settings(deadline=None, max_examples=2, phases=[Phase.explicit, Phase.generate])
@given(trees())
def test_no_motion_of_any_tree_goes_below_its_swept_clearance(robot: RobotModel):
    shapes = bodies(robot)
    places = [(link.name, k) for link in robot.links for k in (0, 1)]
    pairs = [(a, b) for i, a in enumerate(places) for b in places[i + 1 :] if a[0] != b[0]][:12]
    options = {"pairs": [*pairs, (places[-1], "ball")], "shapes": shapes}
    obstacles = {"ball": PlacedShape(Sphere(0.1))}
    swept, rows = (f(robot, obstacles, **options) for f in (SweptClearance, CollisionDistances))
    never_below(robot, swept, rows, 100)


def never_below(robot: RobotModel, swept, rows, count: int, poses=()) -> np.ndarray:
    """How far each row's least distance on each of `count` motions is above its bound."""
    rng = np.random.default_rng(2)
    q0 = robot.random(rng, count)
    v = rng.normal(size=(count, robot.nv)) * 10.0 ** rng.uniform(-3.0, 0.3, (count, 1))
    q1 = np.stack([robot.integrate(q, step) for q, step in zip(q0, v, strict=True)])
    names = ["poses"] if len(poses) else []
    sized = [ad.var(name, 12) for name in names]
    bound = ad_to_kernel(swept(ad.var("q0", robot.nq), ad.var("q1", robot.nq), *sized))(
        q0, q1, *poses
    )
    kernel = ad_to_kernel(rows(ad.var("q", robot.nq), *sized))
    least = np.full(bound.shape, np.inf)
    for u in np.linspace(0.0, 1.0, 17):
        pairs = zip(q0, q1, strict=True)
        between = np.stack([robot.interpolate(a, b, u) for a, b in pairs])
        least = np.minimum(least, kernel(between, *poses))
    assert (least - bound > -1e-9).all()
    return least - bound


@pytest.mark.slow
def test_ten_thousand_motions_of_an_arm_stay_above_their_swept_clearance():
    options = {"shapes": SHAPES, "margin": 0.01}
    swept, rows = (f(ARM, OBSTACLES, **options) for f in (SweptClearance, CollisionDistances))
    above = never_below(ARM, swept, rows, 10_000, [BALL])
    assert np.median(above) < 0.1


def test_a_short_motion_has_a_tight_bound():
    swept, rows = (
        f(ARM, OBSTACLES, pairs=SOME, shapes=SHAPES) for f in (SweptClearance, CollisionDistances)
    )
    q = QS[0]
    d = rows("q", "p").eval(q=q, p=BALL)
    np.testing.assert_allclose(swept("a", "b", "p").eval(a=q, b=q, p=BALL), d, atol=1e-14)
    bound = swept("a", "b", "p").eval(a=q, b=q + 1e-3, p=BALL)
    assert (np.abs(bound - d) < 0.01).all()
    slope = swept("a", "b", "p").derivative("a", a=q, b=q, p=BALL)
    assert np.isfinite(slope).all()


@pytest.mark.parametrize("engine", COMPOSED)
def test_swept_clearance_on_every_engine(engine: str):
    e = SweptClearance(ARM, OBSTACLES, pairs=SOME[:3], shapes=SHAPES)(
        ad.var("q0", 7), ad.var("q1", 7), ad.var("poses", 12)
    )
    values = {"q0": QS[0], "q1": QS[1], "poses": BALL}
    ours = compute(engine, [e, ad.jacobian(e, "q0")], values)
    for found, expected in zip(
        ours, compute("numpy", [e, ad.jacobian(e, "q0")], values), strict=True
    ):
        np.testing.assert_allclose(found, expected, atol=1e-9)
    assert not e.sparsity("q1")[0].all()


def test_a_robot_with_parameters_has_distances():
    varied = ARM.parametrize([("joint4", "translation")])
    e = SelfCollision(varied, shapes=SHAPES)("q", "parameters")
    same = SelfCollision(ARM, shapes=SHAPES)("q").eval(q=QS[0])
    np.testing.assert_allclose(e.eval(q=QS[0], parameters=varied.parameters), same, atol=1e-12)
    moved = varied.with_parameters(varied.parameters + 0.1)
    ours = e.eval(q=QS[0], parameters=varied.parameters + 0.1)
    np.testing.assert_allclose(
        ours, SelfCollision(moved, shapes=SHAPES)("q").eval(q=QS[0]), atol=1e-12
    )
    with pytest.raises(NotImplementedError, match="SweptClearance: a robot with parameters"):
        SweptClearance(varied, shapes=SHAPES)("a", "b", "c").eval(
            a=QS[0], b=QS[0], c=varied.parameters
        )


def test_a_name_of_an_obstacle_stands_for_its_pairs_with_all_that_moves():
    """Together with the robot's own pairs, the names of all are "auto", but for the order."""
    auto = CollisionDistances(ARM, OBSTACLES, shapes=SHAPES)
    own = [pair for pair in auto.pairs if not isinstance(pair[1], str)]
    named = CollisionDistances(ARM, OBSTACLES, pairs=[*own, *OBSTACLES], shapes=SHAPES)
    assert sorted(map(str, named.pairs)) == sorted(map(str, auto.pairs))
    assert {a[0] for a, b in named.pairs if b == "floor"} == {*SHAPES} & {*ARM.moving_links}
    swept = SweptClearance(ARM, OBSTACLES, pairs=["floor"], shapes=SHAPES)
    assert swept.pairs == tuple(pair for pair in named.pairs if pair[1] == "floor")


def test_errors_name_what_is_wrong():
    def rows(**options):
        return CollisionDistances(ARM, OBSTACLES, shapes=SHAPES, **options)

    with pytest.raises(ValueError, match="no obstacle 'table'; obstacles: floor, ball, post"):
        rows(pairs=[(("link1", 0), "table")])
    with pytest.raises(ValueError, match="no obstacle 'table'; obstacles: floor, ball, post"):
        rows(pairs=["floor", "table"])
    with pytest.raises(ValueError, match="no shaped link 'link9'; shaped links: base"):
        rows(pairs=[(("link9", 0), "ball")])
    with pytest.raises(ValueError, match="link 'link1' has 1 shapes, none number 3"):
        rows(pairs=[(("link1", 3), "ball")])
    with pytest.raises(ValueError, match="pairs is 'all', expected 'auto' or a list of pairs"):
        rows(pairs="all")
    with pytest.raises(ValueError, match=r"a pair is \(link, number\), then"):
        rows(pairs=[("link1", "link2", "link3")])
    with pytest.raises(ValueError, match="SelfCollision: robot 'arm7' has no pair of shapes"):
        SelfCollision(ARM, shapes={})
    with pytest.raises(TypeError, match="argument 'obstacles' is a float, expected"):
        CollisionDistances(ARM, {"ball": 1.0}, shapes=SHAPES)
    carried = {**SHAPES, "tool": [PlacedShape(HalfSpace())]}
    swept = SweptClearance(ARM, pairs=[(("link1", 0), ("tool", 0))], shapes=carried)
    with pytest.raises(NotImplementedError, match="a HalfSpace on a link has no bound"):
        swept("a", "b").eval(a=QS[0], b=QS[0])
