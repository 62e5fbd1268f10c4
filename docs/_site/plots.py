"""The directive `ratios`: a table of `performance.md` as bars, how many times as long others take.

    .. ratios:: 0

The argument counts the tables with peers. The drawing takes the colours of the page.
"""

from __future__ import annotations

import re
from html import escape
from math import log10
from pathlib import Path

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

PAGE = Path(__file__).parents[1] / "performance.md"
_LINE, _LEFT, _SCALE, _TOP = 20, 235, 100, 24  # pixels; a scale is a factor of ten
_LEAST, _MOST = 0.1, 10_000.0


def rows(number: int) -> list[tuple[str, str, list[tuple[str, float]]]]:
    """Workload, our time, and each peer's ratio, of the table of that number with peers."""
    tables = re.findall(r"^\| workload \|.*?(?=^\n|\Z)", PAGE.read_text("utf-8"), re.M | re.S)
    found = []
    for line in tables[number].splitlines()[2:]:
        workload, ours, peers = [cell.strip() for cell in line.strip("|").split("|")][:3]
        pairs: list[tuple[str, float]] = []
        for within, who, ratio in re.findall(r"(\(?)([^\W\d][^,()]*?) ([\d.,]*\d)x", peers):
            name = who.replace("`", "")  # in brackets: the same peer, in another way
            pairs.append(
                (f"{pairs[-1][0]}, {name}" if within else name, float(ratio.replace(",", "")))
            )
        found.append((workload, ours, pairs))
    return found


def bars(number: int) -> str:
    """SVG text: for each workload a heading and a bar for each peer, from 1 on."""
    parts, y = [], _TOP
    for workload, ours, peers in rows(number):
        if not peers:
            continue
        title = escape(f"{workload}: {ours}")
        parts.append(f'<text x="0" y="{y + 14}" font-weight="bold">{title}</text>')
        y += _LINE + 2
        for who, ratio in peers:
            label = f"{escape(who)} {ratio:,g}×"
            begin, end = sorted((_x(1.0), _x(ratio)))
            tint = "var(--color-brand-primary)" if ratio >= 1 else "#c2410c"
            parts.append(
                f'<text x="{_LEFT - 8}" y="{y + 14}" text-anchor="end">{label}</text>'
                f'<rect x="{begin:.0f}" y="{y + 3}" width="{max(end - begin, 1):.0f}" height="14" '
                f'fill="{tint}" fill-opacity="0.75"/>'
            )
            y += _LINE
        y += 8
    ticks = [0.1, 1.0, 10.0, 100.0, 1000.0, 10_000.0]
    lines = [
        f'<line x1="{_x(t):.0f}" y1="{_TOP - 4}" x2="{_x(t):.0f}" y2="{y}" stroke="currentColor" '
        f'stroke-opacity="{0.6 if t == 1 else 0.15}"/>'
        f'<text x="{_x(t):.0f}" y="12" text-anchor="middle" fill-opacity="0.7">{t:,g}×</text>'
        for t in ticks
    ]
    width = _x(_MOST) + 30
    return (
        f'<div class="drawing"><svg xmlns="http://www.w3.org/2000/svg" role="img" '
        f'viewBox="0 0 {width:.0f} {y}" width="{width:.0f}" height="{y}" fill="currentColor" '
        f'font-size="13">{"".join(lines + parts)}</svg></div>'
    )


def _x(ratio: float) -> float:
    return _LEFT + _SCALE * (log10(ratio) - log10(_LEAST))


class Ratios(SphinxDirective):
    """Bars of one table of the page of figures, counted from 0."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """The drawing, and a note that the page's figures are what is drawn."""
        self.env.note_dependency(str(PAGE))
        return [nodes.raw("", bars(int(self.arguments[0])), format="html")]
