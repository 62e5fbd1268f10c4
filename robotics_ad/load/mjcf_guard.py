"""Looks at MJCF before MuJoCo does: a document, what it includes and attaches, the files it names.

MuJoCo reads every file that a model names, wherever it lies, and makes as many copies as it is
told. So all documents are read here first, includes in the places where MuJoCo puts them, and all
other files are looked at from outside. Text that comes from no file may name none.

MuJoCo's rule for where a name is looked for has changed between versions. Here a name stands for
every file that any rule could mean, and all of them must be harmless.
"""

from __future__ import annotations

import math
import os
import re
import stat
import sys
from collections.abc import Collection, Iterator, Mapping
from itertools import product

from robotics_ad.load.sources import MAX_BYTES, shortened
from robotics_ad.load.xml_guard import MAX_ELEMENTS, Fault, GuardedXml

MAX_DEPTH = 400
"""MuJoCo's XML library stops at 500 elements."""
MAX_COPIES = 10_000
"""Copies that the replicating elements around an element may make of it; sizes of user arrays."""
MAX_CELLS = 1 << 26
"""Entries of a texture or height field, generated or from a picture."""
MAX_DOCUMENTS = 1_000
MAX_NESTED = 40
"""Documents that lie within each other."""
MAX_ASSETS = 1 << 31
"""Bytes of all meshes, textures and other files together."""
MAX_PLACES = 200_000
"""Places in which files are looked for."""

_COPYING = ("replicate", "composite", "flexcomp")
# element -> attributes whose product MuJoCo allocates, and the most that it may be
_ALLOCATED: Mapping[str, tuple[tuple[str, ...], int]] = {
    **dict.fromkeys(_COPYING, (("count",), MAX_COPIES)),
    "texture": (("width", "height"), MAX_CELLS),
    "hfield": (("nrow", "ncol"), MAX_CELLS),
    "numeric": (("size",), MAX_COPIES),
    "user": (("dim",), MAX_COPIES),
    "contact": (("num",), MAX_COPIES),
}
_SIZES = ("nkey", "nuser")  # of <size>, and those that begin like these
_MESH_STEPS = 256  # of a generated mesh along each side
_OTHERS: Mapping[str, str] = {
    "robot": "this is URDF; use load_urdf",
    "mujocoinclude": "this is a part of an MJCF file; load the whole",
}
_ASSET_FOLDERS = ("assetdir", "meshdir", "texturedir")
_ARCHIVES = (".mjz", ".zip")
_ADDRESS = re.compile(r"[A-Za-z][\w+.-]*:")
_PNG = b"\x89PNG\r\n\x1a\n"


def checked_mjcf(text: bytes | str, label: str, path: str | None) -> tuple[str, bool]:
    """The text of a document that MuJoCo may read, and whether it names files.

    Args:
        text: the document.
        label: what messages call it.
        path: where it lies; None for text that comes from no file.

    Raises:
        ValueError: Naming the document, the line and the fault: what is not MJCF, document type
            declarations, files named by text, archives and addresses, names that stand for devices,
            pipes or folders, documents that include or attach themselves, counts and sizes beyond
            the limits above.
    """
    decoded, files = _decoded(text, label), None if path is None else _Files(path)
    _Model(files).read(decoded, label)
    if files is None:
        return decoded, False
    files.check_assets()
    return decoded, files.any_named


def _decoded(text: bytes | str, label: str) -> str:
    if isinstance(text, str):
        return text.removeprefix("\ufeff")
    try:
        return text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Fault(f"{label}: not UTF-8 text: {error}") from None


class _Part:
    """A named body or frame, or all that is outside of these, as far as it was read.

    Attributes:
        copies: how many of it the replicating elements around it make.
        elements: those in it, with copies and with what is attached of the same model.
        models: how often another model is attached in it.
    """

    def __init__(self, copies: int = 1) -> None:
        self.copies, self.elements, self.models = copies, 0, 0

    def add(self, other: _Part, copies: int) -> None:
        """Take another part in."""
        self.elements += copies * other.elements
        self.models += copies * other.models


