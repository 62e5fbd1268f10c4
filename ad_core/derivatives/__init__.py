"""Derivatives as graphs: products, Jacobians by their structure, differential operators.

`jvp`, `vjp`, `hessian_vp` and `jacobian_of` take a `Lowered`; the operators take expressions.
"""

from ad_core.derivatives.compress import Compression, jacobian_pattern
from ad_core.derivatives.operators import curl, divergence, gradient, hessian, jacobian, laplacian
from ad_core.derivatives.products import Jacobian, hessian_vp, jacobian_in_full, jvp, vjp
from ad_core.derivatives.products import jacobian as jacobian_of

__all__ = [
    "Compression",
    "Jacobian",
    "curl",
    "divergence",
    "gradient",
    "hessian",
    "hessian_vp",
    "jacobian",
    "jacobian_in_full",
    "jacobian_of",
    "jacobian_pattern",
    "jvp",
    "laplacian",
    "vjp",
]
