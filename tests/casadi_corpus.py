"""Functions as CasADi's users write them: `CORPUS` maps a name to (function, a point to look at).

The problems are those of CasADi's documentation and example packs (https://web.casadi.org/docs/),
written anew.
"""

from __future__ import annotations

from collections.abc import Callable

import casadi as ca

Row = tuple[ca.Function, list[list[float]]]


def rosenbrock() -> Row:
    x = ca.SX.sym("x", 3)
    cost = x[0] ** 2 + 100 * x[2] ** 2
    return ca.Function("f", [x], [cost, x[2] + (1 - x[0]) ** 2 - x[1]]), [[2.5, 3.0, 0.75]]


def van_der_pol() -> Row:
    x, u = ca.MX.sym("x", 2), ca.MX.sym("u")
    rhs = ca.vertcat((1 - x[1] ** 2) * x[0] - x[1] + u, x[0])
    return ca.Function("f", [x, u], [rhs, ca.sumsqr(x) + u**2]), [[0.2, 1.1], [-0.4]]


def runge_kutta_step() -> Row:
    f, _ = van_der_pol()
    x, u = ca.MX.sym("x", 2), ca.MX.sym("u")
    h = 0.1
    k1, q1 = f(x, u)
    k2, q2 = f(x + h / 2 * k1, u)
    k3, q3 = f(x + h / 2 * k2, u)
    k4, q4 = f(x + h * k3, u)
    step = x + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return ca.Function("step", [x, u], [step, h / 6 * (q1 + 2 * q2 + 2 * q3 + q4)]), [
        [0.3, -0.8],
        [0.5],
    ]


def four_steps() -> Row:
    step, at = runge_kutta_step()
    x, u = ca.MX.sym("x", 2), ca.MX.sym("u", 4)
    cost = ca.MX(0)
    state = x
    for k in range(4):
        state, q = step(state, u[k])
        cost = cost + q
    return ca.Function("shoot", [x, u], [state, cost]), [at[0], [0.1, -0.2, 0.3, 0.4]]


def lotka_volterra() -> Row:
    x, p = ca.SX.sym("x", 2), ca.SX.sym("p", 4)
    rhs = ca.vertcat(p[0] * x[0] - p[1] * x[0] * x[1], p[2] * x[0] * x[1] - p[3] * x[1])
    return ca.Function("f", [x, p], [rhs]), [[1.5, 0.7], [1.0, 0.4, 0.3, 0.9]]


def rocket() -> Row:
    s, v, m, u = ca.SX.sym("s"), ca.SX.sym("v"), ca.SX.sym("m"), ca.SX.sym("u")
    rhs = ca.vertcat(v, (u - 0.05 * v * v) / m, -0.1 * u * u)
    return ca.Function("f", [s, v, m, u], [rhs]), [[0.1], [2.0], [0.8], [1.5]]


def race_car() -> Row:
    x, u = ca.MX.sym("x", 2), ca.MX.sym("u")
    limit = 1 - ca.sin(2 * ca.pi * x[0]) / 2
    return ca.Function("f", [x, u], [ca.vertcat(x[1], u - x[1]), limit]), [[0.3, 0.9], [0.5]]


def cart_pole() -> Row:
    x, u = ca.SX.sym("x", 4), ca.SX.sym("u")
    angle, rate = x[1], x[3]
    total, pole, length, g = 1.2, 0.2, 0.5, 9.81
    s, c = ca.sin(angle), ca.cos(angle)
    push = (u + pole * length * rate**2 * s) / total
    spin = (g * s - c * push) / (length * (4 / 3 - pole * c**2 / total))
    slide = push - pole * length * spin * c / total
    return ca.Function("f", [x, u], [ca.vertcat(x[2], rate, slide, spin)]), [
        [0.1, 0.4, -0.2, 0.3],
        [1.0],
    ]


def pendulum_dae() -> Row:
    x, z = ca.SX.sym("x", 4), ca.SX.sym("tension")
    ode = ca.vertcat(x[2], x[3], -z * x[0], -z * x[1] - 9.81)
    algebraic = x[2] ** 2 + x[3] ** 2 - z * (x[0] ** 2 + x[1] ** 2) - 9.81 * x[1]
    return ca.Function("dae", [x, z], [ode, algebraic]), [[0.6, -0.8, 0.1, 0.2], [3.0]]


def hanging_chain() -> Row:
    y, z = ca.SX.sym("y", 5), ca.SX.sym("z", 5)
    energy = ca.SX(0)
    for i in range(4):
        energy = energy + 70 / 2 * ((y[i] - y[i + 1]) ** 2 + (z[i] - z[i + 1]) ** 2)
    energy = energy + 9.81 * ca.sum1(z) * 0.8
    return ca.Function("energy", [y, z], [energy]), [
        [-2.0, -1.1, 0.2, 1.0, 2.0],
        [1.0, 0.4, 0.1, 0.5, 1.0],
    ]


def unicycle() -> Row:
    x, u = ca.SX.sym("x", 3), ca.SX.sym("u", 2)
    rhs = ca.vertcat(u[0] * ca.cos(x[2]), u[0] * ca.sin(x[2]), u[1])
    return ca.Function("f", [x, u], [rhs]), [[0.1, 0.2, 0.7], [1.1, -0.3]]


def least_squares() -> Row:
    a, b = ca.MX.sym("a", 4, 2), ca.MX.sym("b", 4)
    best = ca.solve(a.T @ a, a.T @ b)
    return ca.Function("fit", [a, b], [best, ca.norm_2(a @ best - b)]), [
        [1.0, 0.5, -0.3, 2.0, 0.1, 1.2, 0.7, -0.4],
        [0.2, 0.9, 1.5, -0.7],
    ]


