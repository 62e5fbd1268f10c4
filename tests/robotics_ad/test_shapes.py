"""Shapes as frozen data, and that whatever is made of a robot keeps them."""

import copy
import pickle
import re
from collections.abc import Callable

import numpy as np
import pytest
from robot_files import TETRAHEDRON, urdf_path

from robotics_ad import Inertia, Link, RobotModel, load_mjcf, load_urdf
from robotics_ad.load import isolated
from robotics_ad.model import (
    SHAPES,
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

TURN = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
EXAMPLES: dict[str, Shape] = {
    "Sphere": Sphere(0.1),
    "Capsule": Capsule(0.1, 0.2),
    "Cylinder": Cylinder(0.1, 0.2),
    "Box": Box(np.array([0.1, 0.2, 0.3])),
    "Ellipsoid": Ellipsoid(np.array([0.1, 0.2, 0.3])),
    "HalfSpace": HalfSpace(),
    "Mesh": Mesh("a.stl", np.array([1.0, 1.0, -1.0])),
    "TriangleMesh": TriangleMesh(np.eye(3), np.array([[0, 1, 2]])),
}


def placed(shape: Shape) -> PlacedShape:
    return PlacedShape(shape, TURN, np.array([1.0, 2.0, 3.0]), "name")


@pytest.mark.parametrize("kind", SHAPES)
def test_copies_and_pickles_are_the_same_numbers_and_stay_frozen(kind):
    link = Link("link", None, [placed(EXAMPLES[kind])], [placed(EXAMPLES[kind])] * 2)
    assert type(link.collisions) is type(link.visuals) is tuple
    assert copy.deepcopy(link) is link
    again = pickle.loads(pickle.dumps(link))
    assert isolated._plain(again) == isolated._plain(link)
    shape = again.visuals[1].shape
    assert type(shape) is SHAPES[kind]
    arrays = [v for one in (shape, again.visuals[1]) for v in vars(one).values()]
    for array in arrays:
        assert not isinstance(array, np.ndarray) or not array.flags.writeable
    with pytest.raises(AttributeError):
        shape.radius = 3.0


def test_one_mesh_on_several_links_is_pickled_once():
    mesh = TriangleMesh(np.random.default_rng(0).normal(size=(1000, 3)), np.array([[0, 1, 2]]))
    alone, many = (
        pickle.dumps([Link(str(i), None, [PlacedShape(mesh)]) for i in range(n)]) for n in (1, 9)
    )
    assert len(many) < 1.5 * len(alone)


FAULTS: list[tuple[Callable[[], object], type[Exception], str]] = [
    (lambda: Sphere(-1.0), ValueError, "sphere: radius is -1.0, expected 0 or more"),
    (lambda: Sphere(np.inf), ValueError, "sphere: radius is inf"),
    (lambda: Capsule(0.1, -0.1), ValueError, "capsule: length is -0.1"),
    (lambda: Cylinder(0.1, "a"), TypeError, "cylinder: length is not made of real numbers"),
    (lambda: Box(1.0), ValueError, "box: size has shape ()"),
    (lambda: Box([1, 1, -1]), ValueError, "box: size is [1.0, 1.0, -1.0], expected 0 or more"),
    (lambda: Ellipsoid([1, np.nan, 1]), ValueError, "ellipsoid: radii is NaN"),
    (lambda: Mesh(3), TypeError, "mesh: argument 'path'"),
    (lambda: Mesh("a", [1, 1]), ValueError, "mesh: scale has shape (2,)"),
    (lambda: TriangleMesh(np.eye(2), [[0, 1, 2]]), ValueError, "vertices have shape (2, 2)"),
    (lambda: TriangleMesh(np.eye(3), []), ValueError, "triangles have shape (0,)"),
    (lambda: TriangleMesh(np.eye(3), [[0, 1, 3]]), ValueError, "name vertex 3, there are 3"),
    (lambda: TriangleMesh(np.eye(3), [[0, -1, 2]]), ValueError, "name vertex -1"),
    (lambda: TriangleMesh(np.eye(3), [[0, 0.5, 2]]), ValueError, "triangles are not whole"),
    (lambda: PlacedShape("sphere"), TypeError, "one of Sphere, Capsule"),
    (lambda: PlacedShape(Sphere(1), np.eye(2)), ValueError, "placed shape: rotation has shape"),
    (lambda: PlacedShape(Sphere(1), name=3), TypeError, "placed shape: argument 'name'"),
    (lambda: Link("l", None, [Sphere(1)]), TypeError, "link: argument 'collisions'"),
    (lambda: Link("l", visuals=3), TypeError, "link: visuals"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "error", "message"), FAULTS)
def test_what_is_no_shape_is_refused(make, error, message):
    with pytest.raises(error, match=re.escape(message)):
        make()


def shapes_of(robot: RobotModel) -> dict[str, object]:
    return {
        link.name: (isolated._plain(link)["collisions"], isolated._plain(link)["visuals"])
        for link in robot.links
    }


def varied(robot: RobotModel) -> RobotModel:
    """All inertias changed, so that every link is made anew."""
    owners = [f"{link.name}.mass" for link in robot.links if link.inertia is not None]
    robot = robot.parametrize(owners)
    return robot.with_parameters(2.0 * robot.parameters)


MADE: dict[str, Callable[[RobotModel], RobotModel]] = {
    "pickled": lambda robot: pickle.loads(pickle.dumps(robot)),
    "copied": copy.deepcopy,
    "floating": lambda robot: robot.floating(),
    "locked": lambda robot: robot.lock_joints({robot.joint_names[0]: 0.1}),
    "without mimics": lambda robot: robot.release_mimics(),
    "with parameters": varied,
    "a chain": lambda robot: robot.subchain(robot.link_names[-1]),
    "a part of it": lambda robot: robot.subchain(robot.link_names[-1], robot.link_names[1]),
    "built of its parts": lambda robot: RobotModel("r", robot.links[::-1], robot.joints[::-1]),
}


@pytest.mark.parametrize("made", MADE)
def test_what_is_made_of_a_robot_keeps_the_shapes(made):
    robot = load_urdf(urdf_path("panda_description/urdf/panda.urdf"), geometry=True)
    before, other = shapes_of(robot), MADE[made](robot)
    assert other is robot or made != "copied"
    assert sum(len(link.collisions) for link in other.links) > 1
    for name, shapes in shapes_of(other).items():
        assert shapes == before.get(name, ([], []))


@pytest.mark.parametrize(
    "name", ["panda_description/urdf/panda.urdf", "z1_description/urdf/z1.urdf"]
)
def test_a_process_of_its_own_gives_the_same_shapes(name):
    path = urdf_path(name)
    ours = load_urdf(path, geometry=True)
    theirs = load_urdf(path, geometry=True, untrusted=True)
    assert shapes_of(ours) == shapes_of(theirs)
    assert shapes_of(ours) != shapes_of(load_urdf(path))


def test_a_process_of_its_own_gives_every_kind_of_shape(tmp_path):
    (tmp_path / "m.obj").write_text(TETRAHEDRON)
    kinds = ("sphere", "capsule", "cylinder", "box", "ellipsoid", "plane", "mesh' mesh='m")
    geoms = "".join(f"<geom name='{k[:4]}' type='{k}' size='.1 .2 .3'/>" for k in kinds)
    path = tmp_path / "r.xml"
    body = "<body name='b'><joint/><geom size='.1'/></body>"
    asset = "<asset><mesh name='m' file='m.obj'/></asset>"
    path.write_text(f"<mujoco>{asset}<worldbody>{geoms}{body}</worldbody></mujoco>")
    ours, theirs = (load_mjcf(path, geometry=True, untrusted=u) for u in (False, True))
    assert shapes_of(ours) == shapes_of(theirs)
    assert {type(s.shape) for s in theirs.links[0].collisions} == {*SHAPES.values()} - {Mesh}


def test_links_without_shapes_are_as_before():
    assert Link("l", Inertia(1.0)).collisions == Link("l").visuals == ()
    mjcf = "<mujoco><worldbody><geom size='1'/></worldbody></mujoco>"
    for robot in (load_urdf(urdf_path("z1_description/urdf/z1.urdf")), load_mjcf(mjcf)):
        assert not any(link.collisions or link.visuals for link in robot.links)
