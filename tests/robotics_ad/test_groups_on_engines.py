"""Every function of so3 and se3 on every engine: values, Jacobians and second derivatives."""

import inspect
from functools import cache

import numpy as np
import pytest
import torch
from backends import COMPOSED, compute

import ad_core as ad
from ad_core.derivatives.products import jvp_graph, vjp_graph
from ad_core.lowering import fix_sizes
from bridges.casadi import ad_to_casadi
from bridges.kernel import ad_to_kernel
from bridges.pytorch import ad_to_torch
from robotics_ad import se3, so3

ANGLES = (0.0, 1e-9, 0.4, np.pi / 2.0 - 1e-7)
NUMBERS = ("SIZE", "to_klampt", "from_klampt")
LONG = ("so3.geodesic_mean", "so3.project")
NAMED = {
    str(f): f for module in (so3, se3) for f in vars(module).values() if isinstance(f, ad.Composite)
}
SHORT = [title for title, f in NAMED.items() if f.n_args() != 0 and title not in LONG]


def rotation(angle: float) -> np.ndarray:
    axis = np.array([2.0, -1.0, 2.0]) / 3.0
    return so3.from_axis_angle(axis, angle)


def argument(function: ad.Composite, arg: int, angle: float) -> np.ndarray:
    """A sensible value for an argument, by its size and name."""
    name, size = function.argname(arg), function.n_in(arg)
    if name in {"twist", "wrench"}:
        return np.array([2.0, -1.0, 2.0, 0.3, 0.6, -0.9]) / 3.0 * max(angle, 0.1)
    if name == "rows" and size == 16:
        return se3.homogeneous([*rotation(angle), 1.0, 2.0, 3.0]).eval()
    if size == 12:
        return np.array([*rotation(angle * (1 + arg)), 0.3, -0.2, 0.7 + arg])
    if size == 9:
        return rotation(angle * (1 + arg))
    if size == 4:
        return so3.quaternion(rotation(angle * (1 + arg)))
    if size == 6:
        return np.array([1.0, 0.2, -0.3, 0.1, 0.9, 0.4])
    if size == 3 and name in ("a", "b", "v", "axis"):
        v = np.array([0.6, 0.48 * (1 - arg), 0.64])
        return v / np.linalg.norm(v)
    if size == 3:
        return angle * np.array([2.0, -1.0, 2.0]) / 3.0
    return np.array([0.7])


def names_of(title: str) -> tuple[list[str], str]:
    """Names of the arguments of a function and of a cotangent."""
    count, tag = NAMED[title].n_args(), title.replace(".", "_")
    return [f"{tag}_x{i}" for i in range(2 if count < 0 else count)], f"{tag}_c"


def values_of(title: str, angle: float) -> dict[str, np.ndarray]:
    """Arguments, directions of them, and a cotangent."""
    values: dict[str, np.ndarray] = {}
    (names, cotangent), function = names_of(title), NAMED[title]
    for i, name in enumerate(names):
        values[name] = argument(function, i, angle)
        values[f"{name}_s"] = np.cos(np.arange(values[name].size) + i)
    values[cotangent] = np.sin(1.0 + np.arange(function.n_out()))
    return values


def products(title: str, order: int) -> list[ad.Expression]:
    """f, c^T J by argument, and the change of these along s, with variables named by `title`."""
    (names, c), function, values = names_of(title), NAMED[title], values_of(title, 0.4)
    variables = [ad.var(name, values[name].size) for name in names]
    call = function(*variables)
    (f,) = fix_sizes([call], {})
    cotangent = ad.var(c, function.n_out())
    gradients = list(vjp_graph([f], [cotangent], variables).values())
    along = {name: ad.var(f"{name}_s", values[name].size) for name in names}
    changes = jvp_graph(gradients, along) if order == 2 else []
    return [f, *gradients, *changes]


@cache
def every_function(order: int) -> tuple[list[str], list[ad.Expression]]:
    """Titles and expressions; Jacobians, being derivatives, to first order only."""
    titles: list[str] = []
    roots: list[ad.Expression] = []
    for title in SHORT:
        more = products(title, 1 if "jacobian" in title else order)
        roots += more
        titles += [title] * len(more)
    return titles, roots


@cache
def every_value(angle: float) -> dict[str, np.ndarray]:
    return {name: x for title in SHORT for name, x in values_of(title, angle).items()}


@cache
def expected_values(angle: float, order: int) -> list[np.ndarray]:
    """What numpy's interpreter, the reference, gives."""
    _, roots = every_function(order)
    return compute("numpy", roots, every_value(angle))


def built(engine: str, roots: list[ad.Expression], sizes: dict[str, int]):
    """One program for all the expressions, as a function of arrays in the order of `sizes`."""
    names = list(sizes)
    if engine in ("SX", "MX"):
        function = ad_to_casadi(tuple(roots), names, sizes=sizes, symbolic=engine)
        return lambda arrays: [np.array(r.full()).reshape(-1) for r in function.call(arrays)]
    if engine == "torch":
        module = ad_to_torch(tuple(roots), names, sizes=sizes, engine="torch")
        return lambda arrays: [r.numpy() for r in module(*map(torch.from_numpy, arrays))]
    kernel = ad_to_kernel(tuple(roots), names, sizes=sizes)
    return lambda arrays: list(kernel(*arrays))


def test_the_table_holds_every_function():
    aliases = {"exp", "log", "moment"}
    expected = {f"so3.{name}" for name in so3.__all__ if name not in {"SIZE", *aliases}}
    expected |= {f"se3.{name}" for name in se3.__all__ if name not in NUMBERS}
    assert set(NAMED) == expected
    assert all(inspect.getdoc(function) for function in NAMED.values())
    assert so3.exp is so3.from_rotation_vector
    assert so3.log is so3.moment is so3.rotation_vector


@pytest.mark.parametrize("engine", ["SX", "MX", "torch", "kernel"])
def test_engines_agree_at_every_angle(engine):
    order = 1 if engine == "kernel" else 2  # a kernel's own derivatives come from CasADi's
    titles, roots = every_function(order)
    run = built(engine, roots, {name: value.size for name, value in every_value(0.0).items()})
    for angle in ANGLES:
        expected = expected_values(angle, order)
        ours = run(list(every_value(angle).values()))
        for title, got, numpys in zip(titles, ours, expected, strict=True):
            assert np.isfinite(numpys).all(), title
            scale = max(1.0, float(np.abs(numpys).max(initial=0.0)))
            np.testing.assert_allclose(got, numpys, atol=1e-9 * scale, err_msg=title)


@pytest.mark.parametrize("title", LONG)
@pytest.mark.parametrize("engine", COMPOSED[1:])
def test_engines_agree_on_iterations(engine, title):
    roots, values = products(title, 1)[:2], values_of(title, 0.4)
    present = {name for root in roots for name in root.terminals()}
    inputs = {name: value for name, value in values.items() if name in present}
    ours, numpys = (compute(kind, roots, inputs) for kind in (engine, "numpy"))
    for got, expected in zip(ours, numpys, strict=True):
        np.testing.assert_allclose(got, expected, atol=1e-11)
