"""Capsules and spheres around shapes of robots: what they contain, and bounds of the excess."""

from itertools import combinations

import coal
import numpy as np
import pytest
from robot_files import urdf_path
from scipy.optimize import minimize

from robotics_ad import Link, RobotModel, load_urdf, packaged_arm
from robotics_ad.geometry import collision_pairs, fit_capsules, fit_spheres, read_mesh
from robotics_ad.geometry.enclosing import ball_around, capsule_around, sphere_directions
from robotics_ad.geometry.polyhedra import corners_around, cut
from robotics_ad.model import (
    Box,
    Capsule,
    Cylinder,
    Ellipsoid,
    HalfSpace,
    Mesh,
    PlacedShape,
    Shape,
    Sphere,
    TriangleMesh,
)

FITS = {"capsules": fit_capsules, "spheres": fit_spheres}
PANDA = "panda_description/urdf/panda.urdf"
ROBOTS = {
    PANDA: 10**6,
    "ur_description/urdf/ur5_robot.urdf": 10**6,
    "g1_description/urdf/g1_29dof_rev_1_0.urdf": 5_000,
}


def in_link(placed: PlacedShape, points: np.ndarray) -> np.ndarray:
    return points @ placed.rotation.T + placed.translation


def beyond(placed: PlacedShape, points: np.ndarray) -> np.ndarray:
    """How far points of the link are outside of a sphere or capsule; negative inside."""
    own = (points - placed.translation) @ placed.rotation
    half = 0.5 * placed.shape.length if isinstance(placed.shape, Capsule) else 0.0
    own[..., 2] -= np.clip(own[..., 2], -half, half)
    return np.linalg.norm(own, axis=-1) - placed.shape.radius


def lean(robot: RobotModel, largest: int) -> RobotModel:
    """The robot without meshes of more triangles than that, for the sake of time."""
    read = {}
    links = []
    for link in robot.links:
        kept = []
        for placed in link.collisions:
            shape = placed.shape
            if isinstance(shape, Mesh):
                shape = read.setdefault(shape.path, read_mesh(shape))
                if len(shape.triangles) > largest:
                    continue
            kept.append(PlacedShape(shape, placed.rotation, placed.translation, placed.name))
        links.append(Link(link.name, link.inertia, kept))
    return RobotModel(robot.name, links, robot.joints)


@pytest.mark.parametrize("name", ROBOTS)
def test_one_capsule_contains_every_vertex_of_a_real_robot(name):
    robot = lean(load_urdf(urdf_path(name), geometry=True), ROBOTS[name])
    fit = fit_capsules(robot)
    shapes = 0
    for link, before in zip(fit.robot.links, robot.links, strict=True):
        assert len(link.collisions) == len(before.collisions) == len(fit.excess[link.name])
        assert link.inertia is before.inertia
        for fitted, placed in zip(link.collisions, before.collisions, strict=True):
            corners = corners_around(placed.shape).reshape(-1, 3)
            kept = isinstance(placed.shape, Sphere)
            assert (fitted is placed) == kept
            assert kept or beyond(fitted, in_link(placed, corners)).max() <= 1e-12
            shapes += 1
    assert shapes > 7


@pytest.mark.parametrize("kind", FITS)
def test_several_contain_all_that_a_mesh_encloses(kind):
    """Random points of each link of Panda: of triangles, and inside of closed meshes."""
    robot = lean(load_urdf(urdf_path(PANDA), geometry=True), 10**6)
    robot = robot.subchain("panda_link2", "panda_link1")
    fit, rng = FITS[kind](robot, most=5, tolerance=0.0), np.random.default_rng(0)
    for link, before in zip(fit.robot.links, robot.links, strict=True):
        (placed,) = before.collisions
        assert len(link.collisions) == 5
        corners = corners_around(placed.shape)
        weights = rng.dirichlet(np.ones(3), (5, len(corners)))
        on_surface = np.einsum("kni,nij->knj", weights, corners).reshape(-1, 3)
        inside = rng.uniform(corners.min((0, 1)), corners.max((0, 1)), (1_000, 3))
        inside = inside[[winding(corners, point) > 0.5 for point in inside]]
        assert len(inside) > 200
        for points in (on_surface, inside):
            moved = in_link(placed, points)
            nearest = np.min([beyond(fitted, moved) for fitted in link.collisions], axis=0)
            assert nearest.max() <= 1e-12


