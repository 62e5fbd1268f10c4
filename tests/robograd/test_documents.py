"""What the documents show runs, and what they link to exists."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_between_files_lead_somewhere(document: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text(encoding="utf-8"))
    missing = [link for link in links if not (document.parent / link).exists()]
    assert not missing


def test_the_example_of_the_readme_runs() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    examples = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert len(examples) == 1
    exec(compile(examples[0], "README.md", "exec"), {})  # asserts of its own say what it shows


def test_make_is_all_that_the_readme_asks_for() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    targets = set(re.findall(r"^ {4}make (\w+)", text, re.MULTILINE))
    rules = set(
        re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    )
    assert {"demo", "test"} <= targets <= rules


def test_every_dependency_has_its_reason() -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    reasons = (ROOT / "docs/dependencies.md").read_text(encoding="utf-8")
    listed = project[project.index("\ndependencies") : project.index("[project.scripts]")]
    names = {name for name in re.findall(r'"([\w-]+)', listed) if name != "robograd"}
    assert len(names) > 10
    assert not {
        name for name in names if not re.search(rf"^\|[^|]*\b{name}\b", reasons, re.MULTILINE)
    }


def test_every_dependency_is_pinned_in_the_constraints() -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    listed = project[project.index("\ndependencies") : project.index("[project.scripts]")]
    names = {name for name in re.findall(r'"([\w-]+)', listed) if name != "robograd"}
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    assert not {name for name in names if not re.search(rf"^{name}==\d", pins, re.MULTILINE)}
