"""`out=` of tensors: written in place, at once or by a copy; checked and refused as for arrays.

Every case runs twice: the second call of the same shapes goes straight to the tensors' memory.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import casadi as ca
import numpy as np
import pytest
import torch

from bridges.kernel import Kernel, casadi_to_kernel

F64 = torch.float64


@pytest.fixture(scope="module")
def two() -> Kernel:
    """Two inputs and outputs, whose entries change places."""
    a, b = ca.SX.sym("a", 3), ca.SX.sym("b", 2)
    outputs = [ca.vertcat(a[2], a[0] + b[0], a[1]), ca.vertcat(b[1], a[0])]
    return casadi_to_kernel(ca.Function("two", [a, b], outputs, ["a", "b"], ["y", "z"]))


@pytest.fixture(scope="module")
def turn() -> Kernel:
    x = ca.SX.sym("x", 3)
    return casadi_to_kernel(ca.Function("turn", [x], [ca.vertcat(x[2], x[0] + 1, x[1])]))


def arguments(samples: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(samples)
    return (
        torch.randn(samples, 3, dtype=F64, generator=generator),
        torch.randn(samples, 2, dtype=F64, generator=generator),
    )


def plan(kernel: Kernel, *tensors: torch.Tensor) -> None:
    """So that the next call of these shapes takes the short way."""
    kernel(*tensors)
    kernel(*tensors)


@pytest.mark.parametrize("samples", [1, 7, 64, 3000, 300_000])
def test_same_values_and_identity(two: Kernel, samples: int) -> None:
    a, b = arguments(samples)
    want = two(a.numpy(), b.numpy())
    for _ in range(3):
        out = [torch.full((samples, n), np.nan, dtype=F64) for n in (3, 2)]
        given = two(a, b, out=out)
        assert isinstance(given, tuple)
        for have, target, wanted in zip(given, out, want, strict=True):
            assert have is target
            np.testing.assert_array_equal(have.numpy(), wanted)


def test_single_output_is_no_tuple(turn: Kernel) -> None:
    x = arguments(4)[0]
    y = torch.empty_like(x)
    for _ in range(3):
        assert turn(x, out=y) is y
        assert turn(x, out=[y]) is y
    np.testing.assert_array_equal(y.numpy(), turn(x.numpy()))


@pytest.mark.parametrize("samples", [1, 9, 3000])
def test_out_is_an_input(turn: Kernel, samples: int) -> None:
    x = arguments(samples)[0]
    plan(turn, x)
    for _ in range(3):
        want = turn(x.numpy())
        turn(x, out=x)
        np.testing.assert_array_equal(x.numpy(), want)


@pytest.mark.parametrize("shift", [-5, -1, 1, 5])
def test_out_overlaps_an_input(turn: Kernel, shift: int) -> None:
    for _ in range(2):
        buffer = torch.arange(80, dtype=F64)
        x, y = buffer[10:40].view(10, 3), buffer[10 + shift : 40 + shift].view(10, 3)
        plan(turn, torch.empty(10, 3, dtype=F64))
        want = turn(x.numpy().copy())
        turn(x, out=y)
        np.testing.assert_array_equal(y.numpy(), want)


def test_outs_overlap_each_other(two: Kernel) -> None:
    """The last one is whole."""
    a, b = arguments(10)
    plan(two, a, b)
    want = two(a.numpy(), b.numpy())
    for _ in range(2):
        buffer = torch.zeros(45, dtype=F64)
        two(a, b, out=(buffer[:30].view(10, 3), buffer[25:].view(10, 2)))
        np.testing.assert_array_equal(buffer[25:].view(10, 2).numpy(), want[1])
        same = torch.zeros(10, 3, dtype=F64)
        two(a, b, out=(same, same.view(-1)[:20].view(10, 2)))
        np.testing.assert_array_equal(same.view(-1)[:20].view(10, 2).numpy(), want[1])


@pytest.mark.parametrize(
    "make",
    [
        lambda: torch.empty(3, 8, dtype=F64).T,
        lambda: torch.empty(16, 5, dtype=F64)[::2, 1:4],
        lambda: torch.empty(8, 6, dtype=torch.complex128).real[:, ::2],
        lambda: torch.empty(8, 3, dtype=torch.complex128).conj().imag,  # negated when read
    ],
)
def test_any_strides(turn: Kernel, make: Callable[[], torch.Tensor]) -> None:
    x = arguments(8)[0]
    for _ in range(3):
        y = make()
        turn(x, out=y)
        np.testing.assert_array_equal(y.resolve_neg().numpy(), turn(x.numpy()))


def test_a_negated_single_number() -> None:
    x = ca.SX.sym("x")
    kernel = casadi_to_kernel(ca.Function("f", [x], [2 * x]))
    one = torch.ones(1, dtype=F64)
    for _ in range(3):
        storage = torch.zeros(1, dtype=torch.complex128)
        kernel(one, out=storage.conj().imag)
        assert storage.imag.item() == -2
        assert kernel(torch.tensor([1 + 3j], dtype=torch.complex128).conj().imag, out=one) is one
        assert one.item() == -6
        one.fill_(1)


def test_inputs_that_broadcast(two: Kernel) -> None:
    a, b = arguments(6)
    out = [torch.empty(6, 3, dtype=F64), torch.empty(6, 2, dtype=F64)]
    plan(two, a, b)
    for _ in range(3):
        two(a, b[:1], out=out)
        want = two(a.numpy(), b[:1].numpy())
        np.testing.assert_array_equal(out[0].numpy(), want[0])
        two(a, b[0].expand(6, 2), out=out)
        np.testing.assert_array_equal(out[0].numpy(), want[0])


def test_gradients_are_refused_where_they_would_be_lost(turn: Kernel) -> None:
    x = arguments(5)[0]
    y = torch.empty_like(x)
    plan(turn, x)
    turn(x, out=y)
    leaf = x.clone().requires_grad_()
    for _ in range(2):
        with pytest.raises(ValueError, match=r"input 0 \('i0'\): the tensor requires grad"):
            turn(leaf, out=y)
    with torch.no_grad():
        y.zero_()
        turn(leaf, out=y)
    np.testing.assert_array_equal(y.numpy(), turn(x.numpy()))


def wrong() -> dict[str, tuple[Callable[[], Any], type[Exception], str]]:
    def good() -> torch.Tensor:
        return torch.empty(4, 3, dtype=F64)

    return {
        "count": (lambda: [good()], ValueError, "out: 1 arrays, expected 2"),
        "shape": (
            lambda: [good(), torch.empty(4, 3, dtype=F64)],
            ValueError,
            r"out 1: shape \(4, 3\), expected \(4, 2\)",
        ),
        "batch": (
            lambda: [good()[:3], torch.empty(3, 2, dtype=F64)],
            ValueError,
            r"out 0: shape \(3, 3\), expected \(4, 3\)",
        ),
        "dtype": (
            lambda: [good().float(), torch.empty(4, 2, dtype=F64)],
            TypeError,
            "out 0: dtype torch.float32, expected torch.float64",
        ),
        "device": (
            lambda: [good(), torch.empty(4, 2, dtype=F64, device="meta")],
            TypeError,
            "out 1: tensor on meta, expected cpu",
        ),
        "kind": (
            lambda: [good(), np.empty((4, 2))],
            TypeError,
            "out 1: got ndarray beside tensors, expected a tensor",
        ),
        "list": (
            lambda: [good(), [0.0, 1.0]],
            TypeError,
            "out 1: got list beside tensors, expected a tensor",
        ),
    }


@pytest.mark.parametrize("case", wrong())
def test_errors(two: Kernel, case: str) -> None:
    make, kind, message = wrong()[case]
    a, b = arguments(4)
    plan(two, a, b)
    for _ in range(2):
        with pytest.raises(kind, match=message):
            two(a, b, out=make())


def test_inputs_that_are_no_tensors(two: Kernel) -> None:
    a, b = arguments(4)
    plan(two, a, b)
    for other, name in ((b.numpy(), "ndarray"), ([1.0, 2.0], "list"), (1.0, "float")):
        message = rf"input 1 \('b'\): got {name} beside tensors, expected a tensor"
        with pytest.raises(TypeError, match=message):
            two(a, other)
        with pytest.raises(TypeError, match=message):
            two(a, other, out=[torch.empty(4, 3, dtype=F64), torch.empty(4, 2, dtype=F64)])
    with pytest.raises(ValueError, match="1 inputs, expected 2"):
        two(a, out=[a, b])


def test_many_outputs() -> None:
    """Too many to compare pair by pair in Python."""
    x = ca.SX.sym("x", 2)
    kernel = casadi_to_kernel(ca.Function("many", [x], [x * k for k in range(1, 20)]))
    data = arguments(6)[1]
    for _ in range(3):
        out = [torch.empty(6, 2, dtype=F64) for _ in range(19)]
        kernel(data, out=out)
        for k, y in enumerate(out, 1):
            np.testing.assert_array_equal(y.numpy(), data.numpy() * k)
        chain = [data, *(torch.empty(6, 2, dtype=F64) for _ in range(18))]
        want = data.numpy() * 19
        kernel(data, out=chain)
        np.testing.assert_array_equal(chain[-1].numpy(), want)