def winding(corners: np.ndarray, point: np.ndarray) -> float:
    """How often a surface goes around a point (van Oosterom, Strackee 1983)."""
    a, b, c = np.moveaxis(corners - point, 1, 0)
    la, lb, lc = (np.linalg.norm(edge, axis=1) for edge in (a, b, c))
    over = np.einsum("ij,ij->i", a, np.cross(b, c))
    under = la * lb * lc + np.sum(a * b, 1) * lc + np.sum(b * c, 1) * la + np.sum(c * a, 1) * lb
    return float(np.arctan2(over, under).sum() / (2.0 * np.pi))


SHAPES: dict[str, Shape] = {
    "box": Box(np.array([0.1, 0.2, 0.4])),
    "cylinder": Cylinder(0.1, 0.5),
    "disc": Cylinder(0.3, 0.05),
    "ellipsoid": Ellipsoid(np.array([0.1, 0.2, 0.4])),
    "capsule": Capsule(0.1, 0.4),
    "triangle": TriangleMesh(np.eye(3), np.array([[0, 1, 2]])),
    "L": TriangleMesh(
        np.array([[x, y, z] for x, y in ((0, 0), (2, 0), (2, 1), (1, 1), (1, 2), (0, 2))
                  for z in (0, 1)], dtype=float),
        np.array([[0, 2, 4], [0, 4, 6], [0, 6, 8], [0, 8, 10], [1, 5, 3], [1, 7, 5], [1, 9, 7],
                  [1, 11, 9], *([a, a + 1, (a + 2) % 12] for a in range(0, 12, 2)),
                  *([a + 1, (a + 3) % 12, (a + 2) % 12] for a in range(0, 12, 2))]),
    ),
}  # fmt: skip


def robot_with(*shapes: Shape) -> RobotModel:
    turn = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    placed = [PlacedShape(shape, turn, np.array([1.0, 2.0, 3.0]), "name") for shape in shapes]
    return RobotModel("r", [Link("link", None, placed)], [])


def exact(shape: Shape) -> coal.CollisionGeometry:
    """The shape as coal has it; the hull of the L is not the L, so its triangles are."""
    if isinstance(shape, TriangleMesh):
        mesh = coal.BVHModelOBBRSS()
        mesh.beginModel(0, 0)
        for corners in shape.vertices[shape.triangles]:
            mesh.addTriangle(*corners)
        mesh.endModel()
        return mesh
    return {
        Box: lambda: coal.Box(*shape.size), Cylinder: lambda: coal.Cylinder(shape.radius,
        shape.length), Ellipsoid: lambda: coal.Ellipsoid(*shape.radii),
        Capsule: lambda: coal.Capsule(shape.radius, shape.length),
    }[type(shape)]()  # fmt: skip


