"""`scan`: values and derivatives beside the loop written out in torch, structure, errors."""

from __future__ import annotations

import pickle
from collections.abc import Callable

import numpy as np
import pytest
from loop_rows import ROWS, LoopRow, by_torch, pendulum, simple

import ad_core as ad
from ad_core import math as adm
from ad_core.loops import function as scan_module
from ad_core.lowering import lower

NAMES = ("x", "u", "p")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_beside_torch(row: LoopRow) -> None:
    e = row.expression
    weights = np.cos(np.arange(float(e.size or 0)))
    scalar = adm.dot(e, weights)
    for seed in range(2):
        values = row.values(seed)
        want = by_torch(row, values, weights)
        np.testing.assert_allclose(e.eval(**values), want["value"], atol=1e-14)
        jacobian = np.hstack([e.derivative(name, **values) for name in NAMES])
        np.testing.assert_allclose(jacobian, want["jacobian"], atol=1e-13)
        tangents = {name: np.sin(values[name]) for name in NAMES}
        moved, along = e.jvp(tangents, **values), np.concatenate([*tangents.values()])
        np.testing.assert_allclose(moved, jacobian @ along, atol=1e-13)
        pulled = e.vjp(weights, **values)
        gradient = np.concatenate([pulled[n] for n in NAMES])
        np.testing.assert_allclose(gradient, weights @ jacobian, atol=1e-13)
        hessian = np.block(
            [[scalar.gen_derivative([a, b], **values)[0] for b in NAMES] for a in NAMES]
        )
        np.testing.assert_allclose(hessian, want["hessian"], atol=1e-12)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_batches(row: LoopRow) -> None:
    samples = [row.values(seed) for seed in range(4)]
    batch = {name: np.stack([s[name] for s in samples]) for name in NAMES}
    want = np.stack([row.expression.eval(**s) for s in samples])
    np.testing.assert_allclose(row.expression.eval_batch(**batch), want, atol=1e-15)
    one = {**batch, "x": samples[0]["x"]}  # the state begins without a batch axis
    want = np.stack([row.expression.eval(**{**s, "x": one["x"]}) for s in samples])
    np.testing.assert_allclose(row.expression.eval_batch(**one), want, atol=1e-15)


def test_third_derivatives_beside_differences_of_second_ones() -> None:
    row = simple(3, "last")
    values, h = row.values(), 1e-5
    scalar = adm.dot(row.expression, [0.3, -0.7])
    third = scalar.gen_derivative(["x", "u", "p"], **values)[0, :, :, 0]
    up, down = (
        scalar.gen_derivative(["x", "u"], **{**values, "p": values["p"] + s})[0] for s in (h, -h)
    )
    np.testing.assert_allclose(third, (up - down) / (2 * h), atol=1e-9)


def test_structure_is_banded() -> None:
    """State t depends on the rows before it."""
    e = simple(6, "all").expression
    found = e.sparsity("u")
    want = np.kron(np.tril(np.ones((6, 6))), np.array([[0], [1]]))
    want[2:, :] += np.kron(np.tril(np.ones((5, 6))), np.array([[1], [0]]))
    np.testing.assert_array_equal(found, want > 0)


def test_structure_without_a_state() -> None:
    """Rows of the result depend on their own rows, in programs too."""
    step = ad.stack(adm.sin(ad.var("u", 1)), ad.var("p", 1) * ad.var("u", 1))
    e = ad.scan(step, {}, {"u": ad.var("us", 6)}, length=6, keep="all")
    np.testing.assert_array_equal(e.sparsity("us"), np.kron(np.eye(6), np.ones((2, 1))))
    us, p = np.arange(6.0), np.array([2.0])
    np.testing.assert_allclose(e.eval(us=us, p=p), np.stack([np.sin(us), p * us], 1).ravel())
    assert ad.scan(step, {}, {"u": np.zeros(0)}, length=0, keep="all").eval(p=p).shape == (0,)


def test_no_step() -> None:
    e = ad.scan(pendulum(), {"x": ad.var("x", 2)}, {"u": ad.var("u", 0)}, length=0)
    values = {"x": np.array([0.3, -1.0]), "u": np.zeros(0), "p": np.ones(1)}
    np.testing.assert_array_equal(e.eval(**values), values["x"])
    np.testing.assert_array_equal(e.derivative("x", **values), np.eye(2))
    assert e.derivative("p", **values).shape == (2, 1)
    whole = ad.scan(pendulum(), {"x": ad.var("x", 2)}, {"u": 0.0}, length=0, keep="all")
    assert whole.eval(x=values["x"], p=1.0).shape == (0,)


def long_loop(length: int) -> ad.Expression:
    x, u = ad.var("x", 2), ad.var("u", 1)
    step = ad.stack(x[0] + 0.01 * x[1], x[1] + 0.01 * (u[0] - adm.sin(x[0]) * ad.var("p", 1)[0]))
    return ad.scan(step, {"x": ad.var("x0", 2)}, {"u": ad.var("us", length)}, length=length)


def test_ten_thousand_steps() -> None:
    """Values beside a loop in Python; reverse mode beside forward mode."""
    length = 10_000
    rng = np.random.default_rng(0)
    values = {"x0": np.array([0.3, 0.0]), "us": rng.normal(size=length), "p": np.array([1.3])}
    a, b = values["x0"]
    for u in values["us"]:
        a, b = a + 0.01 * b, b + 0.01 * (u - np.sin(a) * values["p"][0])
    e = long_loop(length)
    np.testing.assert_allclose(e.eval(**values), [a, b], rtol=1e-10)
    gradient = e.vjp([0.3, -1.0], **values)
    tangents = {"x0": np.array([0.2, 0.4]), "us": np.cos(np.arange(length)), "p": np.array([-0.4])}
    forward = e.jvp(tangents, **values) @ [0.3, -1.0]
    backward = sum(gradient[n] @ tangents[n] for n in tangents)
    np.testing.assert_allclose(forward, backward, rtol=1e-9)


