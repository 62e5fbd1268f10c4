"""Which pairs of a robot's shapes are kept: by hand, and against Pinocchio's collisions."""

from itertools import pairwise

import numpy as np
import pinocchio
import pytest
from robot_files import urdf_path

from robotics_ad import (
    Inertia,
    Joint,
    Link,
    LoopConstraint,
    RobotModel,
    load_mjcf,
    load_srdf,
    load_urdf,
)
from robotics_ad.geometry import collision_pairs
from robotics_ad.interop import pinocchio_order
from robotics_ad.model import HalfSpace, PlacedShape, Sphere

BALL = PlacedShape(Sphere(0.1))


def chain(kinds: str, shaped: str) -> RobotModel:
    """Links a, b, c, ... in a row, 1 m apart; kinds by letter; those of `shaped` have balls.

    Letters of `shaped` after a space are links without mass.
    """
    shaped, _, massless = shaped.partition(" ")
    names = "abcdefgh"[: len(kinds) + 1]
    full = {"f": "fixed", "r": "revolute", "p": "prismatic", "o": "floating", "l": "planar"}
    links = [
        Link(name, None if name in massless else Inertia(1.0), [BALL] * shaped.count(name))
        for name in names
    ]
    joints = [
        Joint(f"{a}{b}", full[kind], a, b, translation=[1.0, 0.0, 0.0], axis=[0.0, 0.0, 1.0])
        for (a, b), kind in zip(pairwise(names), kinds, strict=True)
    ]
    return RobotModel("r", links, joints)


CASES = {
    ("rrr", "abcd"): "ac ad bd",
    ("rrr", "acd"): "ac ad",
    ("rrr", "acd b"): "ad",  # a and c are neighbours through b, which is nothing
    ("rrr", "acd ab"): "ad",
    ("rrr", "abcd b"): "ac ad bd",
    ("rrr", "ad"): "ad",
    ("rrr", "ad bc"): "",
    ("rrr", "ad b"): "ad",
    ("rfr", "abcd"): "ad",
    ("frf", "abcd"): "",
    ("rrfr", "abcde"): "ac ad ae be",
    ("or", "abc"): "ab ac",  # a base has its ground
    ("lr", "abc"): "ab ac",
    ("ror", "abcd"): "ac ad bc bd",
    ("rr", "aab"): "",
    ("rrr", "aadd"): "ad ad ad ad",
    ("rrr", "abbdd"): "ad ad bd bd bd bd",
}


@pytest.mark.parametrize(("kinds", "shaped"), CASES)
def test_links_of_one_body_and_neighbours_are_left_out(kinds, shaped):
    expected = CASES[kinds, shaped]
    pairs = collision_pairs(chain(kinds, shaped), samples=0)
    shaped = shaped.partition(" ")[0]
    assert " ".join(f"{one[0]}{other[0]}" for one, other in pairs) == expected
    assert len(set(pairs)) == len(pairs)
    for (a, i), (b, j) in pairs:
        assert i < shaped.count(a)
        assert j < shaped.count(b)


def test_branches_that_meet_in_a_link_without_shapes_are_no_neighbours():
    links = [Link("base"), Link("left", None, [BALL]), Link("right", None, [BALL])]
    joints = [Joint(name, "revolute", "base", name) for name in ("left", "right")]
    assert collision_pairs(RobotModel("r", links, joints), samples=0) == [
        (("left", 0), ("right", 0))
    ]


@pytest.mark.parametrize(("held", "joined"), [("xyz", True), ("xz", True), ("x", False)])
def test_links_that_a_loop_joins_are_neighbours(held, joined):
    links = [Link("base"), Link("left", None, [BALL]), Link("right", None, [BALL])]
    joints = [Joint(name, "revolute", "base", name) for name in ("left", "right")]
    loop = LoopConstraint("left", [1, 0, 0], "right", [1, 0, 0], held, rotations="")
    pairs = collision_pairs(RobotModel("r", links, joints, loops=[loop]), samples=0)
    assert pairs == ([] if joined else [(("left", 0), ("right", 0))])


def test_pairs_that_always_touch_are_left_out_and_others_are_not():
    """Two balls at the end of arms of length 0.3 about the same axis, apart by more and more."""

    def robot(radius: float) -> RobotModel:
        ball = PlacedShape(Sphere(radius), translation=[0.3, 0.0, 0.0])
        links = [Link("base"), Link("a", None, [ball]), Link("b", None, [ball])]
        joints = [Joint(n, "continuous", "base", n, axis=[0.0, 0.0, 1.0]) for n in "ab"]
        return RobotModel("r", links, joints)

    kept = [(("a", 0), ("b", 0))]
    assert collision_pairs(robot(0.31)) == []  # at most 0.6 apart
    assert collision_pairs(robot(0.31), samples=0) == kept
    assert collision_pairs(robot(0.29)) == kept
    # the centres are 0.6 |sin(half the angle)| apart: they touch in 2/pi asin(r / 0.3) of all
    assert collision_pairs(robot(0.29), always=0.8) == []
    assert collision_pairs(robot(0.1), always=0.25) == kept
    assert collision_pairs(robot(0.1), always=0.18) == []
    assert collision_pairs(robot(0.29), samples=20, seed=3) == collision_pairs(
        robot(0.29), samples=20, seed=3
    )


