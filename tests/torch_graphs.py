"""Graphs that the torch tests share: robots, a user's functions, and both kinds mixed."""

import numpy as np

import ad_core as ad
from ad_core import math as adm
from robotics_ad import packaged_arm
from robotics_ad.dynamics import InverseDynamics
from robotics_ad.kinematics import WorldTransform


class Cubed(ad.ADFunctionInterface):
    """`x_i^3`, a user's function."""

    def n_in(self, arg):
        return 3

    def n_out(self):
        return 3

    def eval(self, x):
        return x**3


class Cubes(Cubed):
    """With derivatives of every order."""

    def gen_derivative(self, arg, x):
        tensor = np.zeros((3,) * (len(arg) + 1))
        diagonal = [3 * x**2, 6 * x, 6 + 0 * x, 0 * x][min(len(arg), 4) - 1]
        for i in range(3):
            tensor[(i,) * (len(arg) + 1)] = diagonal[i]
        return tensor


class CubesByJvp(Cubed):
    """With nothing but a Jacobian-vector product."""

    def jvp(self, arg, darg, x):
        return 3 * x**2 * darg


def products(x, y):
    """A function of a vector and a float."""
    assert isinstance(y, float)
    return np.array([x[0] * x[1] * y, np.sin(x[2]) * x[0], y**2])


def products_derivative(arg, x, y):
    if arg == 1:
        return np.array([[x[0] * x[1]], [0.0], [2 * y]])
    return np.array([[x[1] * y, x[0] * y, 0], [np.sin(x[2]), 0, np.cos(x[2]) * x[0]], [0, 0, 0]])


def graph(name):
    x, y = ad.var("x", 3), ad.var("y", 1)
    opaque = ad.function(products, argspec=(3, 1), outspec=3, derivative=products_derivative)
    arm = packaged_arm()
    rows = {
        "tiny": lambda: adm.sin(x) * y,
        "small": lambda: ad.stack(adm.dot(x, adm.sin(x)) * y, x[[2, 0]] * [0.1, 0.2]),
        "kinematics": lambda: WorldTransform(arm.link("tool")),
        "dynamics": lambda: InverseDynamics(arm),
        "opaque": lambda: opaque(x, y),
        "opaque, exact": lambda: Cubes()(x),
        "opaque, jvp only": lambda: CubesByJvp()(x),
        "mixed": lambda: adm.sin(Cubes()(adm.sin(x) * y)) * Cubes()(x * [1.0, 2.0, 3.0]) + y,
    }
    return rows[name]()
