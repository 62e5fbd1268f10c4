"""torch modules as primitives.

`values` <- `curves` <- `axes` <- `layers` <- `aten` (the table) <- `export` (the front door).
"""

from bridges.pytorch.networks.export import torch_to_primitives

__all__ = ["torch_to_primitives"]
