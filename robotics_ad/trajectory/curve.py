"""Curves as functions of time and of their data, and their velocities.

    x(t) = x_0 exp(l_1(t) d_1) exp(l_2(t) d_2) ... exp(l_k(t) d_k)

Every curve is this product over the span that t lies in: a start x_0, steps d_j and weights l_j. In
vectors it is the sum x_0 + l_1 d_1 + ... With e_j = exp(l_j d_j) the velocity v_j behind factor j
follows from the one before it (Sommer et al., "Efficient derivative computation for cumulative
B-splines on Lie groups", CVPR 2020):

    v_j = Ad(e_j)^-1 v_j-1 + l_j' d_j,    (Ad(e_j)^-1 w)' = Ad(e_j)^-1 w' + l_j' [Ad(e_j)^-1 w, d_j]
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import comb
from typing import Literal, NamedTuple, cast

import numpy as np

import ad_core as ad
from ad_core import math as adm
from ad_core.graph import Expression, MatrixLayout, checked, one_of, whole_number
from ad_core.ops.elementwise import less_equal
from robotics_ad.trajectory.spaces import Group, Space, SpaceLike, space_of

Ends = Literal["halt", "extrapolate", "loop"]
"""What a curve does before its first knot and after its last."""
ENDS: Sequence[Ends] = ("halt", "extrapolate", "loop")


def checked_ends(ends: str, what: str) -> Ends:
    """One of `ENDS`; else ValueError that begins with `what`."""
    return cast("Ends", one_of(ends, what, ENDS))


class Piece(NamedTuple):
    """A curve at one time.

    Attributes:
        start: x_0.
        steps: d_1 .. d_k.
        weights: l_1 .. l_k as one vector, then their derivatives in time.
    """

    start: Expression
    steps: Sequence[Expression]
    weights: Sequence[Expression]


class Curve(ad.Composite):
    """A function of the time t and of the data that subclasses name: a point of a space.

    At a knot, derivatives are those of the span that begins there; at the last knot, those of the
    span that ends. Before the first knot and after the last a curve that halts keeps its value,
    with derivatives 0; one that extrapolates follows the formula of its first or last span; one
    that loops begins again, at the last knot too.

    Subclasses give `data`, `breaks` and `piece`.
    """

    def __init__(self, space: SpaceLike, ends: Ends) -> None:
        where = type(self).__name__
        self.space: Space = space_of(space, where)
        self.ends = checked_ends(ends, f"{where}: ends")

    def __str__(self) -> str:
        return f"{type(self).__name__}({self.space.title})"

    def data(self) -> Mapping[str, int]:
        """Names and sizes of the arguments after `t`."""
        raise NotImplementedError(f"{type(self).__name__} has no data")

    def breaks(self, *data: Expression) -> Expression:
        """Where spans begin, and where the last one ends."""
        raise NotImplementedError(f"{type(self).__name__} has no breaks")

    def piece(self, t: Expression, *data: Expression, order: int) -> Piece:
        """The curve at a time between its ends, with derivatives of weights up to an order."""
        raise NotImplementedError(f"{type(self).__name__} has no piece")

    @property
    def layout(self) -> MatrixLayout | None:
        return self.space.layout

    def arguments(self) -> Mapping[str, int]:
        """Names and sizes of all arguments, in order."""
        return {"t": 1, **self.data()}

    def n_args(self) -> int:
        return len(self.arguments())

    def n_in(self, arg: int) -> int:
        return list(self.arguments().values())[arg]

    def argname(self, arg: int) -> str:
        return list(self.arguments())[arg]

    def n_out(self) -> int:
        return self.space.size

    def expand(self, *args: Expression) -> Expression:
        start, steps, (weights, *_) = self.at(args, 0)
        result: list[Expression] = []
        for part in self.space.parts:
            x = start[part.points]
            for j, step in enumerate(steps):
                x = part.group.mul(x, part.group.exp(weights[j] * step[part.velocities]))
            result.append(x)
        return ad.stack(*result)

    def at(self, args: Sequence[Expression], order: int) -> Piece:
        """The piece at any time, for what the curve does at its ends."""
        t, *data = args
        breaks = self.breaks(*data)
        start, stop = breaks[0], breaks[-1]
        if self.ends == "extrapolate":
            return self.piece(t, *data, order=order)
        if self.ends == "loop":
            return self.piece(start + adm.mod(t - start, stop - start), *data, order=order)
        piece = self.piece(adm.clip(t, start, stop), *data, order=order)
        inside = less_equal(start, t) * less_equal(t, stop)
        value, *rates = piece.weights
        return piece._replace(weights=[value, *(inside * rate for rate in rates)])


class TimeDerivative(ad.Composite):
    """The velocity of a curve (order 1), its rate (2: acceleration, 3: jerk), and so on.

    A function of the curve's own arguments. In vectors and for joints that turn or slide it is the
    derivative in time. In groups it is the velocity of the body, x^-1 dx/dt, and the derivatives of
    its components: w of a rotation with dR/dt = R [w]x, along the body's axes, rad/s; [w; v] of a
    rigid transform with dt/dt = R v, rad/s and m/s; the robot's v, and its a = dv/dt, for
    configurations. Along the world's axes w is R w; the spatial twist and its first derivative are
    Ad(T) times those of the body.

    Args:
        curve: the curve.
        order: 1 or more.
    """

    def __init__(self, curve: Curve, order: int = 1) -> None:
        self.curve = checked(curve, Curve, "TimeDerivative", "curve", "a curve")
        self.order = whole_number(order, "TimeDerivative: order", 1)

    def __str__(self) -> str:
        return f"TimeDerivative({self.curve}, {self.order})"

    def n_args(self) -> int:
        return self.curve.n_args()

    def n_in(self, arg: int) -> int:
        return self.curve.n_in(arg)

    def argname(self, arg: int) -> str:
        return self.curve.argname(arg)

    def n_out(self) -> int:
        return self.curve.space.rank

    def expand(self, *args: Expression) -> Expression:
        piece = self.curve.at(args, self.order)
        parts: list[Expression] = []
        for part in self.curve.space.parts:
            own = [step[part.velocities] for step in piece.steps]
            if part.group.back is None:
                terms = [piece.weights[self.order][j] * step for j, step in enumerate(own)]
                parts.append(ad.sum_(ad.constant(np.zeros(part.group.rank)), *terms))
            else:
                parts.append(_rates(part.group, own, piece.weights, self.order)[-1])
        return ad.stack(*parts)


def _rates(
    group: Group, steps: Sequence[Expression], weights: Sequence[Expression], order: int
) -> Sequence[Expression]:
    """The velocity behind the last factor, and its derivatives up to `order` - 1."""
    rates = [weights[r + 1][0] * steps[0] for r in range(order)]
    for j, step in enumerate(steps[1:], 1):
        seen = _seen(group, rates, step, [w[j] for w in weights])
        rates = [seen[r] + weights[r + 1][j] * step for r in range(order)]
    return rates


def _seen(
    group: Group,
    rates: Sequence[Expression],
    step: Expression,
    weight: Sequence[Expression],
) -> Sequence[Expression]:
    """Ad(e)^-1 v and its derivatives, of v and its derivatives, with e = exp(weight step).

    Row r of the table holds the derivatives of order r of Ad(e)^-1 times each of the rates.
    """
    if group.back is None or group.bracket is None:
        return rates
    e = group.exp(weight[0] * step)
    table = [[group.back(e, rate) for rate in rates]]
    for r in range(len(rates) - 1):
        row: list[Expression] = []
        for i, along in enumerate(table[r][1:]):
            turned = [
                comb(r, q) * weight[q + 1] * group.bracket(table[r - q][i], step)
                for q in range(r + 1)
            ]
            row.append(ad.sum_(along, *turned))
        table.append(row)
    return [row[0] for row in table]
