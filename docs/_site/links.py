"""Links that pages do not write down: names in code, examples, files beside the documents."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform

ROOT = Path(__file__).parents[2]
# Documents of the repository's front that are pages here, in the place of files of these names.
_FRONT = {name: name.lower() for name in ("CHANGELOG", "CONTRIBUTING", "SECURITY")}


def process(app: Any, docname: str, source: list[str]) -> None:
    """Sphinx's event `source-read`: files that lie outside of this folder become pages of it."""
    name = docname.upper()
    text = (ROOT / f"{name}.md").read_text("utf-8") if name in _FRONT else source[0]
    source[0] = on_site(text, "../" * docname.count("/"))


def on_site(text: str, up: str = "") -> str:
    """Links of a document of the repository as links between pages."""
    for name, page in _FRONT.items():
        text = re.sub(rf"\]\((?:\.\./)*{name}\.md", f"]({up}{page}.md", text)
    text = re.sub(r"\]\(docs/", f"]({up}", text)
    text = re.sub(r"\]\((?:\.\./)*examples/?\)", f"]({up}gallery/index.md)", text)
    return re.sub(r"(?<![\[\w])`examples/(\d\d_\w+)\.py`", rf"[`\1`]({up}gallery/\1.md)", text)


class Names(SphinxPostTransform):
    """A name in code that the reference describes leads there."""

    default_priority = 5

    def run(self, **kwargs: Any) -> None:
        """Wrap literals whose text is, or calls, one public name."""
        for literal in list(self.document.findall(nodes.literal)):
            inside = literal.parent
            while inside is not None and not isinstance(inside, nodes.reference | nodes.title):
                inside = inside.parent
            found = re.match(r"^([\w.]+)(\(.*\))?$", literal.astext(), re.S)
            place = self.places.get(found[1]) if found and inside is None else None
            if place is None:
                continue
            docname, anchor = place
            if docname == self.env.docname and anchor == literal.parent.get("ids"):
                continue
            uri = self.app.builder.get_relative_uri(self.env.docname, docname)
            link = nodes.reference("", "", internal=True, refuri=f"{uri}#{anchor}")
            literal.replace_self(link)
            link += literal

    @property
    def places(self) -> dict[str, tuple[str, str]]:
        """Page and anchor of each public name, as it is written: alone, or behind its module."""
        found = getattr(self.env, "robograd_names", None)
        if found is None:
            found = {}
            objects = self.env.get_domain("py").objects
            for full, entry in objects.items():
                place = (entry.docname, entry.node_id)
                parts = full.split(".")
                found[full] = place
                for k in range(1, len(parts)):
                    short = ".".join(parts[k:])
                    if len(short) > 3 and (short[0].isupper() or "_" in short or "." in short):
                        found.setdefault(short, place)
            for full, entry in objects.items():
                module, name = full.rsplit(".", 1)
                short = {"ad_core": "ad", "ad_core.math": "adm"}.get(module)
                if short:
                    found[f"{short}.{name}"] = (entry.docname, entry.node_id)
            self.env.robograd_names = found
        return found
