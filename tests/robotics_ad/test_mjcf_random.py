"""Random MJCF trees, with several joints at a body, against MuJoCo; and the maps to its order."""

import mujoco
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from mujoco_twin import compare

from robotics_ad import read_mjcf


def numbers(values: np.ndarray) -> str:
    return " ".join(repr(float(x)) for x in np.atleast_1d(values))


def inertial(rng: np.random.Generator) -> str:
    """Principal moments of a few point masses, so that they belong to a body that can exist."""
    points, masses = 0.3 * rng.normal(size=(4, 3)), rng.uniform(0.2, 1.0, 4)
    squares = masses @ points**2
    return (
        f'<inertial pos="{numbers(0.2 * rng.normal(size=3))}" mass="{numbers(masses.sum())}" '
        f'quat="{numbers(rng.normal(size=4))}" diaginertia="{numbers(squares.sum() - squares)}"/>'
    )


def joint(name: str, kind: str, rng: np.random.Generator, plain: bool, place: int) -> str:
    """A joint with an anchor, a reference, a spring and the rest; `plain` has an axis alone."""
    axis = np.eye(3)[place] if plain else rng.normal(size=3)
    text = f'<joint name="{name}" type="{kind}" axis="{numbers(axis)}"'
    if not plain:
        text += f' pos="{numbers(rng.normal(size=3))}" armature="{rng.uniform()}"'
        text += f' damping="{rng.uniform()}" stiffness="{rng.uniform()}"'
        if kind != "ball":
            text += f' ref="{rng.uniform(-0.5, 0.5)}" springref="{rng.uniform(-0.5, 0.5)}"'
    return text + "/>"


@st.composite
def trees(draw: st.DrawFn, equalities: bool = False) -> str:
    """One to five bodies; each has a free joint, or up to three others, or none.

    With `equalities`, some joints with one number follow others that come before them.
    """
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    children: dict[int, list[int]] = {-1: []}
    own, scalars, ties = list[str](), list[str](), ""
    for i in range(draw(st.integers(1, 5))):
        parent = draw(st.integers(-1, i - 1))
        children[parent].append(i)
        children[i] = []
        if parent == -1 and draw(st.booleans()):
            joints = "<freejoint/>"
        else:
            ends_in_ball = draw(st.booleans())  # hinges before it would leave a turn undetermined
            kind = st.just("slide") if ends_in_ball else st.sampled_from(["hinge", "slide"])
            kinds = draw(st.lists(kind, max_size=3)) + ["ball"] * ends_in_ball
            joints = "".join(
                joint(f"{i}-{n}", kind, rng, draw(st.booleans()), n % 3)
                for n, kind in enumerate(kinds)
            )
            scalars += [f"{i}-{n}" for n, kind in enumerate(kinds) if kind != "ball"]
        site = f'<site name="site{i}" pos="{numbers(rng.normal(size=3))}"/>'
        own.append(joints + inertial(rng) + site)

    def body(i: int) -> str:
        place = f'pos="{numbers(rng.normal(size=3))}" quat="{numbers(rng.normal(size=4))}"'
        return f"<body {place}>{own[i]}{''.join(map(body, children[i]))}</body>"

    for n in range(1, len(scalars)):
        if equalities and draw(st.booleans()):
            leader = scalars[draw(st.integers(0, n - 1))]
            polynomial = f"{numbers(rng.normal(size=2))} 0 0 0"
            ties += f'<joint joint1="{scalars[n]}" joint2="{leader}" polycoef="{polynomial}"/>'
    bodies = "".join(map(body, children[-1]))
    return (
        '<mujoco><compiler angle="radian"/><option gravity="0.3 -0.2 -9"/>'
        f"<worldbody>{bodies}</worldbody><equality>{ties}</equality></mujoco>"
    )


@settings(max_examples=25, deadline=None)
@given(trees(equalities=True), st.integers(0, 1000))
def test_random_trees(text, seed):
    scene = read_mjcf(text)
    if scene.robot.nv:
        compare(scene, [seed])


@settings(max_examples=25, deadline=None)
@given(trees(), st.integers(0, 1000))
def test_configurations_move_as_mujocos_do(text, seed):
    """integrate is mj_integratePos, difference is mj_differentiatePos; orders convert back."""
    scene = read_mjcf(text)
    robot, model, order, rng = scene.robot, scene.model, scene.order, np.random.default_rng(seed)
    q, v = robot.random(rng), 0.5 * rng.normal(size=robot.nv)
    np.testing.assert_array_equal(order.from_q(order.to_q(q)), q)
    np.testing.assert_allclose(order.from_v(order.to_v(v, q), q), v, atol=1e-14)
    np.testing.assert_allclose(order.from_a(order.to_a(v, q, v), q, v), v, atol=1e-13)
    if any(joint.kind == "floating" for joint in robot.joints):
        return  # MuJoCo moves position and orientation apart, ours is the exponential
    moved = order.to_q(q)
    mujoco.mj_integratePos(model, moved, order.to_v(v, q), 1.0)
    np.testing.assert_allclose(order.to_q(robot.integrate(q, v)), moved, atol=1e-13)
    difference = np.zeros(model.nv)
    mujoco.mj_differentiatePos(model, difference, 1.0, order.to_q(q), moved)
    np.testing.assert_allclose(robot.difference(q, order.from_q(moved)), difference, atol=1e-13)
    np.testing.assert_allclose(difference, v, atol=1e-12)


def test_maps_take_leading_axes():
    scene = read_mjcf(
        '<mujoco><worldbody><body><freejoint/><geom size=".1"/><body><joint/><geom size=".1"/>'
        "</body></body></worldbody></mujoco>"
    )
    order, rng = scene.order, np.random.default_rng(0)
    q, v, a = scene.robot.random(rng, (2, 3)), *rng.normal(size=(2, 2, 3, 7))
    qM = rng.normal(size=(2, 3, 7, 7))
    mapped = (
        order.to_q(q),
        order.to_v(v, q),
        order.to_a(a, q, v),
        order.from_a(a, q, v),
        order.from_force(a, q),
        order.from_mass_matrix(qM, q),
    )
    at = (1, 2)
    single = (
        order.to_q(q[at]),
        order.to_v(v[at], q[at]),
        order.to_a(a[at], q[at], v[at]),
        order.from_a(a[at], q[at], v[at]),
        order.from_force(a[at], q[at]),
        order.from_mass_matrix(qM[at], q[at]),
    )
    for batch, one in zip(mapped, single, strict=True):
        np.testing.assert_allclose(batch[at], one, atol=1e-14)
    np.testing.assert_allclose(order.to_v(v[at], q)[at], order.to_v(v[at], q[at]), atol=1e-14)
