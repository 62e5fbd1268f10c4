"""A built kernel library and its entry points."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

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


class Library:
    """The entry points of one library (their C text is in the folder `c`).

    n_ops: operations per sample; lanes: samples per block.
    run: any batch; through ctypes, without the GIL.
    rows, buffers: small row-major batches; built-in functions that keep the GIL and start at once.
    """

    def __init__(self, path: Path) -> None:
        try:
            free = ctypes.CDLL(str(path))
            held = ctypes.PyDLL(str(path), handle=free._handle)
        except OSError as error:
            raise BuildError(f"{path} does not load: {error}") from error
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
        function.restype = ctypes.py_object
        self.rows: Any = function(0)
        self.buffers: Any = function(1)
        self._loaded = free  # the functions above need it