def test_shapes_and_srdf_are_those_that_are_given():
    robot = chain("rrr", "abcd")
    assert collision_pairs(robot, {"a": [BALL], "b": [BALL], "c": []}, samples=0) == []
    assert collision_pairs(robot, {"a": [BALL], "b": [BALL], "d": (BALL, BALL)}, samples=0) == [
        (("a", 0), ("d", 0)), (("a", 0), ("d", 1)), (("b", 0), ("d", 0)), (("b", 0), ("d", 1)),
    ]  # fmt: skip
    text = (
        '<robot name="r"><disable_collisions link1="d" link2="a"/>'
        '<disable_collisions link1="b" link2="other"/></robot>'
    )
    for srdf in (text, load_srdf(text)):
        assert collision_pairs(robot, srdf=srdf) == [(("a", 0), ("c", 0)), (("b", 0), ("d", 0))]


def test_parameters_have_their_nominal_values():
    robot = chain("rrr", "abcd")
    varied = robot.parametrize(["ab.placement"])
    assert collision_pairs(varied) == collision_pairs(robot)


def test_a_floor_is_kept_for_what_moves_over_it():
    text = """<mujoco><worldbody><geom type="plane" size="1 1 1"/><body name="base" pos="0 0 1">
    <freejoint/><geom size=".1"/><body name="leg" pos="1 0 0"><joint/><geom size=".1"/></body>
    </body></worldbody></mujoco>"""
    robot = load_mjcf(text, geometry=True)
    assert isinstance(robot.links[0].collisions[0].shape, HalfSpace)
    assert collision_pairs(robot) == [(("world", 0), ("base", 0)), (("world", 0), ("leg", 0))]


@pytest.mark.parametrize(
    ("name", "count"),
    [("panda_description/urdf/panda_collision.urdf", 30), ("ur_description/urdf/ur5_robot.urdf", 8),
     ("talos_data/robots/talos_reduced.urdf", 8)],
)  # fmt: skip
def test_pinocchio_finds_the_same_pairs_touching(name, count):
    path = urdf_path(name)
    robot = load_urdf(path, geometry=True).release_mimics()
    model = pinocchio.buildModelFromUrdf(str(path))
    shapes = pinocchio.buildGeomFromUrdf(
        model, str(path), pinocchio.COLLISION, package_dirs=[str(path.parents[4])]
    )
    shapes.addAllCollisionPairs()
    numbers: dict[tuple[str, int], int] = {}
    for i, thing in enumerate(shapes.geometryObjects):
        link = model.frames[thing.parentFrame].name
        numbers[link, sum(known == link for known, _ in numbers)] = i
    data, geometry, order = model.createData(), shapes.createData(), pinocchio_order(robot, model)
    touching = np.zeros((count, len(shapes.geometryObjects), len(shapes.geometryObjects)))
    for k, q in enumerate(robot.random(np.random.default_rng(5), count)):
        pinocchio.computeCollisions(model, data, shapes, geometry, order.to_q(q), False)
        for pair, result in zip(shapes.collisionPairs, geometry.collisionResults, strict=True):
            touching[k, pair.first, pair.second] = result.isCollision()
    always = (touching + touching.transpose(0, 2, 1)).all(axis=0)
    everything = collision_pairs(robot, samples=0)
    kept = set(collision_pairs(robot, samples=count, seed=5))
    assert len(everything) > 19
    for pair in everything:
        assert (pair in kept) != always[numbers[pair[0]], numbers[pair[1]]], pair
    assert len(kept) < len(everything) or "ur5" in name


FAULTS = [
    ({"robot": None}, TypeError, "collision_pairs: argument 'robot'"),
    ({"shapes": [BALL]}, TypeError, "collision_pairs: shapes is"),
    ({"shapes": {"z": [BALL]}}, ValueError, "collision_pairs: shapes: no link 'z'"),
    ({"shapes": {"a": BALL}}, TypeError, r"collision_pairs: shapes\['a'\]"),
    ({"samples": -1}, ValueError, "collision_pairs: samples is -1"),
    ({"seed": 0.5}, ValueError, "collision_pairs: seed is 0.5"),
    ({"always": 0.0}, ValueError, "collision_pairs: always is 0.0"),
    ({"srdf": "none.srdf"}, FileNotFoundError, "no file 'none.srdf'"),
]


@pytest.mark.parametrize(("given", "error", "message"), FAULTS)
def test_wrong_arguments_are_named(given, error, message):
    with pytest.raises(error, match=message):
        collision_pairs(**{"robot": chain("rr", "abc"), **given})
