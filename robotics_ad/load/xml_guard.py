"""Reads XML without trust: no entities, no document types, bounded depth and count of elements.

A reader of one format subclasses `GuardedXml` and looks at each element as it opens and closes.
Nothing but the given text is read: entities are never defined, expanded or fetched.
"""

from __future__ import annotations

from typing import NoReturn
from xml.parsers import expat

from robotics_ad.load.sources import shortened

MAX_ELEMENTS = 1_000_000


class Fault(ValueError):
    """What is wrong with a document, and in which line."""


class GuardedXml:
    """State of one pass over one document.

    Args:
        label: what messages call the document.
        max_depth: how many elements may be nested in each other.
    """

    def __init__(self, label: str, max_depth: int) -> None:
        self.label = label
        self.depth = 0
        self._max_depth = max_depth
        self._elements = 0
        self._lines_before = 0

    def opened(self, tag: str, attributes: dict[str, str]) -> None:
        """Called where an element begins; `depth` counts it."""
        raise NotImplementedError

    def closed(self, tag: str) -> None:
        """Called where an element ends; `depth` counts it no more."""
        raise NotImplementedError

    def read(self, text: bytes | str) -> None:
        """Pass over a document; space before its first `<`, which other parsers allow, is skipped.

        Raises:
            ValueError: Naming the document and the fault, and mostly the line.
        """
        parser = expat.ParserCreate("utf-8" if isinstance(text, str) else None)
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self._refuse_doctype
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        self._parser = parser
        try:
            data = text.encode("utf-8") if isinstance(text, str) else text
            # counted, so that messages name the lines of the file
            start = len(data) - len(data.lstrip(b" \t\r\n"))
            self._lines_before = data[:start].count(b"\n")
            parser.Parse(data[start:], True)
        except Fault:
            raise
        except (expat.ExpatError, LookupError, ValueError) as error:  # the last two: encodings
            raise Fault(f"{self.label}: not XML: {shortened(str(error))}") from None

    def fail(self, fault: str) -> NoReturn:
        """Raise the fault with the document and the line."""
        raise Fault(f"{self.label}, line {self.line}: {fault}")

    @property
    def line(self) -> int:
        """The line of the file that is being read."""
        return self._parser.CurrentLineNumber + self._lines_before

    def _refuse_doctype(self, *declaration: object) -> None:
        self.fail("document type declarations are refused (they can define entities)")

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self.depth += 1
        self._elements += 1
        if self._elements > MAX_ELEMENTS:
            self.fail(f"more than {MAX_ELEMENTS} elements")
        if self.depth > self._max_depth:
            self.fail(f"nested deeper than {self._max_depth} elements")
        self.opened(tag, attributes)

    def _end(self, tag: str) -> None:
        self.depth -= 1
        self.closed(tag)
