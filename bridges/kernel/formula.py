"""`Formula`: what a kernel computes, made as late as possible.

A kernel needs names, sizes and a library. Where a note in the cache has them, that is all; the
CasADi function and the scalar program are made when someone asks for them: to build the library,
for the C text, for a derivative that is not in the cache.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import casadi as ca

from bridges.kernel import derivatives
from bridges.kernel.fingerprint import fingerprint
from bridges.kernel.identity import Identity, identity_of_function
from bridges.kernel.native import compiler_here, find_native, load_native
from bridges.kernel.notes import Note, Outline, note_key, read_note, write_note
from bridges.native import cache
from bridges.native.errors import BuildError
from bridges.native.library import Library
from bridges.native.program import Program, expand, read_program
from bridges.native.target import DType

# CasADi's expressions are not safe to build in several threads at once; and one build is enough.
# A lock for every process: in a forked child no thread is left to give back that of its parent.
_locks: dict[int, threading.RLock] = {}

_DERIVATIVES: dict[str, Callable[[ca.Function, Sequence[int]], ca.Function]] = {
    "vjp": derivatives.vjp_function,
    "jvp": derivatives.jvp_function,
    "jacobian": derivatives.jacobian_function,
    "jacobian_values": derivatives.jacobian_values_function,
    "hessian_vp": lambda function, _: derivatives.hessian_vp_function(function),
}


def building() -> threading.RLock:
    """The lock of this process for building CasADi's expressions, and libraries."""
    return _locks.setdefault(os.getpid(), threading.RLock())


class Formula:
    """A function of columns in one number type.

    make: gives the CasADi function.
    identity: tells the function without making it; None: it has to be made.
    """

    def __init__(
        self, make: Callable[[], ca.Function], dtype: DType, identity: Identity | None = None
    ) -> None:
        self.dtype: DType = dtype
        self._make = make
        self._identity = identity
        self._function: ca.Function | None = None
        self._program: Program | None = None
        self._outline: Outline | None = None
        self._printed: bytes | None = None
        self._key: str | None = None
        self._note: Note | None = None
        if identity is not None:
            self._folder = cache.open_cache()
            self._key = _note_key(identity, dtype, self._folder)
            self._note = None if self._key is None else read_note(self._folder, self._key)

    @classmethod
    def of(cls, function: ca.Function, dtype: DType) -> Formula:
        """The formula of a function that is there already."""
        return cls(lambda: function, dtype)

    @property
    def is_noted(self) -> bool:
        """Whether names and sizes, at least, were found in the cache."""
        return self._note is not None

    @property
    def function(self) -> ca.Function:
        """The function, of SX where CasADi can expand it, of dense columns."""
        if self._function is None:
            with building():
                if self._function is None:
                    self._function = _as_columns(self._make())
        return self._function

    @property
    def program(self) -> Program:
        """The scalar program. Raises NotImplementedError for an operation without a kernel form."""
        if self._program is None:
            self._program = read_program(self.function)
        return self._program

    @property
    def n_ops(self) -> int:
        """Operations per sample."""
        known = None if self._note is None else self._note.n_ops
        return self.program.n_ops if known is None else known

    @property
    def outline(self) -> Outline:
        """Names and sizes."""
        if self._outline is None:
            if self._note is not None:
                self._outline = self._note.outline
            else:
                self._outline = _outline(self.function)
                self._take_down(Note(self._outline))  # who asks for its derivatives will look
        return self._outline

    def derived(self, kind: str, wrt: tuple[int, ...]) -> Formula:
        """The derivative `kind` (see `derivatives`) for the inputs `wrt`."""
        identity = self._own_identity()
        if identity is not None:
            identity = identity.derived(kind, wrt)
        rule = _DERIVATIVES[kind]
        return Formula(lambda: rule(self.function, wrt), self.dtype, identity)

    def library(self) -> Library:
        """The library, from the cache or built now.

        Raises BuildError, and NotImplementedError for an operation without a kernel form.
        """
        if self._note is not None and self._note.library is not None:
            library = find_native(self._folder, self._note.library)
            if library is not None:
                return library
        name, library = load_native(self._fingerprint, self.dtype, lambda: self.program)
        self._take_down(Note(self.outline, name, library.n_ops))
        return library

    def _take_down(self, note: Note) -> None:
        """Puts a note into the cache, if the files that the identity speaks of are as they were."""
        if self._identity is not None and self._key is not None and self._identity.holds():
            write_note(self._folder, self._key, note)

    @property
    def _fingerprint(self) -> bytes:
        if self._printed is None:
            self._printed = hashlib.sha256(fingerprint(self.function)).digest()
        return self._printed

    def _own_identity(self) -> Identity | None:
        """That of the graph, or that of a CasADi function, which takes longer to tell."""
        if self._identity is None and self.function.is_a("SXFunction"):
            self._identity = identity_of_function(self.function, self._fingerprint)
        return self._identity


def _note_key(identity: Identity, dtype: DType, folder: Path) -> str | None:
    try:
        return note_key(identity, dtype, compiler_here(folder))
    except BuildError:  # said when the library is asked for
        return None


def _as_columns(function: ca.Function) -> ca.Function:
    with contextlib.suppress(NotImplementedError):  # said when the library is asked for
        function = expand(function)
    return derivatives.column_function(function)


def _outline(function: ca.Function) -> Outline:
    return Outline(
        function.name(),
        tuple(function.name_in()),
        tuple(function.numel_in(i) for i in range(function.n_in())),
        tuple(function.name_out()),
        tuple(function.numel_out(o) for o in range(function.n_out())),
    )
