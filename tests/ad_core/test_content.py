"""Graphs as bytes: what they say, what tells them apart, and what has none."""

from __future__ import annotations

import itertools
import os
import shutil
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from fresh_process import ROOT, run_python
from op_specs import SPECS, OpSpec

import ad_core as ad
from ad_core import math as adm
from ad_core import sources
from ad_core.content import Content, content_of
from ad_core.lowering.signature import signature
from ad_core.ops.elementwise import Elementwise
from ad_core.ops.shaped import Quadratic
from ad_core.sources import package_of, sources_stamp

X, Y = ad.var("x", 3), ad.var("y", 3)


def content(func: object, terminals: list[str] | None = None, **sizes: int) -> Content | None:
    return content_of(signature(func, terminals), sizes)  # type: ignore[arg-type]


def data(func: object, terminals: list[str] | None = None, **sizes: int) -> bytes:
    found = content(func, terminals, **sizes)
    assert found is not None
    return found.data


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_every_primitive_comes_back(spec: OpSpec) -> None:
    """The same value, derivative and bytes as the graph that was written down."""
    for sizes in spec.sizes:
        names = [f"x{i}" for i in range(len(sizes))]
        values = {
            name: np.linspace(low, high, size + 2)[1:-1]
            for name, size, (low, high) in zip(names, sizes, spec.draws, strict=True)
        }
        graph = spec.call(*(ad.var(n, s) for n, s in zip(names, sizes, strict=True)))
        found = content(graph, names)
        assert found is not None
        assert found.packages == ("ad_core",)
        again, _ = found.read()
        assert (again.names, again.single) == (tuple(names), True)
        assert content_of(again) == found
        np.testing.assert_array_equal(again.roots[0].eval(**values), graph.eval(**values))
        derivative = again.roots[0].derivative(names[0], **values)
        np.testing.assert_array_equal(derivative, graph.derivative(names[0], **values))


def test_sizes_order_and_number_of_results_come_back() -> None:
    u = ad.var("u")
    found = content((u + 1.0, X * 2.0), ["x", "u", "unused"], u=2, unused=1)
    assert found is not None
    chosen, sizes = found.read()
    assert chosen.names == ("x", "u", "unused")
    assert sizes == {"u": 2, "unused": 1}
    assert not chosen.single
    assert [str(root) for root in chosen.roots] == ["u + 1", "x * 2"]


def test_shared_nodes_stay_shared() -> None:
    node = adm.sin(X)
    for _ in range(60):
        node = node + node
    found = content(node)
    assert found is not None
    assert len(found.data) < 5000
    again, _ = found.read()
    np.testing.assert_array_equal(again.roots[0].eval(x=np.ones(3)), node.eval(x=np.ones(3)))


THIRD = 1.0 / 3.0
ANOTHER_NAN = np.array([0x7FF8000000000001]).view(np.float64)[0]
DIFFERENT = [
    (X * THIRD,),
    (X * np.nextafter(THIRD, 1.0),),
    (X * 0.0,),
    (X * -0.0,),
    (X * np.nan,),
    (X * ANOTHER_NAN,),
    (X * 1.0,),
    (X * [1.0],),
    (X * [1.0, 1.0, 1.0],),
    (X + THIRD,),
    (THIRD + X,),
    (ad.var("z", 3) * THIRD,),
    (ad.var("x") * THIRD,),
    (X[0:2],),
    (X[0:3:2],),
    (X[[0, 2]],),
    (X[0],),
    (X[[0]],),
    (X[[True, False, True]],),
    (adm.matmul(X, X, (3, 1), (1, 3)),),
    (adm.matmul(X, X, (1, 3), (3, 1)),),
    (adm.linear(np.eye(3), X),),
    (adm.linear(2 * np.eye(3), X),),
    (adm.quadratic(np.eye(3), X),),
    (adm.quadratic(2 * np.eye(3), X),),
    (adm.dot(X, Y),),
    (adm.dot(Y, X),),
    (ad.minimum(X, Y),),
    (ad.maximum(X, Y),),
    (ad.cond(X, Y, 0.0),),
    (ad.cond3(X, Y, 0.0, 1.0),),
    (X, Y),
    (Y, X),
    (X, X),
]


