"""What notebooks show of an object, in the colours of the page around it."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

MOST_ROWS = 100
_LEFT = 'style="text-align: left"'


def html_table(caption: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of texts; of more than `MOST_ROWS` rows the first ones, and how many are left out."""
    head = "".join(f"<th {_LEFT}>{escape(text)}</th>" for text in headings)
    lines = [
        "<tr>" + "".join(f"<td {_LEFT}>{escape(text)}</td>" for text in row) + "</tr>"
        for row in rows[:MOST_ROWS]
    ]
    if len(rows) > MOST_ROWS:
        more = f"{len(rows) - MOST_ROWS:,} more rows"
        lines.append(f'<tr><td {_LEFT} colspan="{len(headings)}">{more}</td></tr>')
    return (
        f"<table><caption {_LEFT}>{escape(caption)}</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"
    )
