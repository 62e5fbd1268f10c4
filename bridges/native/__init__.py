"""Scalar programs as native code; needs neither CasADi nor torch.

Tape -> scalars -> Program -> emit_c (or emit_cuda) -> build -> cache -> Library
"""