def test_different_graphs_have_different_bytes() -> None:
    found = [data(roots if len(roots) > 1 else roots[0]) for roots in DIFFERENT]
    assert len(set(found)) == len(DIFFERENT)
    variants = [
        data(X + Y),
        data((X + Y,)),
        data(X + Y, ["y", "x"]),
        data(X + Y, ["x", "y", "z"], z=1),
        data(X + Y, ["x", "y", "z"], z=2),
        data(ad.var("x") + Y),
        data(ad.var("x") + Y, x=3),
        data(ad.var("x") + Y, x=1),
    ]
    assert len(set(variants)) == len(variants)


def test_equal_graphs_have_equal_bytes() -> None:
    def graph() -> ad.Expression:
        x = ad.var("x", 3)
        return adm.cross(adm.sin(x), adm.linear(np.diag([1.0, 2.0, 3.0]), x)) / adm.norm(x)

    assert data(graph()) == data(graph())


def test_bytes_say_what_the_graph_was_then() -> None:
    """What later becomes of the objects in a graph changes neither bytes nor what they say."""
    matrix = np.eye(3)
    function = Quadratic(matrix)
    graph = function(X)
    found = content(graph)
    assert found is not None
    matrix[:] = 5.0
    assert content(graph) != found
    again, _ = found.read()
    assert again.roots[0].eval(x=np.ones(3)) == 3.0


# ----------------------------------------------------------------- what has no bytes


class Doubled(ad.Composite):
    def n_args(self) -> int:
        return 1

    def n_out(self) -> int:
        return 3

    def expand(self, *args: ad.Expression) -> ad.Expression:
        return 2.0 * args[0]


class Subclass(Quadratic):
    def expand(self, *args: ad.Expression) -> ad.Expression:
        return 3.0 * args[0][0]


class Tagged(ad.Constant):
    __slots__ = ()


@ad.composite("halved", n_in=(3,), n_out=3, argnames=("x",))
def halved(x: ad.Expression) -> ad.Expression:
    """Half of x."""
    return 0.5 * x


def impostor() -> Elementwise:
    """A user's primitive of the name of one of ours."""
    return elementwise("sin", lambda x, out: x)


def with_attribute(value: object) -> ad.Expression:
    """One of our functions that a user hung something on."""
    function = Quadratic(np.eye(3))
    function.more = value
    return function(X)


FOREIGN = {
    "class": lambda: Doubled()(X),
    "subclass of ours": lambda: Subclass(np.eye(3))(X),
    "class inside": lambda: adm.sin(Doubled()(X)) + 1.0,
    "decorated": lambda: halved(X),
    "function": lambda: ad.function(lambda x: x, outspec=3)(X),
    "builtin function": lambda: ad.function(np.sin, argspec=[3], outspec=3)(X),
    "name of ours": lambda: impostor()(X),
    "kind of node": lambda: X + Tagged([1.0, 2.0, 3.0]),
    "lambda": lambda: with_attribute(lambda: 1.0),
    "method": lambda: with_attribute(Doubled().expand),
    "module": lambda: with_attribute(np),
    "objects": lambda: with_attribute(np.array([Doubled()], dtype=object)),
    "open file": lambda: with_attribute(sys.stdout),
    "path": lambda: with_attribute(Path("x")),
}


@pytest.mark.parametrize("graph", FOREIGN.values(), ids=FOREIGN)
def test_what_is_not_known_by_files_has_no_bytes(graph) -> None:
    assert content(graph()) is None


def test_data_of_ours_has_bytes() -> None:
    """The counterpart: numbers, strings and containers that hang on a function are all said."""
    values = [1, 1.0, True, "1", b"1", None, [1], (1,), {"a": 1}, np.float32(1.0), np.int64(1)]
    values += [slice(1), range(1), np.ones(1), np.ones(1, np.float32), np.ones((1, 1))]
    found = [data(with_attribute(value)) for value in values]
    assert len(set(found)) == len(values)


def test_reading_refuses_other_names() -> None:
    """Bytes that did not come from `content_of` cannot name what is not known by files."""
    evil = b"\x80\x05cposix\nsystem\n(S'exit 1'\ntR."
    with pytest.raises(Exception, match=r"posix\.system is not of a package known by its files"):
        Content(evil, ()).read()


# ----------------------------------------------------------------- processes and files


