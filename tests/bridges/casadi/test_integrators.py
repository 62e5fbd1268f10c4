"""CasADi's integrators and their sensitivities, around functions of every kind of ours."""

import casadi as ca
import numpy as np
import pytest

import ad_core as ad
from ad_core import math as adm
from bridges.casadi import ad_to_casadi

X, P = ca.MX.sym("x", 2), ca.MX.sym("p", 2)
AT = [0.4, 0.1], [1.1, 0.9]
FINE = {"abstol": 1e-12, "reltol": 1e-12}
PLUGINS = {"cvodes": FINE, "idas": FINE, "rk": {}, "collocation": {}}


class Pendulum(ad.ADFunctionInterface):
    """`x' = (p_0 x_1, -p_1 sin x_0)`, with derivatives to second order."""

    def n_in(self, arg):
        return 2

    def n_out(self):
        return 2

    def eval(self, x, p):
        return np.array([p[0] * x[1], -p[1] * np.sin(x[0])])

    def derivative(self, arg, x, p):
        if arg == 1:
            return np.diag([x[1], -np.sin(x[0])])
        return np.array([[0.0, p[0]], [-p[1] * np.cos(x[0]), 0.0]])

    def gen_derivative(self, arg, x, p):
        if len(arg) != 2:
            raise NotImplementedError
        second = np.zeros((2, 2, 2))
        if arg == [0, 0]:
            second[1, 0, 0] = p[1] * np.sin(x[0])
        elif arg != [1, 1]:
            second[0, 1, 0], second[1, 0, 1] = 1.0, -np.cos(x[0])
            second = second if arg == [0, 1] else second.swapaxes(1, 2)
        return second


def slope_of_primitives():
    x, p = ad.var("x", 2), ad.var("p", 2)
    return ad.stack(p[0] * x[1], -p[1] * adm.sin(x[0]))


KINDS = {
    "primitives": lambda: ad_to_casadi(slope_of_primitives(), ["x", "p"]),
    "compiled": lambda: ad_to_casadi(slope_of_primitives(), ["x", "p"], compiled=True),
    "hosted": lambda: ad_to_casadi(Pendulum()(ad.var("x", 2), ad.var("p", 2))),
}
WEIGHTS = ca.DM([1.0, 2.0])
RESULTS = {
    "value": lambda y: y,
    "by state": lambda y: ca.jacobian(y, X),
    "by parameter": lambda y: ca.jacobian(y, P),
    "forward": lambda y: ca.jtimes(y, P, WEIGHTS),
    "reverse": lambda y: ca.jtimes(y, P, WEIGHTS, True),
    "Hessian": lambda y: ca.hessian(ca.dot(WEIGHTS, y), P)[0],
}


@pytest.fixture(scope="module")
def slopes():
    made = {kind: make() for kind, make in KINDS.items()}

    x, p = ca.SX.sym("x", 2), ca.SX.sym("p", 2)
    slope = ca.vertcat(p[0] * x[1], -p[1] * ca.sin(x[0]))
    return made | {"truth": ca.Function("truth", [x, p], [slope])}


def result(slope, plugin, way):
    integrator = ca.integrator(
        "integrator", plugin, {"x": X, "p": P, "ode": slope(X, P)}, 0.0, 1.0, PLUGINS[plugin]
    )
    y = integrator(x0=X, p=P)["xf"]
    return ca.Function("result", [X, P], [RESULTS[way](y)])(*AT).full()


@pytest.mark.parametrize("way", RESULTS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("plugin", PLUGINS)
def test_sensitivities_are_those_of_casadis_own_function(slopes, plugin, kind, way):
    truth = result(slopes["truth"], plugin, way)
    np.testing.assert_allclose(result(slopes[kind], plugin, way), truth, rtol=0, atol=1e-9)
