"""Random robots for tests: trees of joints of every type, with states to try them at."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from robotics_ad import JOINT_TYPES, Inertia, Joint, Link, Mimic, RobotModel

KINDS = [name for name, row in JOINT_TYPES.items() if row.nv > 0]


def body(rng: np.random.Generator) -> Inertia:
    """A body that can exist: a few point masses."""
    masses, points = rng.uniform(0.2, 1.0, 5), 0.3 * rng.normal(size=(5, 3))
    com = masses @ points / masses.sum()
    d = points - com
    spread = np.einsum("i,ij,ik->jk", masses, d, d)
    return Inertia(masses.sum(), com, np.trace(spread) * np.eye(3) - 0.5 * (spread + spread.T))


@st.composite
def trees(draw: st.DrawFn) -> RobotModel:
    """A tree of one to five moving links, some with a fixed link on them, some mimics."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kinds = draw(st.lists(st.sampled_from(KINDS), min_size=1, max_size=5))
    links, joints = [Link("base", body(rng))], []
    for i, kind in enumerate(kinds):
        parent = links[draw(st.integers(0, len(links) - 1))].name
        leaders = [j.name for j in joints if j.type.nq == 1 and j.mimic is None]
        follows = JOINT_TYPES[kind].nq == 1 and leaders and draw(st.booleans())
        aligned = draw(st.booleans())
        offsets = rng.integers(2, size=3) if aligned else np.ones(3)  # some axes meet
        joints.append(
            Joint(
                f"j{i}",
                kind,
                parent,
                f"l{i}",
                rotation=np.eye(3) if aligned else Rotation.random(rng=rng).as_matrix(),
                translation=0.5 * rng.normal(size=3) * offsets,
                axis=np.eye(3)[rng.integers(3)] if aligned else rng.normal(size=3),
                pitch=rng.normal() if kind == "helical" else 0.0,
                mimic=Mimic(draw(st.sampled_from(leaders)), -1.5, 0.3) if follows else None,
            )
        )
        links.append(Link(f"l{i}", body(rng)))
        if draw(st.booleans()):
            R = Rotation.random(rng=rng).as_matrix()
            joints.append(
                Joint(f"f{i}", "fixed", f"l{i}", f"t{i}", rotation=R, translation=[0, 0, 1])
            )
            links.append(Link(f"t{i}", body(rng)))
    return RobotModel("tree", links, joints)


def state(robot: RobotModel) -> tuple[np.ndarray, ...]:
    """A configuration, a velocity and an acceleration, the same at every call."""
    rng = np.random.default_rng(robot.nv)
    return (robot.random(rng), *rng.normal(size=(2, robot.nv)))
