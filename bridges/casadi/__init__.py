"""CasADi: graphs as `casadi.Function`, with full sparsity and exact derivatives."""

from bridges.casadi.function import ad_to_casadi

__all__ = ["ad_to_casadi"]