def test_checkpoints(monkeypatch: pytest.MonkeyPatch) -> None:
    """Long loops keep fewer states: the same values and derivatives, other steps."""
    values = {"x0": np.array([0.3, 0.1]), "us": np.sin(np.arange(23.0)), "p": np.array([1.3])}
    want = long_loop(23)
    kept = lower(ad.gradient(want[0], "us")).tape
    monkeypatch.setattr(scan_module, "MOST_KEPT", 8)
    have = long_loop(23)
    np.testing.assert_allclose(have.eval(**values), want.eval(**values), atol=1e-15)
    for name in values:
        monkeypatch.setattr(scan_module, "MOST_KEPT", 10_000)
        expected = want.derivative(name, **values)
        monkeypatch.setattr(scan_module, "MOST_KEPT", 8)
        np.testing.assert_allclose(have.derivative(name, **values), expected, atol=1e-14)
    fewer = lower(ad.gradient(have[0], "us")).tape
    assert max(fewer.sizes) < max(kept.sizes)


def test_few_functions_are_kept() -> None:
    """Of a long loop the gradient computes the sines again, so that it keeps the states alone."""
    sizes = [max(lower(ad.gradient(long_loop(n)[0], "us")).tape.sizes) / n for n in (100, 4_000)]
    assert sizes[0] > 2.9  # the state and what its slopes are made of
    assert sizes[1] < 2.1


def test_equal_loops_are_one() -> None:
    both = simple(5, "last").expression + simple(5, "last").expression
    steps = lower(both).tape.steps
    assert sum(step.func.name == "scan" for step in steps) == 1  # type: ignore[attr-defined]


def test_several_states_and_functions_as_steps() -> None:
    """States by name, one behind the other; a step that is a function, with its names."""
    q, v = ad.var("q", 1), ad.var("v", 1)
    step = ad.stack(q + H * v, v - H * q)
    by_name = ad.scan(step, {"q": ad.var("q0", 1), "v": 0.5}, length=7)
    a, b = 0.3, 0.5
    for _ in range(7):
        a, b = a + H * b, b - H * a
    np.testing.assert_allclose(by_name.eval(q0=0.3), [a, b], atol=1e-15)

    halved = ad.composite("halved", argnames=["x", "d"], n_in=[2, 1])(lambda x, d: x * 0.5 + d)
    e = ad.scan(halved, ad.var("begin", 2), {"d": ad.var("d", 3)}, length=3, keep="all")
    found = e.eval(begin=[8.0, 16.0], d=[1.0, 0.0, -1.0])
    np.testing.assert_array_equal(found, [5.0, 9.0, 2.5, 4.5, 0.25, 1.25])


H = 0.1


def test_users_functions_are_called_in_each_step() -> None:
    square = ad.function(lambda x: x * x, "square", [2], 2, jvp=lambda arg, dx, x: 2.0 * x * dx)
    e = ad.scan(square(ad.var("x", 2)) * 0.5, {"x": ad.var("begin", 2)}, length=3)
    at = np.array([1.5, 0.7])
    np.testing.assert_allclose(e.eval(begin=at), at**8 / 128, rtol=1e-14)
    np.testing.assert_allclose(
        e.derivative("begin", begin=at), np.diag(8 * at**7 / 128), rtol=1e-12
    )


def test_pickles_and_prints() -> None:
    e = simple(5, "all").expression
    values = simple(5, "all").values()
    again = pickle.loads(pickle.dumps(ad.gradient(e[3], "u")))
    np.testing.assert_array_equal(again.eval(**values), ad.gradient(e[3], "u").eval(**values))
    assert str(e) == "scan(x, u, p)"


X = ad.var("x", 2)
WRONG: list[tuple[Callable[[], object], str]] = [
    (lambda: ad.scan(X, X, length=2), "scan: init names the state"),
    (lambda: ad.scan(X, {"y": X}, length=2), "the step has no variable 'y'"),
    (lambda: ad.scan(X, {"x": X}, {"u": X}, length=2), "the step has no variable 'u'"),
    (lambda: ad.scan(X, {"x": X}, length=-1), "scan: length is -1"),
    (lambda: ad.scan(X, {}, {"x": X}, length=2), "scan: init names no state"),
    (lambda: ad.scan(X, {"x": X}, length=2, keep="some"), "scan: keep is 'some'"),  # type: ignore[arg-type]
    (lambda: ad.scan(X[0], {"x": X}, length=2).eval(x=[1, 2]), "scan: argument 'step' has size 1"),
    (lambda: ad.scan(X, {"x": ad.var("z", 3)}, length=2).eval(z=[1, 2, 3]), "'x' has size 3"),
    (
        lambda: ad.scan(X + ad.var("u", 1), {"x": X}, {"u": ad.var("w", 3)}, length=2).eval(
            x=[1, 2], w=[1, 2, 3]
        ),
        "'u' has size 3, expected 1, or 2 for 2 steps",
    ),
    (
        lambda: ad.scan(X + ad.var("u"), {"x": X}, {"u": ad.var("w", 2)}, length=2).eval(
            x=[1, 2], w=[1, 2]
        ),
        "the size of 'u' is not known",
    ),
]


@pytest.mark.parametrize(("call", "message"), WRONG, ids=[m for _, m in WRONG])
def test_errors(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_wrong_kinds() -> None:
    with pytest.raises(TypeError, match="scan: argument 'step' is a int, expected an expression"):
        ad.scan(3, {"x": X}, length=2)  # type: ignore[arg-type]
