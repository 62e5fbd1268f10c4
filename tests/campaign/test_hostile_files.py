"""Robot files and saved kernels changed at random: read, or refused clearly, in bounded memory."""

from __future__ import annotations

import hashlib
import io
import json
import warnings
import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import mujoco
import numpy as np
import pytest
from campaign.errors import fault_of
from campaign.forks import check, ended, limit_memory
from campaign.mutations import mutated_json, mutated_xml, pick
from campaign.tally import Tally
from mujoco_twin import gymnasium_models
from robot_files import urdf_path

import ad_core as ad
import robotics_ad
from ad_core import math as adm
from bridges.kernel import ad_to_kernel, load
from robotics_ad import RobotModel, kinematics, load_mjcf, load_urdf
from robotics_ad.dynamics import MassMatrix

pytestmark = [
    pytest.mark.campaign("hostile files"),
    # in the forked process the action decides
    pytest.mark.filterwarnings("ignore::UserWarning"),
]

MEMORY = 1 << 30
SECONDS = 20.0

URDFS = (
    "panda_description/urdf/panda.urdf",
    "hyq_description/robots/hyq_no_sensors.urdf",
    "so_arm_description/urdf/so100.urdf",
    "double_pendulum_description/urdf/double_pendulum.urdf",
    "iris_description/robots/iris.urdf",
)
SHOWN = ("visual", "collision", "transmission", "gazebo", "material")
MJCFS = ("ant", "hopper", "humanoid", "inverted_double_pendulum", "reacher", "walker2d_v5")


class Format(NamedTuple):
    """A format: the texts of real files, and what reads one."""

    texts: Callable[[], list[str]]
    read: Callable[[Any], RobotModel]


def urdf_texts() -> list[str]:
    """Each as it is, and without what no robot model has, so that changes hit the rest."""
    packaged = Path(robotics_ad.__file__).parent / "data" / "arm7.urdf"
    texts = [path.read_text() for path in (packaged, *map(urdf_path, URDFS))]
    return texts + [without(text, SHOWN) for text in texts]


def without(text: str, tags: Sequence[str]) -> str:
    """The document without elements of these names."""
    root = ET.fromstring(text)
    for above in list(root.iter()):
        for element in list(above):
            if element.tag in tags:
                above.remove(element)
    return ET.tostring(root, encoding="unicode")


def mjcf_texts() -> list[str]:
    models = gymnasium_models()
    return [Path(models[name]).read_text() for name in MJCFS]


FORMATS = {"URDF": Format(urdf_texts, load_urdf), "MJCF": Format(mjcf_texts, load_mjcf)}


def use(robot: RobotModel) -> None:
    """What stands for all algorithms: a pose and a mass matrix, in finite time."""
    q = robot.neutral()
    last = robot.link(robot.link_names[-1])
    with np.errstate(all="ignore"):
        pose = kinematics.WorldTransform(last)("q").eval(q=q)
        if pose.shape != (12,):
            raise AssertionError(pose)
        if 0 < robot.nv < 20:
            MassMatrix(robot)("q").eval(q=q)


def read_and_use(read: Callable[[Any], RobotModel], text: str | bytes) -> None:
    limit_memory(MEMORY)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            robot = read(text)
        except Exception as error:
            fault = fault_of(error)
            if fault:
                raise AssertionError(fault) from error
            return
        use(robot)


def dies_in_mujoco(text: str | bytes) -> bool:
    """Whether MuJoCo's own parser ends the process, which nobody promises that it does not."""

    def parse() -> None:
        limit_memory(MEMORY)
        try:
            mujoco.MjModel.from_xml_string(text if isinstance(text, str) else text.decode())
        except (ValueError, MemoryError):
            return

    return ended(parse, SECONDS).startswith("killed")


@pytest.mark.parametrize("name", FORMATS)
def test_robots(tally: Tally, tmp_path: Path, name: str) -> None:
    texts, read = FORMATS[name].texts(), FORMATS[name].read

    def trial(rng: np.random.Generator) -> None:
        text = mutated_xml(pick(rng, texts), rng)
        try:
            check(lambda: read_and_use(read, text), SECONDS)
        except AssertionError as error:
            if name == "MJCF" and "killed" in str(error) and dies_in_mujoco(text):
                return
            kept = tmp_path / f"{tally.tried}.xml"
            kept.write_bytes(text.encode(errors="surrogatepass") if isinstance(text, str) else text)
            raise AssertionError(f"{error}; the file is {kept}") from None

    tally.run(600, trial)


# ---------------------------------------------------------------------------- saved kernels


def members() -> dict[str, bytes]:
    x, y = ad.var("x", 3), ad.var("y", 2)
    kernel = ad_to_kernel((adm.sin(x) * y[0], ad.cond(y[1], adm.dot(x, x), adm.exp(y[0]))))
    with zipfile.ZipFile(io.BytesIO(kernel._as_bytes({("jacobian_values", (0, 1)): {}}))) as saved:
        return {name: saved.read(name) for name in saved.namelist()}


def packed(parts: dict[str, bytes]) -> bytes:
    """A file of these members with the right checksum."""
    digest = hashlib.sha256()
    for name in sorted(parts):
        for part in (name.encode(), parts[name]):
            digest.update(len(part).to_bytes(8, "big"))
            digest.update(part)
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, body in {**parts, "checksum": digest.hexdigest().encode()}.items():
            archive.writestr(name, body)
    return data.getvalue()


def call(path: Path) -> None:
    """A kernel that was read is called; its numbers are whatever the file says."""
    limit_memory(MEMORY)
    try:
        kernel = load(path)
    except Exception as error:
        fault = fault_of(error)
        if fault:
            raise AssertionError(fault) from error
        return
    for rows in (0, 1, 9):
        results = kernel(*(np.ones((rows, n)) for n in kernel.input_sizes))
        results = results if isinstance(results, tuple) else (results,)
        for y, shape in zip(results, kernel.output_shapes, strict=True):
            if y.shape != (rows, *shape):
                raise AssertionError(f"a result of shape {y.shape}, expected {(rows, *shape)}")


def test_saved_kernels(tally: Tally, cache: Path, tmp_path: Path) -> None:
    """That say something else, with the right checksum."""
    parts = members()
    del parts["checksum"]
    changeable = [name for name in parts if name.endswith(".json")]

    def trial(rng: np.random.Generator) -> None:
        name = pick(rng, changeable)
        changed = json.dumps(mutated_json(json.loads(parts[name]), rng)).encode()
        path = tmp_path / f"{tally.tried}.kernel"
        path.write_bytes(packed({**parts, name: changed}))
        check(lambda: call(path), SECONDS)
        path.unlink()

    tally.run(400, trial)
