"""Kernels in files: values, derivatives, damage and lies; loaded without CasADi and torch."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fresh_process import run_python

import ad_core as ad
from ad_core import math as adm
from bridges.kernel import Kernel, ad_to_kernel, casadi_to_kernel, file, load

X, Y = ad.var("x", 3), ad.var("y", 2)
A, B = np.array([0.3, -1.2, 0.7]), np.array([1.1, -0.4])


def functions() -> tuple[ad.Expression, ...]:
    return adm.sin(X) * Y[0], ad.cond(Y[1], adm.dot(X, X), adm.exp(Y[0])), ad.constant([1.0, 0.0])


DERIVATIVES: list[Any] = [
    "vjp",
    "jvp",
    "jacobian",
    "jacobian_values",
    "hessian_vp",
    ("vjp", (0,)),
    ("jacobian", ["y"]),
    ["jacobian", "vjp"],
    ["vjp", ("jvp", ["x"]), "jacobian"],
]
DERIVE: list[Callable[[Kernel], Kernel]] = [
    lambda k: k,
    lambda k: k.vjp(),
    lambda k: k.jvp(),
    lambda k: k.jacobian(),
    lambda k: k.jacobian_values(),
    lambda k: k.hessian_vp(),
    lambda k: k.vjp(["x"]),
    lambda k: k.jacobian([1]),
    lambda k: k.jacobian().vjp(),
    lambda k: k.vjp().jvp(["x"]).jacobian(),
]


def arguments(kernel: Kernel) -> list[np.ndarray]:
    rng = np.random.default_rng(3)
    return [rng.normal(size=(5, n)).astype(kernel.dtype) for n in kernel.input_sizes]


def assert_equal_kernels(have: Kernel, want: Kernel) -> None:
    assert repr(have) == repr(want)
    assert have.output_shapes == want.output_shapes
    assert have.is_tuple == want.is_tuple
    given = arguments(want)
    results, expected = have(*given), want(*given)
    assert type(results) is type(expected)
    for y, wanted in zip(results, expected, strict=True):
        np.testing.assert_array_equal(y, wanted)


@pytest.mark.parametrize("dtype", ["float64", pytest.param("float32", marks=pytest.mark.slow)])
def test_saved_kernels_are_the_same(tmp_path: Path, dtype: str) -> None:
    kernel = ad_to_kernel(functions(), dtype=dtype)
    kernel.save(tmp_path / "kernel.zip", derivatives=DERIVATIVES)
    loaded = load(tmp_path / "kernel.zip")
    assert loaded.is_native
    for derive in DERIVE:
        assert_equal_kernels(derive(loaded), derive(kernel))
    assert loaded.jacobian_pattern() == kernel.jacobian_pattern()
    assert loaded.cuda_source == kernel.cuda_source
    for y, wanted in zip(
        loaded(y=B.astype(dtype), x=A.astype(dtype)),
        kernel(A.astype(dtype), B.astype(dtype)),
        strict=True,
    ):
        np.testing.assert_array_equal(y, wanted)


def test_a_loaded_kernel_is_saved_again(tmp_path: Path) -> None:
    kernel = ad_to_kernel(functions())
    kernel.save(tmp_path / "first", derivatives=["vjp", "jacobian"])
    load(tmp_path / "first").save(tmp_path / "second", derivatives=["vjp", "jacobian"])
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()


def test_absent_derivatives_are_named(tmp_path: Path) -> None:
    ad_to_kernel(functions()).save(tmp_path / "k", derivatives=[("vjp", ["y"])])
    loaded = load(tmp_path / "k")
    loaded.vjp([1])
    with pytest.raises(
        ValueError, match=r"no vjp for x, y in .* \(there: vjp for y\); save it with"
    ):
        loaded.vjp()
    with pytest.raises(ValueError, match=r"derivatives=\['jacobian_values'\]"):
        loaded.jacobian_pattern()
    with pytest.raises(ValueError, match="derivative 'gradient', expected one of vjp, jvp"):
        loaded.save(tmp_path / "k", derivatives=["gradient"])


def test_pickles_have_the_derivatives_that_were_made() -> None:
    kernel = ad_to_kernel(functions())
    kernel.vjp().jvp()
    copy = pickle.loads(pickle.dumps(kernel))
    assert_equal_kernels(copy, kernel)
    assert_equal_kernels(copy.vjp().jvp(), kernel.vjp().jvp())
    with pytest.raises(ValueError, match="no jacobian"):
        copy.jacobian()


def test_a_pickle_finds_the_built_library(folder: Path) -> None:
    kernel = ad_to_kernel(functions())
    kernel.vjp().build()
    before = set(folder.rglob("*.so"))
    copy = pickle.loads(pickle.dumps(kernel))
    assert copy.is_native
    assert copy.vjp().is_native
    assert set(folder.rglob("*.so")) == before


def test_kernels_of_casadi_functions(tmp_path: Path) -> None:
    import casadi as ca

    x = ca.SX.sym("x", 2)
    kernel = casadi_to_kernel(ca.Function("f", [x], [ca.erf(x) * x[0]], ["x"], ["y"]))
    kernel.save(tmp_path / "k")
    np.testing.assert_array_equal(load(tmp_path / "k")([0.2, 0.4]), kernel([0.2, 0.4]))


ALONE = """
    import sys
    class Refuse:
        def find_spec(self, name, *_):
            if name.split(".")[0] in ("casadi", "torch", "scipy"):
                raise ImportError(name)
    sys.meta_path.insert(0, Refuse())
    import numpy as np
    from bridges.kernel import load
    k = load(PATH)
    x, y = np.array([0.3, -1.2, 0.7]), np.array([1.1, -0.4])
    print(k.is_native, repr([r.tolist() for r in (*k(x, y), *k.jacobian()(x, y))]))
