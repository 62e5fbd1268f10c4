"""Imports run one way: no circle among modules, and none among the folders of a package.

Every import counts, also one inside a function or under `TYPE_CHECKING`. Which folder lies above
which is in `pyproject.toml` (`tool.importlinter`).
"""

import ast
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("ad_core", "bridges", "robotics_ad", "robograd")
Graph = dict[str, set[str]]


def import_graph(root: Path, packages: tuple[str, ...]) -> Graph:
    """The modules that each module imports, by name; a package stands for its `__init__`."""
    paths = {
        ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__"): path
        for package in packages
        for path in (root / package).rglob("*.py")
    }
    return {
        module: _imported(ast.parse(path.read_text(encoding="utf-8")), set(paths)) - {module}
        for module, path in paths.items()
    }


def _imported(tree: ast.AST, known: set[str]) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.module
            assert node.level == 0
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            modules = names & known
            found |= modules
            if len(modules) < len(names):
                found.add(node.module)
    return found & known


def folders(graph: Graph) -> Graph:
    """The graph among folders and modules that lie directly in a package."""
    merged: Graph = {}
    for module, imported in graph.items():
        here = _folder(module)
        merged.setdefault(here, set()).update({_folder(other) for other in imported} - {here})
    return merged


def _folder(module: str) -> str:
    return ".".join(module.split(".")[:2])


def circles(graph: Mapping[str, set[str]]) -> list[list[str]]:
    """The largest groups of modules in which each reaches each, itself included."""
    reached = {module: _reached(graph, module) for module in graph}
    groups = {
        frozenset(other for other in reached[module] if module in reached[other])
        for module in graph
        if module in reached[module]
    }
    return sorted(sorted(group) for group in groups)


def _reached(graph: Mapping[str, set[str]], start: str) -> set[str]:
    found: set[str] = set()
    waiting = [start]
    while waiting:
        new = graph[waiting.pop()] - found
        found |= new
        waiting += new
    return found


@pytest.fixture(scope="module")
def ours() -> Graph:
    graph = import_graph(ROOT, PACKAGES)
    assert len(graph) > 150
    assert "ad_core.graph.nodes" in graph["ad_core.graph"]
    return graph


def test_no_module_imports_itself_by_way_of_others(ours: Graph) -> None:
    assert circles(ours) == []


def test_no_folder_imports_itself_by_way_of_others(ours: Graph) -> None:
    assert circles(folders(ours)) == []


def test_circles_are_found_wherever_the_import_stands(tmp_path: Path) -> None:
    package = tmp_path / "pack"
    package.mkdir()
    (package / "__init__.py").write_text("from pack import a\n")
    (package / "a.py").write_text("from pack.b import name\n")
    (package / "b.py").write_text("def f():\n    import pack.c\n")
    (package / "c.py").write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from pack import b\n"
    )
    graph = import_graph(tmp_path, ("pack",))
    assert graph == {
        "pack": {"pack.a"},
        "pack.a": {"pack.b"},
        "pack.b": {"pack.c"},
        "pack.c": {"pack.b"},
    }
    assert circles(graph) == [["pack.b", "pack.c"]]
    assert circles({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []
