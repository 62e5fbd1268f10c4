"""How a kernel takes and gives arrays: batches, broadcasting, strides, `out=`, tensors, errors."""

from __future__ import annotations

import pickle
from typing import Any

import casadi as ca
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridges.kernel import Kernel, casadi_to_kernel


def two_by_three() -> ca.Function:
    """Unequal sizes everywhere: inputs of 3, 2 and 1, outputs of 4 and 2."""
    a, b, c = ca.SX.sym("a", 3), ca.SX.sym("b", 2), ca.SX.sym("c")
    first = ca.vertcat(a[0] * b[1], ca.sin(a[1]) + c, a[2] - b[0], c * c)
    second = ca.vertcat(a[0] + a[1] * c, ca.exp(b[0]))
    return ca.Function("f", [a, b, c], [first, second], ["a", "b", "c"], ["first", "second"])


@pytest.fixture(scope="module")
def kernel() -> Kernel:
    return casadi_to_kernel(two_by_three())


def expected(a: Any, b: Any, c: Any) -> tuple[np.ndarray, np.ndarray]:
    a, b, c = (np.asarray(v) for v in (a, b, c))
    batch = np.broadcast_shapes(a.shape[:-1], b.shape[:-1], c.shape[:-1])
    a, b, c = (np.broadcast_to(v, batch + v.shape[-1:]) for v in (a, b, c))
    c0 = c[..., 0]
    first = [a[..., 0] * b[..., 1], np.sin(a[..., 1]) + c0, a[..., 2] - b[..., 0], c0 * c0]
    second = [a[..., 0] + a[..., 1] * c0, np.exp(b[..., 0])]
    return np.stack(first, -1), np.stack(second, -1)


def draw(*shapes: tuple[int, ...]) -> list[np.ndarray]:
    rng = np.random.default_rng(1)
    return [rng.normal(size=shape) for shape in shapes]


@pytest.mark.parametrize("batch", [(), (1,), (7,), (8,), (41,), (3, 5), (2, 3, 9), (0,), (4, 0, 2)])
def test_batches(kernel: Kernel, batch: tuple[int, ...]) -> None:
    arrays = draw((*batch, 3), (*batch, 2), (*batch, 1))
    for have, want in zip(kernel(*arrays), expected(*arrays), strict=True):
        assert have.shape == want.shape
        np.testing.assert_allclose(have, want, rtol=1e-14)


@pytest.mark.parametrize(
    "shapes",
    [
        ((5, 3), (2,), (1,)),
        ((3,), (40, 2), (1, 1)),
        ((6, 1, 3), (1, 7, 2), (7, 1)),
        ((6, 1, 3), (6, 5, 2), (1,)),
        ((2, 1, 4, 3), (3, 1, 2), (1, 1, 1, 1)),
        ((3,), (0, 2), (1,)),
    ],
)
def test_broadcasting(kernel: Kernel, shapes: tuple[tuple[int, ...], ...]) -> None:
    arrays = draw(*shapes)
    for have, want in zip(kernel(*arrays), expected(*arrays), strict=True):
        assert have.shape == want.shape
        np.testing.assert_allclose(have, want, rtol=1e-14)


def test_strided_inputs(kernel: Kernel) -> None:
    a, b, c = draw((3, 50), (30, 2, 25), (2, 25, 4))
    views = (a.T.reshape(2, 25, 3), b.transpose(1, 2, 0)[:, :, ::15], c[:, ::-1, 2:3])
    for have, want in zip(kernel(*views), expected(*views), strict=True):
        np.testing.assert_allclose(have, want, rtol=1e-14)


axes = st.tuples(
    st.sampled_from(["as it is", "reversed", "every other", "transposed", "broadcast", "missing"]),
    st.sampled_from(["as it is", "reversed"]),
)


@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 70), st.sampled_from([(), (1,), (3,)]), st.tuples(axes, axes, axes))
def test_any_views(
    kernel: Kernel, samples: int, more: tuple[int, ...], views: tuple[tuple[str, str], ...]
) -> None:
    """Batches of 0 to 70, in memory in every way, as arrays and as tensors."""
    arrays = [view(n, (*more, samples), *kind) for n, kind in zip((3, 2, 1), views, strict=True)]
    want = expected(*arrays)
    for have, wanted in zip(kernel(*arrays), want, strict=True):
        assert have.shape == wanted.shape
        np.testing.assert_allclose(have, wanted, rtol=1e-13, atol=1e-15)
    if all(step >= 0 for array in arrays for step in array.strides):  # torch has no others
        for have, wanted in zip(kernel(*map(torch.from_numpy, arrays)), want, strict=True):
            np.testing.assert_allclose(have.numpy(), wanted, rtol=1e-13, atol=1e-15)


