"""Mathematical functions of scalars and vectors, as expressions.

The elementwise functions act entry by entry. The rest are compositions of primitives, so all of
them have exact derivatives of every order on every engine.
"""

from __future__ import annotations

from ad_core.ops.elementwise import (
    acos,
    acosh,
    asin,
    asinh,
    atan,
    atan2,
    atanh,
    ceil,
    cos,
    cosh,
    erf,
    erfinv,
    exp,
    expm1,
    floor,
    log,
    log1p,
    mod,
    sign,
    sin,
    sinh,
    sqrt,
    stop_gradient,
    tan,
    tanh,
)
from ad_core.ops.linalg import transpose
from ad_core.ops.shaped import ShapedDot, bilinear, linear, matmul, quadratic, solve, solve_spd
from ad_core.ops.smooth import clip, logsumexp, softplus, where
from ad_core.ops.vectors import (
    cross,
    distance,
    distanceSquared,
    dot,
    interpolate,
    norm,
    normSquared,
    unit,
)

quadratric = quadratic  # as Klampt spells it

__all__ = [
    "ShapedDot",
    "acos",
    "acosh",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "bilinear",
    "ceil",
    "clip",
    "cos",
    "cosh",
    "cross",
    "distance",
    "distanceSquared",
    "dot",
    "erf",
    "erfinv",
    "exp",
    "expm1",
    "floor",
    "interpolate",
    "linear",
    "log",
    "log1p",
    "logsumexp",
    "matmul",
    "mod",
    "norm",
    "normSquared",
    "quadratic",
    "quadratric",
    "sign",
    "sin",
    "sinh",
    "softplus",
    "solve",
    "solve_spd",
    "sqrt",
    "stop_gradient",
    "tan",
    "tanh",
    "transpose",
    "unit",
    "where",
]