@pytest.mark.parametrize("kind", FITS)
@pytest.mark.parametrize("most", [1, 6])
@pytest.mark.parametrize("name", SHAPES)
def test_bounds_of_the_excess_hold_and_are_not_too_large(name, most, kind):
    """At 1000 points of the surface of all, by coal; points of other fits do not count."""
    shape, robot = SHAPES[name], robot_with(SHAPES[name])
    fit, identity = FITS[kind](robot, most=most, tolerance=0.02), coal.Transform3s.Identity()
    (before,) = robot.links[0].collisions
    theirs, request = exact(shape), coal.DistanceRequest()
    shapes, bounds = fit.robot.links[0].collisions, fit.excess["link"]
    assert 1 <= len(shapes) == len(bounds) <= most
    assert {fitted.name for fitted in shapes} == {"name"}
    if isinstance(shape, Capsule) and kind == "capsules":
        assert shapes == (before,)
        assert bounds == (0.0,)
        return
    assert len(shapes) == most or max(bounds) <= 0.02
    for fitted, bound in zip(shapes, bounds, strict=True):
        own = sphere_directions(1000 // len(shapes)) * fitted.shape.radius
        if isinstance(fitted.shape, Capsule):
            own[:, 2] += np.sign(own[:, 2]) * 0.5 * fitted.shape.length
        points = (in_link(fitted, own) - before.translation) @ before.rotation
        closed = name == "L"
        corners = corners_around(shape)
        distances = [
            0.0
            if closed and abs(winding(corners, point)) > 0.5
            else coal.distance(theirs, identity, coal.Sphere(0.0), coal.Transform3s(np.eye(3),
                               point), request, coal.DistanceResult())
            for point in points
        ]  # fmt: skip
        worst = max(0.0, *distances)
        assert worst <= bound <= 1.15 * worst + 0.2 * fitted.shape.radius


def test_more_of_them_are_closer():
    for kind, shape in (("capsules", SHAPES["L"]), ("spheres", SHAPES["box"])):
        worst = [max(FITS[kind](robot_with(shape), most=n, tolerance=0.0).excess["link"])
                 for n in (1, 3, 9)]  # fmt: skip
        assert worst[2] < 0.7 * worst[0]


def test_what_is_simple_already_stays_and_nothing_is_drawn_anew():
    robot = robot_with(Sphere(0.1), HalfSpace())
    for fit in FITS.values():
        made = fit(robot)
        assert made.robot.links[0].collisions == robot.links[0].collisions
        assert made.excess == {"link": (0.0, 0.0)}
    seen = RobotModel("r", [Link("link", None, (), robot_with(SHAPES["box"]).links[0].collisions)],
                      [])  # fmt: skip
    made = fit_capsules(seen, of="visuals").robot.links[0]
    assert made.visuals == seen.links[0].visuals
    assert len(made.collisions) == 1


def test_the_same_robot_gives_the_same_numbers():
    robot = robot_with(SHAPES["L"])
    for fit in FITS.values():
        one, other = fit(robot, most=3), fit(robot, most=3)
        assert one.excess == other.excess
        for a, b in zip(*(f.robot.links[0].collisions for f in (one, other)), strict=True):
            np.testing.assert_array_equal(a.translation, b.translation)
            assert a.shape.radius == b.shape.radius


POINTS = {
    "random": np.random.default_rng(0).normal(size=(50, 3)),
    "flat": np.random.default_rng(1).normal(size=(50, 3)) * [1, 1, 0],
    "in a row": np.linspace(0, 1, 9)[:, None] * [1.0, 2.0, 3.0],
    "one": np.ones((1, 3)),
    "one again and again": np.ones((9, 3)),
    "two": np.array([[0.0, 0, 0], [1, 0, 0]]),
    "a cube": np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], dtype=float),
    "on a sphere": sphere_directions(400),
}


@pytest.mark.parametrize("name", POINTS)
def test_the_ball_is_the_smallest_and_the_capsule_no_larger(name):
    points = POINTS[name]
    ball, capsule = ball_around(points), capsule_around(points)
    assert np.linalg.norm(points - ball.centre, axis=1).max() <= ball.radius
    pairs = [np.linalg.norm(a - b) / 2 for a, b in combinations(points, 2)]
    assert ball.radius >= max(pairs, default=0.0)

    def radius(centre: np.ndarray) -> float:
        return float(np.linalg.norm(points - centre, axis=1).max())

    options = {"xatol": 1e-12, "fatol": 1e-12, "maxiter": 5000}
    best = minimize(radius, points.mean(axis=0) + 0.01, method="Nelder-Mead", options=options)
    assert ball.radius <= best.fun * (1 + 1e-9) + 1e-9
    along = np.clip((points - capsule.centre) @ capsule.axis, -capsule.length / 2,
                    capsule.length / 2)  # fmt: skip
    off = points - capsule.centre - along[:, None] * capsule.axis
    assert np.linalg.norm(off, axis=1).max() <= capsule.radius
    assert capsule.volume <= 1.02 * ball.volume + 1e-12
    assert np.linalg.norm(capsule.axis) == pytest.approx(1.0)


