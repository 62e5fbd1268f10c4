"""A graph as bytes that say all of what it computes, and back.

Equal bytes are equal graphs: numbers to the last bit, functions by the data in them and by the
names of their classes, whose code is that of packages known by their files (`ad_core.sources`). A
graph with anything else in it (users' functions and classes, arrays of objects) has no such bytes.
Equal graphs that were put together in different ways may have different bytes.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from types import FunctionType
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ad_core.graph.nodes import ADFunctionCall, ADTerminal, Constant, Expression
from ad_core.lowering.signature import Signature
from ad_core.ops.elementwise import ELEMENTWISE, Elementwise
from ad_core.sources import package_of

_PLAIN = (slice, range)
_FLOAT64 = np.dtype(np.float64)


@dataclass(frozen=True)
class Content:
    """What `content_of` gives.

    Attributes:
        data: the bytes, which mean something only together with the code of `packages`.
        packages: names of the packages that the classes and functions in the graph are from.
    """

    data: bytes
    packages: tuple[str, ...]

    def read(self) -> tuple[Signature, dict[str, int]]:
        """The graph that the bytes say, with the sizes of its variables.

        It depends on nothing else: not on what became of the objects that the bytes were made from.
        Raises pickle.UnpicklingError for names of anything outside of known packages.
        """
        title, single, names, sizes, roots, rows = _Reader(io.BytesIO(self.data)).load()
        nodes: list[Expression] = []
        for function, operands in cast("list[_Row]", rows):
            if isinstance(function, str):
                nodes.append(ADTerminal(function, operands))
            elif function is None:
                nodes.append(Constant(operands))
            else:
                nodes.append(
                    ADFunctionCall(function, [nodes[i] for i in cast("list[int]", operands)])
                )
        roots = cast("list[int]", roots)
        chosen = tuple(nodes[i] for i in roots)
        return Signature(chosen, names, title, single, tuple(nodes)), dict(sizes)


def content_of(chosen: Signature, sizes: Mapping[str, int] | None = None) -> Content | None:
    """All that an engine is handed, as bytes; None where it holds what bytes cannot say."""
    file = io.BytesIO()
    writer = _Writer(file)
    try:
        given = sorted((sizes or {}).items())
        rows, numbers = _rows(chosen)
        writer.dump((chosen.title, chosen.single, chosen.names, given, numbers, rows))
    except Exception:  # whatever objects raise that were never made to be written down
        return None
    return Content(file.getvalue(), tuple(sorted(writer.packages)))


_Row = tuple[Any, Any]
"""A node: (function, numbers of argument rows), (name, size) or (None, value)."""


def _rows(chosen: Signature) -> tuple[list[_Row], list[int]]:
    """A row a node, arguments first, and the numbers of the roots' rows."""
    number = {node: i for i, node in enumerate(chosen.nodes)}
    rows: list[_Row] = []
    node: Any
    for node in chosen.nodes:
        kind: Any = node.__class__
        if kind is ADFunctionCall:
            rows.append((node.func, [number[a] for a in node.args]))
        elif kind is ADTerminal:
            rows.append((node.name, node.size))
        elif kind is Constant:
            rows.append((None, node.value))
        else:
            raise _Foreign(node)
    return rows, [number[root] for root in chosen.roots]


class _Foreign(Exception):
    """Something that is not known by the files of a package."""


class _Writer(pickle.Pickler):
    """Writes plain data, arrays of numbers, and objects of known packages; nothing else."""

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file, protocol=5)
        self.packages: set[str] = set()
        self._known: set[tuple[type, str]] = set()

    def reducer_override(self, obj: object, /) -> Any:
        kind = type(obj)
        if kind is np.ndarray:
            array = cast("NDArray[Any]", obj)
            if array.dtype is _FLOAT64:  # nearly all of them
                return _floats, (array.shape, array.tobytes())
            if array.dtype.hasobject:
                raise _Foreign(array)
            return _array, (array.dtype.str, array.shape, array.tobytes())
        if isinstance(obj, np.generic):
            number = cast("np.generic[Any]", obj)
            return _number, (number.dtype.str, number.tobytes())
        if kind in _PLAIN or obj is slice or obj is range:
            return NotImplemented
        # an object may say another module than its class: that which its name is written with
        module: str = obj.__module__
        if (kind, module) not in self._known:
            self._vouch(module)
            if not isinstance(obj, (type, FunctionType)):
                self._vouch(kind.__module__)
            self._known.add((kind, module))
        if isinstance(obj, Elementwise) and ELEMENTWISE.get(obj.name) is not obj:
            raise _Foreign(obj)  # its name would stand for ours
        return NotImplemented

    def _vouch(self, module: str) -> None:
        package = package_of(module)
        if package is None:
            raise _Foreign(module)
        self.packages.add(package)


class _Reader(pickle.Unpickler):
    """Reads what `_Writer` writes."""

    def find_class(self, module: str, name: str, /) -> Any:
        plain = any((module, name) == (kind.__module__, kind.__qualname__) for kind in _PLAIN)
        if not plain and package_of(module) is None:
            raise pickle.UnpicklingError(f"{module}.{name} is not of a package known by its files")
        return super().find_class(module, name)


def _floats(shape: tuple[int, ...], data: bytes) -> Any:
    return _array("f8", shape, data)


def _array(dtype: str, shape: tuple[int, ...], data: bytes) -> Any:
    array = np.frombuffer(data, dtype).reshape(shape).copy()
    array.setflags(write=False)
    return array


def _number(dtype: str, data: bytes) -> Any:
    return np.frombuffer(data, dtype)[0]
