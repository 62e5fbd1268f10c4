"""Kernels on a GPU: values, derivatives, strides, `out=`, refusals, other libraries' arrays."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
import torch
from cuda_emulator import EmulatedDevice, install

import ad_core as ad
from ad_core import math as adm
from bridges.kernel import Kernel, ad_to_kernel, gpu, load
from bridges.native.errors import BuildError
from robotics_ad import packaged_arm
from robotics_ad.dynamics import InverseDynamics
from robotics_ad.kinematics import WorldTransform

X, Y, K = ad.var("x", 3), ad.var("y", 3), ad.var("k", 1)
SEVERAL = (adm.sin(X) * Y, adm.dot(X, Y), ad.cond(K, X, Y * K))
ROBOT = packaged_arm()
TOLERANCE = {"float32": 2e-5, "float64": 1e-12}


def arm_pose() -> ad.Expression:
    """T_world_tip(q)."""
    return WorldTransform(ROBOT.link(ROBOT.links[-1].name))(ad.var("q", ROBOT.nq))


def arm_torques() -> ad.Expression:
    """tau(q, v, a)."""
    return InverseDynamics(ROBOT)(*(ad.var(name, ROBOT.nv) for name in "qva"))


GRAPHS: dict[str, Any] = {"several": lambda: SEVERAL, "pose": arm_pose, "torques": arm_torques}
DERIVATIVES = {
    "value": lambda k: k,
    "vjp": lambda k: k.vjp(),
    "jvp": lambda k: k.jvp(),
    "jacobian": lambda k: k.jacobian(),
    "hessian_vp": lambda k: k.hessian_vp(),
}


def drawn(kernel: Kernel, *batch: int, seed: int = 0) -> list[torch.Tensor]:
    """Inputs of the kernel's sizes on the host."""
    rng = np.random.default_rng(seed)
    arrays = (rng.normal(size=(*batch, n)).astype(kernel.dtype) for n in kernel.input_sizes)
    return [torch.from_numpy(x) for x in arrays]


def as_list(results: Any) -> list[Any]:
    """The results of a call, one or several."""
    return list(results) if isinstance(results, tuple) else [results]


def check(kernel: Kernel, host: list[torch.Tensor], there: list[torch.Tensor]) -> None:
    """The kernel's results for tensors on the GPU are those of numpy arrays of the same numbers."""
    rtol = TOLERANCE[kernel.dtype]
    results = as_list(kernel(*there))
    expected = as_list(kernel(*(x.numpy() for x in host)))
    for have, want in zip(results, expected, strict=True):
        assert have.device == there[0].device
        scale = np.abs(want).max(initial=0.0) + 1.0
        np.testing.assert_allclose(have.cpu().numpy(), want, rtol=rtol, atol=rtol * scale)


@pytest.mark.parametrize(
    ("graph", "derivative", "dtype"),
    [
        *(("several", name, dtype) for name in DERIVATIVES for dtype in TOLERANCE),
        *(("pose", name, "float32") for name in DERIVATIVES),
        *(("torques", name, "float64") for name in ("value", "vjp", "jacobian")),
    ],
)
def test_values_and_derivatives(
    place: torch.device, graph: str, derivative: str, dtype: str
) -> None:
    kernel = DERIVATIVES[derivative](ad_to_kernel(GRAPHS[graph](), dtype=dtype))
    for batch in ((), (1,), (33,), (3, 50)):
        host = drawn(kernel, *batch)
        check(kernel, host, [x.to(place) for x in host])
        check(kernel, host, [x.to(place) for x in host])  # by the plan of the call before


STRIDES = {
    "feature first": lambda x: x.T.contiguous().T,
    "shifted by one number": lambda x: shifted(x, 1),
    "shifted by four": lambda x: shifted(x, 4),
    "every second row": lambda x: torch.stack([x, -x], 1)[:, 0],
    "padded rows": lambda x: torch.nn.functional.pad(x, (0, 2))[:, :-2],
    "entries apart": lambda x: torch.stack([x, -x], -1)[..., 0],
    "negated lazily": lambda x: torch._neg_view(-x),
    "backwards": lambda x: x.flip(0).flip(0),
    "expanded": lambda x: x[:1].expand(len(x), -1),
}


def shifted(x: torch.Tensor, by: int) -> torch.Tensor:
    """The same rows, beginning so many numbers behind where an allocation begins."""
    room = x.new_empty(x.numel() + by)
    room[by:] = x.flatten()
    return room[by:].reshape(x.shape)