def test_a_capsule_is_found_again():
    rng = np.random.default_rng(2)
    axis = np.array([1.0, 2.0, -2.0]) / 3.0
    points = 0.2 * sphere_directions(500) + np.repeat([[0.5], [-0.5]], 250, 0) * axis
    points += rng.choice([-0.5, 0.5], (500, 1)) * axis
    ends = np.vstack([0.2 * sphere_directions(500) + s * axis for s in (-0.5, 0.5)])
    capsule = capsule_around(ends)
    assert abs(capsule.axis @ axis) == pytest.approx(1.0, abs=1e-4)
    assert capsule.volume == pytest.approx(np.pi * 0.04 * (1.0 + 0.8 / 3.0), rel=0.03)


def test_cut_triangles_cover_the_same_area_on_either_side():
    rng = np.random.default_rng(0)
    triangles = rng.normal(size=(200, 3, 3))
    triangles[:5, :, 0] = 0.3  # in the plane
    triangles[5:9, 0, 0] = 0.3  # with a corner or an edge in it
    triangles[7:9, 1, 0] = 0.3
    low, high = cut(triangles, np.array([1.0, 0.0, 0.0]), 0.3)
    assert low[..., 0].max() <= 0.3 + 1e-12
    assert high[..., 0].min() >= 0.3 - 1e-12

    def area(of: np.ndarray) -> float:
        return float(
            np.linalg.norm(np.cross(of[:, 1] - of[:, 0], of[:, 2] - of[:, 0]), axis=1).sum()
        )

    assert area(low) + area(high) == pytest.approx(area(triangles), rel=1e-12)


def test_the_capsules_of_the_packaged_arm_contain_what_is_drawn_of_it():
    capsules = 0
    for link in packaged_arm().links:
        for placed, drawn in zip(link.collisions, link.visuals, strict=True):
            assert isinstance(placed.shape, Capsule | Sphere)
            corners = in_link(drawn, corners_around(drawn.shape).reshape(-1, 3))
            assert -0.005 < beyond(placed, corners).max() <= 0.0
            capsules += 1
    assert capsules == 16
    assert len(collision_pairs(packaged_arm())) > 20


FAULTS = [
    ({"robot": None}, TypeError, "argument 'robot'"),
    ({"of": "meshes"}, ValueError, "of is 'meshes', expected one of collisions, visuals"),
    ({"most": 0}, ValueError, "most is 0"),
    ({"tolerance": -1.0}, ValueError, "tolerance is -1.0"),
    ({"robot": robot_with(Mesh("none.stl"))}, FileNotFoundError, "no file 'none.stl' of a mesh"),
]


@pytest.mark.parametrize("kind", FITS)
@pytest.mark.parametrize(("given", "error", "message"), FAULTS)
def test_wrong_arguments_are_named(given, error, message, kind):
    with pytest.raises(error, match=message):
        FITS[kind](**{"robot": robot_with(Sphere(1.0)), **given})


def test_files_that_hold_no_mesh_are_named(tmp_path):
    for name, content in (("a.stl", "nothing"), ("b.obj", ""), ("c.xyz", "1 2 3")):
        path = tmp_path / name
        path.write_text(content)
        with pytest.raises(ValueError, match=name):
            fit_capsules(robot_with(Mesh(str(path))))


def test_who_waits_is_told_how_far_it_is():
    told: list[tuple[int, int]] = []
    fit_capsules(packaged_arm(), progress=lambda done, of: told.append((done, of)))
    n = sum(len(link.collisions) for link in packaged_arm().links)
    assert told == [(k, n) for k in range(1, n + 1)]
    with pytest.raises(TypeError, match="progress"):
        fit_capsules(packaged_arm(), progress=3)
