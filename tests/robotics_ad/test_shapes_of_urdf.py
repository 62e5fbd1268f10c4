"""Collisions and visuals of URDF files: Pinocchio's geometry model, files found, and faults."""

import os
import warnings
from pathlib import Path

import coal
import numpy as np
import pinocchio
import pytest
from robot_files import urdf_path

from robotics_ad import load_urdf
from robotics_ad.model import Box, Capsule, Cylinder, Mesh, PlacedShape, Sphere

FILES = (
    "a1_description/urdf/a1.urdf",
    "allegro_hand_description/urdf/allegro_left_hand.urdf",
    "anymal_c_simple_description/urdf/anymal.urdf",
    "baxter_description/urdf/baxter.urdf",
    "finger_edu_description/robots/finger_edu.urdf",
    "g1_description/urdf/g1_29dof_with_hand_rev_1_0.urdf",
    "hyq_description/robots/hyq_no_sensors.urdf",
    "panda_description/urdf/panda.urdf",
    "panda_description/urdf/panda_collision.urdf",
    "solo_description/robots/solo12.urdf",
    "talos_data/robots/talos_reduced.urdf",
    "ur_description/urdf/ur5_robot.urdf",
    "z1_description/urdf/z1.urdf",
)
SHARE = urdf_path(FILES[0]).parents[4]
KINDS = {"collision": pinocchio.COLLISION, "visual": pinocchio.VISUAL}


@pytest.mark.parametrize("name", FILES)
def test_shapes_and_placements_are_those_of_pinocchio(name):
    path = urdf_path(name)
    robot = load_urdf(path, geometry=True)
    model = pinocchio.buildModelFromUrdf(str(path))
    compared = 0
    for what, kind in KINDS.items():
        theirs = pinocchio.buildGeomFromUrdf(model, str(path), kind, package_dirs=[str(SHARE)])
        by_link: dict[str, list[pinocchio.GeometryObject]] = {}
        for thing in theirs.geometryObjects:
            by_link.setdefault(model.frames[thing.parentFrame].name, []).append(thing)
        ours = {link.name: getattr(link, f"{what}s") for link in robot.links}
        assert {name for name, shapes in ours.items() if shapes} == {*by_link}
        for link, things in by_link.items():
            for thing, shape in zip(things, ours[link], strict=True):
                of_link = model.frames[thing.parentFrame].placement.actInv(thing.placement)
                np.testing.assert_allclose(shape.rotation, of_link.rotation, atol=1e-12)
                np.testing.assert_allclose(shape.translation, of_link.translation, atol=1e-12)
                same_shape(shape, thing)
                if thing.overrideMaterial and what == "visual":
                    np.testing.assert_allclose(shape.color, thing.meshColor, rtol=1e-6)
                compared += 1
    assert compared > 10


def same_shape(ours: PlacedShape, theirs: pinocchio.GeometryObject) -> None:
    shape, geometry = ours.shape, theirs.geometry
    if isinstance(shape, Mesh):
        assert Path(shape.path).samefile(theirs.meshPath)
        np.testing.assert_array_equal(shape.scale, theirs.meshScale)
    elif isinstance(shape, Box):
        np.testing.assert_allclose(shape.size, 2.0 * geometry.halfSide, rtol=1e-14)
    elif isinstance(shape, Sphere):
        assert isinstance(geometry, coal.Sphere)
        assert shape.radius == geometry.radius
    else:
        assert isinstance(shape, (Cylinder, Capsule))
        assert type(geometry).__name__ == type(shape).__name__
        assert (shape.radius, shape.length) == (geometry.radius, 2.0 * geometry.halfLength)


def robot_text(link: str = "", version: str = "1.0") -> str:
    return f'<robot name="r" version="{version}">\n<link name="base">{link}</link></robot>'


def collision(inside: str, origin: str = "") -> str:
    return f"<collision>{origin}<geometry>{inside}</geometry></collision>"


def mesh(address: str) -> str:
    return robot_text(collision(f'<mesh filename="{address}"/>'))


def test_names_capsules_and_quaternions_are_read():
    origin = '<origin xyz="1 2 3" quat_xyzw="0 0 2 2"/>'
    capsule = collision("<capsule radius='.1' length='.3'/>", origin)
    text = robot_text(
        f'<visual name="v"><geometry><sphere radius=".1"/></geometry></visual>'
        f"{capsule}"
        f'<collision name="c">{origin}<geometry><box size="1 2 3"/></geometry></collision>',
        "1.1",
    )
    (link,) = load_urdf(text, geometry=True).links
    assert [shape.name for shape in (*link.visuals, *link.collisions)] == ["v", "", "c"]
    capsule = link.collisions[0]
    assert (capsule.shape.radius, capsule.shape.length) == (0.1, 0.3)
    np.testing.assert_array_equal(capsule.rotation, [[0, -1, 0], [1, 0, 0], [0, 0, 1]])
    np.testing.assert_array_equal(capsule.translation, [1, 2, 3])


def test_colours_are_found_by_name_and_faulty_ones_are_none():
    shown = "<visual><geometry><sphere radius='1'/></geometry>{}</visual>"
    materials = (
        "<material name='late'/>",
        "<material name='here'><color rgba='1 0 .5 1'/></material>",
        "<material name='here'><color rgba='0 0 0 1'/></material>",
        "<material><color rgba='1 0 0'/></material>",
        "<material><color rgba='1 0 0 2'/><color/></material><material/>",
        "<material name='unknown'><texture filename='a.png'/></material>",
        "",
    )
    text = robot_text("".join(map(shown.format, materials)) + "<material/>")
    late = "<material name='late'><color rgba='0 .25 0 .5'/></material></robot>"
    for untrusted in (False, True):
        robot = load_urdf(
            text.replace("</robot>", late), geometry=True, strict=True, untrusted=untrusted
        )
        colours = [None if v.color is None else [*v.color] for v in robot.links[0].visuals]
        assert colours == [[0, 0.25, 0, 0.5], *2 * [[1, 0, 0.5, 1]], None, None, None, None]
    with pytest.raises(ValueError, match=r"placed shape: color is \[.*expected 0 to 1 each"):
        PlacedShape(Sphere(1.0), color=[0, 0, 0, 2])


