"""What notebooks show of robots and kernels: tables of what is so."""

from xml.etree import ElementTree

import numpy as np
import pytest

import ad_core as ad
import ad_core.math as adm
from bridges.kernel import ad_to_kernel
from robotics_ad import Inertia, Joint, Link, RobotModel, packaged_arm


def table(text: str) -> tuple[str, list[list[str]]]:
    """The caption, and the rows as texts."""
    root = ElementTree.fromstring(text)
    rows = [["".join(cell.itertext()) for cell in row] for row in root.iter("tr")]
    return "".join(next(root.iter("caption")).itertext()), rows


def test_a_robot_is_a_row_for_each_link():
    robot = packaged_arm()
    caption, (headings, *rows) = table(robot._repr_html_())
    assert caption == f"arm7: 9 links, nq 7, nv 7, {robot.mass:.4g} kg"
    assert [row[0] for row in rows] == list(robot.link_names)
    assert {len(row) for row in rows} == {len(headings)}
    by_name = {row[0]: row for row in rows}
    joint = next(j for j in robot.joints if j.child == "link3")
    assert by_name["link3"][2:5] == ["link2", joint.name, "revolute +z"]
    assert by_name["link3"][5].startswith(f"q[{robot.q_slices[joint.name].start}] in [")
    assert by_name["tool"] == ["tool", "", "link7", "tool_mount", "fixed", "", ""]


def test_names_are_text_whatever_is_in_them():
    robot = RobotModel(
        "<b>", [Link("a&b"), Link("<i>", Inertia(1.0))], [Joint("'\"", "fixed", "a&b", "<i>")]
    )
    caption, rows = table(robot._repr_html_())
    assert caption.startswith("<b>: 2 links")
    assert rows[2][:4] == ["<i>", "1", "a&b", "'\""]


def test_a_robot_of_many_links_is_cut():
    names = [f"link{i}" for i in range(150)]
    joints = [Joint(f"j{i}", "continuous", names[i], names[i + 1]) for i in range(149)]
    _, rows = table(RobotModel("long", [Link(n) for n in names], joints)._repr_html_())
    assert len(rows) == 1 + 100 + 1
    assert rows[-1] == ["50 more rows"]


@pytest.mark.parametrize("built", [False, True])
def test_a_kernel_is_its_signature_and_what_is_built_of_it(built: bool):
    kernel = ad_to_kernel(adm.sin(ad.var("x", 2)) * ad.var("u", 1))
    jacobian = kernel.jacobian()
    if built:
        jacobian(np.ones(2), np.ones(1))
    caption, rows = table(jacobian._repr_html_())
    assert caption == "Kernel, float64"
    assert rows[1:3] == [["argument", "x", "(*batch, 2)"], ["argument", "u", "(*batch, 1)"]]
    assert [row[2] for row in rows[3:5]] == ["(*batch, 2, 2)", "(*batch, 2, 1)"]
    (build,) = (row[1] for row in rows if row[0] == "build")
    assert build.startswith(f"{jacobian.n_ops:,} operations" if built else "not built yet")
    made = [row[1] for row in table(kernel._repr_html_())[1] if row[0] == "derivatives"]
    assert made == ["jacobian"]
