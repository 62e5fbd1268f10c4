"""One row for each primitive: how to call it, what torch says, where to draw, and special points.

`tests/ad_core/test_primitives.py` compares every row on every engine. A new primitive is one row.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch

import ad_core as ad
from ad_core import math as adm
from ad_core.ops.elementwise import equal, less, less_equal
from ad_core.ops.linalg import MatMul, Solve
from ad_core.ops.structure import Broadcast, Scatter, Take, total

INF = math.inf
NAN = math.nan
TINY = 5e-324  # the least subnormal number
HUGE = 1e300


@dataclass(frozen=True)
class At:
    """The truth at one point of scalars: the value and the derivative w.r.t. each argument.

    `partials` is None where there is nothing to say; `engines` limits where it holds.
    """

    args: tuple[float, ...]
    value: float
    partials: tuple[float, ...] | None = None
    but_not: frozenset[str] = frozenset()


@dataclass(frozen=True)
class OpSpec:
    """A primitive's row; `draws[i]` is the interval that argument `i` is drawn from."""

    name: str
    call: Callable[..., ad.Expression]
    torch: Callable[..., torch.Tensor]
    draws: tuple[tuple[float, float], ...]
    sizes: tuple[tuple[int, ...], ...]
    special: tuple[At, ...] = ()
    title: str = ""

    def __str__(self) -> str:
        return self.title or self.name


UNARY = ((1,), (4,))
BINARY = ((1, 1), (3, 3), (1, 3), (3, 1))
SYMBOLIC = frozenset({"SX", "MX", "kernel"})


def unary(
    call: Callable[..., ad.Expression],
    reference: Callable[..., torch.Tensor],
    low: float,
    high: float,
    *special: At,
    name: str | None = None,
) -> OpSpec:
    return OpSpec(name or reference.__name__, call, reference, ((low, high),), UNARY, special)


def binary(
    name: str,
    call: Callable[..., ad.Expression],
    reference: Callable[..., torch.Tensor],
    draws: tuple[tuple[float, float], tuple[float, float]],
    *special: At,
) -> OpSpec:
    return OpSpec(name, call, reference, draws, BINARY, special)


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


W = (-3.0, 3.0)  # a wide interval
P = (0.2, 3.0)  # positive

