"""Built libraries in this process: what was checked is what is loaded, as long as it is needed.

A library is bytes. Where the system has memory with a name (Linux) they are loaded from there, so
that nothing that happens to the file plays a part; elsewhere from the file.
"""

from __future__ import annotations

import _ctypes
import contextlib
import ctypes
import itertools
import os
import struct
import weakref
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from bridges.native.errors import BuildError

# Python's C functions that the library calls, in the order of its C text (c/python.c).
_PYTHON_FUNCTIONS = (
    "PyObject_GetBuffer",
    "PyBuffer_Release",
    "PyErr_Clear",
    "PyLong_AsVoidPtr",
    "PyLong_FromLong",
    "PyCFunction_NewEx",
    "PyObject_Type",
    "Py_DecRef",
)
_SYMBOLS = ("operations", "lanes", "run", "use_python", "python_function")
_numbers = itertools.count(1)


class Library:
    """The entry points of one library (their C text is in the folder `c`).

    It is unloaded when it and its functions are gone: each of them holds it.

    n_ops: operations per sample; lanes: samples per block.
    run: any batch; through ctypes, without the GIL.
    rows, buffers: small row-major batches; built-in functions that keep the GIL and start at once.
    """

    def __init__(self, path: Path, body: bytes) -> None:
        with _in_memory(path, body) as name:
            free = load_whole(name, body, _SYMBOLS)
        held = ctypes.PyDLL(str(path), handle=free._handle)
        self.n_ops = ctypes.c_longlong.in_dll(free, "operations").value
        self.lanes = ctypes.c_longlong.in_dll(free, "lanes").value
        self.run: Any = free["run"]
        self.run.argtypes = [*[ctypes.c_longlong] * 3, *[ctypes.c_void_p] * 4]
        addresses = [
            ctypes.cast(getattr(ctypes.pythonapi, name), ctypes.c_void_p).value
            for name in _PYTHON_FUNCTIONS
        ]
        held["use_python"]((ctypes.c_void_p * len(addresses))(*addresses))
        function: Any = held["python_function"]
        function.argtypes = [ctypes.c_int, ctypes.py_object]
        function.restype = ctypes.py_object
        self.rows: Any = function(0, free.loaded)
        self.buffers: Any = function(1, free.loaded)


def load_whole(
    name: str, body: bytes, symbols: Iterable[str], mode: int = ctypes.RTLD_LOCAL
) -> Any:
    """The library of this name, which has these bytes; unloaded when nothing holds its `loaded`.

    mode: the loader's, as in `ctypes.CDLL`.

    Raises BuildError, also where it lacks one of the symbols, and where it is cut: such a library
    could be loaded, but would end the process when it is used.
    """
    if not _is_whole(body):
        raise BuildError("a library is cut")
    try:
        library: Any = ctypes.CDLL(name, mode)
    except OSError as error:
        raise BuildError(f"a library does not load: {error}") from error
    library.loaded = _held(library._handle)
    try:
        for symbol in symbols:
            library[symbol]
    except AttributeError as error:
        raise BuildError(f"a library is not what its name says: {error}") from error
    return library


def _held(handle: int) -> object:
    """What keeps a library loaded.

    An array, since collectors of garbage do not see it: from other objects of a cycle they take
    finalizers before the functions of the library are gone, which look into it when they go.
    """
    held = np.empty(0)
    weakref.finalize(held, _ctypes.dlclose, handle).atexit = False
    return held


@contextlib.contextmanager
def _in_memory(path: Path, body: bytes) -> Generator[str]:
    """A name under which the loader finds these bytes; that of the file where there is no other."""
    try:
        descriptor = os.memfd_create("robograd")
    except (AttributeError, OSError):  # another system, or forbidden here
        yield str(path)
        return
    with os.fdopen(descriptor, "wb") as file:
        file.write(body)
        file.flush()
        # The loader takes equal names for one library, and descriptors come again: so each time
        # another way leads to it.
        way = bin(next(_numbers))[2:].replace("0", "/").replace("1", "./")
        name = f"/proc/self/fd/{way}{descriptor}"
        yield name if os.path.exists(name) else str(path)


def _is_whole(body: bytes) -> bool:
    """Whether the segments of an ELF file lie within it; other files are not looked into."""
    if body[:4] != b"\x7fELF":
        return True
    wide = body[4:5] == b"\x02"
    try:
        table, entry, count = struct.unpack_from("=32xQ14xHH" if wide else "=28xI10xHH", body)
        segment = struct.Struct("=8xQ16xQ" if wide else "=4xI8xI")
        spans = [segment.unpack_from(body, table + k * entry) for k in range(count)]
    except struct.error:
        return False
    return all(begin + size <= len(body) for begin, size in spans)
