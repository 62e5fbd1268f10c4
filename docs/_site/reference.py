"""The directive `api`: every public name of a module, by autodoc, with where it is shown.

    .. api:: robotics_ad.so3

A name that several modules export is described where it is first met in `MODULES`, and listed by
the others. Names that expressions are built with are objects of many kinds; a reader calls them, so
they stand there as functions.
"""

from __future__ import annotations

import argparse
import inspect
import re
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

from ad_core import ADFunctionInterface
from robograd import cli

from .markup import inline

DOCS = Path(__file__).parents[1]
MODULES = (
    *("ad_core.math", "ad_core", "bridges.kernel", "bridges.pytorch", "bridges.casadi"),
    *("robotics_ad.so3", "robotics_ad.se3", "robotics_ad.kinematics", "robotics_ad.dynamics"),
    *("robotics_ad.inverse_kinematics", "robotics_ad.trajectory", "robotics_ad.geometry"),
    *("robotics_ad.interop", "robotics_ad.load", "robotics_ad.model", "robotics_ad", "robograd"),
)
# How code that uses a module writes its names; elsewhere a name stands by itself.
_PREFIXES = {
    "ad_core": r"ad\.(?:math\.)?",
    "ad_core.math": r"adm?\.(?:math\.)?",
    "robotics_ad.so3": r"so3\.",
    "robotics_ad.se3": r"se3\.",
}
_SHOWN = 4  # places at most where a name is shown


@cache
def homes() -> dict[tuple[str, str], str]:
    """For each module and public name, the module whose page describes it."""
    first: dict[int, str] = {}
    found: dict[tuple[str, str], str] = {}
    for module in MODULES:
        for name in import_module(module).__all__:
            value = getattr(import_module(module), name)
            unique = inspect.isclass(value) or callable(value)
            home = first.setdefault(id(value), module) if unique else module
            found[module, name] = home if hasattr(import_module(home), name) else module
    return found


class Api(SphinxDirective):
    """All that a module exports; `:only:` and `:without:` choose among the names."""

    required_arguments = 1
    option_spec: ClassVar[dict[str, Any]] = {"only": str.split, "without": str.split}

    def run(self) -> list[nodes.Node]:
        """A table of the names, then each of them."""
        module = self.arguments[0]
        names = [
            name
            for name in import_module(module).__all__
            if name in self.options.get("only", [name])
            and name not in self.options.get("without", ())
        ]
        lines = [*_table(module, names), *(line for n in names for line in _entry(module, n))]
        parsed = nodes.section()
        parsed.document = self.state.document
        self.state.nested_parse(StringList(lines, source=f"<api {module}>"), 0, parsed)
        return parsed.children


def _target(module: str, name: str) -> str:
    home = homes()[module, name]
    value = getattr(import_module(module), name)
    if inspect.ismodule(value):
        return f":doc:`{name} </reference/{name}>`"
    role = "class" if _role(value) == "class" else "func" if callable(value) else "data"
    return f":py:{role}:`{name} <{home}.{name}>`"


def _role(value: Any) -> str:
    if inspect.isclass(value):
        # a class that is written as a function and stands for none of its own kind
        return "class"
    if inspect.isfunction(value) or isinstance(value, ADFunctionInterface):
        return "function"
    return "data"


def _table(module: str, names: list[str]) -> Iterator[str]:
    yield from (".. list-table::", "   :widths: 34 66", "   :class: names", "")
    for name in names:
        yield f"   * - {_target(module, name)}"
        yield f"     - {inline(_summary(module, name))}"
    yield ""


def _summary(module: str, name: str) -> str:
    value = getattr(import_module(module), name)
    text = inspect.getdoc(value) if _role(value) != "data" or inspect.ismodule(value) else ""
    text = text or _comment(module, name)
    return " ".join(text.split("\n\n")[0].split())


@cache
def _comment(module: str, name: str) -> str:
    """What stands in quotes below a constant, where it is set; a module may import it."""
    from sphinx.pycode import ModuleAnalyzer

    for place in (module, *_below(module)):
        found = ModuleAnalyzer.for_module(place).find_attr_docs().get(("", name))
        if found:
            return "\n".join(found).strip()
    return ""


@cache
def _below(module: str) -> list[str]:
    import sys

    return [m for m in list(sys.modules) if m.startswith(f"{module}.")]


