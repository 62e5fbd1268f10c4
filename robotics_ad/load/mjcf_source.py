"""Reads MJCF: source -> text that `mjcf_guard` has checked -> MuJoCo's parser -> compiled model."""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from robotics_ad.load.mjcf_guard import checked_mjcf
from robotics_ad.load.sources import is_path, read_source


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
    given, label = read_source(source)
    text, names_files = checked_mjcf(given, label, label if is_path(source) else None)
    mujoco = imported_mujoco()
    with _warnings_of(label) as warnings:
        if names_files:  # which are looked for beside the file
            model = mujoco.MjModel.from_xml_path(label)
        else:
            model = mujoco.MjModel.from_xml_string(text)
    return Compiled(model, label, tuple(warnings))


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
