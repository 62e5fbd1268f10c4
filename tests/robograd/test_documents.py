"""What the documents show runs, and what they link to exists."""

import re
from importlib.util import find_spec
from pathlib import Path

import pytest

from bridges.kernel import file
from bridges.native import cache
from robotics_ad.load import isolated, mjcf_guard, sources, urdf_xml, xml_guard

ROOT = Path(__file__).parents[2]
DOCUMENTS = [
    *sorted(ROOT.glob("*.md")),
    *(path for path in sorted(ROOT.glob("docs/**/*.md")) if path.parent.name != "gallery"),
]


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_links_between_files_lead_somewhere(document: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text(encoding="utf-8"))
    missing = [link for link in links if not (document.parent / link).exists()]
    assert not missing


# docs/robots.md has a test of its own, test_robot_documents.py.
CODE = [
    named(path)
    for path in DOCUMENTS
    if "```python\n" in path.read_text(encoding="utf-8") and path.name != "robots.md"
]


@pytest.mark.parametrize("page", CODE)
def test_the_code_of_a_page_runs_from_top_to_bottom(page: str) -> None:
    """A block that begins with `# needs NAME` is left out where that package is not installed."""
    text = (ROOT / page).read_text(encoding="utf-8")
    names: dict[str, object] = {}
    for block in re.finditer(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        needed = re.match(r"# needs (\w+)$", block[1], re.MULTILINE)
        if needed and find_spec(needed[1]) is None:
            continue
        above = "\n" * text.count("\n", 0, block.start(1))  # so that errors name the page's line
        exec(compile(above + block[1], page, "exec"), names)


def test_pages_with_code_are_known() -> None:
    assert {"README.md", "docs/kernels.md", "docs/howto/arrays.md"} < set(CODE)
    assert len(CODE) > 35


def test_external_links_have_the_form_of_addresses() -> None:
    texts = {named(path): path.read_text(encoding="utf-8") for path in DOCUMENTS}
    links = {(n, x) for n, t in texts.items() for x in re.findall(r"\]\((\w+:[^)]*)\)", t)}
    assert len(links) > 1
    assert not [(n, x) for n, x in links if not re.fullmatch(r"https://[\w.-]+\.\w+(/\S*)?", x)]


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_prose_keeps_to_100_columns(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    long = [line for line in prose.splitlines() if len(line) > 100]
    assert not [line for line in long if not line.startswith(("|", "    "))]


def test_the_readme_names_pages_that_exist_and_the_site() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "    make docs " in text
    fronts = {named(path) for path in DOCUMENTS if path.parent == ROOT} - {"README.md"}
    assert not {page for page in fronts if f"]({page})" not in text}


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


def test_limits_on_pages_are_those_of_the_code() -> None:
    security = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    stated = (
        f"{sources.MAX_BYTES >> 20} MiB, {xml_guard.MAX_ELEMENTS:,} elements",
        f"{urdf_xml.MAX_DEPTH} deep in URDF and {mjcf_guard.MAX_DEPTH} in MJCF",
        f"one bound of {sources.MAX_BYTES >> 20} MiB and {mjcf_guard.MAX_DOCUMENTS:,} documents",
        f"regular files, of {mjcf_guard.MAX_ASSETS >> 30} GiB in all",
        f"at most {xml_guard.MAX_ELEMENTS:,} elements are left",
        f"with {isolated.MEMORY >> 30} GiB of memory, {isolated.PROCESSOR_SECONDS} s of processor "
        f"time, {isolated.SECONDS} s of time and {isolated.MOST_WRITTEN >> 20} MiB for what",
        f"{urdf_xml.MAX_LINKS:,} links and {urdf_xml.MAX_TEXT:,} characters",
        f"in URDF below {urdf_xml.MAX_NUMBER:g}".replace("+", ""),
        f"At most {file.MOST_BYTES >> 20} MiB are read, in at most {file.MOST_MEMBERS:,} members",
    )
    text = " ".join(security.split())
    assert [s for s in stated if s not in text] == []
    kernels = (ROOT / "docs/kernels.md").read_text(encoding="utf-8")
    assert f"{cache.SIZE_LIMIT >> 20} MiB by default" in " ".join(kernels.split())
