"""Layers build derivatives by the inputs that need one, and by no others."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable

import pytest
import torch
from torch import Tensor

import ad_core as ad
from ad_core import math as adm
from bridges.kernel import Kernel
from bridges.pytorch import ad_to_torch


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, tuple[int, ...]]]:
    """Which kernels of derivatives are asked for: of which kind, by which inputs."""
    asked: list[tuple[str, tuple[int, ...]]] = []

    def spied(kind: str) -> Callable[..., Kernel]:
        real = getattr(Kernel, kind)

        def derivative(self: Kernel, wrt: Iterable[int]) -> Kernel:
            asked.append((kind, tuple(wrt)))
            return real(self, wrt)

        return derivative

    for kind in ("vjp", "jvp"):
        monkeypatch.setattr(Kernel, kind, spied(kind))
    return asked


def values() -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    return torch.randn(5, 3, dtype=torch.float64), torch.randn(4, dtype=torch.float64)


NEW = itertools.count()


def layer() -> torch.nn.Module:
    """One that shares no kernel with others: its last row is a number of its own."""
    x, w = ad.var("x", 3), ad.var("w", 4)
    rows = adm.tanh(w[0] * x + w[1:4]) * adm.norm(w)
    return ad_to_torch(ad.stack(rows, float(next(NEW))), ["x", "w"])


def plain(x: Tensor, w: Tensor) -> Tensor:
    return torch.tanh(w[0] * x + w[1:4]) * torch.linalg.vector_norm(w)  # but for the last row


@pytest.mark.parametrize("needed", [(0,), (1,), (0, 1)])
def test_backward_builds_by_what_requires_gradients(
    needed: tuple[int, ...], built: list[tuple[str, tuple[int, ...]]]
) -> None:
    inputs = [v.requires_grad_(i in needed) for i, v in enumerate(values())]
    layer()(*inputs).sum().backward()
    assert set(built) == {("vjp", needed)}
    given = [v.detach().clone().requires_grad_(i in needed) for i, v in enumerate(inputs)]
    plain(*given).sum().backward()
    for ours, theirs in zip(inputs, given, strict=True):
        assert (ours.grad is None) == (theirs.grad is None)
        if ours.grad is not None:
            torch.testing.assert_close(ours.grad, theirs.grad)


def test_so_do_second_derivatives(built: list[tuple[str, tuple[int, ...]]]) -> None:
    x, w = values()
    f = layer()
    (slope,) = torch.autograd.grad(f(x.requires_grad_(), w).sum(), x, create_graph=True)
    slope.square().sum().backward()
    assert all(1 not in by for kind, by in built if kind == "vjp")
    assert len(built) == 2


@pytest.mark.parametrize("kind", ["vjp", "jvp"])
def test_so_do_transforms(kind: str, built: list[tuple[str, tuple[int, ...]]]) -> None:
    x, w = values()
    f = layer()
    if kind == "vjp":
        torch.func.grad(lambda x: f(x, w).sum())(x)
    else:
        torch.func.jvp(lambda x: f(x, w), (x,), (torch.ones_like(x),))
    assert set(built) == {(kind, (0,))}


def test_nothing_is_built_where_nobody_asks(built: list[tuple[str, tuple[int, ...]]]) -> None:
    x, w = values()
    with torch.no_grad():
        layer()(x.requires_grad_(), w)
    layer()(x, w)
    assert not built
