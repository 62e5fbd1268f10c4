"""An expression graph of scalars and vectors with exact derivatives.

Write a function once; evaluate and differentiate it here, or hand it to an engine of `bridges`.
Everything public is re-exported below; `ad_core.math` has the mathematical functions. `_size` and
`_scalar` are the helpers that Klampt has under these names for writers of functions.
"""


from ad_core import ops, passes
from ad_core.derivatives.operators import curl, divergence, gradient, hessian, jacobian, laplacian
from ad_core.functions.checks import check_derivatives
from ad_core.functions.differences import (
    finite_difference_policy,
    finite_differences,
    finite_differences_hessian,
    finite_differences_hessian2,
)
from ad_core.functions.python import function
from ad_core.graph.nodes import (
    ADFunctionCall,
    ADFunctionInterface,
    ADTerminal,
    Constant,
    Expression,
    ExpressionLike,
    constant,
    install,
    var,
)
from ad_core.graph.nodes import size_of as _size  # noqa: F401  # pyright: ignore[reportUnusedImport]
from ad_core.graph.values import is_scalar as _scalar  # noqa: F401  # pyright: ignore[reportUnusedImport]
from ad_core.numpy.evaluate import eval_multiple
from ad_core.numpy.jacobians import derivative_multiple
from ad_core.ops import (
    abs_,
    add,
    cond,
    cond3,
    div,
    getitem,
    maximum,
    minimum,
    mod,
    mul,
    neg,
    pow_,
    setitem,
    stack,
    sub,
    sum_,
)
from ad_core.ops.primitive import Composite, composite

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
    "maximum",
    "minimum",
    "mod",
    "mul",
    "neg",
    "pow_",
    "setitem",
    "stack",
    "sub",
    "sum_",
    "var",
]
