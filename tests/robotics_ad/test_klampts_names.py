"""Names that Klampt has and robograd had under another one, or not at all."""

import numpy as np
import pytest
import torch

import ad_core as ad
from ad_core import math as adm
from bridges.pytorch import TorchModuleFunction, check_derivatives_torch
from robotics_ad import packaged_arm, se3, so3
from robotics_ad.kinematics import KinematicsBuilder, WorldPosition, WorldTransform

ROBOT = packaged_arm()
Q = ROBOT.random(np.random.default_rng(0))


def test_pairs_of_lists():
    T = se3.exp([0.1, 0.2, 0.3, 1.0, 2.0, 3.0]).eval()
    R, t = se3.to_klampt(T)
    assert (R, t) == (T[:9].tolist(), T[9:].tolist())
    np.testing.assert_array_equal(se3.from_klampt((R, t)), T)
    with pytest.raises(ValueError, match=r"from_klampt: R of T has shape \(3,\)"):
        se3.from_klampt((t, t))


def test_transforms_at_points_of_links():
    link, local = ROBOT.link("link4"), np.array([0.1, -0.2, 0.3])
    point = WorldPosition(link, local)("q").eval(q=Q)
    plain = WorldTransform(link)("q").eval(q=Q)
    for at in (WorldTransform(link, local)("q"), WorldTransform(link, ad.constant(local))("q")):
        np.testing.assert_allclose(at.eval(q=Q), [*plain[:9], *point], atol=1e-14)
    inverse = KinematicsBuilder(ROBOT).inv_orientation("link4").eval(q=Q)
    np.testing.assert_allclose(so3.mul(inverse, plain[:9]), np.eye(3).ravel(), atol=1e-14)


def test_torch_functions_of_any_number_of_arguments():
    before = torch.get_default_dtype()
    function = TorchModuleFunction(lambda *x: sum(torch.sin(a) for a in x))
    x, y = np.array([0.1, 0.2]), np.array([0.3, 0.4])
    np.testing.assert_allclose(function.eval(x, y), np.sin(x) + np.sin(y), atol=1e-15)
    value = function("x", "y")
    np.testing.assert_allclose(value.derivative("y", x=x, y=y), np.diag(np.cos(y)), atol=1e-15)
    assert torch.get_default_dtype() == before


def test_derivatives_of_layers_are_checked():
    x = ad.var("x", 3)
    check_derivatives_torch(adm.sin(x) * x, ["x"])
    check_derivatives_torch(adm.sin(ad.var("y")), sizes={"y": 4})
    wrong = ad.function(np.sin, "wrong", [3], 3, derivative=[lambda x: 2 * np.diag(np.cos(x))])
    with pytest.raises(AssertionError):
        check_derivatives_torch(wrong(x))


def test_a_constant_condition_leaves_one_branch():
    x = ad.var("x", 2)
    for pred, expected in ((1.0, 0), (0.0, 1), (-1.0, 1), (np.nan, 1)):
        pattern = ad.cond(pred, x[0] * x[0], x[1] * x[1]).sparsity("x")[0]
        assert pattern.tolist() == [expected == 0, expected == 1]
    three = ad.cond3(ad.constant([0.0, 0.0]), 1.0, x, 2.0 * x)
    np.testing.assert_array_equal(three.eval(x=[3.0, 4.0]), [3.0, 4.0])
    mixed = ad.cond(ad.constant([1.0, -1.0]), x, -x)
    np.testing.assert_array_equal(mixed.eval(x=[3.0, 4.0]), [3.0, -4.0])
