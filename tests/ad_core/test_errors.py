"""Refusals: each names the place, the argument, what was expected, what came, and the choices."""

from __future__ import annotations

import math

import numpy as np
import pytest

import ad_core as ad
from ad_core import math as adm
from ad_core.lowering import lower
from ad_core.ops.structure import Broadcast, Scatter, Take


class Loop(ad.Composite):
    """A function whose expansion calls itself."""

    def n_args(self) -> int:
        return 1

    def expand(self, *args: ad.Expression) -> ad.Expression:
        return self(args[0]) + 1.0


X3 = ad.var("x", 3)

REFUSED = {
    "unbound": (
        lambda: (ad.var("x") + ad.var("y")).eval(x=1),
        ValueError,
        "variable 'y' has no value; bound: x",
    ),
    "unknown derivative": (
        lambda: X3.derivative("q", x=[1, 2, 3]),
        ValueError,
        "no variable 'q'; variables: x",
    ),
    "unknown tangent": (lambda: X3.jvp({"q": 1.0}, x=[1, 2, 3]), ValueError, "no variable 'q'"),
    "tangent size": (
        lambda: X3.jvp({"x": [1.0]}, x=[1, 2, 3]),
        ValueError,
        "tangent of x' has size 1, expected 3",
    ),
    "cotangent size": (
        lambda: X3.vjp([1.0], x=[1, 2, 3]),
        ValueError,
        "'cotangent' has size 1, expected 3",
    ),
    "value size": (lambda: X3.eval(x=[1, 2]), ValueError, "'x' has size 2, expected 3"),
    "batch size": (
        lambda: X3.eval_batch(x=np.ones((5, 2))),
        ValueError,
        "'x' has size 2, expected 3",
    ),
    "batch axes": (
        lambda: (X3 + ad.var("y", 3)).eval_batch(x=np.ones((5, 3)), y=np.ones((4, 3))),
        ValueError,
        r"batch axes do not broadcast against each other \(x: \(5, 3\), y: \(4, 3\)\)",
    ),
    "matrix value": (lambda: X3.eval(x=np.eye(3)), ValueError, r"'x' has shape \(3, 3\)"),
    "string value": (lambda: X3.eval(x="abc"), TypeError, "'x' is not made of real numbers"),
    "object value": (lambda: X3.eval(x=[None] * 3), TypeError, "'x' is not made of real numbers"),
    "complex value": (lambda: X3.eval(x=[1j] * 3), TypeError, "'x' is not made of real numbers"),
    "ragged value": (lambda: X3.eval(x=[1, [2, 3]]), ValueError, "not a rectangular array"),
    "expression value": (lambda: X3.eval(x=X3), TypeError, "'x' holds expressions where numbers"),
    "list of expressions": (lambda: adm.sin([X3[0], X3[1]]), TypeError, "see ad.stack"),
    "sizes": (
        lambda: X3 + ad.var("y", 2),
        ValueError,
        "add: argument 'y' has size 2, expected 3 or 1",
    ),
    "late sizes": (
        lambda: (X3 + ad.var("y")).eval(x=[1, 2, 3], y=[1, 2]),
        ValueError,
        "add: argument .* has size 2, expected 3 or 1",
    ),
    "count": (lambda: ad.add(X3), ValueError, r"add: got 1 arguments, expected 2 \(x, y\)"),
    "no arguments": (ad.stack, ValueError, "stack: got 0 arguments, expected 1 or more"),
    "no arguments to sum": (ad.sum_, ValueError, "sum: got 0 arguments"),
    "no arguments to minimum": (ad.minimum, ValueError, "minimum: got 0 arguments"),
    "minimum of nothing": (
        lambda: ad.minimum(ad.var("x", 0)),
        ValueError,
        "minimum: the vector has no entries",
    ),
    "two sizes of one name": (
        (X3 + ad.var("x", 1)).terminals,
        ValueError,
        "'x' has size 1, expected 3 as declared",
    ),
    "index": (lambda: X3[3], IndexError, "index 3 is out of range for a vector of size 3"),
    "late index": (lambda: ad.var("y")[-3].eval(y=[1, 2]), IndexError, "index -3 is out of range"),
    "float index": (
        lambda: X3[1.0],
        TypeError,
        "an index is an integer, a slice or a list, not 1.0",
    ),
    "variable index": (lambda: X3[ad.var("i")], TypeError, "an index is an integer"),
    "tuple index": (lambda: X3[0, 1], TypeError, "an index is an integer"),
    "mask length": (lambda: X3[[True, False]], IndexError, "2 booleans for a vector of size 3"),
    "setitem size": (
        lambda: ad.setitem(X3, [0, 1], np.ones(3)),
        ValueError,
        r"setitem\[\[0, 1\]\]: argument 'v' has size 3, expected 2 or 1",
    ),
    "truth": (lambda: bool(X3), TypeError, r"no truth value; use ad\.cond"),
    "float": (lambda: float(X3), TypeError, "not a number; use .eval"),
    "length": (lambda: len(ad.var("y")), TypeError, "size is not known"),
    "mutation": (
        lambda: setattr(X3, "size", 2),
        AttributeError,
        "expressions are immutable: cannot set or delete 'size'",
    ),
    "deletion": (
        lambda: delattr(X3, "size"),
        AttributeError,
        "expressions are immutable: cannot set or delete",
    ),
    "name type": (lambda: ad.var(3), TypeError, "var: argument 'name' is a int, expected a string"),
    "empty name": (lambda: ad.var(""), ValueError, "var: a name is not empty"),
    "kept name": (lambda: ad.var("@x"), ValueError, "begins with '@'"),
    "infinite size": (
        lambda: ad.var("x", math.inf),
        ValueError,
        "the size of 'x' is inf, expected a whole number",
    ),
    "nan size": (
        lambda: ad.var("x", math.nan),
        ValueError,
        "the size of 'x' is nan, expected a whole number",
    ),
    "bool size": (
        lambda: ad.var("x", True),
        ValueError,
        "the size of 'x' is True, expected a whole number",
    ),
    "negative size": (
        lambda: ad.var("x", -1),
        ValueError,
        "the size of 'x' is -1, expected a whole number, 0 or more",
    ),
    "constant matrix": (
        lambda: ad.constant(np.eye(2)),
        ValueError,
        r"'constant' has shape \(2, 2\)",
    ),
    "endless expansion": (
        lambda: Loop()("x").eval(x=1.0),
        ValueError,
        "Loop: its expansion calls it again",
    ),
    "no expansion": (
        lambda: ad.Composite.expand(Loop(), X3),
        NotImplementedError,
        "Loop: expand is not defined",
    ),
    "no count": (lambda: ad.Composite()("x"), NotImplementedError, "Composite: n_args is not"),
    "stacked size": (
        lambda: adm.matmul(ad.stack(X3, 1.0), X3, (2, 3), (3, 1)),
        ValueError,
        "matmul: argument 'a' has size 4, expected 6",
    ),
    "solve size": (lambda: adm.solve(X3, X3, (2, 2)), ValueError, "solve: argument 'a' has size 3"),
    "condition size": (
        lambda: ad.cond(X3, ad.var("y", 2), 0.0),
        ValueError,
        "cond: argument 'pos' has size 2, expected 3 or 1",
    ),
    "repeated size": (
        lambda: Broadcast(4)(X3),
        ValueError,
        "broadcast: argument 'x' has size 3, expected 1",
    ),
    "scattered size": (
        lambda: Scatter((0, 1), 4)(X3),
        ValueError,
        "scatter: argument 'x' has size 3, expected 2",
    ),
    "taken size": (lambda: Take((7,))(X3), ValueError, "take: argument 'x' has size 3"),
    "unknown replacement": (lambda: X3.replace(q=1.0), ValueError, "no variable 'q'; variables: x"),
}


