"""The viewer: nodes are where Pinocchio has the links, files hold all that is shown, faults."""

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pinocchio
import pytest
from robot_files import TETRAHEDRON

from robograd.cli import main
from robotics_ad import load_mjcf, load_urdf, packaged_arm
from robotics_ad.interop import pinocchio_order

pytest.importorskip("viser")
import trimesh
from recordings import messages, poses

import robograd
from robograd.viewer import Motion, Viewer, read_motion
from robograd.viewer.motion import motion_of
from robograd.viewer.panel import Dials

RED = '<material name="red"><color rgba="1 0 0 1"/></material>'
FINGER = (
    '<origin xyz="0 0 .1" rpy="1 0 0"/><geometry><mesh filename="t.obj" scale="2 2 -2"/></geometry>'
)
URDF = f"""<robot name="crane">
  <link name="base"><visual><geometry><box size=".2 .2 .2"/></geometry>{RED}</visual></link>
  <link name="boom"><collision>
    <geometry><cylinder radius=".05" length=".4"/></geometry></collision></link>
  <link name="hand"><visual>{FINGER}</visual><collision>{FINGER}</collision></link>
  <link name="tip/50%"/>
  <joint name="turn" type="revolute"><parent link="base"/><child link="boom"/>
    <origin xyz="0 0 .3" rpy=".1 .2 .3"/><axis xyz="0 1 0"/>
    <limit lower="-1" upper="2" effort="1" velocity="1"/></joint>
  <joint name="slide" type="prismatic"><parent link="boom"/><child link="hand"/>
    <origin xyz=".2 0 0" rpy="0 1 0"/><axis xyz="0 0 1"/>
    <limit lower="-.5" upper=".5" effort="1" velocity="1"/></joint>
  <joint name="follow" type="revolute"><parent link="hand"/><child link="tip/50%"/>
    <axis xyz="1 0 0"/>
    <mimic joint="turn" multiplier="-2" offset=".5"/>
    <limit lower="-9" upper="9" effort="1" velocity="1"/></joint>
</robot>"""


