"""The functions of Klampt's geometry module, in every argument form, beside plain torch."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from backends import ENGINES, compute

import ad_core as ad
from ad_core.derivatives.products import jvp_graph, vjp_graph
from ad_core.lowering import fix_sizes
from robotics_ad import geometry
from robotics_ad.geometry import (
    BoxPointClosest,
    BoxPointDistance,
    BoxPointMargin,
    sphere_point_closest,
    sphere_point_distance,
    sphere_sphere_closest,
    sphere_sphere_distance,
)

LOW, HIGH = np.array([-1.0, 0.0, -0.5]), np.array([1.0, 0.5, 2.0])


def sides(x: torch.Tensor, low: torch.Tensor, high: torch.Tensor) -> torch.Tensor:
    return torch.cat([x - low, high - x]).min()[None]


def box_distance(x: torch.Tensor, low: torch.Tensor, high: torch.Tensor) -> torch.Tensor:
    nearest = torch.minimum(torch.maximum(x, low), high)
    inside = bool((x == nearest).all())
    return -sides(x, low, high) if inside else torch.linalg.norm(x - nearest)[None]


def into(c: torch.Tensor, r: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """The point of a solid sphere that is nearest to x."""
    length = torch.linalg.norm(x - c)
    return x if bool(length <= r) else c + r * (x - c) / length


LOW_T, HIGH_T = torch.from_numpy(LOW), torch.from_numpy(HIGH)
# function, the same in torch, arguments; smooth points first, then those without a derivative
C, D = np.array([0.2, -0.1, 0.4]), np.array([1.3, 0.6, -0.5])
R, S = np.array([0.5]), np.array([0.3])
Points = list[tuple[np.ndarray, ...]]
ROWS: dict[str, tuple[ad.Composite, Callable[..., torch.Tensor], Points, Points]] = {
    "margin": (
        BoxPointMargin(LOW, HIGH),
        lambda x: sides(x, LOW_T, HIGH_T),
        [(np.array([0.1, 0.2, 0.3]),), (np.array([3.0, 0.2, 0.3]),), (np.array([-2.0, 4.0, 0.3]),)],
        [(np.array([0.0, 0.25, 0.75]),), (np.array([1.0, 0.5, 2.0]),)],
    ),
    "box distance": (
        BoxPointDistance(LOW, HIGH),
        lambda x: box_distance(x, LOW_T, HIGH_T),
        [(np.array([0.1, 0.2, 0.3]),), (np.array([3.0, 0.2, 0.3]),), (np.array([-2.0, 4.0, 5.0]),)],
        [
            (np.array([0.0, 0.25, 0.75]),),
            (np.array([1.0, 0.5, 2.0]),),
            (np.array([1.0, 0.2, 0.0]),),
        ],
    ),
    "box closest": (
        BoxPointClosest(LOW, HIGH),
        lambda x: torch.minimum(torch.maximum(x, LOW_T), HIGH_T),
        [(np.array([0.1, 0.2, 0.3]),), (np.array([3.0, 0.2, 0.3]),), (np.array([-2.0, 4.0, 5.0]),)],
        [(np.array([1.0, 0.2, 0.3]),)],
    ),
    "sphere distance": (
        sphere_point_distance,
        lambda c, r, x: torch.linalg.norm(x - c)[None] - r,
        [(C, R, D), (C, R, C + 0.1), (C[:2], R, D[:2])],
        [(C, R, C)],
    ),
    "sphere closest": (
        sphere_point_closest,
        into,
        [(C, R, D), (C, R, C + 0.1), (C, R, C), (C[:2], R, D[:2])],
        [(C, R, C + np.array([0.5, 0.0, 0.0])), (C, 0.0 * R, C)],
    ),
    "spheres": (
        sphere_sphere_distance,
        lambda c, r, d, s: torch.linalg.norm(d - c)[None] - r - s,
        [(C, R, D, S), (C, R, C + 0.1, S), (C[:2], R, D[:2], S)],
        [(C, R, C, S)],
    ),
    "spheres closest": (
        sphere_sphere_closest,
        lambda c, r, d, s: torch.cat([into(c, r, d), into(d, s, c)]),
        [(C, R, D, S), (C, R, C + 0.1, S), (C[:2], R, D[:2], S)],
        [(C, R, C + np.array([0.5, 0.0, 0.0]), S)],
    ),
}
CASES = [(title, engine) for title in ROWS for engine in ENGINES]


def found(function: ad.Composite, args: tuple[np.ndarray, ...], engine: str) -> list[np.ndarray]:
    """The value, its products with a cotangent, and the change of these along a direction."""
    names = [f"x{i}" for i in range(len(args))]
    values = dict(zip(names, args, strict=True))
    sizes = {name: value.size for name, value in values.items()}
    (f,) = fix_sizes([function(*names)], sizes)
    c = ad.constant(np.cos(np.arange(float(f.size or 0))))
    gradients = list(vjp_graph([f], [c], [ad.var(n, s) for n, s in sizes.items()]).values())
    along = {n: ad.constant(np.sin(1.0 + np.arange(float(s)))) for n, s in sizes.items()}
    return compute(engine, [f, *gradients, *jvp_graph(gradients, along)], values)


def expected(f: Callable[..., torch.Tensor], args: tuple[np.ndarray, ...]) -> list[np.ndarray]:
    x = [torch.from_numpy(a).requires_grad_() for a in args]
    value = f(*x)
    c = torch.cos(torch.arange(value.numel(), dtype=torch.float64))
    kwargs = {"create_graph": True, "materialize_grads": True}
    gradients = torch.autograd.grad(value @ c, x, **kwargs)
    along = [torch.sin(1.0 + torch.arange(a.size, dtype=torch.float64)) for a in args]

    def change(g: torch.Tensor) -> torch.Tensor:
        """The rate of g along the direction."""
        rates = []
        for entry in g:
            if entry.requires_grad:
                parts = torch.autograd.grad(entry, x, retain_graph=True, materialize_grads=True)
                rates.append(sum(p @ s for p, s in zip(parts, along, strict=True)))
            else:
                rates.append(torch.zeros((), dtype=torch.float64))
        return torch.stack(rates)

    return [t.detach().numpy() for t in (value, *gradients, *map(change, gradients))]


@pytest.mark.parametrize(("title", "engine"), CASES)
def test_values_and_derivatives(title: str, engine: str):
    function, reference, smooth, rough = ROWS[title]
    for args in smooth:
        for ours, theirs in zip(
            found(function, args, engine), expected(reference, args), strict=True
        ):
            np.testing.assert_allclose(ours, theirs, atol=1e-12, err_msg=title)
    for args in rough:
        value, *derivatives = found(function, args, engine)
        np.testing.assert_allclose(value, reference(*map(torch.from_numpy, args)), atol=1e-14)
        assert all(np.isfinite(d).all() for d in derivatives), title


def test_arguments_are_those_of_klampt():
    """Numbers, arrays and expressions, of any dimension; results are scalars and vectors."""
    assert sphere_point_distance([0.0, 0.0], 1.0, [3.0, 4.0]).eval() == 4.0
    assert sphere_sphere_distance("c", 1.0, [3.0, 4.0], "r").eval(c=[0.0, 0.0], r=2.0) == 2.0
    np.testing.assert_allclose(sphere_point_closest([0, 0], 1.0, [3, 4]).eval(), [0.6, 0.8])
    both = sphere_sphere_closest([0, 0], 1.0, [3, 4], 2.0).eval()
    np.testing.assert_allclose(both, [0.6, 0.8, 3 - 1.2, 4 - 1.6])
    assert BoxPointMargin([0.0], [2.0])([0.5]).eval() == 0.5
    assert str(BoxPointClosest([0.0, 1.0], [2.0, 3.0])("x")).startswith("BoxPointClosest[")
    assert BoxPointClosest(LOW, HIGH).n_out() == 3


def test_boxes_and_spheres_agree_with_klampt():
    """Where Klampt's own are right: all but the closest points of spheres."""
    theirs = pytest.importorskip("klampt.math.autodiff.geometry_ad")
    rng = np.random.default_rng(5)
    for x in rng.normal(size=(50, 3)):
        for name in ("BoxPointMargin", "BoxPointDistance", "BoxPointClosest"):
            ours, other = (getattr(m, name)(LOW, HIGH) for m in (geometry, theirs))
            np.testing.assert_allclose(ours.eval(x), other.eval(x), atol=1e-14)
        value = theirs.sphere_point_distance(C, 0.5, x).eval()
        np.testing.assert_allclose(sphere_point_distance(C, 0.5, x).eval(), value)
        value = theirs.sphere_sphere_distance(C, 0.5, x, 0.2).eval()
        np.testing.assert_allclose(sphere_sphere_distance(C, 0.5, x, 0.2).eval(), value)


def test_errors_name_the_argument():
    with pytest.raises(ValueError, match="BoxPointMargin: bmin has size 2, bmax 3"):
        BoxPointMargin([0.0, 0.0], HIGH)
    with pytest.raises(ValueError, match=r"BoxPointClosest: bmin is \[1.0\], above bmax \[0.0\]"):
        BoxPointClosest([1.0], [0.0])
    with pytest.raises(ValueError, match="argument 'x' has size 2, expected 3"):
        sphere_point_distance(C, 0.5, [0.0, 1.0])
    with pytest.raises(ValueError, match="argument 'r2' has size 2, expected 1"):
        sphere_sphere_closest(C, 0.5, D, [0.1, 0.2])
