"""Collisions and visuals of MJCF: MuJoCo's own geoms, where they are at random states."""

import mujoco
import numpy as np
import pytest
from mujoco_twin import gymnasium_models, quietly
from robot_files import TETRAHEDRON

from robotics_ad import Mjcf, load_mjcf, read_mjcf
from robotics_ad.kinematics import WorldTransform
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

MODELS = gymnasium_models()
KINDS = {0: HalfSpace, 2: Sphere, 3: Capsule, 4: Ellipsoid, 5: Cylinder, 6: Box, 7: TriangleMesh}


def sizes(shape: Shape) -> list[float]:
    """The numbers of MuJoCo's `geom_size` that mean something."""
    if isinstance(shape, (Sphere, Capsule, Cylinder)):
        return [shape.radius, *([] if isinstance(shape, Sphere) else [shape.length / 2.0])]
    if isinstance(shape, Box):
        return (shape.size / 2.0).tolist()
    return shape.radii.tolist() if isinstance(shape, Ellipsoid) else []


def expected(model: mujoco.MjModel, g: int) -> tuple[bool, bool]:
    """Whether geom g collides and is drawn."""
    paired = g in [*model.pair_geom1, *model.pair_geom2]
    return (
        bool(model.geom_contype[g] or model.geom_conaffinity[g] or paired),
        int(model.geom_group[g]) in (0, 1, 2),
    )


def compare(scene: Mjcf) -> int:
    """Shapes of each body, in the order of geoms, with their poses in the world; how many."""
    model, robot, count = scene.model, scene.robot, 0
    data = mujoco.MjData(model)
    q = robot.random(np.random.default_rng(0))
    data.qpos[:] = scene.order.to_q(q)
    quietly(mujoco.mj_kinematics, model, data)
    bodies = [link for link in robot.links if link.name in [model.body(b).name for b in
              range(model.nbody)]]  # fmt: skip
    for link in bodies:
        geoms = [g for g in range(model.ngeom)
                 if model.body(int(model.geom_bodyid[g])).name == link.name]  # fmt: skip
        T = WorldTransform(robot.link(link.name))("q").eval(q=q)
        R, p = T[:9].reshape(3, 3).T, T[9:]
        for shapes, which in ((link.collisions, 0), (link.visuals, 1)):
            wanted = [g for g in geoms if expected(model, g)[which]]
            for shape, g in zip(shapes, wanted, strict=True):
                same(shape, model, g)
                of_world = (R @ shape.rotation, R @ shape.translation + p)
                np.testing.assert_allclose(of_world[0].ravel(), data.geom_xmat[g], atol=1e-9)
                np.testing.assert_allclose(of_world[1], data.geom_xpos[g], atol=1e-9)
                count += 1
    return count


def same(shape: PlacedShape, model: mujoco.MjModel, g: int) -> None:
    kind = KINDS[int(model.geom_type[g])]
    assert type(shape.shape) is kind
    assert shape.name == model.geom(g).name
    numbers = sizes(shape.shape)
    np.testing.assert_allclose(numbers, model.geom_size[g][: len(numbers)], rtol=1e-15)
    assert bool(numbers) != (kind in (HalfSpace, TriangleMesh))


@pytest.mark.parametrize("name", MODELS)
def test_shapes_are_where_mujoco_has_its_geoms(name):
    scene = read_mjcf(MODELS[name], geometry=True)
    assert compare(scene) >= scene.model.ngeom
    assert not any(link.collisions for link in read_mjcf(MODELS[name]).robot.links)


MIXED = """
<mujoco>
  <default>
    <geom type="capsule" size=".1 .2"/>
    <default class="visual"><geom contype="0" conaffinity="0" group="2"/></default>
    <default class="collision"><geom group="3"/></default>
  </default>
  <worldbody>
    <geom name="floor" type="plane" size="1 1 1" pos="0 0 -1" euler="10 20 0"/>
    <body name="b" pos=".1 .2 .3" euler="40 50 60"><joint name="j" type="hinge" pos=".1 0 0"/>
      <joint name="k" type="slide" axis="1 1 0"/>
      <geom name="both"/>
      <geom name="seen" class="visual"/>
      <geom name="felt" class="collision" type="capsule" fromto="0 0 0 .3 .2 .1" size=".05"/>
      <geom name="neither" class="visual" group="4"/>
      <geom name="paired" class="visual" group="5" type="box" size=".1 .2 .3"/>
      <body name="c" pos="1 0 0"><geom name="egg" type="ellipsoid" size=".1 .2 .3"/>
        <frame pos="0 0 1" euler="0 90 0"><geom name="can" type="cylinder"/></frame></body>
    </body>
  </worldbody>
  <contact><pair geom1="paired" geom2="floor"/></contact>
</mujoco>"""


