"""Programs that tests of pairs compare: a distance, its derivatives, points, on each engine."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from pair_rows import Array, Point, Row, entries

import ad_core as ad
from ad_core import math as adm
from ad_core.derivatives.products import jvp_graph, vjp_graph
from ad_core.lowering import fix_sizes
from bridges.casadi import ad_to_casadi
from bridges.kernel import ad_to_kernel
from bridges.pytorch import ad_to_torch
from robotics_ad import se3
from robotics_ad.geometry import PairClosest, PairDistance, PairDistanceSquared

ALONG = np.cos(np.arange(12.0))


def step(name: str) -> ad.Expression:
    """exp(xi), right to second order: 12 numbers of [w, p]."""
    xi = ad.var(name, 6)
    w = xi[0:3]
    square = adm.matmul(skewed(w), skewed(w), (3, 3), (3, 3))
    turn = skewed(w) + 0.5 * square + np.eye(3).reshape(9)
    return ad.stack(adm.transpose(turn, 3, 3), xi[3:6])


def skewed(w: ad.Expression) -> ad.Expression:
    """[w]x row by row."""
    return ad.stack(0.0, -w[2], w[1], w[2], 0.0, -w[0], -w[1], w[0], 0.0)


@cache
def programs(row: Row) -> tuple[list[ad.Expression], dict[str, int]]:
    """d, its gradient by both steps, the gradient's change along `ALONG`, d^2, the points."""
    sizes = {"Ta": 12, "Tb": 12, "xa": 6, "xb": 6}
    poses = [se3.mul(ad.var(T, 12), step(x)) for T, x in (("Ta", "xa"), ("Tb", "xb"))]
    d, squared, points = fix_sizes(
        [f(row.a, row.b)(*poses) for f in (PairDistance, PairDistanceSquared, PairClosest)], sizes
    )
    variables = [ad.var("xa", 6), ad.var("xb", 6)]
    gradient = list(vjp_graph([d], [ad.constant(1.0)], variables).values())
    along = {"xa": ad.constant(ALONG[:6]), "xb": ad.constant(ALONG[6:])}
    second = jvp_graph(gradient, along)
    return [d, *gradient, *second, squared, points], sizes


@cache
def built(engine: str, row: Row):
    roots, sizes = programs(row)
    names = list(sizes)
    if engine == "numpy":
        return lambda arrays: [
            np.atleast_1d(v)
            for v in ad.eval_multiple(roots, **dict(zip(names, arrays, strict=True)))
        ]
    if engine in ("SX", "MX"):
        function = ad_to_casadi(tuple(roots), names, sizes=sizes, symbolic=engine)
        return lambda arrays: [np.array(r.full()).reshape(-1) for r in function.call(arrays)]
    if engine == "torch":
        module = ad_to_torch(tuple(roots), names, sizes=sizes, engine="torch")
        return lambda arrays: [r.numpy() for r in module(*map(torch.from_numpy, arrays))]
    kernel = ad_to_kernel(tuple(roots), names, sizes=sizes)
    return lambda arrays: list(kernel(*arrays))


def ours(engine: str, row: Row, point: Point) -> list[Array]:
    at = [entries(point.a), entries(point.b), np.zeros(6), np.zeros(6)]
    d, ga, gb, ha, hb, squared, points = built(engine, row)(at)
    return [d, np.concatenate([ga, gb]), np.concatenate([ha, hb]), squared, points]


def by_torch(row: Row, point: Point) -> list[Array]:
    """d, its gradient and that gradient's change along `ALONG`."""

    def value(x: torch.Tensor) -> torch.Tensor:
        moved = []
        for (R, p), xi in ((point.a, x[:6]), (point.b, x[6:])):
            R, p = torch.from_numpy(R), torch.from_numpy(p)
            zero = torch.zeros((), dtype=x.dtype)
            w = xi[:3]
            skew = torch.stack([zero, -w[2], w[1], w[2], zero, -w[0], -w[1], w[0], zero])
            skew = skew.reshape(3, 3)
            moved += [R @ (torch.eye(3, dtype=x.dtype) + skew + 0.5 * skew @ skew), R @ xi[3:] + p]
        return row.oracle(row.a, moved[0], moved[1], row.b, moved[2], moved[3])

    x = torch.zeros(12, dtype=torch.float64, requires_grad=True)
    d = value(x)
    (gradient,) = torch.autograd.grad(d, x, create_graph=True)
    (second,) = torch.autograd.grad(gradient @ torch.from_numpy(ALONG), x)
    return [d.detach().numpy()[None], gradient.detach().numpy(), second.numpy()]


@cache
def truths(row: Row) -> list[tuple[Point, list[Array]]]:
    """What torch says at each point of a row; the distance alone where it has no derivatives."""
    found: list[tuple[Point, list[Array]]] = []
    for point in row.points():
        if point.smooth:
            found.append((point, by_torch(row, point)))
        else:
            with torch.no_grad():
                tensors = [torch.from_numpy(x) for pose in (point.a, point.b) for x in pose]
                truth = row.oracle(row.a, *tensors[:2], row.b, *tensors[2:])
            found.append((point, [truth.numpy()[None]]))
    return found


def compared(engine: str, row: Row) -> None:
    """Everything of a row at each of its points, beside its oracle."""
    for point, (truth, *derivatives) in truths(row):
        d, gradient, second, squared, points = ours(engine, row, point)
        title = f"{point.kind} on {engine}"
        for found in (d, gradient, second, squared, points):
            assert np.isfinite(found).all(), title
        if derivatives:
            slope, change = derivatives
            np.testing.assert_allclose(gradient, slope, atol=1e-9, err_msg=title)
            np.testing.assert_allclose(second, change, rtol=1e-8, atol=1e-7, err_msg=title)
        np.testing.assert_allclose(d, truth, atol=1e-12, err_msg=title)
        np.testing.assert_allclose(squared, np.maximum(truth, 0.0) ** 2, atol=1e-12, err_msg=title)
        length = np.linalg.norm(points[3:] - points[:3])
        np.testing.assert_allclose(length, abs(truth[0]), atol=1e-12, err_msg=title)
