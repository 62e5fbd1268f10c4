"""The product of panels that BLASFEO takes from us, beside numpy; and that it takes it."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest
from fresh_process import run_python

from bridges.casadi.panels import PRODUCT, product_library

# D = A B^T of 4 x 4 matrices by BLASFEO, printed; `text` is the C text of the product.
BY_BLASFEO = """
    import ctypes, sys
    from pathlib import Path
    import casadi
    import numpy as np
    from bridges.casadi import panels

    class Text:
        def read_text(self, encoding):
            return text.replace(*{})

    text, panels._TEXT = panels._TEXT.read_text("ascii"), Text()
    if not panels.use_wide_panels():
        print("not here")
        sys.exit()
    blasfeo = ctypes.CDLL(str(Path(casadi.__file__).with_name("libblasfeo.so.0")))
    rng = np.random.default_rng(0)
    a, b, d = rng.normal(size=(4, 4)), rng.normal(size=(4, 4)), np.zeros((4, 4))
    matrices = [ctypes.create_string_buffer(256) for _ in range(4)]
    def address(x):
        return ctypes.c_void_p(x.ctypes.data)
    for matrix, numbers in zip(matrices, [a, b, d, d]):
        blasfeo.blasfeo_allocate_dmat(4, 4, matrix)
        numbers = np.asfortranarray(numbers)
        blasfeo.blasfeo_pack_dmat(4, 4, address(numbers), 4, matrix, 0, 0)
    A, B, C, D = matrices
    one, zero = ctypes.c_double(1.0), ctypes.c_double(0.0)
    blasfeo.blasfeo_dgemm_nt(4, 4, 4, one, A, 0, 0, B, 0, 0, zero, C, 0, 0, D, 0, 0)
    found = np.zeros((4, 4), order="F")
    blasfeo.blasfeo_unpack_dmat(4, 4, D, 0, 0, address(found), 4)
    print(np.abs(found - {} * a @ b.T).max())
"""


@pytest.mark.parametrize(("text", "factor"), [("('', '')", 1), ("('= *alpha', '= 3 * *alpha')", 3)])
def test_blasfeo_takes_the_product_that_is_compiled_here(text: str, factor: int) -> None:
    """Seen by another product in its place, whose results are three times as large."""
    found = run_python(BY_BLASFEO.format(text, factor))
    if found == "not here":
        pytest.skip("CasADi has another BLASFEO here")
    assert float(found) < 1e-14


@pytest.mark.parametrize("k", [0, 1, 3, 4, 21])
@pytest.mark.parametrize("beta", [0.0, 1.0, -0.5])
def test_product_of_panels(k: int, beta: float) -> None:
    rng = np.random.default_rng(k)
    a, b = rng.normal(size=(2, k, 4))
    c = np.full((4, 4), np.nan) if beta == 0 else rng.normal(size=(4, 4))
    d, factors = np.zeros((4, 4)), np.array([0.7, beta])
    pointer = ctypes.POINTER(ctypes.c_double)

    def at(x: np.ndarray) -> object:
        return x.ctypes.data_as(pointer)

    product = product_library()[PRODUCT]
    product(k, at(factors[:1]), at(a), at(b), at(factors[1:]), at(c), at(d))
    expected = 0.7 * a.T @ b + (beta * c.T if beta else 0.0)
    assert np.abs(d.T - expected).max() < 1e-13
