"""The examples of the expression core: each runs, and gives the numbers of the documents."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

FOLDER = Path(__file__).parents[2] / "examples"
FILES = sorted(p for p in FOLDER.glob("1[0-9]_*.py"))


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"example_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_runs(path: Path, capsys: pytest.CaptureFixture[str]):
    load(path).main()
    assert capsys.readouterr().out


def test_vector_gradients():
    example = load(FOLDER / "10_vector_gradients.py")
    square = example.square()
    np.testing.assert_array_equal(square["jacobian"], np.diag([0.0, 2.0, 4.0]))
    np.testing.assert_array_equal(square["product"], [0.0, 2.0, 4.0])
    for found in (example.two_arguments(), example.the_same_as_a_torch_layer()):
        np.testing.assert_array_equal(found["a"], [36.0, 81.0])
        np.testing.assert_array_equal(found["b"], [-12.0, -8.0])
    np.testing.assert_array_equal(example.identity(), np.linspace(-1, 1, 5))


def test_data_axes():
    example = load(FOLDER / "11_data_axes.py")
    rng = np.random.default_rng(1)
    u, v = rng.standard_normal((4, 3, 2)), rng.standard_normal((4, 2, 3))
    got = example.matmul_jacobian(u, v)
    assert got.shape == (4, 3, 3, 3, 2)
    tv = torch.from_numpy(v)
    full = torch.autograd.functional.jacobian(lambda u: u @ tv, torch.from_numpy(u)).numpy()
    assert full.shape == (4, 3, 3, 4, 3, 2)
    np.testing.assert_allclose(example.full_form(got), full)
    x = np.arange(24.0).reshape(2, 3, 4) / 10
    stack = example.elementwise_jacobian(x)
    assert stack.shape == (2, 3, 4, 3, 4)
    eye = np.eye(12).reshape(3, 4, 3, 4)
    np.testing.assert_allclose(stack, np.exp(x)[..., None, None] * eye)


def torch_entropy(values: list[float]) -> tuple[float, float]:
    counts = np.unique(values, return_counts=True)[1]
    p = torch.from_numpy(counts / len(values)).requires_grad_()
    entropy = -(p * torch.log2(p)).sum()
    entropy.backward()
    return entropy.item(), p.grad.sum().item()


@pytest.mark.parametrize(
    ("values", "bits", "slope"),
    [
        ([1.0, 1, 1, 3, 3, 2], 1.4591479170272446, 0.8418398787754222),
        ([1.0, 1, 1, 3, 3, 3], 1.0, -0.8853900817779268),
        ([1.0, 1, 1, 1, 1, 1], 0.0, -1.4426950408889634),
    ],
)
def test_entropy(values: list[float], bits: float, slope: float):
    got = load(FOLDER / "12_products_and_zeros.py").entropy(values)
    np.testing.assert_allclose(got, (bits, slope), rtol=1e-14)
    np.testing.assert_allclose(got, torch_entropy(values), rtol=1e-14)


def test_structural_zeros():
    dense, count = load(FOLDER / "12_products_and_zeros.py").zeros_are_known()
    np.testing.assert_array_equal(dense, [[2.0, 2.0, 0.0, 0.0, 0.0]])
    assert count == 2


def test_differential_operators():
    example = load(FOLDER / "13_differential_operators.py")
    assert example.sine() == (0.0, 0.0)
    assert example.partials() == (5.0, 8.0)
    found = example.squared_norm()
    np.testing.assert_array_equal(found["gradient"], [2.0, 2.0, 2.0])
    np.testing.assert_array_equal(found["hessian"], 2.0 * np.eye(3))
    assert found["divergence"] == 6.0
    assert found["laplacian"] == 6.0
    np.testing.assert_array_equal(found["curl"], np.zeros(3))
    first, second, _ = example.many_sines()
    points = np.linspace(0.0, 1.0, 1001)
    np.testing.assert_allclose(first, np.cos(points), rtol=1e-15)
    np.testing.assert_allclose(second, -np.sin(points), rtol=1e-15)
