"""Bad values, names and sizes at every way in: each refused with a message that names the fault."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

import ad_core as ad
from ad_core import math as adm
from ad_core.ops.linalg import transpose
from bridges.casadi import ad_to_casadi
from bridges.kernel import ad_to_kernel
from bridges.pytorch import ad_to_torch
from robotics_ad import so3

X, Y = ad.var("x", 3), ad.var("y")
E = X * Y + adm.sin(X)
GOOD: dict[str, Any] = {"x": [1.0, 2.0, 3.0], "y": 2.0}
ONES = [1.0, 1.0, 1.0]

ENTRIES: dict[str, Callable[[Mapping[str, Any]], object]] = {
    "eval": lambda v: E.eval(**v),
    "derivative": lambda v: E.derivative("x", **v),
    "gen_derivative": lambda v: E.gen_derivative(["x", "y"], **v),
    "gen_derivative of one": lambda v: E.gen_derivative(["x"], **v),
    "gen_derivative of none": lambda v: E.gen_derivative([], **v),
    "jvp": lambda v: E.jvp({"x": ONES}, **v),
    "vjp": lambda v: E.vjp(ONES, **v),
    "eval_batch": lambda v: E.eval_batch(**v),
    "derivative_batch": lambda v: E.derivative_batch("x", **v),
    "derivative_sparse": lambda v: E.derivative_sparse("x", **v),
    "eval_multiple": lambda v: ad.eval_multiple([E, X], **v),
    "derivative_multiple": lambda v: ad.derivative_multiple([E, X], "x", **v),
    "check_derivatives": lambda v: ad.check_derivatives(E, v),
}

BAD: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "unbound": ({"x": ONES}, ValueError, "variable 'y' has no value; bound: x"),
    "size": ({**GOOD, "x": [1.0, 2.0]}, ValueError, "'x' has size 2, expected 3"),
    "scalar": ({**GOOD, "x": 1.0}, ValueError, "'x' has size 1, expected 3"),
    "broadcast": ({**GOOD, "y": [1.0, 2.0]}, ValueError, "has size 2, expected 3 or 1"),
    "string": ({**GOOD, "x": "abc"}, TypeError, "'x' is not made of real numbers"),
    "strings": ({**GOOD, "x": ["1", "2", "3"]}, TypeError, "'x' is not made of real numbers"),
    "number as string": ({**GOOD, "y": "2"}, TypeError, "'y' is not made of real numbers"),
    "object": ({**GOOD, "y": None}, TypeError, "'y' is not made of real numbers"),
    "objects": (
        {**GOOD, "x": np.array([1, 2, 3], dtype=object)},
        TypeError,
        "'x' is not made of real numbers",
    ),
    "complex": ({**GOOD, "x": [1j, 2, 3]}, TypeError, "'x' is not made of real numbers"),
    "date": ({**GOOD, "y": np.datetime64("2020-01-01")}, TypeError, "'y' is not made of real"),
    "ragged": ({**GOOD, "x": [1.0, [2.0], 3.0]}, ValueError, "'x' is not a rectangular array"),
    "expression": ({**GOOD, "x": X}, TypeError, "'x' holds expressions where numbers"),
    "expressions": ({**GOOD, "x": [Y, Y, Y]}, TypeError, "'x' holds expressions where numbers"),
}


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize("fault", BAD)
def test_bad_values_are_refused_at_every_entry(entry: str, fault: str):
    values, error, message = BAD[fault]
    with pytest.raises(error, match=message):
        ENTRIES[entry](values)


@pytest.mark.parametrize("entry", ENTRIES)
def test_names_that_an_expression_does_not_have_are_ignored(entry: str):
    """One set of values serves many expressions, whatever the others take."""
    got = _plain(ENTRIES[entry]({**GOOD, "z": 1.0, "table": np.eye(2), "name": "abc"}))
    np.testing.assert_array_equal(got, _plain(ENTRIES[entry](GOOD)))


@pytest.mark.parametrize("entry", [n for n in ENTRIES if not n.endswith("batch")])
def test_matrices_are_refused_where_there_is_no_batch(entry: str):
    with pytest.raises(ValueError, match=r"'x' has shape \(3, 3\); values are scalars or 1-D"):
        ENTRIES[entry]({**GOOD, "x": np.eye(3)})


def test_functions_name_their_own_arguments():
    function = so3.distance  # of Ra and Rb
    with pytest.raises(ValueError, match=r"'Rb' has shape \(3, 3\); values are scalars or 1-D"):
        function.eval(np.eye(3).ravel(), np.eye(3))
    with pytest.raises(ValueError, match=r"got 1 arguments, expected 2"):
        function.eval(np.eye(3).ravel())


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize("kind", [np.int64, np.int8, np.uint8, np.bool_, np.float32, np.float16])
def test_numbers_of_every_kind_are_promoted(entry: str, kind: type):
    whole: dict[str, Any] = {"x": np.array([0, 1, 1]), "y": 1}
    same: dict[str, Any] = {"x": whole["x"].astype(kind), "y": kind(1)}
    got, expected = (np.asarray(_plain(ENTRIES[entry](v))) for v in (same, whole))
    np.testing.assert_array_equal(got, expected)


def _plain(result: object) -> Any:
    """A result of any entry as numbers."""
    if isinstance(result, dict):
        return np.concatenate(list(result.values()))
    if isinstance(result, list):
        return np.concatenate([np.ravel(r) for r in result])
    if result is None:  # a check that found no fault
        return np.zeros(1)
    return result.toarray() if hasattr(result, "toarray") else np.ravel(result)


OTHER: dict[str, tuple[Callable[[], object], type[Exception], str]] = {
    "derivative": (lambda: E.derivative("q", **GOOD), ValueError, "no variable 'q'; variables: x"),
    "tensor": (lambda: E.gen_derivative(["x", "q"], **GOOD), ValueError, "no variable 'q'"),
    "batch": (lambda: E.derivative_batch("q", **GOOD), ValueError, "no variable 'q'"),
    "sparse": (lambda: E.derivative_sparse("q", **GOOD), ValueError, "no variable 'q'"),
    "pattern": (lambda: E.sparsity("q", y=1), ValueError, "no variable 'q'"),
    "pattern size": (lambda: E.sparsity("x", y=1, q=2), ValueError, "no variable 'q'"),
    "tangent": (lambda: E.jvp({"q": 1.0}, **GOOD), ValueError, "no variable 'q'"),
    "several": (lambda: ad.derivative_multiple([E], "q", **GOOD), ValueError, "no variable 'q'"),
    "replaced": (lambda: E.replace(q=1.0), ValueError, "no variable 'q'"),
    "replaced size": (
        lambda: E.replace(x=ad.var("z", 2)),
        ValueError,
        "replace: argument 'x' has size 2, expected 3",
    ),
    "replaced by an object": (lambda: E.replace(y=None), TypeError, "not made of real numbers"),
    "operator": (lambda: ad.jacobian(X, "q"), ValueError, "no variable 'q'"),
    "number as name": (
        lambda: E.derivative(3, **GOOD),
        TypeError,
        "a variable is given by its name or its node, not 3",
    ),
    "list as name": (lambda: E.derivative(["x"], **GOOD), TypeError, "by its name or its node"),
    "string of names": (
        lambda: E.gen_derivative("xy", **GOOD),
        TypeError,
        "gen_derivative: expected a list of names, got 'xy'",
    ),
    "one expression": (
        lambda: ad.eval_multiple(E, **GOOD),
        TypeError,
        "eval_multiple: expected a list of expressions",
    ),
    "one name": (
        lambda: ad.derivative_multiple("xy", "x", x=1.0, y=1.0),
        TypeError,
        "derivative_multiple: expected a list of expressions, got 'xy'",
    ),
    "two tangents": (
        lambda: E.jvp({"x": ONES, X: ONES}, **GOOD),
        ValueError,
        "jvp: a variable has two tangents: x",
    ),
    "list of tangents": (lambda: E.jvp([ONES], **GOOD), TypeError, "expected a dict of tangents"),
    "tangent size": (
        lambda: E.jvp({"x": [1.0]}, **GOOD),
        ValueError,
        "'tangent of x' has size 1, expected 3",
    ),
    "tangent type": (lambda: E.jvp({"y": "1"}, **GOOD), TypeError, "'tangent of y' is not made of"),
    "cotangent size": (lambda: E.vjp([1.0], **GOOD), ValueError, "'cotangent' has size 1"),
    "cotangent type": (lambda: E.vjp(None, **GOOD), TypeError, "'cotangent' is not made of real"),
    "bound twice": (
        lambda: E.eval(**GOOD, x=ONES),
        TypeError,
        "multiple values for keyword argument 'x'",
    ),
    "one name, two sizes": (
        lambda: (X[0] + ad.var("x", 2)).eval(x=ONES),
        ValueError,
        "'x' has size 2, expected 3 as declared",
    ),
    "one name for two arguments": (
        lambda: ad.function(lambda a, b: a, argnames=["a", "a"]),
        ValueError,
        "two arguments have one name",
    ),
    "one name for two arguments of a composition": (
        lambda: ad.composite("f", n_in=(1, 1), n_out=1, argnames=("a", "a")),
        ValueError,
        "f: two arguments have one name",
    ),
    "sizes": (
        lambda: ad.var("x", 3.0),
        ValueError,
        "the size of 'x' is 3.0, expected a",
    ),
    "infinite argspec": (
        lambda: ad.function(lambda a: a, argspec=[math.inf]),
        ValueError,
        "a size is inf, expected a whole number",
    ),
    "nan as outspec": (
        lambda: ad.function(lambda a: a, outspec=math.nan),
        ValueError,
        "a size is nan, expected a whole number",
    ),
    "nan as a pattern's size": (
        lambda: (Y * 1.0).sparsity("y", y=math.nan),
        ValueError,
        "the size of 'y' is nan, expected a whole number",
    ),
    "infinite shape": (
        lambda: adm.matmul("a", "b", (2, math.inf), (math.inf, 2)),
        ValueError,
        "matmul: shape_a: an entry is inf, expected a whole number",
    ),
    "negative shape": (
        lambda: adm.matmul("a", "b", (-2, 3), (3, -2)),
        ValueError,
        "matmul: shape_a: an entry is -2, expected a whole number",
    ),
    "shape of three": (
        lambda: adm.matmul("a", "b", (2, 3, 4), (3, 2)),
        ValueError,
        r"matmul: shape_a is \(2, 3, 4\), expected \(rows, columns\)",
    ),
    "nan in a system": (
        lambda: adm.solve("a", "b", (math.nan, math.nan)),
        ValueError,
        "solve: shape_a: an entry is nan, expected a whole",
    ),
    "shaped dot": (
        lambda: adm.ShapedDot((math.inf, 2)),
        ValueError,
        "ShapedDot: a shape: an entry is inf, expected a whole",
    ),
    "transposed size": (
        lambda: transpose(X, 2, 2),
        ValueError,
        "transpose: argument 'a' has size 3, expected 4",
    ),
}


@pytest.mark.parametrize("fault", OTHER)
def test_other_faults_are_refused(fault: str):
    call, error, message = OTHER[fault]
    with pytest.raises(error, match=message):
        call()


def cycle() -> ad.Expression:
    """A node that was made its own argument, against its will."""
    inner = adm.sin(Y)
    outer = inner + 1.0
    object.__setattr__(inner, "args", (outer,))
    return outer


@pytest.mark.parametrize(
    "use",
    [
        lambda e: e.eval(y=1.0),
        lambda e: e.derivative("y", y=1.0),
        lambda e: e.eval_batch(y=[1.0]),
        lambda e: e.jvp({"y": 1.0}, y=1.0),
        lambda e: e.vjp(1.0, y=1.0),
        lambda e: e.gen_derivative(["y", "y"], y=1.0),
        lambda e: e.replace(y=2.0),
        lambda e: e.terminals(),
        str,
        lambda e: ad.eval_multiple([e], y=1.0),
        lambda e: ad_to_casadi(e, sizes={"y": 1}),
        lambda e: ad_to_torch(e, sizes={"y": 1}),
        lambda e: ad_to_kernel(e, sizes={"y": 1}),
    ],
)
def test_cycles_are_refused(use: Callable[[ad.Expression], object]):
    with pytest.raises(ValueError, match=": the expression contains itself"):
        use(cycle())


BRIDGES: dict[str, Callable[..., object]] = {
    "casadi": ad_to_casadi,
    "torch": ad_to_torch,
    "kernel": ad_to_kernel,
}
AT_A_BRIDGE: dict[str, tuple[Callable[..., object], type[Exception], str]] = {
    "no size": (lambda b: b(Y * 2.0), ValueError, "the size of 'y' is not known"),
    "wrong size": (lambda b: b(E, sizes={"y": 1, "x": 2}), ValueError, "'x' has size 2, expected"),
    "misfit": (lambda b: b(E, sizes={"y": 2}), ValueError, "'y' has size 2, expected 3 or 1"),
    "unknown name": (lambda b: b(E, sizes={"y": 1, "q": 1}), ValueError, "no variable 'q'"),
    "listed twice": (
        lambda b: b(E, ["x", "x", "y"], sizes={"y": 1}),
        ValueError,
        "a terminal is listed twice: x, x, y",
    ),
    "not listed": (lambda b: b(E, ["x"], sizes={"y": 1}), ValueError, "no listed terminal 'y'"),
    "numbers as names": (lambda b: b(E, [0, 1]), TypeError, "by its name or its node, not 0"),
    "string of names": (lambda b: b(E, "xy"), TypeError, "terminals: expected a list of names"),
    "infinite size": (
        lambda b: b(E, sizes={"y": math.inf}),
        ValueError,
        "is inf, expected a whole number",
    ),
    "nan size": (
        lambda b: b(E, sizes={"y": math.nan}),
        ValueError,
        "is nan, expected a whole number",
    ),
    "negative size": (
        lambda b: b(E, sizes={"y": -1}),
        ValueError,
        "is -1, expected a whole number, 0 or more",
    ),
    "text as size": (
        lambda b: b(E, sizes={"y": "1"}),
        ValueError,
        "is '1', expected a whole number",
    ),
    "nothing": (lambda b: b(()), ValueError, "no expressions were given"),
    "a number": (lambda b: b(3.0), TypeError, "expected a list of expressions, one of them, or a"),
    "a name": (lambda b: b("x"), TypeError, "expected a list of expressions, one of them, or a"),
    "numbers": (lambda b: b((X, 3.0)), TypeError, "is a float, expected an expression"),
}


@pytest.mark.parametrize("bridge", BRIDGES)
@pytest.mark.parametrize("fault", AT_A_BRIDGE)
def test_bad_calls_are_refused_at_every_bridge(bridge: str, fault: str):
    call, error, message = AT_A_BRIDGE[fault]
    with pytest.raises(error, match=message):
        call(BRIDGES[bridge])
