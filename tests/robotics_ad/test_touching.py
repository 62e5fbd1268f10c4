"""`pairs="auto"` leaves out what no motion parts: by hand, and as coal finds it."""

import numpy as np
import pytest
from robot_files import urdf_path

from robotics_ad import Inertia, Joint, Link, RobotModel, load_urdf
from robotics_ad.geometry import (
    CollisionDistances,
    SelfCollision,
    collision_pairs,
    fit_capsules,
)
from robotics_ad.geometry.touching import ever_apart
from robotics_ad.model import Box, Cylinder, HalfSpace, PlacedShape, Sphere, TriangleMesh


def arms(radius: float, *more: PlacedShape) -> RobotModel:
    """Two balls 0.3 m from one axis, about which they turn, and more shapes on the second."""
    ball = PlacedShape(Sphere(radius), translation=[0.3, 0.0, 0.0])
    links = [Link("base"), Link("a", Inertia(1.0), [ball]), Link("b", Inertia(1.0), [ball, *more])]
    joints = [Joint(n, "continuous", "base", n, axis=[0.0, 0.0, 1.0]) for n in "ab"]
    return RobotModel("r", links, joints)


def test_what_always_touches_has_no_row():
    with pytest.raises(ValueError, match="robot 'r' has no pair of shapes to be apart"):
        SelfCollision(arms(0.31))  # 0.6 m apart at most
    assert SelfCollision(arms(0.29)).pairs == ((("a", 0), ("b", 0)),)
    away = PlacedShape(Box([0.1, 0.1, 0.1]), translation=[0.0, 0.0, 2.0])
    rows = SelfCollision(arms(0.31, away))
    assert rows.names == ("a[0] - b[1]",)
    assert rows("q").eval(q=np.zeros(2)) > 0.0
    with_obstacle = CollisionDistances(arms(0.31), {"ball": Sphere(1.0)})
    assert with_obstacle.pairs == ((("a", 0), "ball"), (("b", 0), "ball"))
    asked = SelfCollision(arms(0.31), pairs=[(("a", 0), ("b", 0))])
    assert len(asked.pairs) == 1


def test_pairs_without_formula_or_end_are_kept():
    for shape, z in ((Cylinder(0.1, 0.2), 5.0), (HalfSpace(), -5.0)):
        robot = arms(0.31, PlacedShape(shape, translation=[0.0, 0.0, z]))
        pairs = collision_pairs(robot, samples=0)
        shapes = {link.name: link.collisions for link in robot.links}
        assert ever_apart(robot, shapes, pairs) == [(("a", 0), ("b", 1))]
    wedge = TriangleMesh(np.eye(4, 3), [[0, 1, 2], [0, 3, 1], [1, 3, 2], [2, 3, 0]])
    mixed = {"a": [PlacedShape(wedge)], "b": [PlacedShape(Box([1.0, 1.0, 1.0]))]}
    pairs = collision_pairs(robot, mixed, samples=0)
    assert ever_apart(robot, mixed, pairs) == pairs
    assert ever_apart(robot, mixed, []) == []


def test_parameters_have_their_nominal_values():
    robot = arms(0.29).parametrize(["a.placement"])
    assert SelfCollision(robot).pairs == ((("a", 0), ("b", 0)),)


@pytest.mark.parametrize(
    "name", ["ur_description/urdf/ur5_robot.urdf",
             pytest.param("talos_data/robots/talos_reduced.urdf", marks=pytest.mark.slow)]
)  # fmt: skip
def test_coal_finds_the_same(name):
    robot = load_urdf(urdf_path(name), geometry=True).release_mimics()
    robot = fit_capsules(robot, most=1).robot
    shapes = {link.name: link.collisions for link in robot.links}
    everything = collision_pairs(robot, samples=0)
    found = ever_apart(robot, shapes, everything)
    assert found == collision_pairs(robot)
    assert len(found) < len(everything)
    assert list(SelfCollision(robot).pairs) == found