def view(n: int, batch: tuple[int, ...], rows: str, columns: str) -> np.ndarray:
    """An array (*batch, n), or one that broadcasts to it, that lies in memory in another way."""
    rng = np.random.default_rng(n)
    array = rng.normal(size=(*batch, n))
    if rows == "reversed":
        array = rng.normal(size=(*batch, n))[..., ::-1, :]
    elif rows == "every other":
        array = rng.normal(size=(*batch[:-1], 2 * batch[-1], n))[..., ::2, :]
    elif rows == "transposed":
        array = np.moveaxis(rng.normal(size=(n, *batch)), 0, -1)
    elif rows == "broadcast":
        array = np.lib.stride_tricks.as_strided(
            rng.normal(size=n), (*batch, n), (0,) * len(batch) + (8,)
        )
    elif rows == "missing":
        array = rng.normal(size=n)
    return array[..., ::-1] if columns == "reversed" else array


def test_unaligned_input(kernel: Kernel) -> None:
    raw = np.zeros(1 + 8 * 3 * 9, np.uint8)
    a = raw[1:].view(np.float64).reshape(9, 3)
    a[...] = 1.5
    b, c = draw((9, 2), (9, 1))
    for have, want in zip(kernel(a, b, c), expected(a, b, c), strict=True):
        np.testing.assert_allclose(have, want, rtol=1e-14)


def test_same_bits_for_every_split(arm: ca.Function) -> None:
    kernel = casadi_to_kernel(arm)
    q = np.random.default_rng(0).normal(size=(47, 7)) * 3
    q[5] = 3e8  # one sample whose angles take the scalar path must not change its neighbours
    q[6, 2] = np.nan
    whole = kernel(q)
    for n in range(1, 41):
        np.testing.assert_array_equal(kernel(q[:n]), whole[:n])
        np.testing.assert_array_equal(kernel(q[n:]), whole[n:])
    for i in range(47):
        np.testing.assert_array_equal(kernel(q[i]), whole[i])
    np.testing.assert_array_equal(kernel(np.asfortranarray(q)), whole)