SAME = """
    import hashlib
    import numpy as np
    import ad_core as ad
    from ad_core import math as adm
    from ad_core.content import content_of
    from ad_core.lowering.signature import signature
    x = ad.var("x", 3)
    graph = adm.cross(adm.sin(x), adm.linear(np.diag([1.0, 2.0, 3.0]), x)) / adm.norm(x)[0:1]
    print(hashlib.sha256(content_of(signature(graph)).data).hexdigest())
"""


def test_bytes_are_the_same_in_every_process() -> None:
    assert len({run_python(SAME, PYTHONHASHSEED=seed) for seed in ("0", "1", "77")}) == 1


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package, not loaded, that says that it is known by its files."""
    folder = tmp_path / "known_by_files"
    (folder / "inner").mkdir(parents=True)
    (folder / "__init__.py").write_text("import time\nLOADED_NS = time.time_ns()\n")
    (folder / "inner" / "__init__.py").write_text("")
    (folder / "inner" / "part.py").write_text("VALUE = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("known_by_files", "known_by_files.inner", "known_by_files.inner.part"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    time.sleep(0.02)  # the clock of files goes in steps
    return folder


def load(name: str) -> None:
    __import__(name)


def test_packages_that_say_so_are_known(package: Path) -> None:
    load("known_by_files.inner.part")
    assert package_of("known_by_files.inner.part") == "known_by_files"
    assert package_of("ad_core.ops.shaped") == "ad_core"
    for name in ("numpy", "os", "__main__", "known_by_files.other", __name__, ""):
        assert package_of(name) is None
    assert sources_stamp(["numpy"]) is None
    assert sources_stamp(["no_such_package"]) is None


def test_a_module_from_elsewhere_is_not_known(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever name it goes by."""
    load("known_by_files.inner.part")
    elsewhere = tmp_path / "known_by_files_too" / "part.py"
    elsewhere.parent.mkdir()
    monkeypatch.setattr(sys.modules["known_by_files.inner.part"], "__file__", str(elsewhere))
    assert package_of("known_by_files.inner.part") is None


def stamp_in_a_new_process(package: Path) -> str:
    code = """
        import known_by_files
        from ad_core.sources import sources_stamp
        stamp = sources_stamp(["known_by_files"])
        print(None if stamp is None else stamp.hex())
    """
    return run_python(code, PYTHONPATH=f"{ROOT}{os.pathsep}{package.parent}")


def test_a_stamp_changes_with_every_file(package: Path) -> None:
    part = package / "inner" / "part.py"
    before = stamp_in_a_new_process(package)
    assert before != "None"
    assert stamp_in_a_new_process(package) == before
    times = part.stat()
    part.write_text("VALUE = 2\n")  # as large as it was
    os.utime(part, ns=(times.st_atime_ns, times.st_mtime_ns))  # and as old, it says
    edited = stamp_in_a_new_process(package)
    (package / "inner" / "more.txt").write_text("data")
    grown = stamp_in_a_new_process(package)
    (package / "inner" / "more.txt").rename(package / "inner" / "other.txt")
    renamed = stamp_in_a_new_process(package)
    shutil.copytree(package, package.parent / "copy")
    shutil.rmtree(package)
    (package.parent / "copy").rename(package)
    copied = stamp_in_a_new_process(package)
    stamps = [before, edited, grown, renamed, copied]
    assert all(a != b for a, b in itertools.combinations(stamps, 2))


def test_no_stamp_once_a_loaded_file_changed(package: Path) -> None:
    """The process runs what it loaded, and the files say something else."""
    load("known_by_files.inner.part")
    before = sources_stamp(["known_by_files"])
    assert before is not None
    assert sources_stamp(["known_by_files"]) == before
    time.sleep(0.02)
    part = package / "inner" / "part.py"
    text = part.read_text()
    part.write_text("VALUE = 3\n")
    assert sources_stamp(["known_by_files"]) is None
    part.write_text(text)  # nobody can tell that this is what it was
    assert sources_stamp(["known_by_files"]) is None


def test_no_stamp_where_changes_have_no_times(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load("known_by_files")
    paths, numbers = sources._files(str(package))
    whole = [1_580_601_600 * 10**9, 1_580_601_600 * 10**9, 7, 8] * len(paths)
    assert len(numbers) == len(whole)
    monkeypatch.setattr(sources, "_files", lambda _: (paths, whole))
    assert sources_stamp(["known_by_files"]) is None