SPECS: tuple[OpSpec, ...] = (
    binary("add", ad.add, torch.add, (W, W), At((INF, 1.0), INF, (1.0, 1.0))),
    binary("sub", ad.sub, torch.sub, (W, W), At((1.0, INF), -INF, (1.0, -1.0))),
    binary(
        "mul",
        ad.mul,
        torch.mul,
        (W, W),
        At((0.0, -5.0), -0.0, (-5.0, 0.0)),
        At((0.0, INF), NAN, (INF, 0.0)),
        At((TINY, 2.0), 2 * TINY, (2.0, TINY)),
        At((HUGE, HUGE), INF, (HUGE, HUGE)),
    ),
    binary(
        "div",
        ad.div,
        torch.div,
        (W, P),
        At((0.0, 4.0), 0.0, (0.25, 0.0)),
        At((1.0, 0.0), INF, (INF, -INF)),
        At((1.0, -4.0), -0.25, (-0.25, -0.0625)),
        At((1.0, INF), 0.0, (0.0, 0.0)),
    ),
    binary(
        "pow",
        ad.pow_,
        torch.pow,
        (P, W),
        At((0.0, 2.0), 0.0, (0.0, 0.0)),
        At((0.0, 1.0), 0.0, (1.0, 0.0)),
        At((0.0, 0.0), 1.0, (0.0, 0.0)),
        At((-2.0, 3.0), -8.0, (12.0, NAN)),
        At((-2.0, 0.0), 1.0, (0.0, NAN)),
        At((1.0, 5.0), 1.0, (5.0, 0.0)),
        At((0.0, 2.5), 0.0, (0.0, 0.0)),
        At((-2.0, 0.5), NAN),
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
        At((0.3, 0.1), 0.3 % 0.1),
    ),
    unary(ad.neg, torch.neg, *W, At((INF,), -INF, (-1.0,))),
    unary(
        ad.abs_,
        torch.abs,
        *W,
        At((0.0,), 0.0, (0.0,)),
        At((-INF,), INF, (-1.0,)),
        At((-TINY,), TINY, (-1.0,)),
    ),
    unary(adm.sign, torch.sign, *W, At((0.0,), 0.0, (0.0,)), At((-TINY,), -1.0, (0.0,))),
    unary(adm.floor, torch.floor, *W, At((2.0,), 2.0, (0.0,)), At((-0.5,), -1.0, (0.0,))),
    unary(adm.ceil, torch.ceil, *W, At((2.0,), 2.0, (0.0,)), At((0.5,), 1.0, (0.0,))),
    unary(
        adm.sqrt,
        torch.sqrt,
        *P,
        At((0.0,), 0.0, (INF,)),
        At((4.0,), 2.0, (0.25,)),
        At((-1.0,), NAN, (NAN,)),
        At((INF,), INF, (0.0,)),
    ),
    unary(
        adm.exp,
        torch.exp,
        *W,
        At((0.0,), 1.0, (1.0,)),
        At((-1e4,), 0.0, (0.0,)),
        At((1e4,), INF, (INF,)),
    ),
    unary(adm.expm1, torch.expm1, *W, At((1e-12,), math.expm1(1e-12), (1.0 + 1e-12,))),
    unary(
        adm.log,
        torch.log,
        *P,
        At((1.0,), 0.0, (1.0,)),
        At((0.0,), -INF, (INF,)),
        At((TINY,), math.log(TINY)),
        At((-1.0,), NAN),
    ),
    unary(adm.log1p, torch.log1p, *P, At((1e-12,), math.log1p(1e-12), (1.0 - 1e-12,))),
    unary(adm.sin, torch.sin, *W, At((0.0,), 0.0, (1.0,)), At((INF,), NAN, (NAN,))),
    unary(adm.cos, torch.cos, *W, At((0.0,), 1.0, (-0.0,))),
    unary(adm.tan, torch.tan, -1.2, 1.2, At((0.0,), 0.0, (1.0,))),
    unary(
        adm.asin, torch.asin, -0.9, 0.9, At((1.0,), math.pi / 2, (INF,)), At((2.0,), NAN, (NAN,))
    ),
    unary(adm.acos, torch.acos, -0.9, 0.9, At((-1.0,), math.pi, (-INF,))),
    unary(adm.atan, torch.atan, *W, At((INF,), math.pi / 2, (0.0,)), At((1e200,), math.pi / 2)),
    binary(
        "atan2",
        adm.atan2,
        torch.atan2,
        (W, W),
        At((0.0, 0.0), 0.0, (0.0, 0.0)),
        At((0.0, -1.0), math.pi, (-1.0, -0.0)),
        At((1.0, 0.0), math.pi / 2, (0.0, -1.0)),
        At((-2.0, 0.0), -math.pi / 2, (0.0, 0.5)),
    ),
    unary(adm.sinh, torch.sinh, *W, At((0.0,), 0.0, (1.0,))),
    unary(adm.cosh, torch.cosh, *W, At((0.0,), 1.0, (0.0,))),
    unary(adm.tanh, torch.tanh, *W, At((INF,), 1.0, (0.0,)), At((-400.0,), -1.0, (0.0,))),
    unary(adm.asinh, torch.asinh, *W, At((0.0,), 0.0, (1.0,))),
    unary(adm.acosh, torch.acosh, 1.2, 4.0, At((1.0,), 0.0, (INF,))),
    unary(adm.atanh, torch.atanh, -0.9, 0.9, At((1.0,), INF, (INF,))),
    binary("less", less, flag(torch.lt), (W, W), At((1.0, 1.0), 0.0, (0.0, 0.0))),
    binary("less_equal", less_equal, flag(torch.le), (W, W), At((1.0, 1.0), 1.0, (0.0, 0.0))),
    binary("equal", equal, flag(torch.eq), (W, W), At((1.0, 1.0), 1.0, (0.0, 0.0))),
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
        ),
    ),
    binary(
        "minimum",
        ad.minimum,
        torch.minimum,
        (W, W),
        At((1.0, 1.0), 1.0, (1.0, 0.0)),
        At((INF, 2.0), 2.0, (0.0, 1.0)),
        At((NAN, 2.0), NAN, but_not=SYMBOLIC),
        At((2.0, NAN), NAN, but_not=SYMBOLIC),
    ),
    binary(
        "maximum",
        ad.maximum,
        torch.maximum,
        (W, W),
        At((1.0, 1.0), 1.0, (1.0, 0.0)),
        At((-INF, 2.0), 2.0, (0.0, 1.0)),
        At((NAN, 2.0), NAN, but_not=SYMBOLIC),
    ),
    OpSpec("total", total, lambda x: x.sum(-1, keepdim=True), (W,), ((1,), (5,))),
    OpSpec("broadcast", Broadcast(4), lambda x: x.expand(4), (W,), ((1,),)),
    OpSpec("stack", ad.stack, lambda *x: torch.cat(x), (W, W, W), ((1, 3, 2), (2, 1, 1))),
    OpSpec("take", Take((2, 0, 2)), lambda x: x[[2, 0, 2]], (W,), ((3,), (5,))),
    OpSpec("scatter", Scatter((4, 0, 4, 2), 6), scatter, (W,), ((4,),)),
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

EYE3 = ad.constant([1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0])
