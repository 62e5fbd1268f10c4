"""The weights of a torch module as one vector: an argument of its graph, and its value now."""

from __future__ import annotations

import torch
from torch import Tensor, nn

import ad_core as ad
from ad_core.graph import Expression, ExpressionLike, as_expression, checked
from bridges.pytorch.networks.values import Value


def flat_weights(module: nn.Module) -> Tensor:
    """The parameters that require gradients, one behind the other, `(n,)`.

    They come in the order of `module.parameters()`, each row by row and one that is used twice
    once. So `torch_to_primitives(module, args, weights=...)` takes them; gradients by the result go
    on to the parameters, and `flat_weights(module).detach()` is for what knows no gradients.

    Raises:
        TypeError: for anything but an `nn.Module`.
        ValueError: where no parameter requires gradients.
    """
    return torch.cat([p.reshape(-1) for p in _trained(module, "flat_weights")])


def varying_parameters(module: nn.Module, weights: ExpressionLike) -> dict[int, Value]:
    """What stands for each parameter that requires gradients, by its `id`.

    Raises:
        ValueError: where there are none, and for weights of another size.
    """
    title = "torch_to_primitives"
    parameters = _trained(module, title)
    count = sum(p.numel() for p in parameters)
    node = _sized(weights, count, f"{title}: weights")
    found: dict[int, Value] = {}
    start = 0
    for parameter in parameters:
        stop = start + parameter.numel()
        found[id(parameter)] = Value(node[start:stop], tuple(parameter.shape))
        start = stop
    return found


def _trained(module: nn.Module, title: str) -> list[nn.Parameter]:
    checked(module, nn.Module, title, "module", "an instance of nn.Module")
    parameters = [p for p in module.parameters() if p.requires_grad]
    if not parameters:
        raise ValueError(f"{title}: no parameter of {type(module).__name__} requires gradients")
    return parameters


def _sized(weights: ExpressionLike, count: int, what: str) -> Expression:
    """The expression of the weights, of their size."""
    node = as_expression(weights, what)
    if node.size is None and isinstance(node, ad.ADTerminal):
        return ad.var(node.name, count)
    if node.size != count:
        got = "no size that is known" if node.size is None else f"size {node.size}"
        raise ValueError(f"{what} have {got}, expected {count} numbers")
    return node
