"""The linear algebra of CasADi's structured solvers, on the vectors of this processor.

fatrop and HPIPM stand on BLASFEO, whose matrices are panels of four rows. CasADi's wheels bring a
build of it for any processor: plain C, without wide vectors. In a few of its functions, products
with panels, a solve spends more time than anywhere else.

A library finds its own functions by their names, too, and names that the process has already come
first. So `use_wide_panels` loads these functions (c/panels.c), and then BLASFEO.
"""

from __future__ import annotations

import ctypes
import functools
import os
from pathlib import Path
from typing import Any

import casadi

from bridges.native.build import compiler_here
from bridges.native.errors import BuildError
from bridges.native.library import load_whole
from bridges.native.load import fetch_library
from bridges.native.objects import Parts
from bridges.native.units import Unit

PRODUCTS = (
    "kernel_dgemm_nt_4x4_lib4",
    "kernel_dgemm_nt_4x4_vs_lib4",
    "kernel_dsyrk_nt_l_4x4_lib4",
    "kernel_dgemv_n_4_lib4",
    "kernel_dgemv_t_4_lib4",
)
_TEXT = Path(__file__).with_name("c") / "panels.c"


@functools.cache
def use_wide_panels() -> bool:
    """Whether BLASFEO takes products from now on that are compiled for this processor.

    Not so where CasADi has no BLASFEO of its own beside it, has one for particular processors, has
    loaded it already, and where there is no compiler.
    """
    folder = Path(casadi.__file__).parent
    library, target = folder / "libblasfeo.so.0", folder / "include" / "blasfeo_target.h"
    if not (library.exists() and target.exists() and hasattr(os, "RTLD_NOLOAD")):
        return False
    if "#define TARGET_GENERIC" not in target.read_text("utf-8", "replace") or _is_loaded(library):
        return False
    try:
        _KEPT.append(product_library(ctypes.RTLD_GLOBAL))
        _KEPT.append(ctypes.CDLL(str(library)))
    except (BuildError, OSError):
        return False
    return True


_KEPT: list[Any] = []  # what BLASFEO calls stays loaded


def product_library(mode: int = ctypes.RTLD_LOCAL) -> Any:
    """The library of c/panels.c. Raises BuildError."""
    text, compiler = _TEXT.read_text("ascii"), compiler_here()
    return fetch_library(
        b"panels" + text.encode(),
        compiler,
        lambda _: Parts(Unit(text, "-O3"), {}),
        lambda path, body: load_whole(str(path), body, PRODUCTS, mode),
        "products of panels",
    )


def _is_loaded(library: Path) -> bool:
    try:
        ctypes.CDLL(str(library), mode=os.RTLD_NOLOAD)
    except OSError:
        return False
    return True
