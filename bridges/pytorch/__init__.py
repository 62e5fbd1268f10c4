"""PyTorch: graphs as `nn.Module`s, on compiled kernels or as generated torch code, and back."""

from bridges.pytorch.check import check_derivatives_torch
from bridges.pytorch.control import ControlLayer, ControlResult
from bridges.pytorch.module import ADModule, ad_to_torch
from bridges.pytorch.networks import flat_weights, torch_to_primitives
from bridges.pytorch.torch_function import TorchModuleFunction, torch_to_ad

__all__ = [
    "ADModule",
    "ControlLayer",
    "ControlResult",
    "TorchModuleFunction",
    "ad_to_torch",
    "check_derivatives_torch",
    "flat_weights",
    "torch_to_ad",
    "torch_to_primitives",
]
