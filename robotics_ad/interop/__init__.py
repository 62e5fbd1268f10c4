"""Configurations and velocities in the orders of other libraries, both ways, over batches.

The libraries themselves are not imported; their models are taken.
"""

from robotics_ad.interop.mujoco import MujocoOrder, mujoco_order
from robotics_ad.interop.order import Order
from robotics_ad.interop.pinocchio import pinocchio_order

__all__ = ["MujocoOrder", "Order", "mujoco_order", "pinocchio_order"]