@pytest.fixture(scope="module")
def crane(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A robot file with a mesh beside it."""
    folder = tmp_path_factory.mktemp("crane")
    (folder / "t.obj").write_text(TETRAHEDRON)
    (folder / "crane.urdf").write_text(URDF)
    return folder / "crane.urdf"


@pytest.fixture(scope="module")
def recorded(crane: Path) -> Any:
    """(robot, q, times, page) of a motion of it with a floating base, a force and a target."""
    robot = load_urdf(crane, base="floating", geometry=True)
    rng = np.random.default_rng(0)
    q, times = robot.random(rng, 5), np.array([3.0, 3.1, 3.5, 3.75, 4.0])
    forces = [robograd.Force("hand", rng.normal(size=(5, 3)), (0.1, 0.2, 0.3))]
    targets = {"goal": np.tile([1.0, 0, 0, 0, 1, 0, 0, 0, 1, 4, 5, 6], (5, 1))}
    targets["goal"][:, 9] = np.arange(5)
    with Viewer(robot, q, times, forces=forces, targets=targets) as viewer:
        size = viewer.save_html(crane.with_suffix(".html"))
    page = crane.with_suffix(".html").read_text(encoding="utf-8")
    assert size == len(page.encode())
    return robot, q, times - 3.0, page, forces[0]


def pinocchio_frames(robot: Any, q: Any) -> dict[str, Any]:
    """Where Pinocchio has the links of the crane, which floats, and whose mimic it knows."""
    model = pinocchio.buildModelFromXML(URDF, pinocchio.JointModelFreeFlyer(), mimic=True)
    data = model.createData()
    pinocchio.framesForwardKinematics(model, data, pinocchio_order(robot, model).to_q(q))
    return {name: data.oMf[model.getFrameId(name)] for name in robot.link_names if name != "world"}


def test_nodes_of_a_recording_are_where_pinocchio_has_the_links(recorded: Any) -> None:
    robot, q, times, page, _ = recorded
    shown = poses(page)
    for k, time_ in enumerate(times):
        nodes = shown[next(t for t in shown if abs(t - time_) < 1e-9)]
        for name, frame in pinocchio_frames(robot, q[k]).items():
            quaternion, p = nodes[f"/robot/{name.replace('%', '%25').replace('/', '%2F')}"]
            R = pinocchio.Quaternion(*quaternion.tolist()).matrix()
            np.testing.assert_allclose(R, frame.rotation, atol=1e-7)
            np.testing.assert_allclose(p, frame.translation, atol=1e-7)
        np.testing.assert_allclose(nodes["/targets/0"][1], [k, 5, 6])


def test_a_recording_holds_meshes_with_colours_and_needs_no_network(recorded: Any) -> None:
    *_, page, _ = recorded
    made = {m["name"]: m for _, m in messages(page) if m["type"] in ("GlbMessage", "MeshMessage")}
    assert {*made} == {
        f"/robot/{n}" for n in ("base/visual", "hand/visual", "boom/collision", "hand/collision")
    }
    wanted = 2.0 * np.array([[0, 0, 0], [0.1, 0, 0], [0, 0.1, 0], [0, 0, -0.1]])
    turned = wanted @ pinocchio.rpy.rpyToMatrix(1.0, 0.0, 0.0).T + [0, 0, 0.1]
    collision = made["/robot/hand/collision"]["props"]["vertices"].reshape(-1, 3)
    visual = glb_mesh(made["/robot/hand/visual"])
    for vertices in (collision, visual.vertices):
        np.testing.assert_allclose(
            sorted(map(tuple, vertices)), sorted(map(tuple, turned)), atol=1e-6
        )
    assert visual.volume > 0.0, "mirrored, it must not be inside out"
    box = glb_mesh(made["/robot/base/visual"])
    np.testing.assert_allclose(box.bounds, [[-0.1] * 3, [0.1] * 3])
    assert box.visual.material.main_color.tolist() == [255, 0, 0, 255]
    assert not [word for word in ("src=", "@import") if f'{word}"http' in page]


def glb_mesh(message: dict[str, Any]) -> trimesh.Trimesh:
    return trimesh.load_scene(
        trimesh.util.wrap_as_stream(message["props"]["glb_data"]), "glb"
    ).to_mesh()


def test_arrows_begin_at_their_points_and_are_as_long_as_their_forces(recorded: Any) -> None:
    robot, q, times, page, force = recorded
    drawn = {t: m["updates"]["points"].reshape(2, 3) for t, m in messages(page)
             if m.get("name") == "/forces" and "points" in m.get("updates", {})}  # fmt: skip
    longest = np.linalg.norm(force.vector, axis=1).max()
    scales = []
    for k, time_ in enumerate(times):
        start, end = drawn[next(t for t in drawn if abs(t - time_) < 1e-9)]
        wanted = pinocchio_frames(robot, q[k])["hand"].act(np.array(force.local))
        np.testing.assert_allclose(start, wanted, atol=1e-5)
        scales.append((end - start) / force.vector[k])
    np.testing.assert_allclose(scales, scales[0][0], rtol=1e-3)
    assert scales[0][0] * longest > 0.1


KINDS = """<mujoco><worldbody><body name="a"><freejoint name="free"/><geom size=".1"/>
  <body name="b" pos="1 0 0"><joint name="ball" type="ball"/><geom size=".1"/>
  <body name="c" pos="1 0 0"><joint name="hinge" range="-40 60"/><joint name="slide" type="slide"/>
  <geom size=".1"/></body></body></body></worldbody></mujoco>"""


def test_sliders_are_configurations_within_limits() -> None:
    robot = load_mjcf(KINDS)
    dials = Dials(robot)
    names = ["free x", "free y", "free z", "free roll", "free pitch", "free yaw"]
    names += ["ball roll", "ball pitch", "ball yaw", "hinge", "slide"]
    assert [dial.label for dial in dials.dials] == names
    hinge = dials.dials[-2]
    assert (hinge.lower, hinge.upper, hinge.unit) == (*np.deg2rad([-40, 60]), "rad")
    assert all(np.isfinite([dial.lower, dial.upper]).all() for dial in dials.dials)
    for q in robot.random(np.random.default_rng(0), 20):
        values = dials.values(q)
        np.testing.assert_allclose(robot.difference(q, dials.configuration(values)), 0, atol=1e-9)
    turned = dials.configuration(np.array([0, 0, 0, 0.3, 0, 0, 0, 0.2, 0, 0, 0]))
    roll, pitch = [np.cos(0.15), np.sin(0.15), 0, 0], [np.cos(0.1), 0, np.sin(0.1), 0]
    np.testing.assert_allclose(turned[3:11], [*roll, *pitch])


FAULTS: dict[str, tuple[Any, Any, str]] = {
    "too narrow": (np.zeros((4, 6)), None, r"shape is \(4, 6\), expected \(T, 7\) or \(7,\)"),
    "of a floating base": (np.zeros((4, 14)), None, "with a floating base"),
    "on its side": (np.zeros((7, 4)), None, "transpose it"),
    "empty": (np.zeros((0, 7)), None, "expected"),
    "not finite": (np.full((2, 7), np.nan), None, "row 0 is not finite"),
    "too few times": (np.zeros((4, 7)), [0.0, 1.0], r"times: shape is \(2,\), expected \(4,\)"),
    "times that go back": (np.zeros((2, 7)), [1.0, 1.0], "times: they do not increase"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faulty_motions_are_told(fault: str) -> None:
    path, times, words = FAULTS[fault]
    with pytest.raises(ValueError, match=words):
        motion_of(packaged_arm(), path, times)


def test_quaternions_of_a_motion_are_rotations() -> None:
    q = np.zeros((3, 14))
    q[:, 3] = [1.0, 1.0005, 0.9]
    with pytest.raises(
        ValueError, match=r"row 2: columns 3 to 6 are a quaternion w x y z of length 0\.9"
    ):
        motion_of(packaged_arm().floating(), q)
    with pytest.raises(ValueError, match="7 numbers come first"):
        motion_of(packaged_arm().floating(), q[:, :7])
    motion_of(packaged_arm().floating(), q[:2])


def test_motions_are_read_from_files_without_running_them(tmp_path: Path) -> None:
    robot = packaged_arm()
    q, t = robot.random(np.random.default_rng(0), 3), np.array([0.0, 0.5, 0.75])
    np.savez(tmp_path / "m.npz", q=q, t=t)
    np.save(tmp_path / "m.npy", q)
    read = read_motion(robot, tmp_path / "m.npz")
    assert np.array_equal(read.q, q)
    assert np.array_equal(read.times, t)
    assert np.array_equal(read_motion(robot, tmp_path / "m.npy").q, q)
    np.savez(tmp_path / "x.npz", x=q)
    np.save(tmp_path / "o.npy", np.array([{}], dtype=object))
    (tmp_path / "text.npz").write_text("q")
    for name, words in (("x.npz", "no array 'q'"), ("o.npy", "not a"), ("text.npz", "not a .npz")):
        with pytest.raises(ValueError, match=words):
            read_motion(robot, tmp_path / name)
    with pytest.raises(FileNotFoundError):
        read_motion(robot, tmp_path / "none.npz")


def test_a_fast_motion_is_thinned_and_keeps_its_ends() -> None:
    motion = Motion(np.zeros((1001, 1)), np.linspace(0.0, 1.0, 1001))
    frames = motion.frames(30.0)
    assert (len(frames), frames[0], frames[-1]) == (31, (0.0, 0), (1.0, 1000))
    assert [motion.index(t) for t in (0.0, 0.0105, 2.0)] == [0, 10, 1000]


def test_what_cannot_be_shown_is_told() -> None:
    robot = packaged_arm()
    for options, error, words in (
        ({"forces": [1.0]}, TypeError, "forces"),
        ({"forces": [robograd.Force("nobody", [0, 0, 1])]}, ValueError, "no link 'nobody'"),
        ({"forces": [robograd.Force("tool", [0, 1])]}, ValueError, r"\(2,\), expected \(3,\)"),
        ({"targets": {"t": np.zeros(7)}}, ValueError, r"targets: 't': shape is \(7,\)"),
        ({"host": "192.0.2.1"}, OSError, "host: cannot serve at '192.0.2.1'"),
        ({"port": -1}, ValueError, "port: is -1"),
        ({"path": "text"}, TypeError, "path"),
    ):
        with pytest.raises(error, match=words):
            Viewer(robot, **options)
    with pytest.raises(TypeError, match="RobotModel"):
        Viewer("panda.urdf")  # type: ignore[arg-type]


def test_a_mesh_that_cannot_be_read_is_logged_and_the_rest_is_shown(
    crane: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "t.obj").write_text("nothing")
    (tmp_path / "crane.urdf").write_text(URDF)
    with Viewer(load_urdf(tmp_path / "crane.urdf", geometry=True)):
        pass
    assert len([r for r in caplog.records if "no picture of the mesh" in r.getMessage()]) == 1
    with Viewer(load_urdf(tmp_path / "crane.urdf")) as bare:  # bars, from link to link
        bare.save_html(tmp_path / "bars.html")
    made = {m.get("name") for _, m in messages((tmp_path / "bars.html").read_text())}
    assert {"/robot/base/visual", "/robot/boom/visual", "/robot/hand/visual"} <= made


def test_the_command_writes_a_file_and_names_a_port_that_is_free(
    crane: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez(tmp_path / "m.npz", q=np.zeros((3, 2)))
    out = tmp_path / "out.html"
    assert main(["view", str(crane), "--motion", str(tmp_path / "m.npz"), "--html", str(out)]) == 0
    assert "out.html: 0.8 MB, 3 configurations" in capsys.readouterr().err
    assert main(["view", str(crane), "--html", str(tmp_path / "no" / "out.html")]) == 1
    assert "no such folder" in capsys.readouterr().err
    np.savez(tmp_path / "m.npz", q=np.zeros((3, 9)))
    assert main(["view", str(crane), "--motion", str(tmp_path / "m.npz")]) == 1
    assert "m.npz: path: shape is (3, 9), expected (T, 2)" in capsys.readouterr().err
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with Viewer(packaged_arm(), port=port) as viewer:
            assert int(viewer.url.rpartition(":")[2]) > port
    assert capsys.readouterr() == ("", ""), "viser's banners are not for our output"


@pytest.mark.parametrize("asked", ["from robograd import show", "import robograd.viewer"])
def test_without_viser_the_extra_is_named(asked: str) -> None:
    program = f"import sys; sys.modules['viser'] = None; {asked}"
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert run.stderr.endswith(
        "ImportError: the viewer needs the package 'viser': pip install 'robograd[view]'\n"
    )


BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)


NEEDS_BROWSER = pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")


def browser(folder: Path, *flags: str) -> list[str]:
    """A command that draws without a screen, a GPU and the network."""
    drawing = ("--headless=new", "--no-sandbox", "--use-angle=swiftshader")
    offline = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost"
    drawing = (*drawing, "--enable-unsafe-swiftshader", "--window-size=400,300", offline)
    return [str(BROWSER), *drawing, f"--user-data-dir={folder}", *flags]


@pytest.mark.slow
@NEEDS_BROWSER
def test_a_browser_draws_a_link_where_it_is(tmp_path: Path) -> None:
    """A red ball moves; what the browser draws of it is where a pinhole camera would see it."""
    with Viewer(load_urdf(CART, geometry=True)) as viewer:
        page = subprocess.Popen(browser(tmp_path, viewer.url), stderr=subprocess.DEVNULL)
        try:
            client = soon(lambda: next(iter(viewer.server.get_clients().values()), None))
            for y in (-0.1, 0.2):
                viewer.update([y])
                soon(lambda y=y: np.abs(centre_of_red(client) - projected(client, y)).max() < 3.0)
        finally:
            page.terminate()
            page.wait()


@pytest.mark.slow
@NEEDS_BROWSER
def test_a_file_is_drawn_by_itself(tmp_path: Path) -> None:
    image, file = tmp_path / "seen.png", tmp_path / "cart.html"
    with Viewer(load_urdf(CART, geometry=True), [[0.1]]) as viewer:
        viewer.save_html(file)
    flags = ("--virtual-time-budget=6000", f"--screenshot={image}", file.as_uri())
    subprocess.run(browser(tmp_path, *flags), stderr=subprocess.DEVNULL, check=True, timeout=240.0)
    seen = 255.0 * plt.imread(image)[..., :3]
    assert np.sum(seen[..., 0] - seen[..., 1] > 40.0) > 500


CART = f"""<robot name="r"><link name="base"/><link name="cart"><visual><geometry>
  <sphere radius=".1"/></geometry>{RED}</visual></link><joint name="x" type="prismatic">
  <parent link="base"/><child link="cart"/><axis xyz="0 1 0"/>
  <limit lower="-1" upper="1" effort="1" velocity="1"/></joint></robot>"""
SIZE = (120, 160)  # rows and columns of a picture


def soon(ask: Callable[[], Any], seconds: float = 240.0) -> Any:
    """What is asked for, as soon as it is there: browsers without a GPU are slow."""
    end = time.monotonic() + seconds
    while not (found := ask()):
        assert time.monotonic() < end, "not within the time"
        time.sleep(0.1)
    return found


def centre_of_red(client: Any) -> Any:
    """(column, row) in the browser's picture, nan where there is no red."""
    picture = client.get_render(*SIZE, timeout=120.0).astype(int)
    rows, columns = np.nonzero(picture[..., 0] - picture[..., 1] > 90)
    return np.array([columns.mean(), rows.mean()]) if len(rows) > 20 else np.full(2, np.nan)


def projected(client: Any, y: float) -> Any:
    """(column, row) of the cart by a pinhole: x to the right, y down, z ahead of the camera."""
    turned = pinocchio.Quaternion(*client.camera.wxyz.tolist()).matrix()
    ahead = turned.T @ (np.array([0.0, y, 0.0]) - client.camera.position)
    focal = 0.5 * SIZE[0] / np.tan(0.5 * client.camera.fov)
    return 0.5 * np.array(SIZE[::-1]) + focal * ahead[:2] / ahead[2]
