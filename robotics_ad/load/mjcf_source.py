"""Reads MJCF without trust: source -> checked text -> MuJoCo's parser -> a compiled model.

MuJoCo's own parser reads every file that a model names, wherever it lies. So text that comes from
no file may name none; a file may, since whoever gave its path chose it. Document type declarations,
deep nesting and counts that would fill the memory are refused before MuJoCo sees them.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from robotics_ad.load.sources import read_source, shortened
from robotics_ad.load.xml_guard import GuardedXml

MAX_DEPTH = 400
"""MuJoCo's XML library stops at 500 elements."""
MAX_COPIES = 10_000
"""Copies that the replicating elements around an element may make of it; sizes of user arrays."""
MAX_CELLS = 1 << 24
"""Entries of a generated texture or height field."""

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
_OTHERS: Mapping[str, str] = {
    "robot": "this is URDF; use load_urdf",
    "mujocoinclude": "this is a part of an MJCF file; load the whole",
}
_SIZES = ("nkey", "nuser")  # of <size>, and those that begin like these


@dataclass(frozen=True, eq=False)
class Compiled:
    """What MuJoCo makes of a source.

    Attributes:
        model: the `mujoco.MjModel`.
        label: what messages call the source.
        warnings: what MuJoCo warned of.
    """

    model: Any
    label: str
    warnings: tuple[str, ...] = ()


def compiled(source: Any) -> Compiled:
    """The compiled model of a path, XML text, an open file, or an object of MuJoCo's.

    Raises:
        ImportError: If the package `mujoco` is not installed.
        FileNotFoundError: If a path names no file.
        TypeError: If the source is none of these.
        ValueError: Naming the source and the fault, MuJoCo's words included.
    """
    theirs = _mujoco_object(source)
    if theirs is not None:
        return theirs
    text, label = read_source(source)
    decoded = _decoded(text, label)
    path = label if _names_a_file(source, label) else None
    names_files = _Guard(label, may_name_files=path is not None).check(decoded)
    mujoco = imported_mujoco()
    with _warnings_of(label) as warnings:
        if names_files:  # which are looked for beside the file
            model = mujoco.MjModel.from_xml_path(path)
        else:
            model = mujoco.MjModel.from_xml_string(decoded)
    return Compiled(model, label, tuple(warnings))


def _names_a_file(source: Any, label: str) -> bool:
    """Whether the source is a path, by which `read_source` calls it then."""
    return isinstance(source, (str, os.PathLike)) and label != "XML text"


def imported_mujoco() -> Any:
    """The module `mujoco`.

    Raises:
        ImportError: Saying how to install it.
    """
    try:
        import mujoco
    except ImportError as error:
        raise ImportError(
            "MJCF is read by the package 'mujoco': pip install 'robograd[mujoco]'"
        ) from error
    return mujoco


def disabled(model: Any, *parts: str) -> bool:
    """Whether the model switches off all of these parts of the simulation: `GRAVITY`, `LIMIT`, ...

    MuJoCo 3.3 has one switch, `PASSIVE`, for springs and dampers.
    """
    bits, flags = imported_mujoco().mjtDisableBit, int(model.opt.disableflags)
    passive = getattr(bits, "mjDSBL_PASSIVE", 0)
    return all(flags & int(getattr(bits, f"mjDSBL_{part}", passive)) for part in parts)


def _mujoco_object(source: Any) -> Compiled | None:
    """A compiled model or a specification of MuJoCo's; None for anything else."""
    mujoco = sys.modules.get("mujoco")  # there are no such objects before it is imported
    if mujoco is None:
        return None
    if isinstance(source, mujoco.MjModel):
        return Compiled(source, "MjModel")
    if isinstance(source, mujoco.MjSpec):
        with _warnings_of("MjSpec") as warnings:
            model = source.copy().compile()
        return Compiled(model, "MjSpec", tuple(warnings))
    return None


@contextmanager
def _warnings_of(label: str) -> Generator[list[str]]:
    """Gathers MuJoCo's warnings, which it would print and write to a file; names the source."""
    mujoco = imported_mujoco()
    before, warnings = mujoco.get_mju_user_warning(), list[str]()
    mujoco.set_mju_user_warning(warnings.append)
    try:
        yield warnings
    except (ValueError, mujoco.FatalError, mujoco.UnexpectedError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{label}: MuJoCo refuses it: {reason}") from None
    finally:
        mujoco.set_mju_user_warning(before)


def _decoded(text: bytes | str, label: str) -> str:
    if isinstance(text, str):
        return text.removeprefix("\ufeff")
    try:
        return text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{label}: not UTF-8 text: {error}") from None


class _Guard(GuardedXml):
    """One pass over one document, before MuJoCo's."""

    def __init__(self, label: str, *, may_name_files: bool) -> None:
        super().__init__(label, MAX_DEPTH)
        self._may_name_files, self._names_files = may_name_files, False
        self._copies = [1]  # of the elements that are open, outermost first

    def check(self, text: str) -> bool:
        """Whether the document names files."""
        self.read(text)
        return self._names_files

    def opened(self, tag: str, attributes: dict[str, str]) -> None:
        if self.depth == 1 and tag != "mujoco":
            hint = _OTHERS.get(tag, "expected <mujoco>")
            self.fail(f"not MJCF: the root element is <{shortened(tag)}>: {hint}")
        for name, value in attributes.items():
            if name.startswith("file") and value:
                self._names_files = True
                if not self._may_name_files:
                    said = f"<{tag} {name}='{shortened(value)}'>"
                    self.fail(f"{said}: text names no files; give a path")
        self._check_size(tag, attributes)

    def closed(self, tag: str) -> None:
        self._copies.pop()

    def _check_size(self, tag: str, attributes: Mapping[str, str]) -> None:
        """Bounds what the element makes MuJoCo allocate, and notes how often it is copied."""
        names, most = _ALLOCATED.get(tag, ((), MAX_COPIES))
        if tag == "size":
            names = tuple(name for name in attributes if name.startswith(_SIZES))
        sizes = [_product(attributes[name]) for name in names if name in attributes]
        product = math.prod(sizes)
        copies = self._copies[-1] * (product if tag in _COPYING else 1)
        if product > most or copies > MAX_COPIES:
            self.fail(f"<{tag}>: {', '.join(names) or 'copies'}: more than {most} in all")
        self._copies.append(copies)


def _product(value: str) -> int:
    """The product of the whole numbers in a list; what is no number MuJoCo will refuse."""
    product = 1
    for word in value.split():
        try:
            number = float(word)
        except ValueError:
            continue
        product *= max(1, int(number)) if math.isfinite(number) else sys.maxsize
    return product
