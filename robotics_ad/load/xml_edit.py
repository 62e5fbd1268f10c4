"""Changes numbers in the text of an XML document and leaves every other character as it is.

text -> places of elements -> attributes set, elements put in -> text
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from xml.sax.saxutils import quoteattr

import numpy as np

from robotics_ad.load.xml_guard import GuardedXml

_DEEPEST = 64
_ATTRIBUTE = re.compile(rb"([^\s=/>]+)\s*=\s*(\"[^\"]*\"|'[^']*')")
_ENCODING = re.compile(r"<\?xml[^>]*\sencoding\s*=\s*[\"']([^\"']*)[\"']")


@dataclass(eq=False)
class Place:
    """An element in the text: its start tag is `text[start:end]`, in bytes of UTF-8.

    Attributes:
        words: attributes that are to be set, or left out where None.
        inserted: the texts of elements that are to be put first in it.
    """

    tag: str
    attributes: Mapping[str, str]
    start: int
    end: int
    children: list[Place] = field(default_factory=list["Place"])
    words: dict[str, str | None] = field(default_factory=dict[str, str | None])
    inserted: list[str] = field(default_factory=list[str])

    def child(self, tag: str) -> Place | None:
        """The first element of this name directly inside, if there is one."""
        return next(self.named(tag), None)

    def named(self, tag: str) -> Iterator[Place]:
        """The elements of this name directly inside."""
        return (place for place in self.children if place.tag == tag)

    def set(self, name: str, numbers: Sequence[float]) -> None:
        """Set an attribute to numbers; words that say a number already stay as they are."""
        old = self.attributes.get(name, "").split()
        words = old if len(old) == len(numbers) else [""] * len(numbers)
        new = [_word(x, word) for x, word in zip(numbers, words, strict=True)]
        if new != old:
            self.words[name] = " ".join(new)

    def put(self, tag: str, numbers: Mapping[str, Sequence[float]]) -> None:
        """Set attributes of the element of this name directly inside, which is made if need be."""
        inside = self.child(tag)
        if inside is None:
            self.inserted.append(element_text(tag, numbers))
        else:
            for name, values in numbers.items():
                inside.set(name, values)


def element_text(tag: str, numbers: Mapping[str, Sequence[float]]) -> str:
    """An element with numbers as attributes."""
    texts = {name: " ".join(map(_word, values)) for name, values in numbers.items()}
    return f"<{tag}{''.join(f' {name}={quoteattr(text)}' for name, text in texts.items())}/>"


class EditedXml(GuardedXml):
    """The places of all elements of a text, and the text with what was changed at them.

    Args:
        text: the document.
        label: what messages call it.

    Raises:
        ValueError: for what is not XML, and for text in another encoding than UTF-8.
    """

    def __init__(self, text: bytes | str, label: str) -> None:
        super().__init__(label, _DEEPEST)
        self._data = _utf8(text, label)
        self._skipped = len(self._data) - len(self._data.lstrip(b" \t\r\n"))
        self._open: list[Place] = []
        self.root = Place("", {}, 0, 0)
        self.read(self._data)

    def opened(self, tag: str, attributes: dict[str, str]) -> None:
        """Keep where the element's start tag is."""
        start = self._parser.CurrentByteIndex + self._skipped
        place = Place(tag, attributes, start, self._end_of_tag(start))
        if self._open:
            self._open[-1].children.append(place)
        else:
            self.root = place
        self._open.append(place)

    def closed(self, tag: str) -> None:
        """Go on with the element around."""
        self._open.pop()

    def text(self) -> str:
        """The text with the changes."""
        parts: list[bytes] = []
        at = 0
        for place in _all_of(self.root):
            if place.words or place.inserted:
                parts += [self._data[at : place.start], self._changed(place)]
                at = place.end
        return b"".join([*parts, self._data[at:]]).decode()

    def _end_of_tag(self, start: int) -> int:
        """Where the start tag ends: behind the first `>` outside quotes."""
        quote, at = b"", start
        while True:
            letter = self._data[at : at + 1]
            at += 1
            if quote:
                quote = b"" if letter == quote else quote
            elif letter in (b'"', b"'"):
                quote = letter
            elif letter == b">":
                return at

    def _changed(self, place: Place) -> bytes:
        tag = self._data[place.start : place.end]
        words = dict(place.words)

        def renewed(found: re.Match[bytes]) -> bytes:
            name = found[1].decode()
            if name not in words:
                return found[0]
            text = words.pop(name)
            before = found[0][: found.start(2) - found.start(0)]
            return b"" if text is None else before + quoteattr(text).encode()

        tag = _ATTRIBUTE.sub(renewed, tag)
        close = b"/>" if tag.endswith(b"/>") else b">"
        inner = tag[: -len(close)]
        bare = inner.rstrip()
        added = "".join(
            f" {name}={quoteattr(text)}" for name, text in words.items() if text
        ).encode()
        tag = bare + added + inner[len(bare) :]
        if not place.inserted:
            return tag + close
        gap = self._gap(place)
        inside = b"".join(gap + text.encode() for text in place.inserted)
        end = f"</{place.tag}>".encode() if close == b"/>" else b""
        return tag.rstrip() + b">" + inside + end

    def _gap(self, place: Place) -> bytes:
        """The white space before the first element inside: so are those indented that are added."""
        if not place.children:
            return b""
        between = self._data[place.end : place.children[0].start]
        return between[len(between.rstrip()) :]


def _all_of(root: Place) -> Iterator[Place]:
    """The elements in the order of the text."""
    waiting = [root]
    while waiting:
        place = waiting.pop()
        yield place
        waiting.extend(reversed(place.children))


def _word(x: float, old: str = "") -> str:
    """A number as text, to the last bit: `old` if it says so."""
    try:
        if old and float(old) == float(x):
            return old
    except ValueError:
        pass
    return repr(float(x)) if np.isfinite(x) else ("inf" if x > 0.0 else "-inf")


def _utf8(text: bytes | str, label: str) -> bytes:
    if isinstance(text, str):
        return text.encode()
    try:
        decoded = text.decode()
    except UnicodeDecodeError:
        decoded = "\0"
    said = _ENCODING.match(decoded.lstrip("\ufeff \t\r\n"))
    name = said[1].lower() if said else "utf-8"
    if "\0" in decoded or name not in ("utf-8", "utf8", "us-ascii", "ascii"):
        raise ValueError(f"{label}: its encoding is another than UTF-8")
    return text
