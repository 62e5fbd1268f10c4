"""What tells a kernel's function before it is made: its graph's content, and the code it runs.

    graph -> content (`ad_core.content`) -> Identity -> that of a derivative -> note in the cache

The same content, lowered by the same files of the same packages with the same CasADi, is the same
function. So a kernel that was built once is found without expanding the graph.
"""

from __future__ import annotations

import hashlib
import sys
from dataclasses import dataclass, replace
from typing import Any

import casadi
import numpy as np

from ad_core.content import Content
from ad_core.sources import sources_stamp

ca: Any = casadi  # its stubs leave most functions untyped


@dataclass(frozen=True)
class Identity:
    """Equal for equal functions only.

    Attributes:
        digest: hash of all that the function follows from.
        packages: those whose files are in it.
        stamp: their state when the identity was made.
    """

    digest: bytes
    packages: tuple[str, ...]
    stamp: bytes

    def derived(self, kind: str, wrt: tuple[int, ...]) -> Identity:
        """The identity of a derivative of the function."""
        return replace(self, digest=_digest(self.digest, repr((kind, wrt)).encode()))

    def holds(self) -> bool:
        """Whether the files of the packages are still what they were."""
        return sources_stamp(self.packages) == self.stamp


def identity_of_graph(content: Content) -> Identity | None:
    """The identity of a graph; None where this process may run other code than the files say."""
    return _identity(b"graph", content.data, content.packages)


def identity_of_function(function: casadi.Function, fingerprint: bytes) -> Identity | None:
    """The identity of a CasADi function, for its derivatives, whose names follow from its own."""
    names = repr((function.name(), function.name_in(), function.name_out()))
    return _identity(b"function" + names.encode(), fingerprint, ())


def _identity(kind: bytes, content: bytes, packages: tuple[str, ...]) -> Identity | None:
    needed = tuple(sorted({"ad_core", "bridges", *packages}))
    stamp = sources_stamp(needed)
    if stamp is None:
        return None
    return Identity(_digest(kind, content, stamp, _surroundings().encode()), needed, stamp)


def _surroundings() -> str:
    """What else a function follows from: versions, and what CasADi was told for all functions."""
    options = ca.GlobalOptions
    settings = (options.getSimplificationOnTheFly(), options.getHierarchicalSparsity())
    return repr((sys.version, np.__version__, ca.__version__, settings))


def _digest(*parts: bytes) -> bytes:
    """Hash of the parts, each preceded by its length."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.digest()
