"""Choices in which a singular primitive is not taken: one table for every engine.

The truth is the gradient and Hessian of the same choice with a smooth function of the arguments in
place of the singular one, since neither counts.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from op_specs import SPECS

import ad_core as ad
from ad_core import math as adm
from ad_core.ops.elementwise import less, less_equal
from ad_core.ops.linalg import Solve


def answers(e, x, at):
    """Value, gradient and Hessian of our own graphs on numpy."""
    graphs = [e, ad.gradient(e, x), ad.hessian(e, x)]
    with np.errstate(all="ignore"):
        return [np.ravel(g.eval(**dict.fromkeys(g.terminals(), at))) for g in graphs]


def singular_points():
    """Finite arguments at which a primitive, its slopes or their slopes are not finite."""
    found = {}
    for spec in SPECS:
        for at in spec.special:
            sizes = range(len(at.args))
            ends = any(abs(v) > 1e150 or 0.0 < abs(v) < 1e-150 for v in at.args)
            if not np.isfinite(at.args).all() or ends:
                continue
            x = ad.var("x", len(at.args))
            e, z = spec.call(*(x[i] for i in sizes)), np.array(at.args)
            if not all(np.isfinite(v).all() for v in answers(e, x, z)):
                found[f"{spec}{at.args}"] = (spec.call, z)
    return found


POINTS = singular_points()
POINTS["solve"] = (lambda *a: Solve(2, 1)(ad.stack(*a[:4]), ad.stack(*a[4:]))[0], np.ones(6))
POINTS["norm"] = (lambda *v: adm.sqrt(adm.normSquared(ad.stack(*v))), np.zeros(3))
POINTS["sinc"] = (lambda x: adm.sin(x) / x, np.zeros(1))
POINTS["log of a root"] = (lambda x: 1.0 / adm.log(adm.sqrt(x)), np.zeros(1))
POINTS["vector"] = (lambda x, y: adm.sqrt(ad.stack(x, y, 1.0) * x)[1], np.array([0.0, 2.0]))

# Each takes the primitive's result, its arguments and a switch that is -2; it is not taken.
CHOICES = {
    "cond": lambda op, x, s: ad.cond(s, op, x[0]),
    "cond, else": lambda op, x, s: ad.cond(-s, x[0] * s, op),
    "cond3": lambda op, x, s: ad.cond3(s, op, 1.0, x[0] * x[0]),
    "cond3, at zero": lambda op, x, s: ad.cond3(s, 1.0, op, x[0] * s),
    "cond3, below": lambda op, x, s: ad.cond3(-s, x[0] * x[0], op, op),
    "where": lambda op, x, s: adm.where(s + 2.0, op, x[0] * s),
    "where, else": lambda op, x, s: adm.where(s, x[0] ** 2, op),
    "scaled": lambda op, x, s: 3.0 * adm.sin(ad.cond(s, 2.0 * op * s, x[0])) * s,
    "guard": lambda op, x, s: adm.where(ad.maximum(s, 0.0), op, x[0] * s),
    "other guard": lambda op, x, s: adm.where(ad.minimum(-s, 0.0), op, x[0] * s),
    "nested": lambda op, x, s: ad.cond(-s, ad.cond(s + 1.0, op * s, x[0] * s), op),
    "thrice": lambda op, x, s: ad.cond(s, adm.where(s, ad.cond3(s, op, op, s), op), x[0] ** 3),
    "by two": lambda op, x, s: ad.cond(s, op, s) + ad.cond(s + 1.0, op * x[0], x[0]),
    "vector": lambda op, x, s: ad.cond(ad.stack(s, -s), ad.stack(op, s), x[0] * s)[0],
    "entries": lambda op, x, s: adm.where(
        ad.stack(s + 2.0, s), ad.stack(op, x[0]) * ad.stack(s, 2.0), x[0]
    )[::-1][1],
    "in a sum": lambda op, x, s: adm.dot(ad.cond(ad.stack(s, s), op, s), ad.stack(s, x[0])),
    "of itself": lambda op, x, s: ad.cond(
        adm.where(less(op, 1.0), s, s - 1.0), op * x[0], s * x[0]
    ),
    "constant": lambda op, x, s: adm.where(s + 2.0, op, 0.0),
}


def chosen(choice, op, size):
    """The variable, and the choice with what `op` makes of its entries; the last is the switch."""
    z = ad.var("z", size + 1)
    x, s = [z[i] for i in range(size)], z[size]
    return z, CHOICES[choice](op(x, s), x, s)


def singular(choice):
    """Title, variable, point, the choice with the singular primitive."""
    for title, (call, at) in POINTS.items():
        z, e = chosen(choice, lambda x, _, call=call: call(*x), at.size)
        yield title, z, np.append(at, -2.0), e


@cache
def _smooth(choice, size):
    z, e = chosen(choice, lambda x, s: x[0] * adm.sin(s), size)
    return ad.stack(e, ad.gradient(e, z), ad.hessian(e, z))


def truth(choice, point):
    """Value, gradient and Hessian, flat, of the choice with a smooth function in place."""
    n = point.size
    with np.errstate(all="ignore"):
        every = _smooth(choice, n - 1).eval(z=point)
    return every[0], every[1 : n + 1], every[n + 1 :]


UNARY = [adm.sqrt, adm.log, adm.acos, adm.atanh, adm.exp, adm.sin, ad.neg, lambda a: 1.0 / a]
BINARY = [ad.add, ad.mul, ad.div, ad.minimum, ad.maximum, ad.sub]  # CasADi has other slopes of 0^y
PREDICATES = [lambda a, b: a, less, lambda a, b: a - b, lambda a, b: adm.sign(a)]


def random_graph(rng, x):
    """Few nodes, used again and again, of singular primitives and choices, with a vector."""
    nodes = [x[0], x[1], x[2], x[0:2], x[1:3]]

    def pick():
        return nodes[rng.integers(len(nodes))]

    while len(nodes) < 17:
        kind, a, b = rng.integers(5), pick(), pick()
        if kind == 0:
            nodes.append(UNARY[rng.integers(len(UNARY))](a))
        elif a is b:
            continue  # CasADi takes `x - x` for 0 and `x / x` for 1
        elif kind == 1:
            nodes.append(BINARY[rng.integers(len(BINARY))](a, b))
        elif kind == 2:
            nodes.append(ad.stack(a, b)[[0, -1]])
        else:
            pred = PREDICATES[rng.integers(len(PREDICATES))](a, b)
            choose = [ad.cond, ad.cond3, adm.where][rng.integers(3)]
            nodes.append(choose(pred, *(pick() for _ in range(3 if choose is ad.cond3 else 2))))
    return ad.sum_(nodes[-1] * [1.0]) + ad.sum_(nodes[-2] * [0.5])


# Each overflows at 800 by a slope that no argument is made harmless for, or by all there is.
STEEP = [
    lambda x: x**3 * 1e300 * x,
    lambda x: x**200,
    lambda x: adm.exp(x) * x,
    lambda x: adm.atan(x**300 * x) * x,
    lambda x: x * 1e306 / (x * 1e-306),
]
ONTO = [ad.add, ad.mul, lambda m, a: adm.sin(m) * a, lambda m, a: m * m - a, ad.maximum]


def random_sharing(seed, x, m):
    """Choices between `m`, with what is made of it, and entries of `x`, which are taken.

    The same for every `m`, such as a number in its place. Positive entries of `x` are expected.
    """
    rng = np.random.default_rng(seed)
    steep, taken = [m], [x[i] for i in range(x.size)]

    def pick(nodes):
        return nodes[rng.integers(len(nodes))]

    def choose(pred, not_taken, y):
        kind = rng.integers(4)
        if kind == 0:
            return ad.cond(-pred, not_taken, y)
        if kind == 1:
            return ad.cond3(pred, y, 0.5 * not_taken, not_taken)
        return [ad.cond, adm.where][kind - 2](1.0 - less_equal(0.0, pred), not_taken, y)

    while len(taken) < x.size + 6:
        kind, a, b, y = rng.integers(6), pick(steep), pick(steep), pick(taken)
        pred = pick(taken) * pick([0.5, 2.0, 3.0])
        if kind == 0:
            steep.append(pick(ONTO)(a, y))
        elif kind == 1:
            steep.append(choose(pick([pred, -pred]), a, b))
        elif kind == 2:  # entries
            both = choose(ad.stack(pred, -pred), ad.stack(a, y), ad.stack(y, b))
            taken.append(ad.sum_(both[::-1]))
        elif kind == 3:  # rows
            rows = adm.matmul(ad.stack(a, b, y, 0.5), ad.stack(y, pick(taken)), (2, 2), (2, 1))
            taken.append(ad.dot(choose(ad.stack(pred, -pred), rows, ad.stack(y, a)), [1.0, 2.0]))
        else:
            taken.append(choose(pred, a, y) * pick([1.0, y]))
    return ad.sum_(*(adm.tanh(y) for y in taken))
