"""The examples as pages: what they are for, their picture, what they print, how long, the code.

    python -m docs._site.gallery [examples]     # runs all, or those named, and keeps what they show

Pages are made at each build of the site from what is kept in `examples.json` and `pictures/`; only
this command runs an example. The tests run them besides.
"""

from __future__ import annotations

import ast
import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from . import markup

DOCS = Path(__file__).parents[1]
EXAMPLES = DOCS.parent / "examples"
KEPT = DOCS / "examples.json"
PICTURES = DOCS / "pictures"
MACHINE = "two cores of an AMD EPYC with AVX2, gcc 12"
GROUPS = {
    "0": "One graph, many engines",
    "1": "Graphs and derivatives",
    "2": "Learning, identification, inverse kinematics",
    "3": "Optimal control and mechanisms",
    "4": "Jumps",
}
# How an example is told where its picture goes; others take the path by itself.
_OPTIONS = {"32_learned_residual": "--output", "39_learned_cost": "--picture"}


def run(path: Path) -> dict[str, Any]:
    """What an example prints, and the seconds of processor time that it takes as a script."""
    source = path.read_text("utf-8")
    option = _OPTIONS.get(path.stem)
    picture = PICTURES / f"{path.stem}.png"
    arguments = [option] if option else []
    if option or "[picture.png]" in source:
        PICTURES.mkdir(exist_ok=True)
        arguments.append(str(picture))
    environment = {**os.environ, "PYTHONPATH": str(DOCS.parent), "PYTHONWARNINGS": "ignore"}
    before = _processor_time()
    with tempfile.TemporaryDirectory() as folder:
        environment["ROBOGRAD_CACHE"] = folder  # so that builds of kernels are in the time
        ran = subprocess.run(
            [sys.executable, str(path), *arguments],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    if ran.returncode != 0:
        raise RuntimeError(f"{path.name}: {ran.stderr[-2000:]}")
    output = ran.stdout.replace(str(picture), "picture.png").rstrip()
    return {"seconds": round(_processor_time() - before, 1), "output": output}


def _processor_time() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def kept() -> dict[str, dict[str, Any]]:
    """What runs of the examples showed, by their names."""
    return json.loads(KEPT.read_text("utf-8"))["examples"]


def write(folder: Path) -> None:
    """A page for each example, and one with all of them, into a folder of the site."""
    folder.mkdir(exist_ok=True)
    shown = kept()
    paths = sorted(EXAMPLES.glob("[0-9]*.py"))
    pages = {path.stem: _page(path, shown.get(path.stem)) for path in paths}
    pages["index"] = _index(paths, shown)
    for name, text in pages.items():
        page = folder / f"{name}.md"
        if not page.exists() or page.read_text("utf-8") != text:
            page.write_text(text, "utf-8")
    for page in folder.glob("*.md"):
        if page.stem not in pages:
            page.unlink()


def told(path: Path) -> tuple[str, list[str], str]:
    """Title, paragraphs of prose, and the code below the docstring."""
    source = path.read_text("utf-8")
    tree = ast.parse(source)
    paragraphs = (ast.get_docstring(tree) or path.stem).split("\n\n")
    assert tree.body[0].end_lineno is not None
    code = "".join(source.splitlines(keepends=True)[tree.body[0].end_lineno :])
    title = " ".join(paragraphs[0].split()).rstrip(".")
    return title, [p for p in paragraphs[1:] if not p.startswith(("Run", "or:"))], code.strip("\n")


def _prose(paragraphs: Sequence[str]) -> str:
    return "\n\n".join(p if p.startswith("    ") else markup.markdown(p) for p in paragraphs)


def _page(path: Path, shown: Mapping[str, Any] | None) -> str:
    title, paragraphs, code = told(path)
    parts = [f"# {title}", _prose(paragraphs)]
    if (PICTURES / f"{path.stem}.png").exists():
        parts.append(f"![{title}](../pictures/{path.stem}.png)")
    command = f"    python examples/{path.name}"
    if shown is not None:
        parts += [
            f"It prints, after {shown['seconds']:g} s of processor time:",
            f"```text\n{shown['output']}\n```",
        ]
    parts += [f"{{download}}`{path.name} <../../examples/{path.name}>` is run by", command]
    parts.append(f"```python\n{code}\n```")
    return "\n\n".join(part for part in parts if part) + "\n"


def _index(paths: Sequence[Path], shown: Mapping[str, Mapping[str, Any]]) -> str:
    parts = [
        "# Examples",
        "Each is a script of its own, in the folder `examples` of the repository, and is run by "
        "the tests. Seconds are those of processors, of the whole script, imports and builds of "
        f"kernels included ({MACHINE}; `python -m docs._site.gallery`).",
    ]
    for digit, heading in GROUPS.items():
        group = [path for path in paths if path.stem.startswith(digit)]
        parts += [f"## {heading}", "::::{container} cards"]
        for path in group:
            title, _, _ = told(path)
            lines = [":::{container} card"]
            if (PICTURES / f"{path.stem}.png").exists():
                lines.append(f"[![](../pictures/{path.stem}.png)]({path.stem}.md)\n")
            seconds = shown.get(path.stem, {}).get("seconds")
            lines.append(f"[{path.stem[:2]} · {title}]({path.stem}.md)")
            if seconds is not None:
                lines.append(f"\n{seconds:g} s")
            parts.append("\n".join([*lines, ":::"]))
        parts.append("::::")
    names = "\n".join(path.stem for path in paths)
    parts.append(f"```{{toctree}}\n:hidden:\n\n{names}\n```")
    return "\n\n".join(parts) + "\n"


def main(names: Sequence[str]) -> None:
    """Run examples, those whose names begin as given, and keep what they show."""
    about = json.loads(KEPT.read_text("utf-8")) if KEPT.exists() else {"examples": {}}
    for path in sorted(EXAMPLES.glob("[0-9]*.py")):
        if not names or path.stem.startswith(tuple(names)):
            about["examples"][path.stem] = run(path)
            print(f"{about['examples'][path.stem]['seconds']:8.1f} s  {path.name}", flush=True)
            about["examples"] = dict(sorted(about["examples"].items()))
            KEPT.write_text(json.dumps(about, indent=1, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
