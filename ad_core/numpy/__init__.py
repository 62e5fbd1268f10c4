"""The reference engine: tapes run on numpy, one sample or a batch."""

from ad_core.numpy.evaluate import eval_multiple
from ad_core.numpy.jacobians import derivative_multiple

__all__ = ["derivative_multiple", "eval_multiple"]
