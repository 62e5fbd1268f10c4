"""A dict of expressions: results under the dict's names, in its order, on every engine."""

import casadi
import numpy as np
import pytest
import torch

import ad_core as ad
from ad_core import math as adm
from bridges.casadi import ad_to_c, ad_to_casadi
from bridges.kernel import ad_to_kernel, load
from bridges.pytorch import ad_to_torch
from robotics_ad import se3

X, Y = ad.var("x", 3), ad.var("y", 1)
NAMED = {"turned": adm.sin(X) * Y, "length": adm.norm(X)}
AT = {"x": np.array([0.1, -0.2, 0.7]), "y": np.array([1.5])}
EXPECTED = {"turned": np.sin(AT["x"]) * 1.5, "length": [np.linalg.norm(AT["x"])]}


def users(x):
    return 2.0 * x


@pytest.mark.parametrize("options", [{}, {"symbolic": "MX"}, {"compiled": True}, {"mapped": 2}])
def test_casadi(options):
    function = ad_to_casadi(NAMED, **options)
    assert function.name_out() == list(NAMED)
    stages = options.get("mapped", 1)
    found = function(**{name: np.stack([value] * stages, axis=1) for name, value in AT.items()})
    assert found.keys() == NAMED.keys()
    for name, value in EXPECTED.items():
        for column in np.array(found[name]).T:
            np.testing.assert_allclose(column, value, rtol=1e-14)
    slopes = function.factory("slopes", ["x", "y"], ["jac:length:x"])
    unit = AT["x"] / np.linalg.norm(AT["x"])
    if stages == 1:
        np.testing.assert_allclose(np.array(slopes(*AT.values())), unit[None], rtol=1e-12)


def test_a_callback_keeps_the_names():
    function = ad_to_casadi({"twice": ad.function(users, outspec=3)(X)})
    np.testing.assert_allclose(np.array(function(x=AT["x"])["twice"])[:, 0], 2.0 * AT["x"])


def test_c_text_has_the_names():
    assert 'return "turned"' in ad_to_c(NAMED)


def test_kernels_and_layers_give_a_tuple_in_order(tmp_path):
    kernel = ad_to_kernel(NAMED)
    kernel.save(tmp_path / "kernel", ["vjp"])
    for one in (kernel, load(tmp_path / "kernel")):
        assert "-> turned[3], length[1]" in repr(one)
        results = one(**AT)
        for value, expected in zip(results, EXPECTED.values(), strict=True):
            np.testing.assert_allclose(value, expected, rtol=1e-14)
        seeds = {"cot_turned": np.ones(3), "cot_length": np.zeros(1)}
        np.testing.assert_allclose(one.vjp()(**AT, **seeds)[1], [np.sin(AT["x"]).sum()], rtol=1e-14)
    layer = ad_to_torch(NAMED)
    results = layer(**{name: torch.from_numpy(value) for name, value in AT.items()})
    for value, expected in zip(results, EXPECTED.values(), strict=True):
        np.testing.assert_allclose(value.numpy(), expected, rtol=1e-14)
    shaped = ad_to_torch({"tip": se3.mul("T", "S"), "at": X}, shapes="natural")
    tip, at = shaped(*(torch.ones(n, dtype=torch.float64) for n in (12, 12, 3)))
    assert (tip.shape, at.shape) == ((4, 4), (3,))
    assert isinstance(ad_to_kernel({"one": X})(AT["x"]), tuple)


@pytest.mark.parametrize(
    ("func", "error", "message"),
    [
        ({}, ValueError, "no expressions were given"),
        ({"a": 3.0}, TypeError, "func: argument 'root' is a float"),
        ({3: X}, TypeError, "func: argument 'name' is a int"),
        ({"": X}, ValueError, "a name is not empty"),
        ({"x": X}, ValueError, "'x' is the name of an input and of a result"),
    ],
)
def test_errors(func, error, message):
    with pytest.raises(error, match=message):
        ad_to_casadi(func)


def test_names_are_made_fit_for_casadi():
    function = ad_to_casadi({"arm.tau": X, "arm tau": -X})
    assert function.name_out() == ["arm_tau", "arm_tau_2"]
    assert isinstance(function, casadi.Function)
