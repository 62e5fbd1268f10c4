"""The documentation site: `make docs` builds it into build/site."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parent
sys.path[:0] = [str(ROOT), str(HERE)]

from _site import gallery, links, markup, plots, reference  # noqa: E402

import robograd  # noqa: E402

project = "robograd"
author = "The robograd maintainers"
copyright = author
version = release = robograd.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
]
exclude_patterns = ["_site"]
nitpicky = True
# Types in signatures are names of this project's modules and of numpy's; few have pages.
suppress_warnings = ["ref.python"]  # one name in several classes, as napoleon links it
nitpick_ignore_regex = [("py:(class|obj|exc|data)", r".*")]

# ---------------------------------------------------------------- pages

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
myst_links_external_new_tab = False
nb_execution_mode = "cache"
os.environ["ROBOGRAD_PROGRESS"] = "0"  # nobody watches notebooks run here
nb_execution_cache_path = str(ROOT / "build/notebooks")
nb_execution_raise_on_error = True
nb_execution_timeout = 120
nb_merge_streams = True

# ---------------------------------------------------------------- reference

default_role = "code"
highlight_language = "none"  # indented blocks are equations; code says its language
add_module_names = False
python_use_unqualified_type_names = True
python_display_short_literal_types = True
maximum_signature_line_length = 90
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
autodoc_type_aliases = {name: name for name in ("ArrayLike", "ExpressionLike", "Variable")}
napoleon_use_rtype = False
napoleon_use_ivar = True
viewcode_line_numbers = True

# ---------------------------------------------------------------- looks

html_theme = "furo"
html_title = "robograd"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
html_theme_options = {
    "navigation_with_keys": True,
    "light_css_variables": {"color-brand-primary": "#14568c", "color-brand-content": "#14568c"},
    "dark_css_variables": {"color-brand-primary": "#7fb8e6", "color-brand-content": "#7fb8e6"},
}
copybutton_exclude = ".linenos, .gp, .go"


def setup(app: Any) -> None:
    """Make the pages of the examples, and tell Sphinx of our directives and passes."""
    gallery.write(HERE / "gallery")
    app.add_directive("api", reference.Api)
    app.add_directive("command-line", reference.CommandLine)
    app.add_directive("ratios", plots.Ratios)
    app.connect("autodoc-process-docstring", markup.process, priority=100)
    app.connect("autodoc-process-signature", markup.signature)
    app.connect("source-read", links.process)
    app.add_post_transform(links.Names)
