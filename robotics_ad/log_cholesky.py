"""Inertias by ten free numbers, `robotics_ad.model.pseudo_inertia`, under the name of the idea."""

from robotics_ad.model import from_log_cholesky, log_cholesky
from robotics_ad.model.pseudo_inertia import log_cholesky_moments

__all__ = ["from_log_cholesky", "log_cholesky", "log_cholesky_moments"]
