"""Users' functions: how they become nodes, and what stands in for derivatives not given."""

from ad_core.functions.differences import (
    check_derivatives,
    finite_difference_policy,
    finite_differences,
    finite_differences_hessian,
    finite_differences_hessian2,
)
from ad_core.functions.opaque import (
    DerivativeTensor,
    SizedOpaque,
    host_kernel,
    jacobian_structure,
)
from ad_core.functions.python import function

__all__ = [
    "DerivativeTensor",
    "SizedOpaque",
    "check_derivatives",
    "finite_difference_policy",
    "finite_differences",
    "finite_differences_hessian",
    "finite_differences_hessian2",
    "function",
    "host_kernel",
    "jacobian_structure",
]
