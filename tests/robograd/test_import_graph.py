"""Imports run one way: no circle among modules, and none among the folders of a package.

Every import counts, also one inside a function or under `TYPE_CHECKING`; those inside functions
spare a library that is slow to import or may be missing. Which folder lies above which is in
`pyproject.toml` (`tool.importlinter`).
"""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("ad_core", "bridges", "robotics_ad", "robograd")
SPARED = {
    "casadi",
    "coal",
    "matplotlib",
    "mujoco",
    "numpy",
    "scipy",
    "shtab",
    "torch",
    "tqdm",
    "xacro",
}
UNIX = {"grp", "pwd"}
Graph = Mapping[str, set[str]]


@dataclass
class Imports:
    """What each module imports, by name: at once, when a function is called, and for types only.

    A package stands for its `__init__`. Libraries have the name of their package.
    """

    at_once: dict[str, set[str]] = field(default_factory=dict[str, set[str]])
    in_functions: dict[str, set[str]] = field(default_factory=dict[str, set[str]])
    for_types: dict[str, set[str]] = field(default_factory=dict[str, set[str]])

    def ours(self) -> Graph:
        """All imports among the modules."""
        return {
            module: (self.at_once[module] | self.in_functions[module] | self.for_types[module])
            & (set(self.at_once) - {module})
            for module in self.at_once
        }


def read_imports(root: Path, packages: tuple[str, ...]) -> Imports:
    """The imports of every module below `root` in `packages`."""
    paths = {
        ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__"): path
        for package in packages
        for path in (root / package).rglob("*.py")
    }
    found = Imports()
    for module, path in paths.items():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        kinds = (found.at_once, found.in_functions, found.for_types)
        for kind in kinds:
            kind[module] = set()
        for node, kind in _statements(tree, 0):
            kinds[kind][module] |= _named(node, set(paths))
    return found


def _statements(tree: ast.AST, kind: int) -> Iterator[tuple[ast.Import | ast.ImportFrom, int]]:
    """Each import with its kind: 0 at once, 1 in a function, 2 for types."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node, kind
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _statements(node, 1)
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            yield from _statements(node, 2)
        else:
            yield from _statements(node, kind)


def _named(node: ast.Import | ast.ImportFrom, known: set[str]) -> set[str]:
    """The modules of ours that a statement names, and the libraries."""
    if isinstance(node, ast.ImportFrom):
        assert node.module
        assert node.level == 0
        names = {f"{node.module}.{alias.name}" for alias in node.names}
        names = {name if name in known else node.module for name in names}
    else:
        names = {alias.name for alias in node.names}
    return {name if name in known else name.split(".")[0] for name in names}


def folders(graph: Graph) -> Graph:
    """The graph among folders and modules that lie directly in a package."""
    merged: dict[str, set[str]] = {}
    for module, imported in graph.items():
        here = _folder(module)
        merged.setdefault(here, set()).update({_folder(other) for other in imported} - {here})
    return merged


def _folder(module: str) -> str:
    return ".".join(module.split(".")[:2])


def circles(graph: Graph) -> list[list[str]]:
    """The largest groups of modules in which each reaches each, itself included."""
    reached = {module: reach(graph, module) for module in graph}
    groups = {
        frozenset(other for other in reached[module] if module in reached[other])
        for module in graph
        if module in reached[module]
    }
    return sorted(sorted(group) for group in groups)


def reach(graph: Graph, start: str) -> set[str]:
    """What one gets to from `start`; `start` itself where it lies on a circle."""
    found: set[str] = set()
    waiting = [start]
    while waiting:
        new = graph.get(waiting.pop(), set()) - found
        found |= new
        waiting += new
    return found


def loaded(imports: Imports, module: str) -> set[str]:
    """All that importing `module` imports; a package is imported before what is in it."""
    graph = {m: named | set(_packages_of(m)) for m, named in imports.at_once.items()}
    return reach(graph, module)


def _packages_of(module: str) -> list[str]:
    return list(accumulate(module.split(".")[:-1], lambda a, b: f"{a}.{b}"))


@pytest.fixture(scope="module")
def ours() -> Imports:
    imports = read_imports(ROOT, PACKAGES)
    assert len(imports.at_once) > 150
    assert "ad_core.graph.nodes" in imports.at_once["ad_core.graph"]
    return imports


def test_no_module_imports_itself_by_way_of_others(ours: Imports) -> None:
    assert circles(ours.ours()) == []


def test_no_folder_imports_itself_by_way_of_others(ours: Imports) -> None:
    assert circles(folders(ours.ours())) == []


def test_imports_inside_functions_spare_a_library(ours: Imports) -> None:
    needless = [
        (module, name)
        for module, names in ours.in_functions.items()
        for name in names
        if not ({name} | loaded(ours, name)) & SPARED - loaded(ours, module) and name not in UNIX
    ]
    assert needless == []


@pytest.fixture
def package(tmp_path: Path) -> Imports:
    folder = tmp_path / "pack"
    folder.mkdir()
    for name, text in {
        "__init__": "from pack import a\n",
        "a": "from pack.b import name\n",
        "b": "def f():\n    import pack.c\n    import pack.d\n",
        "c": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from pack import b\n",
        "d": "import torch.nn\n",
    }.items():
        (folder / f"{name}.py").write_text(text)
    return read_imports(tmp_path, ("pack",))


def test_circles_are_found_wherever_the_import_stands(package: Imports) -> None:
    assert package.ours() == {
        "pack": {"pack.a"},
        "pack.a": {"pack.b"},
        "pack.b": {"pack.c", "pack.d"},
        "pack.c": {"pack.b"},
        "pack.d": set(),
    }
    assert circles(package.ours()) == [["pack.b", "pack.c"]]
    assert circles({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


def test_what_an_import_loads(package: Imports) -> None:
    assert loaded(package, "pack.d") == {"torch", "pack", "pack.a", "pack.b"}
    assert "torch" not in loaded(package, "pack.b")
    with pytest.raises(AssertionError):
        test_imports_inside_functions_spare_a_library(package)  # pack.c spares nothing
