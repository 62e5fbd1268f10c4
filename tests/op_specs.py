"""One row for each primitive: how to call it, what torch says, where to draw, and special points.

`tests/ad_core/test_primitives.py` compares every row on every engine. A new primitive is one row,
here or, for a function of one number, in `op_curves`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import torch
from op_curves import CURVES
from op_rows import (
    HUGE,
    INF,
    NAN,
    NO_MX,
    NONE,
    OWN,
    SMALL,
    TINY,
    TORCH,
    UNARY,
    At,
    OpSpec,
    P,
    W,
    binary,
)

import ad_core as ad
from ad_core import math as adm
from ad_core.ops.elementwise import equal, less, less_equal
from ad_core.ops.linalg import MatMul, Solve
from ad_core.ops.structure import Broadcast, Scatter, Structured, Take, total
from ad_core.ops.tables import lookup

FIVE = (2.0, -0.5, 0.25, NAN, INF)
EYE3 = ad.constant([1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0])


def flag(compare: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    """A torch comparison as 1.0 and 0.0, whose derivative is zero."""
    return lambda x, y: compare(x, y).to(x.dtype)


def choose(pred: torch.Tensor, *choices: torch.Tensor) -> torch.Tensor:
    pos, *zero, neg = choices
    below = torch.where(pred == 0, zero[0], neg) if zero else neg
    return torch.where(pred > 0, pos, below)


def scatter(x: torch.Tensor) -> torch.Tensor:
    index = torch.tensor([4, 0, 4, 2])
    return torch.zeros(6, dtype=x.dtype).index_add(0, index, x)


def read(x: torch.Tensor) -> torch.Tensor:
    places = x.floor().clamp(0, len(FIVE) - 1).long()
    return torch.tensor(FIVE, dtype=x.dtype)[places]


def steps(at_tie: float, below: float, above: float) -> tuple[At, ...]:
    """The truth about a comparison, which has no slope."""
    return (
        At((1.0, 1.0), at_tie, (0.0, 0.0)),
        At((0.0, -0.0), at_tie, (0.0, 0.0)),
        At((INF, INF), at_tie, (0.0, 0.0)),
        At((0.0, TINY), below, (0.0, 0.0)),
        At((TINY, 0.0), above, (0.0, 0.0)),
        At((-INF, HUGE), below, (0.0, 0.0)),
        At((NAN, 1.0), 0.0, (0.0, 0.0)),
        At((1.0, NAN), 0.0, (0.0, 0.0)),
    )


_LOG4 = math.log(4.0)
POW_4_HALF = (-1 / 32, 0.5 + 0.25 * _LOG4, 0.5 + 0.25 * _LOG4, 2 * _LOG4**2)

SPECS: tuple[OpSpec, ...] = (
    *CURVES,
    binary(
        "add",
        ad.add,
        torch.add,
        (W, W),
        At((INF, 1.0), INF, (1.0, 1.0)),
        At((INF, -INF), NAN, (1.0, 1.0)),
        At((TINY, TINY), 2 * TINY, (1.0, 1.0)),
        At((1e308, 1e308), INF, (1.0, 1.0)),
        At((NAN, 1.0), NAN, (1.0, 1.0)),
    ),
    binary(
        "sub",
        ad.sub,
        torch.sub,
        (W, W),
        At((1.0, INF), -INF, (1.0, -1.0)),
        At((INF, INF), NAN, (1.0, -1.0)),
        At((2 * TINY, TINY), TINY, (1.0, -1.0)),
        At((1.0, 1.0), 0.0, (1.0, -1.0)),
    ),
    binary(
        "mul",
        ad.mul,
        torch.mul,
        (W, W),
        At((0.0, -5.0), -0.0, (-5.0, 0.0), (0.0, 1.0, 1.0, 0.0)),
        At((0.0, INF), NAN, (INF, 0.0), (0.0, 1.0, 1.0, 0.0), NO_MX),
        At((TINY, 2.0), 2 * TINY, (2.0, TINY), (0.0, 1.0, 1.0, 0.0)),
        At((HUGE, HUGE), INF, (HUGE, HUGE), (0.0, 1.0, 1.0, 0.0)),
        At((HUGE, SMALL), 1.0, (SMALL, HUGE), (0.0, 1.0, 1.0, 0.0)),
        At((NAN, 2.0), NAN, (2.0, NAN), (0.0, 1.0, 1.0, 0.0), NO_MX),
    ),
    binary(
        "div",
        ad.div,
        torch.div,
        (W, P),
        At((0.0, 4.0), 0.0, (0.25, 0.0), (0.0, -0.0625, -0.0625, 0.0)),
        At((1.0, 0.0), INF, (INF, -INF), (0.0, -INF, -INF, INF), NO_MX),
        At((0.0, 0.0), NAN, (INF, NAN), None, NO_MX),
        At((1.0, -4.0), -0.25, (-0.25, -0.0625), (0.0, -0.0625, -0.0625, -0.03125)),
        At((1.0, INF), 0.0, (0.0, 0.0)),
        At((HUGE, HUGE), 1.0, (1 / HUGE, -1 / HUGE)),
        At((TINY, 2 * TINY), 0.5, None),
        At((HUGE, SMALL), INF, (HUGE, -INF), (0.0, -INF, -INF, INF), NO_MX),
    ),
    binary(
        "pow",
        ad.pow_,
        torch.pow,
        (P, W),
        At((0.0, 2.0), 0.0, (0.0, 0.0), (2.0, 0.0, 0.0, 0.0), NONE),
        At((0.0, 3.0), 0.0, (0.0, 0.0), own=NONE),
        At((0.0, 1.0), 0.0, (1.0, 0.0), None, TORCH),
        At((0.0, 0.0), 1.0, (0.0, 0.0), None, TORCH),
        At((-2.0, 3.0), -8.0, (12.0, NAN), (-12.0, NAN, NAN, NAN), NO_MX),
        At((-2.0, -1.0), -0.5, (-0.25, NAN), (-0.25, NAN, NAN, NAN), NO_MX),
        At((-2.0, 0.0), 1.0, (0.0, NAN), (0.0, NAN, NAN, NAN), frozenset({"SX"})),
        At((1.0, 5.0), 1.0, (5.0, 0.0), (20.0, 1.0, 1.0, 0.0)),
        At((2.0, 0.0), 1.0, (0.0, math.log(2)), (0.0, 0.5, 0.5, math.log(2) ** 2), OWN - TORCH),
        At((0.0, 2.5), 0.0, (0.0, 0.0), own=NONE),
        At((0.0, 1.5), 0.0, (0.0, 0.0), None, TORCH),
        At((0.0, 0.5), 0.0, (INF, 0.0), None, TORCH),
        At((0.0, -1.0), INF, None),
        At((-2.0, 0.5), NAN, (NAN, NAN), (NAN,) * 4),
        At((4.0, 0.5), 2.0, (0.25, 2 * math.log(4)), POW_4_HALF),
        At((HUGE, 2.0), INF, None),
        At((TINY, 2.0), 0.0, (2 * TINY, 0.0), None),
        At((SMALL, 2.0), 0.0, (2 * SMALL, 0.0), (2.0, 0.0, 0.0, 0.0)),
        At((INF, 2.0), INF, (INF, INF), None, NO_MX),
        At((2.0, INF), INF, None),
        At((2.0, -INF), 0.0, None),
        At((NAN, 0.0), 1.0, None),
        At((1.0, NAN), 1.0, None),
    ),
    binary(
        "mod",
        ad.mod,
        torch.remainder,
        (W, P),
        At((5.0, 3.0), 2.0, (1.0, -1.0)),
        At((-5.0, 3.0), 1.0, (1.0, 2.0)),
        At((5.0, -3.0), -1.0, (1.0, 2.0)),
        At((-5.0, -3.0), -2.0, (1.0, -1.0)),
        At((6.0, 3.0), 0.0, (1.0, -2.0)),
        At((0.3, 0.1), 0.3 % 0.1, (1.0, -2.0)),
        At((0.0, 3.0), 0.0, (1.0, 0.0)),
        At((1e17, 3.0), 1e17 % 3.0, (1.0, -math.floor(1e17 / 3.0))),
        At((TINY, 1.0), TINY, (1.0, 0.0)),
        At((2.0, 0.0), NAN, None),
        At((INF, 3.0), NAN, None),
        At((5.0, INF), 5.0, (1.0, 0.0)),
        At((-5.0, -INF), -5.0, (1.0, 0.0)),
        At((NAN, 3.0), NAN, None),
    ),
    binary(
        "atan2",
        adm.atan2,
        torch.atan2,
        (W, W),
        At((0.0, 0.0), 0.0, (0.0, 0.0), own=OWN - TORCH),
        At((0.0, -0.0), math.pi, (0.0, 0.0), own=OWN - TORCH),
        At((0.0, -1.0), math.pi, (-1.0, -0.0), (0.0, -1.0, -1.0, 0.0)),
        At((1.0, 0.0), math.pi / 2, (0.0, -1.0), (0.0, 1.0, 1.0, 0.0)),
        At((-2.0, 0.0), -math.pi / 2, (0.0, 0.5), (0.0, 0.25, 0.25, 0.0)),
        At((HUGE, 2 * HUGE), math.atan(0.5), (0.4 / HUGE, -0.2 / HUGE)),
        At((SMALL, 2 * SMALL), math.atan(0.5), (0.4 / SMALL, -0.2 / SMALL), None, NONE),
        At((TINY, 0.0), math.pi / 2, (0.0, -INF), None, NONE),
        At((INF, 1.0), math.pi / 2, None),
        At((-INF, -INF), -3 * math.pi / 4, None),
        At((1.0, NAN), NAN, None),
    ),
    binary("less", less, flag(torch.lt), (W, W), *steps(0.0, 1.0, 0.0)),
    binary("less_equal", less_equal, flag(torch.le), (W, W), *steps(1.0, 1.0, 0.0)),
    binary("equal", equal, flag(torch.eq), (W, W), *steps(1.0, 0.0, 0.0)),
    OpSpec(
        "cond",
        ad.cond,
        choose,
        (W, W, W),
        ((1, 1, 1), (3, 3, 3), (1, 3, 3), (3, 1, 3), (3, 3, 1)),
        (
            At((0.0, 1.0, 2.0), 2.0, (0.0, 0.0, 1.0)),
            At((TINY, 1.0, 2.0), 1.0, (0.0, 1.0, 0.0)),
            At((-1.0, INF, 2.0), 2.0, (0.0, 0.0, 1.0)),
            At((1.0, 1.0, NAN), 1.0, (0.0, 1.0, 0.0)),
            At((NAN, 1.0, 2.0), 2.0, (0.0, 0.0, 1.0)),
            At((INF, HUGE, 2.0), HUGE, (0.0, 1.0, 0.0)),
        ),
    ),
    OpSpec(
        "cond3",
        ad.cond3,
        choose,
        (W, W, W, W),
        ((1, 1, 1, 1), (3, 3, 3, 3), (1, 3, 1, 3), (3, 1, 3, 1)),
        (
            At((0.0, 1.0, 2.0, 3.0), 2.0, (0.0, 0.0, 1.0, 0.0)),
            At((-0.0, 1.0, 2.0, 3.0), 2.0, (0.0, 0.0, 1.0, 0.0)),
            At((-TINY, INF, NAN, 3.0), 3.0, (0.0, 0.0, 0.0, 1.0)),
            At((5.0, 1.0, NAN, INF), 1.0, (0.0, 1.0, 0.0, 0.0)),
            At((NAN, 1.0, 2.0, 3.0), 3.0, (0.0, 0.0, 0.0, 1.0)),
        ),
    ),
    binary(
        "minimum",
        ad.minimum,
        torch.minimum,
        (W, W),
        At((1.0, 1.0), 1.0, (1.0, 0.0)),
        At((0.0, -0.0), 0.0, (1.0, 0.0)),
        At((INF, 2.0), 2.0, (0.0, 1.0)),
        At((INF, -INF), -INF, (0.0, 1.0)),
        At((TINY, 0.0), 0.0, (0.0, 1.0)),
        At((NAN, 2.0), NAN),
        At((2.0, NAN), NAN),
        At((INF, NAN), NAN),
    ),
    binary(
        "maximum",
        ad.maximum,
        torch.maximum,
        (W, W),
        At((1.0, 1.0), 1.0, (1.0, 0.0)),
        At((-INF, 2.0), 2.0, (0.0, 1.0)),
        At((-INF, INF), INF, (0.0, 1.0)),
        At((TINY, 0.0), TINY, (1.0, 0.0)),
        At((NAN, 2.0), NAN),
        At((2.0, NAN), NAN),
        At((NAN, -INF), NAN),
    ),
    OpSpec("total", total, lambda x: x.sum(-1, keepdim=True), (W,), ((1,), (5,))),
    OpSpec("broadcast", Broadcast(4), lambda x: x.expand(4), (W,), ((1,),)),
    OpSpec("stack", ad.stack, lambda *x: torch.cat(x), (W, W, W), ((1, 3, 2), (2, 1, 1))),
    OpSpec("take", Take((2, 0, 2)), lambda x: x[[2, 0, 2]], (W,), ((3,), (5,))),
    OpSpec("scatter", Scatter((4, 0, 4, 2), 6), scatter, (W,), ((4,),)),
    OpSpec(
        "lookup",
        partial(lookup, FIVE),
        read,
        ((-2.0, 2.9),),
        UNARY,
        (
            At((0.0,), 2.0, (0.0,)),
            At((-0.0,), 2.0, (0.0,)),
            At((-TINY,), 2.0, (0.0,)),
            At((math.nextafter(1.0, 0.0),), 2.0, (0.0,)),
            At((1.0,), -0.5, (0.0,)),
            At((2.5,), 0.25, (0.0,)),
            At((3.0,), NAN, (0.0,)),
            At((4.0,), INF, (0.0,)),
            At((HUGE,), INF, (0.0,)),
            At((INF,), INF, (0.0,)),
            At((-HUGE,), 2.0, (0.0,)),
            At((-INF,), 2.0, (0.0,)),
            At((NAN,), NAN, (0.0,)),
        ),
    ),
    OpSpec(
        "structured",
        Structured(((0,), (), (0, 1))),
        lambda x, y: x * 1.0,
        (W, W),
        ((3, 2),),
    ),
    OpSpec(
        "matmul",
        MatMul(2, 3, 4),
        lambda a, b: (a.reshape(2, 3) @ b.reshape(3, 4)).reshape(-1),
        (W, W),
        ((6, 12),),
        title="matmul-2-3-4",
    ),
    OpSpec(
        "matmul",
        MatMul(1, 3, 1),
        lambda a, b: (a * b).sum(-1, keepdim=True),
        (W, W),
        ((3, 3),),
        title="matmul-dot",
    ),
    OpSpec(
        "solve",
        lambda a, b: Solve(3, 2)(a + 6.0 * EYE3, b),
        lambda a, b: torch.linalg.solve(
            a.reshape(3, 3) + 6.0 * torch.eye(3, dtype=a.dtype), b.reshape(3, 2)
        ).reshape(-1),
        ((-1.0, 1.0), W),
        ((9, 6),),
    ),
)