def _entry(module: str, name: str) -> Iterator[str]:
    value = getattr(import_module(module), name)
    if homes()[module, name] != module or inspect.ismodule(value):
        return
    kind = _role(value)
    if kind == "data":
        yield from (f".. py:data:: {name}", f"   :module: {module}")
        text = repr(value)
        if len(text) < 80 and not text.startswith("<"):
            yield f"   :value: {text}"
        yield from ("", *(f"   {inline(t)}" for t in _comment(module, name).split("\n")), "")
    else:
        yield f".. auto{kind}:: {module}.{name}"
        if kind == "class":
            yield from _members(value)
        yield ""
        yield from (f"   {line}" for line in _sizes(value))
    shown = used(module, name)
    if shown:
        yield from ("   *Shown in* " + ", ".join(shown), "")


def _members(kind: type) -> list[str]:
    """Options of `autoclass`: which members are a reader's.

    Of functions of the graph those that no function has; of other classes their own, and those of
    bases that have no entry themselves.
    """
    if issubclass(kind, ADFunctionInterface) and kind is not ADFunctionInterface:
        bases = kind.__mro__[1:]
        own = [n for n in vars(kind) if n[0] != "_" and not any(hasattr(b, n) for b in bases)]
        return [f"   :members: {', '.join(own)}"] if own else []
    ours = [b for b in kind.__mro__[1:] if b.__module__.startswith(("robotics_ad", "bridges"))]
    if not ours or ours[0].__name__ in {name for _, name in homes()}:
        return ["   :members:"]
    others = [b.__name__ for b in kind.__mro__[1:] if b not in ours]
    return ["   :members:", f"   :inherited-members: {', '.join(others)}"]


def _sizes(value: Any) -> list[str]:
    """The sizes of a function's arguments and of its result, where they are fixed."""
    if not isinstance(value, ADFunctionInterface) or value.n_args() < 1:
        return []
    sizes = [value.n_in(i) for i in range(value.n_args())]
    if -1 in sizes:
        return []
    out = value.n_out()
    names = ", ".join(f"``{value.argname(i)}`` {n}" for i, n in enumerate(sizes))
    return [f"*Entries*: {names}" + (f"; result {out}" if out > 0 else ""), ""]


def used(module: str, name: str) -> list[str]:
    """Links to pages and examples whose code uses a name."""
    pattern = re.compile(rf"(?<![\w.]){_PREFIXES.get(module, '')}{re.escape(name)}(?!\w)")
    found = [link for link, code in _sources() if name in code and pattern.search(code)]
    return found[:_SHOWN]


@cache
def _sources() -> list[tuple[str, str]]:
    """A link to each page, notebook and example, with its code."""
    found: list[tuple[str, str]] = []
    for path in sorted(DOCS.glob("**/*.md")):
        if "reference" in path.parts:
            continue
        blocks = re.findall(r"^```python\n(.*?)^```", path.read_text("utf-8"), re.M | re.S)
        page = path.relative_to(DOCS).with_suffix("").as_posix()
        found.append((f":doc:`/{page}`", "\n".join(blocks)))
    for path in sorted((DOCS / "notebooks").glob("*.ipynb")):
        found.append((f":doc:`/notebooks/{path.stem}`", path.read_text("utf-8")))
    for path in sorted((DOCS.parent / "examples").glob("*.py")):
        code = path.read_text("utf-8")
        code = re.sub(r"^(from|import) .*?(\)|$)", "", code, flags=re.M)
        found.append((f":doc:`{path.stem[:2]} </gallery/{path.stem}>`", code))
    return found


class CommandLine(SphinxDirective):
    """The help of the command `robograd` and of what it does."""

    def run(self) -> list[nodes.Node]:
        """A section for each subcommand."""
        parser = cli._parser()
        found: list[nodes.Node] = [_help(parser)]
        (commands,) = (a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
        for name, command in commands.choices.items():
            section = nodes.section(ids=[f"robograd-{name}"])
            section += nodes.title("", "", nodes.literal("", f"robograd {name}"))
            section += _help(command)
            found.append(section)
        return found


def _help(parser: argparse.ArgumentParser) -> nodes.literal_block:
    text = parser.format_help()
    block = nodes.literal_block(text, text)
    block["language"] = "text"
    return block
