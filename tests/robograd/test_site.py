"""The documentation site: every page without a warning, every public name, notebooks that run."""

import io
import json
import re
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest
from public_names import exporting

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted(ROOT.glob("docs/notebooks/*.ipynb"))


def test_every_public_module_has_its_place_in_the_reference() -> None:
    pages = "".join(p.read_text(encoding="utf-8") for p in ROOT.glob("docs/reference/*.md"))
    shown = set(re.findall(r"^\.\. api:: (\S+)$", pages, re.MULTILINE))
    assert set(exporting()) <= shown


def test_the_site_builds_without_a_warning_and_has_every_public_name(tmp_path: Path) -> None:
    """Notebooks are not run here, and nothing is written as HTML."""
    for package in ("furo", "myst_nb", "sphinx", "sphinx_copybutton"):
        pytest.importorskip(package)
    from sphinx.application import Sphinx

    seen = io.StringIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Sphinx and docutils with each other
        site = Sphinx(
            *(ROOT / "docs", ROOT / "docs", tmp_path, tmp_path / "trees", "dummy"),
            confoverrides={"nb_execution_mode": "off"},
            status=None,
            warning=seen,
        )
        site.build()
    assert not seen.getvalue()
    objects = site.env.domains["py"].objects  # type: ignore[attr-defined]
    reference = sys.modules["_site.reference"]
    names = reference.homes()
    assert len(names) > 400
    absent = [
        f"{module}.{name}"
        for (module, name), home in names.items()
        if f"{home}.{name}" not in objects
        and not isinstance(getattr(sys.modules[module], name), type(sys))
    ]
    assert not absent


def test_what_examples_showed_is_kept_of_those_that_there_are() -> None:
    kept: dict[str, Any] = json.loads((ROOT / "docs/examples.json").read_text(encoding="utf-8"))
    assert set(kept["examples"]) <= {p.stem for p in ROOT.glob("examples/[0-9]*.py")}
    assert {p.stem for p in ROOT.glob("docs/pictures/*.png")} <= set(kept["examples"])


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MPLBACKEND", raising=False)  # the kernel's own shows pictures
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    book = nbformat.read(path, as_version=4)
    cells = [cell for cell in book.cells if cell.cell_type == "code"]
    assert not [cell for cell in cells if cell.outputs or cell.execution_count]  # kept without
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # jupyter's own
        nbclient.NotebookClient(book, timeout=120, kernel_name="python3").execute()
    outputs = [output for cell in cells for output in cell.outputs]
    assert not [o for o in outputs if o.output_type == "stream" and o.name == "stderr"]
    shown = [kind for o in outputs if "data" in o for kind in o.data]
    assert {"text/html", "image/png"} & set(shown)
