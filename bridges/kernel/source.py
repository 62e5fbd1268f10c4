"""Where a kernel's program comes from: a graph or one of its derivatives, a program that is known.

    Lowered -> GraphSource -> identity (to find a library), program (to build one), derivatives

Only names, sizes and the identity are there from the start. A derivative's graph and the scalar
program are made when someone needs them: so what lies in the cache is loaded without them.
"""

from __future__ import annotations

import functools
import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from ad_core.derivatives import Jacobian, hessian_vp, jacobian_in_full, jacobian_pattern, jvp, vjp
from ad_core.lowering import Lowered
from ad_core.ops import Pattern as Entries
from bridges.kernel.signature import SIGNATURES, Signature, jacobian_signature, values_signature
from bridges.native.identity import program_bytes, tape_bytes
from bridges.native.jacobians import (
    Pattern,
    block_patterns,
    dense_entries,
    is_entire,
    jacobian_graph,
    lower_half,
)
from bridges.native.load import digest_of
from bridges.native.program import Program
from bridges.native.scalars import jacobian_program, scalar_program

Wrt: TypeAlias = "tuple[int, ...]"

_Outputs: TypeAlias = "Sequence[Sequence[int | None]]"
_Entries: TypeAlias = "Callable[..., _Outputs]"

# One build is enough; and in a forked child no thread is left to give back the lock of its parent.
_locks: dict[int, threading.RLock] = {}


def building() -> threading.RLock:
    """The lock of this process for making programs and libraries."""
    return _locks.setdefault(os.getpid(), threading.RLock())


class Source(ABC):
    """What a kernel computes.

    Attributes:
        content: bytes that only sources of the same program share; None: it takes the program to
            tell.
    """

    signature: Signature
    content: bytes | None

    @property
    def identity(self) -> bytes:
        """What a library is found by."""
        return self.content or digest_of(b"program", program_bytes(self.program))

    @property
    @abstractmethod
    def program(self) -> Program:
        """The scalar program."""

    @abstractmethod
    def derived(self, kind: str, wrt: Wrt) -> Source:
        """The derivative `kind` for the inputs `wrt`."""

    @abstractmethod
    def patterns(self, wrt: Wrt) -> list[Pattern]:
        """Rows and columns of the Jacobian's structural nonzeros, by output and then input."""

    def derived_content(self, kind: str, wrt: Wrt) -> bytes | None:
        """The content of a derivative."""
        return None if self.content is None else digest_of(self.content, repr((kind, wrt)).encode())


class GraphSource(Source):
    """A graph, made by `make` when it is needed.

    content: bytes that say what the graph is; None: it takes its program to tell.
    program: makes the program of the value; by default from the graph.
    """

    def __init__(
        self,
        signature: Signature,
        make: Callable[[], Lowered],
        content: bytes | None,
        program: Callable[[], Program] | None = None,
    ) -> None:
        self.signature = signature
        self.content = content
        self._gradient: tuple[GraphSource, Wrt] | None = None
        self._make, self._make_program = make, program
        self._program: Program | None = None

    @classmethod
    def of(cls, lowered: Lowered) -> GraphSource:
        """The source of a graph that is there."""
        content = tape_bytes(lowered.tape)
        known = None if content is None else digest_of(b"tape", content)
        return cls(signature_of(lowered), lambda: lowered, known)

    @functools.cached_property
    def lowered(self) -> Lowered:
        """The graph."""
        return self._make()

    @property
    def program(self) -> Program:
        """The scalar program, made once."""
        if self._program is None:
            make = self._make_program or (lambda: scalar_program(self.lowered.tape))
            self._program = make()
        return self._program

    def derived(self, kind: str, wrt: Wrt) -> GraphSource:
        content = self.derived_content(kind, wrt)
        if kind in _PRODUCTS:
            rule = _PRODUCTS[kind]
            signature = SIGNATURES[kind](self.signature, wrt)
            made = GraphSource(signature, lambda: rule(self.lowered, wrt), content)
            made._gradient = (self, wrt) if kind == "vjp" else None
            return made
        if kind == "jacobian":
            signature = jacobian_signature(self.signature, wrt)
            return self._jacobian_source(signature, wrt, dense_entries, content)
        counts = [len(rows) for rows, _ in self.patterns(wrt)]
        signature = values_signature(self.signature, wrt, counts)
        return self._jacobian_source(signature, wrt, _stored_entries, content)

    def patterns(self, wrt: Wrt) -> list[Pattern]:
        found = jacobian_pattern(self.lowered.tape, wrt)
        return [pattern for pattern, _ in block_patterns(found, *self._block_sizes(wrt))]

    def _block_sizes(self, wrt: Wrt) -> tuple[Sequence[int], Sequence[int]]:
        return self.signature.sizes_out, [self.signature.sizes_in[i] for i in wrt]

    def _jacobian_source(
        self, signature: Signature, wrt: Wrt, entries: _Entries, content: bytes | None
    ) -> GraphSource:
        """The source of a Jacobian; its program does not take the graph."""

        def graph() -> Lowered:
            return jacobian_graph(self.lowered, *self._jacobian(wrt, entries))

        def program() -> Program:
            return jacobian_program(self.lowered, *self._jacobian(wrt, entries))

        return GraphSource(signature, graph, content, program)

    def _jacobian(self, wrt: Wrt, entries: _Entries) -> tuple[Jacobian, _Outputs]:
        """The products that it is made of, and which entries its outputs have."""
        symmetric = self._is_symmetric()
        found = jacobian_in_full(self.lowered, wrt, symmetric=symmetric)
        pattern = found.compression.pattern
        chosen = entries(pattern, *self._block_sizes(wrt))
        if symmetric:
            twins = self._twins(pattern, wrt)
            chosen = [[None if e is None else twins[e] for e in block] for block in chosen]
        return found, chosen

    def _is_symmetric(self) -> bool:
        """Whether its Jacobian is: it is a gradient."""
        return self._gradient is not None and is_entire(self._gradient[0].lowered.tape)

    def _twins(self, whole: Entries, wrt: Wrt) -> list[int]:
        """For each entry of a gradient's Jacobian the one to compute."""
        assert self._gradient is not None
        sizes = self.signature.sizes_in
        starts = [sum(sizes[:i]) for i in range(len(sizes))]
        rows, columns = (
            [k for i in inputs for k in range(starts[i], starts[i] + sizes[i])]
            for inputs in (self._gradient[1], wrt)
        )
        return lower_half(whole, rows, columns)


def _stored_entries(*blocks: Any) -> list[list[int]]:
    return [numbers for _, numbers in block_patterns(*blocks)]


_PRODUCTS: dict[str, Callable[[Lowered, Sequence[int]], Lowered]] = {
    "vjp": vjp,
    "jvp": jvp,
    "hessian_vp": lambda f, _: hessian_vp(f),
}


def signature_of(lowered: Lowered) -> Signature:
    """Names and sizes of a graph."""
    return Signature(
        lowered.title, lowered.names_in, lowered.sizes_in, lowered.names_out, lowered.sizes_out
    )
