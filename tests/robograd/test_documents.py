"""What the documents show runs, and what they link to exists."""

import re
from pathlib import Path

import pytest

from bridges.kernel import file
from bridges.native import cache
from robotics_ad.load import isolated, mjcf_guard, sources, urdf_xml, xml_guard

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_between_files_lead_somewhere(document: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text(encoding="utf-8"))
    missing = [link for link in links if not (document.parent / link).exists()]
    assert not missing


PAGES = (
    *("closed_chains", "collisions", "core_from_scratch", "gpu", "inverse_kinematics", "kernels"),
    *("loops", "optimal_control", "rollouts", "shapes", "trajectories"),
    "viewer",
)


@pytest.mark.parametrize("page", ["README.md", *(f"docs/{name}.md" for name in PAGES)])
def test_the_code_of_a_page_runs_from_top_to_bottom(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    blocks = list(re.finditer(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL))
    assert blocks
    names: dict[str, object] = {}
    for block in blocks:  # asserts of their own say what they show
        above = "\n" * text.count("\n", 0, block.start(1))  # so that errors name the page's line
        exec(compile(above + block[1], page, "exec"), names)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_prose_keeps_to_100_columns(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    long = [line for line in prose.splitlines() if len(line) > 100]
    assert not [line for line in long if not line.startswith(("|", "    "))]


def test_the_readme_names_every_page() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    pages = {path.relative_to(ROOT).as_posix() for path in DOCUMENTS} - {"README.md"}
    assert not {page for page in pages if f"]({page})" not in text}


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
