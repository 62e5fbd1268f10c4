"""Elementwise primitives at all special values on all engines, and terms that get simplified.

numpy's interpreter is the truth, to the sign of a zero. Where an engine differs stands in
`DIFFERS`, as `docs/conventions.md` says it; what stands there must differ, so that it stays true.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

import ad_core as ad
from ad_core import math as adm
from ad_core.ops.elementwise import ELEMENTWISE, equal, less, less_equal

Array = NDArray[np.float64]
TINY = 5e-324
VALUES = (0.0, -0.0, 1.0, -1.0, 0.5, -2.5, np.inf, -np.inf, np.nan, TINY, -TINY, 1e300, -1e300)
# float32 has no such small and large numbers
VALUES_32 = tuple(v for v in VALUES if v != v or abs(v) in (0.0, 1.0, 0.5, 2.5, np.inf))  # noqa: PLR0124
PAIRS = np.array(list(itertools.product(VALUES, VALUES)))
PAIRS_32 = np.array(list(itertools.product(VALUES_32, VALUES_32)))

Term = Callable[..., ad.Expression]


def arity(name: str) -> int:
    return len(ELEMENTWISE[name].argnames)


UNARY: dict[str, Term] = {n: op for n, op in ELEMENTWISE.items() if arity(n) == 1}
BINARY: dict[str, Term] = {n: op for n, op in ELEMENTWISE.items() if arity(n) == 2}
# Terms that may be written in fewer operations.
SIMPLE: dict[str, Term] = {
    "x - x": lambda x, y: x - x,
    "x + x": lambda x, y: x + x,
    "x * x": lambda x, y: x * x,
    "x / x": lambda x, y: x / x,
    "x == x": lambda x, y: equal(x, x),
    "x <= x": lambda x, y: less_equal(x, x),
    "x < x": lambda x, y: less(x, x),
    "x + 0": lambda x, y: x + 0.0,
    "x - 0": lambda x, y: x - 0.0,
    "0 - x": lambda x, y: 0.0 - x,
    "0 * x": lambda x, y: 0.0 * x,
    "0 / x": lambda x, y: 0.0 / x,
    "1 * x": lambda x, y: 1.0 * x,
    "-1 * x": lambda x, y: -1.0 * x,
    "x / 1": lambda x, y: x / 1.0,
    "x / -2": lambda x, y: x / -2.0,
    "1 / x": lambda x, y: 1.0 / x,
    "1 / (1 / x)": lambda x, y: 1.0 / (1.0 / x),
    "x * (1 / y)": lambda x, y: x * (1.0 / y),
    "x ** 0": lambda x, y: x**0.0,
    "x ** 1": lambda x, y: x**1.0,
    "x ** 2": lambda x, y: x**2.0,
    "x ** 0.5": lambda x, y: x**0.5,
    "x ** -1": lambda x, y: x**-1.0,
    "0 ** x": lambda x, y: ad.constant(0.0) ** x,
    "1 ** x": lambda x, y: ad.constant(1.0) ** x,
    "-(-x)": lambda x, y: ad.neg(ad.neg(x)),
    "-(x - y)": lambda x, y: -(x - y),
    "x + -y": lambda x, y: x + -y,
    "x - -y": lambda x, y: x - -y,
    "-x * y": lambda x, y: -x * y,
    "-x * -y": lambda x, y: -x * -y,
    "(x + y) - y": lambda x, y: (x + y) - y,
    "(x / y) * y": lambda x, y: (x / y) * y,
    "sqrt(x * x)": lambda x, y: adm.sqrt(x * x),
    "sqrt(x) ** 2": lambda x, y: adm.sqrt(x) ** 2.0,
    "abs(-x)": lambda x, y: ad.abs_(-x),
    "abs(abs(x))": lambda x, y: ad.abs_(ad.abs_(x)),
    "sin(-x)": lambda x, y: adm.sin(-x),
    "cos(-x)": lambda x, y: adm.cos(-x),
    "log(exp(x))": lambda x, y: adm.log(adm.exp(x)),
    "minimum(x, x)": lambda x, y: ad.minimum(x, x),
    "maximum(x, 0)": lambda x, y: ad.maximum(x, 0.0),
    "minimum(x, y)": ad.minimum,
    "maximum(x, y)": ad.maximum,
    "cond(x, y, y)": lambda x, y: ad.cond(x, y, y),
    "cond(x, x, -x)": lambda x, y: ad.cond(x, x, -x),
    "cond(x, y, 0)": lambda x, y: ad.cond(x, y, 0.0),
    "cond3(x, y, 1, y)": lambda x, y: ad.cond3(x, y, 1.0, y),
    "where(x, y, x)": lambda x, y: adm.where(x, y, x),
}
TERMS: dict[str, Term] = {
    **{f"{n}(x)": (lambda x, y, op=op: op(x)) for n, op in UNARY.items()},
    **{f"{n}(x, y)": op for n, op in BINARY.items()},
    **SIMPLE,
}


@cache
def graph() -> ad.Expression:
    x, y = ad.var("x", 1), ad.var("y", 1)
    return ad.stack(*(term(x, y) for term in TERMS.values()))


def truth(pairs: Array) -> Array:
    with np.errstate(all="ignore"):
        return graph().eval_batch(x=pairs[:, :1], y=pairs[:, 1:])


def on_kernel(dtype: str) -> Callable[[Array], Array]:
    def run(pairs: Array) -> Array:
        from bridges.kernel import ad_to_kernel

        kernel = ad_to_kernel(graph(), ["x", "y"], dtype=dtype)
        pairs = pairs.astype(dtype)
        return kernel(pairs[:, :1], pairs[:, 1:])

    return run


def on_torch(engine: str) -> Callable[[Array], Array]:
    def run(pairs: Array) -> Array:
        import torch

        from bridges.pytorch import ad_to_torch

        layer = ad_to_torch(graph(), ["x", "y"], engine=engine)
        given = torch.from_numpy(pairs)
        return layer(given[:, :1], given[:, 1:]).numpy()

    return run


def on_casadi(**options: object) -> Callable[[Array], Array]:
    def run(pairs: Array) -> Array:
        from bridges.casadi import ad_to_casadi

        function = ad_to_casadi(graph(), ["x", "y"], **options)
        return np.array([function(x, y).full().ravel() for x, y in pairs.tolist()])

    return run


ENGINES: dict[str, Callable[[Array], Array]] = {
    "kernel": on_kernel("float64"),
    "kernel float32": on_kernel("float32"),
    "torch": on_torch("torch"),
    "torch kernel": on_torch("kernel"),
    "SX": on_casadi(symbolic="SX"),
    "MX": on_casadi(symbolic="MX"),
    "compiled": on_casadi(compiled=True),
}
ZERO, VALUE = "the sign of a zero", "the value"
ZEROS = dict.fromkeys(
    ("mod(x, y)", "maximum(x, 0)", "minimum(x, y)", "maximum(x, y)"),
    ZERO,
)
KERNEL = {**ZEROS, "0 - x": ZERO, "sign(x)": ZERO, "x * (1 / y)": VALUE}
CASADI = {
    **dict.fromkeys(("0 - x", "mod(x, y)", "sign(x)", "stop_gradient(x)"), ZERO),
    **dict.fromkeys(("cond(x, y, y)", "cond(x, x, -x)", "cond3(x, y, 1, y)"), ZERO),
    **dict.fromkeys(("minimum(x, y)", "maximum(x, y)", "where(x, y, x)"), ZERO),
    "atan2(x, y)": VALUE,  # at the origin, by the signs of its zeros
    **dict.fromkeys(("x - x", "x / x", "x == x", "x <= x", "0 / x", "x * (1 / y)"), VALUE),
    **dict.fromkeys(("(x + y) - y", "(x / y) * y"), VALUE),
    **dict.fromkeys(("sqrt(x * x)", "sqrt(x) ** 2", "log(exp(x))"), VALUE),
}
DIFFERS = {
    "kernel": KERNEL,
    "kernel float32": {k: v for k, v in KERNEL.items() if k != "x * (1 / y)"},  # needs 5e-324
    "torch": ZEROS,
    "torch kernel": KERNEL,
    "SX": CASADI,
    "MX": CASADI,
    "compiled": KERNEL,
}


@cache
def faults(engine: str) -> dict[str, tuple[str, str]]:
    """Where an engine differs, by term: what differs, and an example."""
    single = engine.endswith("32")
    pairs = PAIRS_32 if single else PAIRS
    want, have = truth(pairs), ENGINES[engine](pairs)
    if single:
        want = want.astype(np.float32)
    found: dict[str, tuple[str, str]] = {}
    for term, wanted, got in zip(TERMS, want.T, have.T, strict=True):
        same = np.isclose(got, wanted, 1e-5 if single else 1e-9, 1e-300, equal_nan=True)
        signs = (wanted != 0.0) | (np.signbit(got) == np.signbit(wanted))
        for what, good in ((ZERO, signs), (VALUE, same)):
            for (x, y), a, b in list(zip(pairs[~good], wanted[~good], got[~good], strict=True))[:1]:
                found[term] = what, f"x={x} y={y}: {b}, expected {a}"
    return found


@pytest.mark.parametrize("engine", ENGINES)
def test_engines_differ_where_it_is_said(engine: str) -> None:
    found = faults(engine)
    said = DIFFERS[engine]
    assert {term: what for term, (what, _) in found.items()} == said, found


def test_every_elementwise_primitive_is_looked_at() -> None:
    assert {term.partition("(")[0] for term in TERMS} >= set(ELEMENTWISE)


def test_torch_divides_numbers_exactly() -> None:
    """Not by a product with the inverse, which may overflow and rounds twice."""
    import torch

    from bridges.pytorch import ad_to_torch

    x = ad.var("x", 1)
    values = np.array([[5e-324], [1e-310], [3.0], [0.1], [49.0]])
    for number in (3e-300, 7.0, 0.0, 1.0):
        layer = ad_to_torch(number / x, engine="torch")
        got = layer(torch.from_numpy(values)).numpy()
        with np.errstate(over="ignore"):
            np.testing.assert_array_equal(got, number / values)
