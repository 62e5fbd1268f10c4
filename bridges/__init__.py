"""Engines that run `ad_core` graphs: CasADi, PyTorch, and native kernels."""
