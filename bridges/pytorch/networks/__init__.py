"""torch modules as primitives.

`values` <- `curves` <- `axes` <- `layers` <- `aten` (the table) <- `export` (the front door), which
asks `weights` what stands for parameters that are arguments.
"""

from bridges.pytorch.networks.export import torch_to_primitives
from bridges.pytorch.networks.weights import flat_weights

__all__ = ["flat_weights", "torch_to_primitives"]