class _Model:
    """What a document makes together with those that it includes."""

    def __init__(self, files: _Files | None) -> None:
        self.files = files
        self.open: list[tuple[int, _Part]] = [(1, _Part())]
        """Of each open element, its copies and the part that it is in, outermost first."""
        self.named: dict[str, list[_Part]] = {}
        self.attached: dict[str, str] = {}
        """Files of models, with where they are named."""

    def read(self, text: str, label: str) -> int:
        """How many elements there are once all is copied and attached."""
        _Document(label, self, "mujoco", MAX_DEPTH).read(text)
        largest, whole = 0, self.open[0][1]
        if self.files is not None:
            for name, where in self.attached.items():
                for path, inner in self.files.read(name, where):
                    largest = max(largest, _Model(self.files).read(inner, path))
        total = whole.elements + whole.models * largest
        if total > MAX_ELEMENTS:
            raise Fault(f"{label}: more than {MAX_ELEMENTS} elements with all copies")
        return total

    def part(self, name: str) -> list[_Part]:
        """What a name stands for that an element of the same model attaches: as far as it is read.

        Of a part that is still open, what is open inside it counts, too.
        """
        found, within = self.named.get(name, []), list(dict.fromkeys(part for _, part in self.open))
        first = min((within.index(part) for part in found if part in within), default=len(within))
        return within[first:] or found


class _Files:
    """The files around a model: where they are looked for, which they are, which are open."""

    def __init__(self, path: str) -> None:
        self.assets: dict[str, str] = {}
        """Files that are no documents, with where they are named."""
        self.asset_folders = {"": None}
        self._folders = {os.path.dirname(path): None}  # of the documents
        self._open = [os.path.realpath(path)]
        self._documents = self._size = self._places = 0

    @property
    def any_named(self) -> bool:
        """Whether some document names a file."""
        return bool(self.assets) or self._places > 0

    def read(self, name: str, where: str) -> Iterator[tuple[str, str]]:
        """(path, text) of each document that a name may stand for, which is open meanwhile."""
        for path in self._found(name, where):
            real = os.path.realpath(path)
            if real in self._open:
                raise Fault(f"{where}: a file within itself")
            self._documents += 1
            if len(self._open) >= MAX_NESTED or self._documents > MAX_DOCUMENTS:
                raise Fault(f"{where}: too many documents, or too deep within each other")
            with open(path, "rb") as file:
                content = file.read(MAX_BYTES + 1 - self._size)
            self._size += len(content)
            if self._size > MAX_BYTES:
                raise Fault(f"{where}: the documents are larger than {MAX_BYTES} bytes")
            self._folders[os.path.dirname(path)] = None
            self._open.append(real)
            yield path, _decoded(content, path)
            self._open.pop()

    def check_assets(self) -> None:
        """Bounds the sizes of the files that are no documents."""
        sizes: dict[str, int] = {}
        for name, where in self.assets.items():
            for path in self._found(name, where):
                sizes[os.path.realpath(path)] = os.path.getsize(path)
                if _pixels(path) > MAX_CELLS:
                    raise Fault(f"{where}: more than {MAX_CELLS} pixels")
                if sum(sizes.values()) > MAX_ASSETS:
                    raise Fault(f"{where}: all files together are larger than {MAX_ASSETS} bytes")

    def _found(self, name: str, where: str) -> Collection[str]:
        """The files that exist among those that a name may stand for."""
        slashed = name.replace("\\", "/")
        if any(part.lower().endswith(_ARCHIVES) for part in slashed.split("/")):
            raise Fault(f"{where}: archives are not read")
        if _ADDRESS.match(name):
            raise Fault(f"{where}: an address, expected a path")
        names = dict.fromkeys((name, slashed, os.path.basename(slashed)))
        found: dict[str, None] = {}
        for above, folder, last in product(self._folders, self.asset_folders, names):
            self._places += 1
            if self._places > MAX_PLACES:
                raise Fault(f"{where}: too many files and folders")
            path = os.path.join(above, folder, last)
            for place in dict.fromkeys((path, os.path.normpath(path))):
                try:
                    mode = os.stat(place).st_mode
                except (OSError, ValueError):  # ValueError: a null character
                    continue
                if not stat.S_ISREG(mode):
                    raise Fault(f"{where}: '{shortened(place)}' is not a file")
                found[place] = None
        return found