def sparse_algebra() -> Row:
    x = ca.SX.sym("x", ca.Sparsity.lower(3))
    y = ca.SX.sym("y", 3)
    return ca.Function("f", [x, y], [x @ y, ca.inv(x), ca.det(x), ca.trace(x)]), [
        [1.3, 0.2, -0.4, 0.0, 0.9, 0.6, 0.0, 0.0, 2.1],
        [0.5, -0.6, 0.7],
    ]


def rotation() -> Row:
    w = ca.MX.sym("w", 3)
    angle = ca.norm_2(w)
    k = ca.skew(w / angle)
    matrix = ca.MX.eye(3) + ca.sin(angle) * k + (1 - ca.cos(angle)) * (k @ k)
    return ca.Function("exp", [w], [matrix, ca.cross(w, matrix @ w + 1)]), [[0.4, -0.8, 0.3]]


def branches() -> Row:
    x, y = ca.SX.sym("x"), ca.SX.sym("y")
    inside = ca.logic_and(x > 0, ca.logic_not(y > x))
    values = [
        ca.if_else(inside, x * y, x - y),
        ca.if_else(ca.logic_or(x > 1, y < 0), ca.exp(x), ca.sin(y)),
        ca.fmin(x, y) + ca.fmax(x**2, y),
    ]
    return ca.Function("f", [x, y], values), [[0.8], [0.3]]


def switch() -> Row:
    i, x = ca.MX.sym("i"), ca.MX.sym("x")
    cases = [ca.Function("case", [x], [g(x)]) for g in (ca.sin, ca.exp, ca.tanh)]
    chosen = ca.Function.conditional("chosen", cases[:2], cases[2])
    return ca.Function("f", [i, x], [chosen(i, x)]), [[1.0], [0.4]]


def reduction() -> Row:
    x = ca.MX.sym("x", 4)
    smooth = ca.log(ca.sum1(ca.exp(x)))
    return ca.Function("f", [x], [smooth, ca.mmax(x), ca.norm_1(x), ca.norm_inf(x)]), [
        [0.3, -0.9, 1.4, 0.2]
    ]


def mapped_function() -> Row:
    f, _ = cart_pole()
    return f.map(2), [[0.1, 0.4, -0.2, 0.3, 0.5, -0.1, 0.7, 0.2], [1.0, -1.0]]


def gradient_of_a_function() -> Row:
    x = ca.SX.sym("x", 3)
    y = ca.exp(x[0] * x[1]) * ca.sin(x[2])
    return ca.Function("f", [x], [ca.gradient(y, x), ca.hessian(y, x)[0]]), [[0.3, -0.8, 1.2]]


def quadcopter_attitude() -> Row:
    q, w, u = ca.SX.sym("q", 4), ca.SX.sym("w", 3), ca.SX.sym("u", 3)
    inertia = ca.DM([0.02, 0.03, 0.04])
    rate = 0.5 * ca.vertcat(-ca.dot(q[1:], w), q[0] * w + ca.cross(q[1:], w))
    return ca.Function("f", [q, w, u], [rate, (u - ca.cross(w, inertia * w)) / inertia]), [
        [0.9, 0.1, -0.3, 0.2],
        [0.4, -0.5, 0.6],
        [0.01, 0.02, -0.01],
    ]


def integrated() -> Row:
    x, p = ca.MX.sym("x", 2), ca.MX.sym("p")
    ode = ca.vertcat(x[1], -p * ca.sin(x[0]))
    options = {"number_of_finite_elements": 10}
    f = ca.integrator("flow", "rk", {"x": x, "p": p, "ode": ode}, 0.0, 1.0, options)
    x0, p0 = ca.MX.sym("x0", 2), ca.MX.sym("p0")
    return ca.Function("f", [x0, p0], [f(x0=x0, p=p0)["xf"]]), [[0.5, 0.1], [2.0]]


def implicit() -> Row:
    z, p = ca.MX.sym("z"), ca.MX.sym("p", 2)
    residual = ca.Function("residual", [z, p], [z**3 + p[0] * z - p[1]])
    solver = ca.rootfinder("solver", "newton", residual)
    guess = ca.MX.sym("guess")
    return ca.Function("f", [guess, p], [solver(guess, p)]), [[0.5], [2.0, 1.5]]


def table_lookup() -> Row:
    grid = [0.0, 1.0, 2.0, 3.0, 4.0]
    spline = ca.interpolant("spline", "bspline", [grid], [0.0, 1.0, 0.5, 2.0, 1.0])
    x = ca.MX.sym("x")
    return ca.Function("f", [x], [spline(x) * x]), [[1.7]]


def error_function() -> Row:
    x = ca.SX.sym("x", 2)
    return ca.Function("f", [x], [ca.erf(x) * x[0], ca.erf(ca.exp(x))]), [[0.4, -0.7]]


BUILDERS: dict[str, Callable[[], Row]] = {
    build.__name__: build
    for build in (
        *(rosenbrock, van_der_pol, runge_kutta_step, four_steps, lotka_volterra, rocket),
        *(race_car, cart_pole, pendulum_dae, hanging_chain, unicycle),
        *(sparse_algebra, rotation, branches, switch, reduction, mapped_function),
        *(gradient_of_a_function, quadcopter_attitude, error_function),
    )
}
WHOLE: dict[str, Callable[[], Row]] = {
    build.__name__: build for build in (integrated, implicit, table_lookup, least_squares)
}
"""Functions that cannot be read as scalar operations."""
