r"""Docstrings of this project as reStructuredText.

They are plain prose with code in `backticks`, blocks that are indented (equations, tables) and
Google's sections. Everything else is meant as it stands: `|x|`, `x_`, `*` and `\\` are no markup.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

# Words that open a section for napoleon; its content is indented without being a block.
_SECTIONS = re.compile(r"(Args|Attributes|Raises|Returns|Yields|Example|Examples):\s*$")
_CODE = re.compile(r"(`+)(.+?)\1")
_MARKUP = re.compile(r"([\\*|_`])")


def inline(text: str) -> str:
    """A line: `code` becomes ``code``, and nothing else is markup."""
    pieces, last = [], 0
    for found in _CODE.finditer(text):
        pieces += [_MARKUP.sub(r"\\\1", text[last : found.start()]), f"``{found[2]}``"]
        last = found.end()
        if text[last : last + 1].isalnum():  # `q`s: the end of code must be seen
            pieces.append("\\ ")
    return "".join([*pieces, _MARKUP.sub(r"\\\1", text[last:])])


def markdown(text: str) -> str:
    """Prose as Markdown: `code` stays, and nothing else is markup."""
    pieces = re.split(r"(`+.+?`+)", text, flags=re.S)
    return "".join(p if p.startswith("`") else re.sub(r"([\\*_<|])", r"\\\1", p) for p in pieces)


def prose(lines: Iterable[str]) -> Iterator[str]:
    """Lines of a docstring as reStructuredText, its sections as they are.

    `name: what it is`, whose second line is indented, becomes a paragraph.
    """
    block, section, hanging, blank, item = False, False, False, True, False
    for line in joined_code(lines):
        if not line.strip():
            blank, hanging = True, False
            yield ""
            continue
        indented = line.startswith((" ", "\t"))
        if not indented:
            block, section = False, _SECTIONS.match(line) is not None
            if hanging:
                yield ""
            hanging, item = False, line.startswith("- ")
            yield inline(line)
        elif item:
            yield inline(line)
        elif section:
            code = line.lstrip().startswith((">>>", "..."))
            yield line if code else inline(line)
        elif block or blank:
            if not block:
                block = True
                yield from ("::", "")
            yield line
        else:
            hanging = True
            yield inline(line.lstrip())
        blank = False


def joined_code(lines: Iterable[str]) -> Iterator[str]:
    """Lines such that no `code` goes over the end of one."""
    waiting = ""
    for line in lines:
        text = f"{waiting} {line.lstrip()}" if waiting else line
        odd = text.count("`") % 2 == 1 and not text.lstrip().startswith(">>>")
        waiting = text if odd and line.strip() else ""
        if not waiting:
            yield text
    if waiting:
        yield waiting


def process(*arguments: Any) -> None:
    """Sphinx's event `autodoc-process-docstring`, before napoleon reads the sections."""
    lines = arguments[-1]
    lines[:] = list(prose(lines))


def signature(*arguments: Any) -> tuple[str | None, str | None]:
    """Sphinx's event `autodoc-process-signature`: names of types as they are written."""
    texts = arguments[-2:]
    named = [t and re.sub(r"TypeAliasForwardRef\('(\w+)'\)", r"\1", t) for t in texts]
    return named[0], named[1]
