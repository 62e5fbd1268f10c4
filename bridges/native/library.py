"""Built libraries in this process: what was checked is what is loaded, as long as it is needed.

A library is bytes. Where the system has memory with a name (Linux) they are loaded from there, so
that nothing that happens to the file plays a part; elsewhere from the file.
"""

from __future__ import annotations

import _ctypes
import contextlib
import ctypes
import functools
import importlib
import itertools
import os
import struct
import sys
import weakref
from collections.abc import Generator, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bridges.native.errors import BuildError

# Python's C functions that the library calls, in the order of its C text (c/python.c).
_PYTHON_FUNCTIONS = (
    "PyLong_AsVoidPtr",
    "PyFloat_AsDouble",
    "PyCFunction_NewEx",
    "PyTuple_New",
    "PyTuple_SetItem",
    "PyErr_NoMemory",
    "Py_IncRef",
    "Py_DecRef",
)
_NEW_ARRAY = 93  # the place of PyArray_New in the table of numpy's C API
# What a library makes functions of, in the order of its C text.
_KINDS = ("arrays", "arrays_into", "pointers", "bound")
_SYMBOLS = ("operations", "lanes", "number_bytes", "run", "use_python", "python_function")
_numbers = itertools.count(1)


class Library:
    """The entry points of one library (their C text is in the folder `c`).

    It is unloaded when it and its functions are gone: each of them holds it.

    n_ops: operations per sample; lanes: samples per block.
    run: any batch; through ctypes, without the GIL.
    """

    def __init__(self, path: Path, body: bytes) -> None:
        with _in_memory(path, body) as name:
            free = load_whole(name, body, _SYMBOLS)
        held = ctypes.PyDLL(str(path), handle=free._handle)
        self.n_ops = ctypes.c_longlong.in_dll(free, "operations").value
        self.lanes = ctypes.c_longlong.in_dll(free, "lanes").value
        self.run: Any = free["run"]
        self.run.argtypes = [*[ctypes.c_longlong] * 3, *[ctypes.c_void_p] * 4]
        number_bytes = ctypes.c_longlong.in_dll(free, "number_bytes").value
        self._loaded: object = free.loaded
        self._make: Any = None
        if _reads_arrays():
            held["use_python"](_python(np.dtype(f"f{number_bytes}")))
            self._make = held["python_function"]
            self._make.argtypes = [ctypes.c_int, ctypes.py_object]
            self._make.restype = ctypes.py_object

    def function(self, kind: str, words: Sequence[int], *kept: object) -> Any:
        """A built-in function for small batches, which keeps the GIL and starts at once.

        kind: "arrays", "arrays_into", "pointers" or "bound" (c/python.c says what they take).
        words: the form of its outputs, or its plan; kept: what it keeps alive, and gives.

        None where arrays of this numpy cannot be read from C.
        """
        if self._make is None:
            return None
        # An array of objects, for the reason that `_held` gives.
        held = np.empty(2 + len(kept), dtype=object)
        for i, thing in enumerate((np.array(words, np.longlong), *kept, self._loaded)):
            held[i] = thing
        return self._make(_KINDS.index(kind), held)


class _Fields(ctypes.Structure):
    """What an array is for numpy's C API, behind the head of every object."""

    _fields_ = (
        ("data", ctypes.c_void_p),
        ("axes", ctypes.c_int),
        ("shape", ctypes.POINTER(ctypes.c_ssize_t)),
        ("strides", ctypes.POINTER(ctypes.c_ssize_t)),
        ("base", ctypes.c_void_p),
        ("type", ctypes.c_void_p),
        ("flags", ctypes.c_int),
    )


@functools.cache
def _reads_arrays() -> bool:
    """Whether an array is found to be what the library takes it for."""
    if sys.implementation.name != "cpython" or np.dtype("float64").alignment != 8:
        return False
    probe = np.empty((3, 5))[::2]
    found = _Fields.from_address(id(probe) + object.__basicsize__)
    fields = (found.data, found.axes, found.base, found.type, found.flags)
    wanted = (probe.ctypes.data, 2, id(probe.base), id(probe.dtype), probe.flags.num)
    return fields == wanted and (*found.shape[:2], *found.strides[:2]) == (2, 5, 80, 8)


@functools.cache
def _python(number: np.dtype[Any]) -> Any:
    """What `use_python` takes: addresses of functions and objects, and the bytes of an object."""
    form = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)
    to_pointer: Any = form(("PyCapsule_GetPointer", ctypes.pythonapi))
    api: Any = importlib.import_module("numpy._core._multiarray_umath")
    table = ctypes.cast(to_pointer(api._ARRAY_API, None), ctypes.POINTER(ctypes.c_void_p))
    functions = [
        ctypes.cast(getattr(ctypes.pythonapi, name), ctypes.c_void_p).value
        for name in _PYTHON_FUNCTIONS
    ]
    objects = [id(thing) for thing in (np.ndarray, number, float, None)]
    words = [*functions, table[_NEW_ARRAY], *objects, object.__basicsize__]
    return (ctypes.c_void_p * len(words))(*words)


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