def test_same_bits_for_every_thread_count(
    arm: ca.Function, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = casadi_to_kernel(arm)
    q = np.random.default_rng(0).normal(size=(60_011, 7))
    monkeypatch.setenv("ROBOGRAD_NUM_THREADS", "1")
    one = kernel(q)
    for threads in ("2", "3", "16"):
        monkeypatch.setenv("ROBOGRAD_NUM_THREADS", threads)
        np.testing.assert_array_equal(kernel(q), one)
    monkeypatch.setenv("ROBOGRAD_NUM_THREADS", "many")
    with pytest.raises(ValueError, match="ROBOGRAD_NUM_THREADS is 'many'"):
        kernel(q)


def test_same_bits_past_the_caches(arm: ca.Function) -> None:
    """Large results are written another way, to any address."""
    kernel = casadi_to_kernel(arm).jacobian()
    q = np.random.default_rng(0).normal(size=(13_003, 7))
    small = np.concatenate([kernel(part) for part in np.array_split(q, 20)])
    assert small.nbytes > 2**23
    for offset in range(3):
        out = np.empty(small.size + 8)[offset : offset + small.size].reshape(small.shape)
        np.testing.assert_array_equal(kernel(q, out=out), small)


def test_arm_equals_casadi(arm: ca.Function) -> None:
    q = np.random.default_rng(0).normal(size=(20, 7)) * 2
    np.testing.assert_allclose(casadi_to_kernel(arm)(q), np.array(arm(q.T)).T, atol=2e-15)


def test_out(kernel: Kernel) -> None:
    arrays = draw((10, 3), (10, 2), (10, 1))
    want = expected(*arrays)
    plain = (np.empty((10, 4)), np.empty((10, 2)))
    given = kernel(*arrays, out=plain)
    assert all(have is wanted for have, wanted in zip(given, plain, strict=True))
    strided = (np.empty((4, 10)).T, np.empty((20, 4))[::2, 1:3])
    kernel(*arrays, out=strided)
    for have, also, wanted in zip(plain, strided, want, strict=True):
        np.testing.assert_allclose(have, wanted, rtol=1e-14)
        np.testing.assert_array_equal(have, also)


def test_outputs_may_overlap_each_other(kernel: Kernel) -> None:
    """Each output in turn is what was written last, and inputs are read before."""
    arrays = draw((10, 3), (10, 2), (10, 1))
    want = expected(*arrays)
    buffer = np.zeros(60)
    out = (buffer[:40].reshape(10, 4), buffer[40:].reshape(10, 2))
    kernel(*arrays, out=out)
    for have, wanted in zip(out, want, strict=True):
        np.testing.assert_allclose(have, wanted, rtol=1e-14)
    shared = np.zeros(43)
    kernel(*arrays, out=(shared[:40].reshape(10, 4), shared[23:].reshape(10, 2)))
    np.testing.assert_allclose(shared[23:].reshape(10, 2), want[1], rtol=1e-14)


@pytest.mark.parametrize("samples", [1, 9, 30, 3000, 400_000])
def test_out_is_an_input(samples: int) -> None:
    """In place, at batches of every path."""
    x = ca.SX.sym("x", 3)
    kernel = casadi_to_kernel(ca.Function("f", [x], [ca.vertcat(x[2], x[0] + 1, x[1])]))
    data = np.random.default_rng(0).normal(size=(samples, 3))
    want = kernel(data)
    assert kernel(data, out=data) is data
    np.testing.assert_array_equal(data, want)


def test_out_may_overlap_inputs() -> None:
    x = ca.SX.sym("x", 3)
    kernel = casadi_to_kernel(ca.Function("f", [x], [ca.vertcat(x[1] + 1, x[2], x[0])]))
    data = np.arange(60.0).reshape(20, 3)
    want = np.stack([data[:, 1] + 1, data[:, 2], data[:, 0]], -1)
    kernel(data, out=data)
    np.testing.assert_array_equal(data, want)
    buffer = np.arange(66.0)
    source, target = buffer[:60].reshape(20, 3), buffer[6:].reshape(20, 3)
    want = kernel(source.copy())
    kernel(source, out=target)
    np.testing.assert_array_equal(target, want)


def test_structural_zeros_and_matrices() -> None:
    m = ca.SX.sym("m", ca.Sparsity.lower(2))
    column = ca.SX(3, 1)
    column[1] = m[0, 0] + m[1, 1]
    f = ca.Function("f", [m], [column, m @ ca.DM([[1, 2], [3, 4]])])
    kernel = casadi_to_kernel(f)
    assert kernel.input_sizes == (4,)
    m0 = np.array([1.0, 2.0, 99.0, 5.0])  # column by column; 99 is structurally zero
    column0, product = kernel(m0)
    np.testing.assert_array_equal(column0, [0, 6, 0])
    want = np.array([[1.0, 0.0], [2.0, 5.0]]) @ np.array([[1, 2], [3, 4]])
    np.testing.assert_array_equal(product, want.T.ravel())


def test_constant_and_empty_functions() -> None:
    kernel = casadi_to_kernel(ca.Function("f", [], [ca.SX([1.5, -2])]))
    np.testing.assert_array_equal(kernel(), [1.5, -2])
    x = ca.SX.sym("x", 2)
    kernel = casadi_to_kernel(ca.Function("f", [x, ca.SX(0, 1)], [ca.SX(0, 1), 3 * x]))
    empty, triple = kernel(np.ones((5, 2)), np.ones((5, 0)))
    assert empty.shape == (5, 0)
    np.testing.assert_array_equal(triple, np.full((5, 2), 3.0))


def test_tensors(kernel: Kernel) -> None:
    arrays = draw((10, 3), (10, 2), (10, 1))
    want = kernel(*arrays)
    tensors = [torch.from_numpy(a) for a in arrays]
    for _ in range(3):  # the second call takes the planned path
        for have, wanted in zip(kernel(*tensors), want, strict=True):
            assert isinstance(have, torch.Tensor)
            np.testing.assert_array_equal(have.numpy(), wanted)
    out = [torch.empty(10, 4, dtype=torch.float64), torch.empty(10, 2, dtype=torch.float64)]
    assert kernel(*tensors, out=out)[0] is out[0]
    np.testing.assert_array_equal(out[1].numpy(), want[1])
    turned = [tensors[0].T.contiguous().T, tensors[1], tensors[2]]
    np.testing.assert_array_equal(kernel(*turned)[0].numpy(), want[0])
    single = [t[0] for t in tensors]
    np.testing.assert_array_equal(kernel.call_torch(single)[0].numpy(), want[0][0])


def test_negated_view_of_a_tensor() -> None:
    x = ca.SX.sym("x")
    kernel = casadi_to_kernel(ca.Function("f", [x], [2 * x]))
    kernel(torch.ones(1, dtype=torch.float64))
    negated = torch.tensor([1 + 3j], dtype=torch.complex128).conj().imag
    assert negated.is_neg()
    assert kernel(negated).item() == -6


def test_tensor_errors(kernel: Kernel) -> None:
    tensors = [torch.ones(2, n, dtype=torch.float64) for n in (3, 2, 1)]
    with pytest.raises(
        TypeError, match=r"input 1 \('b'\): dtype torch.float32, expected torch.float64"
    ):
        kernel(tensors[0], tensors[1].float(), tensors[2])
    with pytest.raises(TypeError, match=r"input 2 \('c'\): got ndarray beside tensors"):
        kernel(tensors[0], tensors[1], np.ones((2, 1)))
    with pytest.raises(ValueError, match=r"input 0 \('a'\): the tensor requires grad"):
        kernel(tensors[0].clone().requires_grad_(), tensors[1], tensors[2])
    with pytest.raises(TypeError, match="tensor on meta, expected cpu"):
        kernel(tensors[0].to("meta"), tensors[1], tensors[2])


def test_errors(kernel: Kernel) -> None:
    a, b, c = draw((4, 3), (4, 2), (4, 1))
    with pytest.raises(ValueError, match=r"2 inputs, expected 3 \(a, b, c\)"):
        kernel(a, b)
    with pytest.raises(
        ValueError, match=r"input 1 \('b'\): shape \(4, 3\), expected \(\*batch, 2\)"
    ):
        kernel(a, a, c)
    with pytest.raises(ValueError, match=r"input 1 \('b'\): shape \(\), expected"):
        kernel(a, 1.0, c)
    with pytest.raises(TypeError, match=r"input 0 \('a'\): dtype float32, expected float64"):
        kernel(a.astype(np.float32), b, c)
    with pytest.raises(TypeError, match=r"input 2 \('c'\) is not made of real numbers"):
        kernel(a, b, "text")
    with pytest.raises(ValueError, match=r"batch shapes do not broadcast: .*\('b'\): \(3,\)"):
        kernel(a, b[:3], c)
    with pytest.raises(ValueError, match="out: 1 arrays, expected 2"):
        kernel(a, b, c, out=np.empty((4, 4)))
    with pytest.raises(ValueError, match=r"out 1: shape \(4, 3\), expected \(4, 2\)"):
        kernel(a, b, c, out=(np.empty((4, 4)), np.empty((4, 3))))
    with pytest.raises(TypeError, match="out 0: dtype float32, expected float64"):
        kernel(a, b, c, out=(np.empty((4, 4), np.float32), np.empty((4, 2))))
    frozen = np.empty((4, 2))
    frozen.flags.writeable = False
    with pytest.raises(ValueError, match="out 1: the array is read-only"):
        kernel(a, b, c, out=(np.empty((4, 4)), frozen))
    with pytest.raises(ValueError, match="dtype 'float16', expected one of float64, float32"):
        casadi_to_kernel(two_by_three(), "float16")
    with pytest.raises(TypeError, match=r"got int, expected a casadi\.Function"):
        casadi_to_kernel(3)  # pyright: ignore[reportArgumentType]


def test_numbers_and_lists(kernel: Kernel) -> None:
    want = expected([1.0, 2, 3], [4.0, 5], [6.0])
    for have, wanted in zip(kernel([1, 2, 3], (4, 5), 6), want, strict=True):
        np.testing.assert_allclose(have, wanted)


def test_pickle(kernel: Kernel) -> None:
    arrays = draw((3,), (2,), (1,))
    copy = pickle.loads(pickle.dumps(kernel))
    for have, want in zip(copy(*arrays), kernel(*arrays), strict=True):
        np.testing.assert_array_equal(have, want)
    jacobian = pickle.loads(pickle.dumps(kernel.jacobian()))
    assert jacobian(*arrays)[2].shape == (4, 1)
    assert repr(jacobian) == repr(kernel.jacobian())


def test_description(kernel: Kernel) -> None:
    assert repr(kernel) == "Kernel(a[3], b[2], c[1] -> first[4], second[2], float64)"
    assert kernel.n_ops == 8
    assert kernel.bytes == (3 + 2 + 1 + 4 + 2) * 8
    assert kernel.flops > kernel.n_ops
    assert "static NOINLINE void block" in kernel.c_source