"""


@pytest.mark.parametrize("compiler", ["cc", "none"])
def test_neither_casadi_nor_torch_is_needed(tmp_path: Path, compiler: str) -> None:
    path = tmp_path / "kernel.zip"
    kernel = ad_to_kernel(functions())
    kernel.save(path, derivatives=["jacobian"])
    want = [r.tolist() for r in (*kernel(A, B), *kernel.jacobian()(A, B))]
    code = ALONE.replace("PATH", repr(str(path)))
    if compiler == "none":
        code = "import warnings; warnings.simplefilter('ignore')\n" + "\n".join(
            line[4:] for line in code.splitlines()
        )
        printed = run_python(code, PATH="", CC="", ROBOGRAD_CACHE=str(tmp_path / "c"))
        assert printed.startswith("False ")
        have = json.loads(printed.removeprefix("False "))
        for a, b in zip(have, want, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-14, atol=1e-16)
    else:
        assert run_python(code) == f"True {want!r}"


def test_nothing_heavy_is_imported() -> None:
    code = """
        import sys
        import bridges.kernel, bridges.native.scalars, bridges.native.load
        print(sorted({"casadi", "torch", "scipy"} & set(sys.modules)))
    """
    assert run_python(code) == "[]"


# ------------------------------------------------------------------------------- bad files


@pytest.fixture(scope="module")
def members() -> dict[str, bytes]:
    kernel = ad_to_kernel((X[:2] * Y, Y))
    tree = {("jacobian_values", (0, 1)): {}}
    saved = file.Saved(kernel.source, kernel.dtype, kernel.output_shapes, kernel.is_tuple)
    with zipfile.ZipFile(io.BytesIO(file.write(saved, tree, 64))) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(members: dict[str, bytes], checked: bool = True) -> bytes:
    """A file of these members, with a right checksum if `checked`."""
    members = dict(members)
    if checked:
        del members["checksum"]
        digest = hashlib.sha256()
        for name in sorted(members):
            for part in (name.encode(), members[name]):
                digest.update(len(part).to_bytes(8, "big"))
                digest.update(part)
        members["checksum"] = digest.hexdigest().encode()
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in members.items():
            archive.writestr(name, body)
    return data.getvalue()


def test_a_file_packed_by_hand_is_read(members: dict[str, bytes]) -> None:
    assert file.read(packed(members)).dtype == "float64"


def test_every_cut_and_change_is_found(members: dict[str, bytes], tmp_path: Path) -> None:
    data = packed(members)
    right = file.read(data)
    for end in range(0, len(data), 37):
        with pytest.raises(ValueError, match="kernel file"):
            file.read(data[:end])
    for at in range(0, len(data), 11):
        changed = data[:at] + bytes([data[at] ^ 0x5A]) + data[at + 1 :]
        try:
            found = file.read(changed)
        except ValueError:
            continue  # else it is what a zip says besides, such as dates
        assert found.source.program == right.source.program
        assert found.source.signature == right.source.signature
    (tmp_path / "k").write_bytes(data[:100])
    with pytest.raises(ValueError, match=r"/k: not a kernel file"):
        load(tmp_path / "k")
    with pytest.raises(ValueError, match="checksum is wrong"):
        file.read(packed({**members, "0/kernel.c": b"evil"}, checked=False))


def edited(members: dict[str, bytes], name: str, edit: Callable[[Any], object]) -> bytes:
    data = json.loads(members[name])
    edit(data)
    return packed({**members, name: json.dumps(data).encode()})


def put(*keys: Any, value: Any) -> Callable[[Any], object]:
    def edit(data: Any) -> None:
        for key in keys[:-1]:
            data = data[key]
        data[keys[-1]] = value

    return edit


PROGRAM_LIES = {
    "unknown operation": put("operations", 0, value="system"),
    "operation of another kind": put("operations", 0, value=["add"]),
    "operand behind": put("instructions", -1, 1, value=10**6),
    "own value": put("instructions", 0, value=[2, 0, 0]),
    "negative operand": put("instructions", -1, 1, value=-1),
    "float operand": put("instructions", -1, 1, value=0.5),
    "true operand": put("instructions", -1, 1, value=True),
    "operand too many": lambda data: data["instructions"][-1].append(0),
    "no operand": lambda data: data["instructions"][-1].pop(),
    "entry outside": put("input_sizes", value=[1, 1]),
    "other sizes": put("input_sizes", value=[3, 3]),
    "negative size": put("input_sizes", 0, value=-3),
    "huge size": put("input_sizes", 0, value=2**62),
    "output outside": put("outputs", 0, 0, value=10**6),
    "negative output": put("outputs", 0, 0, value=-1),
    "longer output": lambda data: data["outputs"][0].append(0),
    "output too many": lambda data: data["outputs"].append([]),
    "no instructions": put("instructions", value=None),
}
MANIFEST_LIES = {
    "later format": put("format", value=2),
    "other dtype": put("dtype", value="float16"),
    "larger input": put("inputs", 0, 1, value=4),
    "larger output": put("outputs", 0, 1, value=3),
    "input too many": lambda data: data["inputs"].append(["z", 1]),
    "other shape": put("output_shapes", 0, value=[4]),
    "negative shape": put("output_shapes", 0, value=[-1, -2]),
    "no derivative": put("value", "derivatives", 0, "kind", value="load"),
    "other derivative": put("value", "derivatives", 0, "kind", value="vjp"),
    "input outside": put("value", "derivatives", 0, "wrt", value=[0, 7]),
    "input twice": put("value", "derivatives", 0, "wrt", value=[0, 0]),
    "row outside": put("value", "derivatives", 0, "patterns", 0, 0, 0, value=99),
    "fewer patterns": lambda data: data["value"]["derivatives"][0]["patterns"].pop(),
    "program of another": put("value", "derivatives", 0, "number", value=0),
    "no program": put("value", "number", value=9),
    "path": put("value", "number", value="../../etc/passwd"),
    "empty": lambda data: data.clear(),
}


@pytest.mark.parametrize("lie", PROGRAM_LIES)
@pytest.mark.parametrize("number", [0, 1])
def test_lies_of_programs(members: dict[str, bytes], lie: str, number: int) -> None:
    with pytest.raises(ValueError, match="not a kernel file"):
        file.read(edited(members, f"{number}/program.json", PROGRAM_LIES[lie]))


@pytest.mark.parametrize("lie", MANIFEST_LIES)
def test_lies_of_manifests(members: dict[str, bytes], lie: str) -> None:
    with pytest.raises(ValueError, match="not a kernel file"):
        file.read(edited(members, "manifest.json", MANIFEST_LIES[lie]))


def test_bombs(members: dict[str, bytes]) -> None:
    with pytest.raises(ValueError, match=r"members of \d+ bytes"):
        file.read(packed({**members, "bomb": bytes(file.MOST_BYTES + 1)}))
    with pytest.raises(ValueError, match=r"\d+ members"):
        file.read(packed({**members, **{str(k): b"" for k in range(file.MOST_MEMBERS)}}))
    deep = b"[" * 100_000 + b"]" * 100_000
    for name in ("manifest.json", "0/program.json"):
        with pytest.raises(ValueError, match="kernel file"):
            file.read(packed({**members, name: deep}))
    with pytest.raises(ValueError, match="kernel file"):
        file.read(packed({**members, "manifest.json": b"[1, 2"}))


def test_a_link_beside_the_file_is_not_followed(tmp_path):
    """Files are written under a name that no one can foresee, then renamed."""
    victim = tmp_path / "victim"
    victim.write_text("keep")
    (tmp_path / "k.robograd.part").symlink_to(victim)
    kernel = ad_to_kernel(ad.sin("x"), sizes={"x": 2})
    kernel.save(tmp_path / "k.robograd")
    assert victim.read_text() == "keep"
    assert not (tmp_path / "k.robograd").is_symlink()
    x = np.ones((3, 2))
    np.testing.assert_array_equal(load(tmp_path / "k.robograd")(x), kernel(x))
    assert [p.name for p in sorted(tmp_path.iterdir())] == [
        "k.robograd",
        "k.robograd.part",
        "victim",
    ]
