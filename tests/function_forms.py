"""A function with derivatives that are known, given in every form that `ad.function` takes."""

from __future__ import annotations

import numpy as np

import ad_core as ad


def bend(x, y):
    """`[x_0^2 y, x_0 x_1^3]`: unequal sizes (2, 1) -> 2, third derivatives that are not zero."""
    y = float(np.reshape(y, ()))
    return np.array([x[0] ** 2 * y, x[0] * x[1] ** 3])


def bend_dx(x, y):
    y = float(np.reshape(y, ()))
    return np.array([[2 * x[0] * y, 0.0], [x[1] ** 3, 3 * x[0] * x[1] ** 2]])


def bend_dy(x, y):
    return np.array([[x[0] ** 2], [0.0]])


def bend_gen(arg, x, y):
    y = float(np.reshape(y, ()))
    tensors = {
        (0, 0): [[[2 * y, 0], [0, 0]], [[0, 3 * x[1] ** 2], [3 * x[1] ** 2, 6 * x[0] * x[1]]]],
        (0, 1): [[[2 * x[0]], [0.0]], [[0.0], [0.0]]],
        (1, 0): [[[2 * x[0], 0.0]], [[0.0, 0.0]]],
        (1, 1): 0,
    }
    if tuple(arg) not in tensors:
        raise NotImplementedError
    return tensors[tuple(arg)]


X, Y = np.array([1.5, -0.5]), 2.0
TRUE = {"x": bend_dx(X, Y), "y": bend_dy(X, Y)}
SPEC = {"argspec": [2, 1], "outspec": 2}


def bend_graph() -> ad.Expression:
    """The same function, of primitives."""
    x, y = ad.var("x", 2), ad.var("y", 1)
    return ad.stack(x[0] ** 2 * y[0], x[0] * x[1] ** 3)


FORMS = {
    "derivative list": ad.function(bend, **SPEC, derivative=[bend_dx, bend_dy]),
    "derivative callable": ad.function(
        bend, **SPEC, derivative=lambda arg, x, y: (bend_dx, bend_dy)[arg](x, y)
    ),
    "jvp list": ad.function(
        bend,
        **SPEC,
        jvp=[
            lambda dx, x, y: bend_dx(x, y) @ dx,
            lambda dy, x, y: bend_dy(x, y) @ np.atleast_1d(dy),
        ],
    ),
    "jvp callable": ad.function(
        bend,
        **SPEC,
        jvp=lambda arg, d, x, y: (bend_dx, bend_dy)[arg](x, y) @ np.atleast_1d(d),
    ),
    "gen_derivative callable": ad.function(
        bend, **SPEC, derivative=[bend_dx, bend_dy], gen_derivative=bend_gen
    ),
    "gen_derivative dict": ad.function(
        bend,
        **SPEC,
        derivative=[bend_dx, bend_dy],
        gen_derivative={
            (0, 0): lambda x, y: bend_gen([0, 0], x, y),
            (1, 0): lambda x, y: bend_gen([1, 0], x, y),
            (1, 1): 0,
        },
    ),
    "half given": ad.function(bend, **SPEC, derivative=[bend_dx, None], jvp=[None, None]),
    "nothing": ad.function(bend),
    "sizes only": ad.function(bend, "bend", [2, 1], 2, ["x", "y"]),
}
