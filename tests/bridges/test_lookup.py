"""Tables that are read at computed places: in graphs, texts, files and caches of every engine.

Values, derivatives and special places are rows of `op_specs`; fields on grids are in
`tests/robotics_ad/test_grids.py`.
"""

from __future__ import annotations

import base64
import copy
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import ad_core as ad
from ad_core.graph import Constant
from ad_core.lowering import lower
from ad_core.lowering.bounds import Facts
from ad_core.ops.tables import MOST_ENTRIES, Lookup, Table
from bridges.casadi import ad_to_c, ad_to_casadi
from bridges.kernel import ad_to_kernel, file, load
from bridges.kernel.program_json import program_from_json, program_to_json
from bridges.native.emit_c import emit_c
from bridges.native.emit_cuda import emit_cuda
from bridges.native.scalars import scalar_program
from bridges.native.target import Target
from bridges.pytorch import ad_to_torch

X = ad.var("x", 4)
VALUES = np.random.default_rng(4).normal(size=1000)
READ = ad.lookup(VALUES, 100.0 * X) * X
AT = np.random.default_rng(5).uniform(-0.5, 10.5, (50, 4))
EXPECTED = VALUES[np.clip(np.floor(100.0 * AT), 0, 999).astype(int)] * AT


def test_tables_of_equal_bytes_are_one():
    given = VALUES.copy()
    table = Table(given)
    given[0] = 7.0
    assert table.values[0] == VALUES[0]
    assert not table.values.flags.writeable
    other = VALUES.copy()
    other[500] = np.nextafter(other[500], 2.0)
    assert table == Table(VALUES) == pickle.loads(pickle.dumps(table)) == copy.deepcopy(table)
    assert hash(table) == hash(Table(VALUES))
    assert table != Table(other)
    assert table != VALUES.tobytes()
    assert repr(table) == f"Table(1000, {table.digest})"
    back = pickle.loads(pickle.dumps(READ))
    np.testing.assert_array_equal(back.eval(x=AT[0]), READ.eval(x=AT[0]))
    assert not back.args[0].func.table.values.flags.writeable

    twice = ad.lookup(VALUES, X) + ad.lookup(VALUES.copy(), X) * ad.lookup(other, X)
    steps = [step.func for step in lower(twice).tape.steps]
    assert sum(isinstance(func, Lookup) for func in steps) == 2


def test_what_is_known_beforehand_is_read_beforehand():
    assert isinstance(lower(ad.lookup([1.0, 2.0, 4.0], [2.5, -1.0])).roots[0], Constant)
    program = scalar_program(lower(ad.lookup([1.0, 2.0, 4.0], 0.0 * X[0] + 1.0) * X).tape)
    assert program.n_ops == 4
    assert Facts().bounds(ad.lookup([2.0, -1.0, 4.0], X)) == (-1.0, 4.0)
    assert Facts().bounds(ad.lookup([2.0, np.nan], X)) == (-np.inf, np.inf)
    assert lower(READ).names_in == ("x",)
    assert READ.sparsity("x") is not None
    np.testing.assert_array_equal(READ.sparsity("x"), np.eye(4, dtype=bool))


@pytest.mark.parametrize(
    ("values", "shape"),
    [
        ([], r"\(0,\)"),
        (3.0, r"\(\)"),
        (np.eye(2), r"\(2, 2\)"),
        (np.zeros(MOST_ENTRIES + 1), "4194305"),
    ],
)
def test_other_tables_are_refused(values, shape: str):
    with pytest.raises(ValueError, match=f"lookup: table has shape .*{shape}.* of 1 to 4,194,304"):
        ad.lookup(values, X)


# ---------------------------------------------------------------------------------------- kernels


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_saved_kernels_have_their_tables(dtype: Any, tmp_path: Path):
    kernel = ad_to_kernel(READ, dtype=dtype)
    x = AT.astype(dtype)
    kernel.save(tmp_path / "kernel", derivatives=["jacobian_values"])
    loaded = load(tmp_path / "kernel")
    assert loaded.is_native
    np.testing.assert_array_equal(loaded(x), kernel(x))
    np.testing.assert_array_equal(loaded.jacobian_values()(x), kernel.jacobian_values()(x))
    places = np.clip(np.floor(np.array(100.0, dtype) * x), 0, 999).astype(int)
    np.testing.assert_array_equal(kernel(x), VALUES.astype(dtype)[places] * x)


def test_a_table_stands_once_in_a_text():
    program = scalar_program(lower((READ, ad.lookup(VALUES, X))).tape)
    for text in (emit_c(program, Target("float64", 32)), emit_cuda(program, "float64")):
        assert text.count("STORED union") == 1
        assert text.count("lookup(table_") == 8
    assert ad_to_c(READ).count("STORED union") == 1  # of the value and both derivatives


