"""What a primitive's row is, and short words to write rows with; the rows stand in `op_specs`."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch

import ad_core as ad

INF = math.inf
NAN = math.nan
TINY = 5e-324  # the least subnormal number
HUGE = 1e300
SMALL = 1e-300
OWN = frozenset({"SX", "MX", "torch", "kernel"})
NO_MX = OWN - {"MX"}  # MX multiplies what it leaves out by zero, and 0 times infinity is nan
TORCH = frozenset({"torch"})
NONE: frozenset[str] = frozenset()


W = (-3.0, 3.0)  # a wide interval
P = (0.2, 3.0)  # positive


@dataclass(frozen=True)
class At:
    """The truth at one point of scalars: the value, first and second partial derivatives.

    `second` goes row by row, and is all zeros where it is empty. `partials` is None, and so is
    `second`, where there is nothing to say: no limit exists, or the limits differ. `own` names the
    engines whose own differentiation is right here, too (ours is, on all of them).
    """

    args: tuple[float, ...]
    value: float
    partials: tuple[float, ...] | None = None
    second: tuple[float, ...] | None = ()
    own: frozenset[str] = OWN


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
