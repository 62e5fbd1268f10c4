"""An expression graph of scalars and vectors with exact derivatives.

Write a function once; evaluate and differentiate it here, or hand it to an engine of `bridges`.
Everything public is a name of `ad_core`; `ad_core.math` has the mathematical functions by
themselves. `_size` and `_scalar` are helpers that Klampt has under these names for writers of
functions.
"""

from ad_core import math, ops, passes
from ad_core.derivatives import curl, divergence, gradient, hessian, jacobian, laplacian
from ad_core.functions import (
    check_derivatives,
    finite_difference_policy,
    finite_differences,
    finite_differences_hessian,
    finite_differences_hessian2,
    function,
)
from ad_core.graph import (
    ADFunctionCall,
    ADFunctionInterface,
    ADTerminal,
    Constant,
    Expression,
    ExpressionLike,
    constant,
    var,
)
from ad_core.graph.nodes import install
from ad_core.graph.values import is_scalar as _scalar  # noqa: F401  # pyright: ignore[reportUnusedImport]
from ad_core.graph.walks import size_of as _size  # noqa: F401  # pyright: ignore[reportUnusedImport]
from ad_core.loops import least_squares, root, scan
from ad_core.math import *  # noqa: F403
from ad_core.numpy import derivative_multiple, eval_multiple
from ad_core.ops import (
    Composite,
    abs_,
    add,
    composite,
    cond,
    cond3,
    div,
    getitem,
    lookup,
    maximum,
    minimum,
    mul,
    neg,
    pow_,
    setitem,
    stack,
    sub,
    sum_,
)

install(ops, passes)

FINITE_DIFFERENCE_RES = 1e-6
"""The step of finite differences; assign `ad_core.FINITE_DIFFERENCE_RES` to change it."""

__all__ = [
    "FINITE_DIFFERENCE_RES",
    "ADFunctionCall",
    "ADFunctionInterface",
    "ADTerminal",
    "Composite",
    "Constant",
    "Expression",
    "ExpressionLike",
    "abs_",
    "add",
    "check_derivatives",
    "composite",
    "cond",
    "cond3",
    "constant",
    "curl",
    "derivative_multiple",
    "div",
    "divergence",
    "eval_multiple",
    "finite_difference_policy",
    "finite_differences",
    "finite_differences_hessian",
    "finite_differences_hessian2",
    "function",
    "getitem",
    "gradient",
    "hessian",
    "jacobian",
    "laplacian",
    "least_squares",
    "lookup",
    "math",
    "maximum",
    "minimum",
    "mul",
    "neg",
    "pow_",
    "root",
    "scan",
    "setitem",
    "stack",
    "sub",
    "sum_",
    "var",
]
__all__ += math.__all__