@pytest.mark.parametrize("strides", STRIDES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_inputs_are_read_as_they_lie(place: torch.device, strides: str, dtype: str) -> None:
    kernel = ad_to_kernel(SEVERAL, dtype=dtype)
    host = drawn(kernel, 77)
    there = [x.to(place) for x in host]
    for i in range(3):
        moved = [STRIDES[strides](x) if k == i else x for k, x in enumerate(there)]
        check(kernel, [x.cpu().resolve_neg().contiguous() for x in moved], moved)


BATCHES = [
    ((40, 1), (1, 9), ()),
    ((40, 9), (9,), (40, 1)),
    ((2, 1, 5), (1, 7, 1), (2, 7, 5)),  # three axes that do not merge
    ((0,), (1,), ()),
    ((), (), ()),
    ((4, 33), (4, 33), (4, 33)),
]


@pytest.mark.parametrize("batches", BATCHES, ids=str)
def test_batches_broadcast(place: torch.device, batches: tuple[tuple[int, ...], ...]) -> None:
    kernel = ad_to_kernel(SEVERAL)
    rng = np.random.default_rng(3)
    pairs = zip(batches, kernel.input_sizes, strict=True)
    host = [torch.from_numpy(rng.normal(size=(*batch, n))) for batch, n in pairs]
    check(kernel, host, [x.to(place) for x in host])


def test_rows_too_long_for_shared_memory(place: torch.device) -> None:
    x = ad.var("x", 900)
    kernel = ad_to_kernel((adm.sin(x), ad.sum_(x)))
    host = drawn(kernel, 35)
    check(kernel, host, [x.to(place) for x in host])
    across = [x.to(place).T.contiguous().T for x in host]
    check(kernel, host, across)


def test_results_go_where_they_are_wanted(place: torch.device) -> None:
    kernel = ad_to_kernel(X * 2.0 + 1.0)
    x = drawn(kernel, 50)[0].to(place)
    outs = [torch.empty_like(x), torch.empty(3, 50, dtype=x.dtype, device=place).T, shifted(x, 1)]
    for out in outs:
        assert kernel(x, out=out) is out
        torch.testing.assert_close(out, x * 2.0 + 1.0)
    want = x * 2.0 + 1.0
    assert kernel(x, out=x) is x  # into its own input
    torch.testing.assert_close(x, want)


def test_what_it_refuses(place: torch.device) -> None:
    kernel = ad_to_kernel((X * 2.0, Y * 3.0))
    x = torch.ones(4, 3, dtype=torch.float64, device=place)
    with pytest.raises(TypeError, match=r"input 1 \('y'\): dtype torch.float32, expected"):
        kernel(x, x.float())
    with pytest.raises(ValueError, match=r"input 1 \('y'\): shape \(4, 2\), expected \(\*batch, 3"):
        kernel(x, x[:, :2])
    with pytest.raises(ValueError, match="batch shapes do not broadcast"):
        kernel(x, x[:3])
    with pytest.raises(ValueError, match="1 inputs, expected 2"):
        kernel(x)
    with pytest.raises(ValueError, match="requires grad, but a Kernel is outside of autograd"):
        kernel(x, x.clone().requires_grad_())
    with pytest.raises(ValueError, match=r"out 0: shape \(4, 2\), expected \(4, 3\)"):
        kernel(x, x, out=(x[:, :2], x))
    with pytest.raises(ValueError, match="out: 1 tensors, expected 2"):
        kernel(x, x, out=(x,))


def test_saved_kernels_run(place: torch.device, tmp_path: Any) -> None:
    path = tmp_path / "kernel.zip"
    ad_to_kernel(arm_torques(), dtype="float32").save(path, ["vjp"])
    loaded = load(path)
    host = drawn(loaded, 40)
    check(loaded, host, [x.to(place) for x in host])
    host = drawn(loaded.vjp(), 40)
    check(loaded.vjp(), host, [x.to(place) for x in host])


# -------------------------------------------------------------------------- the emulated device


def test_it_is_built_once_and_found_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setenv("ROBOGRAD_CACHE", str(tmp_path))
    first = install(monkeypatch)
    x = torch.ones(5, 3, dtype=torch.float64)
    want = ad_to_kernel(X * 7.0)(x)
    assert len(first.built) == 1
    second = install(monkeypatch)
    torch.testing.assert_close(ad_to_kernel(X * 7.0)(x), want)
    assert not second.built
    second.identity = b"another architecture"
    ad_to_kernel(X * 7.0)(x)
    assert len(second.built) == 1


def test_how_it_is_launched(monkeypatch: pytest.MonkeyPatch) -> None:
    device = install(monkeypatch)
    kernel = ad_to_kernel(X * 2.0, dtype="float32")
    kernel(torch.ones(1000, 3))
    kernel(torch.ones(0, 3))  # nothing to do, nothing is launched
    (launch,) = device.launches
    assert (launch.grid, launch.stream) == (3, 7)


def test_arrays_of_other_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch)
    monkeypatch.setattr(gpu, "_CUDA", 1)  # the host's number in DLPack

    class Foreign:
        """An array of a library of its own."""

        def __init__(self, array: Any) -> None:
            self.array = np.asarray(array)

        def __dlpack__(self, **options: Any) -> Any:
            return self.array.__dlpack__(**options)

        def __dlpack_device__(self) -> Any:
            return self.array.__dlpack_device__()

        def __array_namespace__(self) -> Any:
            return sys.modules[__name__]

    monkeypatch.setattr(sys.modules[__name__], "from_dlpack", Foreign, raising=False)
    kernel = ad_to_kernel(X * 2.0)
    result = kernel(Foreign(np.ones((4, 3))))
    assert isinstance(result, Foreign)
    np.testing.assert_array_equal(result.array, 2 * np.ones((4, 3)))


def test_without_a_builder_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch)

    def absent(_: int) -> EmulatedDevice:
        raise BuildError("kernels for GPUs are built by cuda-core: pip install 'robograd[cuda]'")

    monkeypatch.setattr(gpu, "device_at", absent)
    with pytest.raises(RuntimeError, match=r"pip install 'robograd\[cuda\]'"):
        ad_to_kernel(X * 2.0)(torch.ones(4, 3, dtype=torch.float64))
