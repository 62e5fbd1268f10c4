"""What runs a batch of numpy arrays: a compiled library, or numpy where there is none."""

from __future__ import annotations

import ctypes
import warnings
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from bridges.kernel.arrays import Array, Shape, merged_strides
from bridges.kernel.threads import run_ranges, thread_count
from bridges.native.errors import BuildError
from bridges.native.interpret import interpret
from bridges.native.library import Library
from bridges.native.program import Program

# Operations times samples above which a call is worth several threads.
_WORTH_THREADS = 5_000_000
# Operations times samples of one range: a tenth of a second at most, after which signals are heard.
_PATIENCE = 200_000_000
_MOVES = 20  # what reading and writing a sample comes to, at least
# Samples that numpy computes at a time, so that the values of a program stay in the caches.
_SAMPLES = 2048

_warned: set[str] = set()


class NativeEvaluator:
    """Runs a compiled program over batches of numpy arrays."""

    def __init__(self, library: Library) -> None:
        self.library = library

    def run(self, inputs: Sequence[Array], batch: Shape, outputs: Sequence[Array]) -> None:
        """Fills row-major `outputs` (samples, size) from inputs that broadcast to `batch`.

        Raises MemoryError.
        """
        shape, strides = merged_strides(inputs, batch)
        samples = 1
        for length in shape:
            samples *= length
        if samples == 0:
            return
        axes = len(shape)
        c_shape = (ctypes.c_longlong * axes)(*shape)
        flat = [step for steps in strides for step in steps]
        c_strides = (ctypes.c_longlong * max(len(flat), 1))(*flat)
        c_inputs = (ctypes.c_void_p * max(len(inputs), 1))(*(x.ctypes.data for x in inputs))
        c_outputs = (ctypes.c_void_p * max(len(outputs), 1))(*(y.ctypes.data for y in outputs))
        library = self.library
        held = (tuple(inputs), tuple(outputs))  # the memory stays while any thread is at work

        def work(begin: int, end: int, _: object = held) -> None:
            if library.run(begin, end, axes, c_shape, c_inputs, c_strides, c_outputs):
                raise MemoryError("kernel: no memory for its workspace")

        worth = samples * library.n_ops > _WORTH_THREADS
        longest = _PATIENCE // (library.n_ops + _MOVES)
        run_ranges(work, samples, library.lanes, thread_count() if worth else 1, longest)


class NumpyEvaluator:
    """Runs a program by numpy, instruction by instruction: slow, but without a compiler."""

    def __init__(self, program: Program) -> None:
        self._program = program

    def run(self, inputs: Sequence[Array], batch: Shape, outputs: Sequence[Array]) -> None:
        """Fills row-major `outputs` from inputs that broadcast to `batch`."""
        samples = int(np.prod(batch))
        if samples == 0:
            return
        sizes = [x.shape[-1] for x in inputs]
        rows = [
            np.broadcast_to(x, (*batch, n)).reshape(samples, n)
            for x, n in zip(inputs, sizes, strict=True)
        ]
        results = [y.reshape(samples, y.size // samples) for y in outputs]
        for begin in range(0, samples, _SAMPLES):
            part = slice(begin, begin + _SAMPLES)
            interpret(self._program, [x[part] for x in rows], [y[part] for y in results])


Evaluator: TypeAlias = "NativeEvaluator | NumpyEvaluator"


def warn_slow(title: str, error: BuildError, instead: str = "") -> None:
    """Says why a kernel is slow: one warning per reason and process.

    instead: what runs where no compiler of C would help.
    """
    reason = str(error)
    if reason in _warned:
        return
    _warned.add(reason)
    text = (
        f"kernel {title!r} is not compiled, {instead}: {reason}"
        if instead
        else f"kernel {title!r} is not compiled and runs some hundred times slower: {reason}. "
        "Install gcc or clang, or set CC to a C compiler, to get the speed."
    )
    warnings.warn(text, RuntimeWarning, stacklevel=5)
