"""Robots from MJCF against MuJoCo itself: the models of gymnasium, and small ones of each kind."""

import mujoco
import numpy as np
import pytest
from mujoco_twin import Oracle, compare, gymnasium_models

from robotics_ad import read_mjcf

GYMNASIUM = gymnasium_models()
NO_SPRINGS = (  # in the words of MuJoCo 4, and of 3
    'spring="disable" damper="disable"'
    if hasattr(mujoco.mjtDisableBit, "mjDSBL_SPRING")
    else 'passive="disable"'
)

BOB = '<inertial pos="0.1 -0.2 0.3" quat="1 0.2 -0.3 0.4" mass="2" diaginertia="0.3 0.4 0.5"/>'


def world(bodies: str, rest: str = "") -> str:
    return f"<mujoco>{rest}<worldbody>{bodies}</worldbody></mujoco>"


def body(joints: str, inside: str = "", placed: str = 'pos="0.3 0.1 -0.2" euler="20 30 40"') -> str:
    return f"<body {placed}>{joints}{BOB}{inside}</body>"


SMALL = {
    "hinge": world(body('<joint axis="1 2 3"/>')),
    "hinge off the origin": world(body('<joint axis="1 2 3" pos="0.2 -0.1 0.4"/>')),
    "slide": world(body('<joint type="slide" axis="1 2 3" pos="1 1 1"/>')),
    "ball": world(body('<joint type="ball"/>')),
    "ball off the origin": world(body('<joint type="ball" pos="0.2 -0.1 0.4"/>')),
    "free": world(body("<freejoint/>", body('<joint axis="0 1 0" pos="0.1 0 0"/>'))),
    "two free bodies": world(body("<freejoint/>") + body('<freejoint name="other"/>')),
    "several joints": world(
        body(
            '<joint type="slide" axis="1 0 0.5"/><joint type="slide" axis="0 0 1"/>'
            '<joint axis="0 1 0" pos="0.1 0.2 0.3"/><joint axis="1 0 0" pos="-0.3 0.2 0"/>',
            body('<joint axis="1 1 0"/><joint type="ball" pos="0.1 0 0.1"/>'),
        )
    ),
    "hinge, slide, hinge": world(
        body('<joint axis="0 0 1" pos="1 0 0"/><joint type="slide"/><joint axis="1 0 0"/>')
    ),
    "references": world(
        body(
            '<joint axis="1 2 3" ref="35" pos="0 0.1 0"/><joint type="slide" ref="0.7"/>'
            '<joint axis="0 1 0" ref="-20" springref="15" stiffness="3"/>'
        )
    ),
    "armature, damping, springs": world(
        body(
            '<joint axis="0 0 1" armature="0.7" damping="0.3" stiffness="4" springref="50"/>'
            '<joint type="slide" armature="2" damping="5" stiffness="60" springref="0.1"/>',
            body('<joint type="ball" armature="0.2" damping="0.4" stiffness="6"/>'),
        )
    ),
    "a free body on a spring": world(body('<joint type="free" stiffness="5" damping="2"/>')),
    "fixed bodies": world(
        body("", body('<joint axis="0 1 1"/>', body("", body('<joint axis="1 0 0"/>')))) + body("")
    ),
    "frames": world(
        '<frame pos="0 0 1" euler="0 90 0"><frame quat="1 1 0 0">'
        + body('<joint axis="0 0 1"/>', '<site name="tip" pos="0.1 0.2 0.3" euler="10 20 30"/>')
        + "</frame></frame>"
    ),
    "inertia of shapes": world(
        '<body euler="0.1 0.2 0.3"><joint/><geom type="box" size=".1 .2 .3" pos=".1 0 .2"/>'
        '<geom type="capsule" size=".05" fromto="0 0 0 .3 .2 .1" density="500"/></body>',
        '<compiler angle="radian" eulerseq="zyx"/>',
    ),
    "full inertia": world(
        '<body><joint pos="0 0 1" axis="1 0 0"/>'
        '<inertial pos="0 0.1 0" mass="1" fullinertia="0.3 0.4 0.5 0.01 0.02 0.03"/></body>'
    ),
    "no gravity": world(
        body('<joint axis="1 0 0"/>'), '<option><flag gravity="disable"/></option>'
    ),
    "no springs and dampers": world(
        body('<joint axis="1 0 0" stiffness="3" springref="20" damping="2"/>'),
        f"<option><flag {NO_SPRINGS}/></option>",
    ),
    "tilted gravity": world(body('<joint axis="1 0 0"/>'), '<option gravity="1 -2 3"/>'),
    "mimics": world(
        body(
            '<joint name="a" axis="0 0 1" ref="10" stiffness="2"/>',
            body(
                '<joint name="b" axis="0 1 0" ref="-5" damping="3" armature="0.1" stiffness="2"/>',
                body('<joint name="c" type="slide" axis="1 0 0" pos="0.1 0 0"/>'),
            )
            + body('<joint name="d" axis="1 1 0"/>'),
        ),
        '<equality><joint joint1="b" joint2="a" polycoef="0.2 -1.5 0 0 0"/>'
        '<joint joint1="c" joint2="b" polycoef="0.1 0.5 0 0 0"/></equality>',
    ),
}

if hasattr(mujoco.MjModel, "actuator_armature"):
    SMALL |= {
        "rotors of actuators": world(
            body('<joint name="j" axis="1 0 0" armature="0.2"/><joint name="k" type="slide"/>')
        ).replace(
            "</mujoco>",
            '<actuator><motor joint="j" gear="3" armature="0.5"/>'
            '<motor jointinparent="j" gear="-2" armature="0.1"/>'
            '<motor joint="k" armature="1"/></actuator></mujoco>',
        ),
    }


def test_gymnasium_has_the_models_that_we_know_of():
    known = {"ant", "half_cheetah", "hopper", "humanoid", "humanoidstandup", "swimmer", "reacher"}
    assert known | {"pusher", "walker2d", "inverted_double_pendulum"} <= set(GYMNASIUM)


@pytest.mark.parametrize("name", sorted(GYMNASIUM))
def test_models_of_gymnasium(name):
    compare(read_mjcf(GYMNASIUM[name]), range(10))


@pytest.mark.parametrize("name", SMALL)
def test_small_models(name):
    compare(read_mjcf(SMALL[name]), range(5))


@pytest.mark.parametrize("name", sorted(GYMNASIUM))
def test_joints_come_in_mujocos_order(name):
    """So without a free joint q and v are qpos and qvel as they are."""
    scene = read_mjcf(GYMNASIUM[name])
    model, robot = scene.model, scene.robot
    names = [model.joint(j).name for j in range(model.njnt)]
    assert [ours for ours, theirs in zip(robot.joint_names, names, strict=True) if theirs] == [
        theirs for theirs in names if theirs
    ]
    q, v = np.arange(robot.nq) + 0.5, np.arange(robot.nv) + 0.5
    np.testing.assert_array_equal(scene.order.to_q(q), q)
    if robot.nq == robot.nv:
        np.testing.assert_array_equal(scene.order.to_v(v), v)


def test_the_oracle_leaves_no_log_of_mujocos_warnings(tmp_path, monkeypatch, capfd):
    """Two joints that nearly coincide: MuJoCo warns of a mass matrix that is singular."""
    monkeypatch.chdir(tmp_path)
    slides = '<joint type="slide" axis="1 0 0"/><joint type="slide" axis="1 1e-9 0"/>'
    scene = read_mjcf(world(body(slides)))
    assert "singular" in scene.warnings[0]
    Oracle(scene, 0)
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")
