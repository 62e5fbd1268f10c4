"""A CasADi function as the source of a kernel: its program, and derivatives by its graph."""

# casadi's stubs leave most functions untyped; the public signatures are still checked.
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

import casadi
import numpy as np

import ad_core as ad
from ad_core.graph import ADTerminal
from ad_core.lowering import Lowered, lower
from bridges.casadi import casadi_to_ad
from bridges.casadi.read import read_program
from bridges.kernel.signature import Signature
from bridges.kernel.source import GraphSource
from bridges.native.identity import program_bytes
from bridges.native.load import digest_of


def casadi_source(function: casadi.Function) -> GraphSource:
    """The source that computes the function.

    Raises TypeError, ValueError and NotImplementedError as `casadi_to_kernel`.
    """
    if not isinstance(function, casadi.Function):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"got {type(function).__name__}, expected a casadi.Function")
    program = read_program(function)
    signature = Signature(
        function.name(),
        tuple(function.name_in()),
        program.input_sizes,
        tuple(function.name_out()),
        program.output_sizes,
    )
    content = digest_of(b"casadi", program_bytes(program))
    return GraphSource(signature, lambda: _graph(function, signature), content, lambda: program)


def _graph(function: casadi.Function, signature: Signature) -> Lowered:
    """The function's outputs, each a vector, as a graph."""
    inputs = [
        ADTerminal(name, size)
        for name, size in zip(signature.names_in, signature.sizes_in, strict=True)
    ]
    whole = casadi_to_ad(function)(*inputs)
    ends = np.cumsum(signature.sizes_out).tolist()
    starts = [0, *ends][: len(ends)]
    outputs = [ad.getitem(whole, slice(a, b)) for a, b in zip(starts, ends, strict=True)]
    sizes = dict(zip(signature.names_in, signature.sizes_in, strict=True))
    return lower(outputs, inputs, sizes)