@pytest.mark.parametrize(("call", "error", "message"), REFUSED.values(), ids=REFUSED)
def test_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


class TestLower:
    def test_orders_and_names(self):
        x, y = ad.var("x", 2), ad.var("y", 2)
        assert lower(y * x).names_in == ("y", "x")
        assert lower((x, y), ["y", x]).names_in == ("y", "x")
        assert lower(adm.cross).names_in == ("x", "y")
        tape = lower(x * 2.0, ["z", "x"], {"z": 3}).tape
        assert tape.inputs == (("z", 3), ("x", 2))
        listed = lower(x * 2.0, (v for v in (ad.var("z", 3), x)))
        assert listed.tape.inputs == (("z", 3), ("x", 2))

    @pytest.mark.parametrize(
        ("call", "error", "message"),
        [
            (lambda: lower(X3, ["x", "x"]), ValueError, "a terminal is listed twice: x, x"),
            (lambda: lower(X3, ["y"]), ValueError, "no listed terminal 'x'"),
            (lambda: lower(()), ValueError, "no expressions were given"),
            (lambda: lower((X3, 2.0)), TypeError, "is a float, expected an expression"),
            (lambda: lower(ad.stack), ValueError, "stack takes any number of arguments"),
            (lambda: lower(ad.var("y"), sizes={}), ValueError, "the size of 'y' is not known"),
            (lambda: lower(X3, sizes={"q": 2}), ValueError, "no variable 'q'; variables: x"),
            (lambda: lower(X3, sizes={"x": 2}), ValueError, "'x' has size 2, expected 3"),
        ],
    )
    def test_refused(self, call, error, message):
        with pytest.raises(error, match=message):
            call()
