"""A built kernel library: its C entry points through ctypes."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

from bridges.kernel.errors import BuildError


class Library:
    """The entry points of one library (their C text is in `driver.py`).

    n_ops: operations per sample; lanes: samples per block.
    run, run_rows_free: release the GIL while they run.
    run_rows, run_buffers: keep it, and start sooner.
    """

    def __init__(self, path: Path, n_in: int, n_out: int) -> None:
        try:
            free = ctypes.CDLL(str(path))
            held = ctypes.PyDLL(str(path), handle=free._handle)
        except OSError as error:
            raise BuildError(f"{path} does not load: {error}") from error
        self.n_ops = ctypes.c_longlong.in_dll(free, "operations").value
        self.lanes = ctypes.c_longlong.in_dll(free, "lanes").value
        pointers = [ctypes.c_void_p] * (n_in + n_out)
        count = ctypes.c_longlong
        self.run: Any = free["run"]
        self.run.argtypes = [count, count, count, *[ctypes.c_void_p] * 4]
        self.run_rows_free: Any = free["run_rows"]
        self.run_rows_free.argtypes = [count, *pointers]
        self.run_rows: Any = held["run_rows"]
        self.run_rows.argtypes = [count, *pointers]
        self.run_buffers: Any = held["run_buffers"]
        self.run_buffers.argtypes = [count, *[ctypes.py_object] * (n_in + n_out)]
        use_python: Any = held["use_python"]
        use_python.argtypes = [ctypes.c_void_p] * 3
        use_python.restype = None
        use_python(
            *(
                ctypes.cast(getattr(ctypes.pythonapi, name), ctypes.c_void_p)
                for name in ("PyObject_GetBuffer", "PyBuffer_Release", "PyErr_Clear")
            )
        )
