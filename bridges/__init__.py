"""Engines that run `ad_core` graphs: CasADi, PyTorch, and native kernels."""

import time

LOADED_NS = time.time_ns()
"""When this process took up the package's files, ns since the epoch; see `ad_core.sources`."""