FAULTS = {
    robot_text("<collision/>"): "line 2: <collision> has no <geometry>",
    robot_text('<visual name="v"/>'): "line 2: visual 'v' has no <geometry>",
    robot_text(collision("")): "has nothing, expected one of sphere, capsule, cylinder, box and",
    robot_text(collision("<plane/>")): "<geometry> of <collision> of link 'base' has <plane>",
    robot_text(collision('<sphere radius="1"/><box size="1 1 1"/>')): "has <sphere> and <box>",
    robot_text(collision('<sphere radius="1"/><sphere radius="1"/>')): "has <sphere> and <sphere>",
    robot_text(collision("<sphere/>")): "<sphere> has no attribute 'radius'",
    robot_text(collision('<sphere radius="a"/>')): "<sphere radius='a'>: not a number",
    robot_text(collision('<sphere radius="-1"/>')): "link 'base': sphere: radius is -1.0",
    robot_text(collision('<box size="1 1"/>')): "<box size='1 1'>: expected 3 numbers, got 2",
    robot_text(collision('<mesh scale="1 1 1"/>')): "<mesh> has no attribute 'filename'",
    robot_text(collision('<mesh filename="a" scale="1"/>')): "expected 3 numbers, got 1",
    robot_text(collision('<cylinder radius="1"/>')): "<cylinder> has no attribute 'length'",
    robot_text(collision("<sphere radius='1'/>", "<origin/><origin/>")): "more than one <origin>",
}  # fmt: skip


@pytest.mark.parametrize("text", FAULTS)
def test_faults_are_named_where_geometry_is_asked_for(text):
    load_urdf(text, strict=True)
    with pytest.raises(ValueError, match="XML text") as caught:
        load_urdf(text, geometry=True)
    assert FAULTS[text] in str(caught.value)


def test_misspelt_attributes_are_told():
    text = robot_text(collision("<mesh filename='/dev/null' scal='1 1 1'/>"))
    with pytest.warns(UserWarning, match="is 'scale' meant"):
        load_urdf(text, geometry=True)


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package `bot` with a mesh beside others, in a folder of its own."""
    folder = tmp_path / "work" / "bot"
    for name in ("meshes", "urdf"):
        (folder / name).mkdir(parents=True)
    (folder / "meshes" / "a mesh.stl").write_bytes(b"")
    return folder


ADDRESSES = (
    "package://bot/meshes/a mesh.stl",
    "package:///bot/meshes/a mesh.stl",
    "model://bot/meshes/a mesh.stl",
    "../meshes/a mesh.stl",
    "{package}/meshes/a mesh.stl",
    "file://{package}/meshes/a%20mesh.stl",
)


@pytest.mark.parametrize(
    ("address", "untrusted"), [*((a, False) for a in ADDRESSES), (ADDRESSES[3], True)]
)
def test_meshes_are_found_from_the_file(address, untrusted, package, monkeypatch):
    """Without being told where: the robot's file lies in the package, and is empty of triangles."""
    path = package / "urdf" / "r.urdf"
    path.write_text(mesh(address.format(package=package)))
    monkeypatch.chdir(package.parent)
    for source in (path, os.path.relpath(path)):
        (link,) = load_urdf(source, geometry=True, strict=True, untrusted=untrusted).links
        assert link.collisions[0].shape.path == str(package / "meshes" / "a mesh.stl")


def test_text_finds_meshes_in_packages_and_from_the_current_folder(package, monkeypatch):
    text, path = mesh(ADDRESSES[0]), str(package / "meshes" / "a mesh.stl")
    for given in ([package], [package.parent]):
        (link,) = load_urdf(text, geometry=True, package_dirs=iter(given)).links
        assert link.collisions[0].shape.path == path
    monkeypatch.chdir(package / "urdf")
    (link,) = load_urdf(mesh(ADDRESSES[3]), geometry=True).links
    assert link.collisions[0].shape.path == path
    monkeypatch.setenv("ROS_PACKAGE_PATH", str(package.parent))
    (link,) = load_urdf(text, geometry=True).links
    assert link.collisions[0].shape.path == path


@pytest.mark.parametrize(
    "address",
    ["package://bot/none.stl", "none.stl", "/none.stl", "package://bot/../bot/meshes/a mesh.stl",
     "http://host/a.stl", "file://host/a.stl", "package://bot/meshes", "package://"],
)  # fmt: skip
def test_meshes_that_are_not_there_are_told_and_keep_their_address(address, package):
    path = package / "urdf" / "r.urdf"
    path.write_text(mesh(address))
    with pytest.warns(UserWarning, match=f"link 'base': no mesh '{address}'"):
        (link,) = load_urdf(path, geometry=True).links
    assert link.collisions[0].shape.path == address
    with pytest.raises(FileNotFoundError, match=r"r\.urdf: link 'base': no mesh"):
        load_urdf(path, geometry=True, strict=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_urdf(path, strict=True)


def test_pipes_and_devices_are_no_meshes(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for address in (f"{tmp_path}/pipe", "/dev/zero"):
        with pytest.warns(UserWarning, match="no mesh"):
            load_urdf(mesh(address), geometry=True)