class _Document(GuardedXml):
    """One pass over one document; those that it includes are read in its place."""

    def __init__(self, label: str, model: _Model, root: str | None, max_depth: int) -> None:
        super().__init__(label, max_depth)
        self._model, self._root, self._max_depth = model, root, max_depth

    def opened(self, tag: str, attributes: dict[str, str]) -> None:
        tag = tag.lower()
        if self.depth == 1 and self._root not in (None, tag):
            hint = _OTHERS.get(tag, "expected <mujoco>")
            self.fail(f"not MJCF: the root element is <{shortened(tag)}>: {hint}")
        files, (outer, part) = self._model.files, self._model.open[-1]
        copies = self._copies(tag, attributes, outer)
        times, name = copies // part.copies, attributes.get("name")
        part.elements += times
        if tag in ("body", "frame") and name:
            part = _Part(copies)
            self._model.named.setdefault(name, []).append(part)
        elif tag == "attach" and "model" in attributes:
            part.models += times
        elif tag == "attach":
            for own in self._model.part(attributes.get("body", attributes.get("frame", ""))):
                part.add(own, times)
        elif tag == "compiler" and files is not None:
            named = [attributes[kind] for kind in _ASSET_FOLDERS if kind in attributes]
            files.asset_folders |= dict.fromkeys(named)
        self._model.open.append((copies, part))
        for attribute, value in attributes.items():
            if attribute.startswith("file") and value:
                self._name_file(tag, attribute, value)

    def closed(self, tag: str) -> None:
        _, part = self._model.open.pop()
        above = self._model.open[-1][1]
        if part is not above:
            above.add(part, part.copies // above.copies)

    def _name_file(self, tag: str, attribute: str, name: str) -> None:
        files, said = self._model.files, f"<{tag} {attribute}='{shortened(name)}'>"
        where = f"{self.label}, line {self.line}: {said}"
        if files is None:
            raise Fault(f"{where}: text names no files; give a path")
        if tag == "include":
            for path, text in files.read(name, where):
                _Document(path, self._model, None, self._max_depth - self.depth).read(text)
        elif tag == "model":
            self._model.attached[name] = where
        else:
            files.assets[name] = where

    def _copies(self, tag: str, attributes: Mapping[str, str], outer: int) -> int:
        """How many of an element there are; what it makes MuJoCo allocate is bounded."""
        names, most = _ALLOCATED.get(tag, ((), MAX_COPIES))
        if tag == "size":
            names = tuple(name for name in attributes if name.startswith(_SIZES))
        counts = [n for name in names if name in attributes for n in _counts(attributes[name])]
        made = math.prod(counts)
        copies = outer * (made if tag in _COPYING else 1)
        if made > most or copies > MAX_COPIES:
            self.fail(f"<{tag}>: {', '.join(names) or 'copies'}: more than {most} in all")
        if tag == "mesh" and max(_counts(attributes.get("params", "")), default=0) > _MESH_STEPS:
            self.fail(f"<mesh>: params: more than {_MESH_STEPS}")
        return copies


def _counts(value: str) -> list[int]:
    """The whole numbers in a list, 1 or more; what is no number MuJoCo will refuse."""
    counts: list[int] = []
    for word in value.split():
        try:
            number = float(word)
        except ValueError:
            continue
        counts.append(max(1, int(number)) if math.isfinite(number) else sys.maxsize)
    return counts


def _pixels(path: str) -> int:
    """The size of a picture in the PNG format; 0 for other files."""
    with open(path, "rb") as file:
        head = file.read(24)
    if not head.startswith(_PNG):
        return 0
    return int.from_bytes(head[16:20], "big") * int.from_bytes(head[20:24], "big")
