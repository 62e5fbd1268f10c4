"""PyTorch: graphs as `nn.Module`s, on compiled kernels or as generated torch code."""

from bridges.pytorch.module import ADModule, ad_to_torch

__all__ = ["ADModule", "ad_to_torch"]
