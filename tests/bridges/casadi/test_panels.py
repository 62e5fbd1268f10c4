"""The products of panels that BLASFEO takes from us, beside its own; and that it takes them."""

from __future__ import annotations

import pytest
from fresh_process import run_python

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


@pytest.mark.parametrize(
    ("text", "factor"), [("('', '')", 1), ("('*alpha * s', '3 * *alpha * s')", 3)]
)
def test_blasfeo_takes_the_product_that_is_compiled_here(text: str, factor: int) -> None:
    """Seen by another product in its place, whose results are three times as large."""
    found = run_python(BY_BLASFEO.format(text, factor))
    if found == "not here":
        pytest.skip("CasADi has another BLASFEO here")
    assert float(found) < 1e-14


# Every product by ours and by CasADi's BLASFEO: largest difference, and how many entries differ
# in whether they were written.
BESIDE_BLASFEO = """
    import ctypes, itertools
    from pathlib import Path
    import casadi
    import numpy as np
    from bridges.casadi.panels import PRODUCTS, product_library

    ours, theirs = product_library(), Path(casadi.__file__).with_name("libblasfeo.so.0")
    theirs = ctypes.CDLL(str(theirs))
    rng = np.random.default_rng(0)
    worst, calls = 0.0, 0
    def at(x, first=0):
        return ctypes.c_void_p(x.ctypes.data + 8 * first)
    for name, k, beta in itertools.product(PRODUCTS, (0, 1, 2, 3, 4, 5, 8, 21), (0.0, 1.0, -0.5)):
        a, b = rng.normal(size=(2, 400))
        c = np.full(16, np.nan) if beta == 0 else rng.normal(size=16)
        factors = np.array([0.7, beta])
        turned = name.startswith("kernel_dgemv_t")
        cuts = itertools.product((1, 3, 4), (2, 4)) if "_vs_" in name else [()]
        for cut, offset in itertools.product(cuts, range(4 if turned else 1)):
            results = []
            for library in (ours, theirs):
                d = np.full(16, 7.0)
                given = [k, at(factors)]
                given += [offset, at(a, offset), 7] if turned else [at(a)]
                given += [at(b), at(factors, 1), at(c), at(d), *cut]
                library[name](*given)
                results.append(d)
            worst, calls = max(worst, np.abs(results[0] - results[1]).max()), calls + 1
    print(worst, calls)
"""


def test_products_are_those_of_blasfeo() -> None:
    """Of any number of columns or rows, from any row on, in full, in part and of a triangle."""
    worst, calls = run_python(BESIDE_BLASFEO).split()
    assert float(worst) < 1e-13
    assert int(calls) == 24 * (1 + 6 + 1 + 1 + 4)
