"""CasADi: graphs as `casadi.Function`, with full sparsity and exact derivatives."""

from bridges.casadi.errors import raise_callback_errors
from bridges.casadi.function import ad_to_casadi

__all__ = ["ad_to_casadi", "raise_callback_errors"]
