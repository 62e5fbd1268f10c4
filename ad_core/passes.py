"""What methods of expressions do with whole graphs."""

from ad_core.graph.walks import flatten, substitute, terminals, unflatten
from ad_core.numpy.evaluate import evaluate, evaluate_batch, evaluate_jvp, evaluate_vjp
from ad_core.numpy.jacobians import (
    derivative_sparse,
    evaluate_derivative_batch,
    evaluate_jacobians,
    evaluate_tensor,
    sparsity,
)
from ad_core.ops.drawing import to_svg
from ad_core.ops.printing import to_text

__all__ = [
    "derivative_sparse",
    "evaluate",
    "evaluate_batch",
    "evaluate_derivative_batch",
    "evaluate_jacobians",
    "evaluate_jvp",
    "evaluate_tensor",
    "evaluate_vjp",
    "flatten",
    "sparsity",
    "substitute",
    "terminals",
    "to_svg",
    "to_text",
    "unflatten",
]