def test_kernels_of_other_tables_are_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    tmp_path.chmod(0o700)
    monkeypatch.setenv("ROBOGRAD_CACHE", str(tmp_path))
    for factor in (1.0, 2.0, 1.0):
        kernel = ad_to_kernel(ad.lookup(factor * VALUES, X))
        np.testing.assert_array_equal(kernel(np.full(4, 3.2)), np.full(4, factor * VALUES[3]))
    assert len(list((tmp_path / "kernels").glob("*.so"))) == 2


def test_more_than_a_file_may_hold_is_not_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(file, "MOST_BYTES", 100_000)
    with pytest.raises(ValueError, match=r"bytes to save, expected 100,000 or fewer"):
        ad_to_kernel(READ).save(tmp_path / "kernel")


def _swap(data: dict[str, Any], op: str, change: Callable[[list[Any]], list[Any]]) -> None:
    for row in _rows(data, op):
        row[1:] = change(row[1:])


def _rows(data: dict[str, Any], op: str) -> list[list[Any]]:
    number = data["operations"].index(op)
    return [row for row in data["instructions"] if row[0] == number]


def _table(data: dict[str, Any]) -> int:
    return data["instructions"].index(*_rows(data, "table"))


LIES: dict[str, Callable[[dict[str, Any]], None]] = {
    "a table as a number": lambda d: _swap(d, "mul", lambda _: [_table(d), _table(d)]),
    "a table as a place": lambda d: _swap(d, "lookup", lambda a: [a[0], a[0]]),
    "a number as a table": lambda d: _swap(d, "lookup", lambda a: [a[1], a[1]]),
    "a result": lambda d: d["outputs"].append([_table(d)]),
    "no numbers": lambda d: _swap(d, "table", lambda _: [""]),
    "half a number": lambda d: _swap(d, "table", lambda _: [base64.b64encode(b"abc").decode()]),
    "no code": lambda d: _swap(d, "table", lambda _: ["?"]),
    "two tables": lambda d: _swap(d, "table", lambda a: [*a, *a]),
}


@pytest.mark.parametrize("lie", LIES)
def test_files_that_lie_about_tables_are_refused(lie: str):
    text = program_to_json(scalar_program(lower(READ).tape))
    assert program_from_json(text) == scalar_program(lower(READ).tape)
    data = json.loads(text)
    LIES[lie](data)
    with pytest.raises(ValueError):  # noqa: PT011 (of several functions)
        program_from_json(json.dumps(data).encode())


# ---------------------------------------------------------------------------------- other engines


def test_casadi_has_matrix_symbols_for_tables(monkeypatch: pytest.MonkeyPatch):
    f = ad_to_casadi(READ)
    assert f.is_a("MXFunction")
    assert ad_to_casadi(X * 2.0).is_a("SXFunction")
    for function in (f, ad_to_casadi(READ, compiled=True), pickle.loads(pickle.dumps(f))):
        np.testing.assert_array_equal(function.map(50)(AT.T).full().T, EXPECTED)
        jacobian = np.array(function.jacobian()(AT[0], 0))
        np.testing.assert_allclose(jacobian, READ.derivative("x", x=AT[0]), rtol=1e-13)
    with pytest.raises(NotImplementedError, match=r"a table of 1,000 numbers has no SX form"):
        ad_to_casadi(READ, symbolic="SX")
    monkeypatch.setenv("CC", "no such compiler")
    with pytest.warns(RuntimeWarning, match="runs on CasADi's evaluator"):
        slow = ad_to_casadi(READ * 3.0, compiled=True, mapped=50)
    np.testing.assert_array_equal(slow(AT.T).full().T, 3.0 * EXPECTED)


@pytest.mark.parametrize("engine", ["torch", "auto"])
def test_torch_exports_and_transforms_tables(engine: Any):
    layer = ad_to_torch(READ, engine=engine)
    x = torch.from_numpy(AT)
    exported = torch.export.export(layer, (x,)).module()
    mapped = torch.func.vmap(layer)
    for call in (layer, exported, mapped):
        np.testing.assert_array_equal(call(x).detach().numpy(), EXPECTED)
    single = layer(x.float())
    assert single.dtype == torch.float32
    small = ad_to_torch(ad.lookup(VALUES[:256], X), engine=engine)(x.bfloat16())
    np.testing.assert_array_equal(
        small.float(),
        torch.tensor(VALUES).bfloat16().float()[x.bfloat16().floor().clamp(min=0).long()],
    )
    with pytest.raises(ValueError, match=r"1,000 numbers, but torch\.bfloat16 counts to 256 only"):
        layer(x.bfloat16())
    slopes = torch.func.vmap(torch.func.jacrev(layer))(x)
    np.testing.assert_allclose(slopes, READ.derivative_batch("x", x=AT), rtol=1e-13)
    assert torch.autograd.gradcheck(layer, x[:3].clone().requires_grad_())