def test_defaults_groups_pairs_and_frames():
    scene = read_mjcf(MIXED, geometry=True)
    assert compare(scene) == 11
    link = {one.name: one for one in scene.robot.links}["b"]
    assert [shape.name for shape in link.collisions] == ["both", "felt", "paired"]
    assert [shape.name for shape in link.visuals] == ["both", "seen"]
    felt = link.collisions[1]
    assert felt.shape.length == pytest.approx(np.sqrt(0.14))
    np.testing.assert_allclose(felt.translation, [0.15, 0.1, 0.05], atol=1e-15)
    axis = felt.rotation[:, 2] * np.sign(felt.rotation[0, 2])
    np.testing.assert_allclose(axis, np.array([0.3, 0.2, 0.1]) / np.sqrt(0.14), atol=1e-12)
    assert read_mjcf(MIXED).left_out == scene.left_out == ()


def test_meshes_lie_where_the_file_has_them(tmp_path):
    """MuJoCo moves a mesh to its own centre and axes: vertices and placement undo each other."""
    (tmp_path / "m.obj").write_text(TETRAHEDRON)
    path = tmp_path / "r.xml"
    path.write_text(
        "<mujoco><asset><mesh name='m' file='m.obj' scale='1 2 3'/></asset><worldbody>"
        "<body name='b'><joint/><geom type='mesh' mesh='m'/>"
        "<geom type='mesh' mesh='m' pos='1 0 0'/></body></worldbody></mujoco>"
    )
    scene = read_mjcf(path, geometry=True)
    assert compare(scene) == 4
    first, second = scene.robot.links[1].collisions
    assert first.shape is second.shape
    assert not isinstance(first.shape, Mesh)
    found = first.shape.vertices @ first.rotation.T + first.translation
    meant = np.array([[0, 0, 0], [0.1, 0, 0], [0, 0.2, 0], [0, 0, 0.3]])
    np.testing.assert_allclose(sorted(found.round(4).tolist()), sorted(meant.tolist()), atol=1e-7)
    np.testing.assert_allclose(second.translation - first.translation, [1, 0, 0], atol=1e-12)
    corners = found[first.shape.triangles]
    assert np.linalg.det(corners).sum() / 6.0 == pytest.approx(0.001, rel=1e-5)  # turned outwards


def test_what_has_no_shape_here_is_left_out():
    text = (
        "<mujoco><asset><hfield name='h' nrow='3' ncol='3' size='1 1 1 1'/></asset><worldbody>"
        "<geom type='hfield' hfield='h'/><geom size='1'/></worldbody></mujoco>"
    )
    scene = read_mjcf(text, geometry=True)
    assert scene.left_out == ("1 geoms that are height fields or have a signed distance",)
    assert read_mjcf(text).left_out == ()
    assert len(scene.robot.links[0].collisions) == 1


def test_numbers_that_no_shape_can_have_are_refused():
    model = mujoco.MjModel.from_xml_string(MIXED)
    model.geom_size[1, 0] = np.nan
    load_mjcf(model)
    with pytest.raises(ValueError, match="MjModel: geom 'both': capsule: radius is nan"):
        load_mjcf(model, geometry=True)


def test_colours_are_those_that_mujoco_draws():
    text = """<mujoco><asset><material name='m' rgba='.1 .2 .3 1'/></asset><worldbody>
        <geom name='a' size='1' material='m'/><geom name='b' size='1'/>
        <geom name='c' size='1' material='m' rgba='1 0 0 .5'/></worldbody></mujoco>"""
    scene = read_mjcf(text, geometry=True)
    drawn = mujoco.MjvScene(scene.model, maxgeom=100)
    data = mujoco.MjData(scene.model)
    mujoco.mj_forward(scene.model, data)
    mujoco.mjv_updateScene(
        scene.model, data, mujoco.MjvOption(), None, mujoco.MjvCamera(), 7, drawn
    )
    colours = [drawn.geoms[i].rgba for i in range(drawn.ngeom)]
    np.testing.assert_allclose([v.color for v in scene.robot.links[0].visuals], colours, rtol=1e-6)
