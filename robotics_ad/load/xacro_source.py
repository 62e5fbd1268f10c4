"""xacro files: macros that expand to URDF, by the package `xacro` of ROS.

path -> `xacro` -> URDF text -> `urdf`
"""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from ad_core.graph import checked, flag, listed, one_of, wrong_kind
from robotics_ad.load.sources import (
    PackageDirs,
    is_path,
    package_folder,
    read_source,
    shortened,
)
from robotics_ad.load.urdf import BASES, loaded
from robotics_ad.model import RobotModel

Mappings = Mapping[str, "str | float | bool"]

_LOCK = threading.RLock()  # xacro keeps its state in its module


def load_xacro(
    source: str | os.PathLike[str],
    *,
    mappings: Mappings | None = None,
    base: str = "fixed",
    mimics: bool = True,
    package_dirs: PackageDirs = (),
    geometry: bool = False,
    strict: bool = False,
) -> RobotModel:
    """The robot of a xacro file, expanded by the package `xacro`, then read as `load_urdf` does.

    A xacro file is a program: it evaluates expressions and reads what files it names. Load those
    only that you trust.

    Args:
        source: a path, or an address `package://package/path`.
        mappings: the file's arguments by name, `{"arm_id": "panda", "hand": True}`. A warning names
            those that nothing in the file asks for.
        base: as for `load_urdf`.
        mimics: as for `load_urdf`.
        package_dirs: where `$(find package)` and `package://` look first; then come, as for meshes,
            the folders that the file lies in, and the places that `load_urdf` knows.
        geometry: as for `load_urdf`.
        strict: as for `load_urdf`.

    Raises:
        ImportError: if `xacro` is not installed (`pip install 'robograd[xacro]'`).
        FileNotFoundError: if there is no such file.
        ValueError: for what xacro cannot expand, and as `load_urdf`.
    """
    where = "load_xacro"
    one_of(base, f"{where}: base", BASES)
    given = {"mimics": mimics, "geometry": geometry, "strict": strict}
    flags = {name: flag(value, f"{where}: {name}") for name, value in given.items()}
    directories = listed(package_dirs, f"{where}: package_dirs", "directories")
    text, path = _expanded(source, mappings, directories, where)
    return loaded(text, path, path, base=base, package_dirs=directories, **flags)


def expand_xacro(
    source: str | os.PathLike[str],
    *,
    mappings: Mappings | None = None,
    package_dirs: PackageDirs = (),
) -> str:
    """The URDF text of a xacro file; arguments and errors as for `load_xacro`."""
    return _expanded(source, mappings, package_dirs, "expand_xacro")[0]


def _expanded(
    source: str | os.PathLike[str],
    mappings: Mappings | None,
    package_dirs: PackageDirs,
    where: str,
) -> tuple[str, str]:
    """The text, and the path of the file."""
    if not is_path(source):
        raise wrong_kind(where, "source", source, "the path of a file")
    arguments = _Arguments(
        (checked(name, str, where, "mappings", "a dict by name"), _word(value, where))
        for name, value in checked(
            {} if mappings is None else mappings, Mapping, where, "mappings", "a dict by name"
        ).items()
    )
    directories = listed(package_dirs, f"{where}: package_dirs", "directories")
    xacro = imported_xacro()
    _, path = read_source(source, directories)
    folder = Path(path).absolute().parent
    with _LOCK, _packages([*directories, folder, *folder.parents]):
        try:
            text = xacro.process_file(path, mappings=arguments).toxml()
        except Exception as error:  # whatever the file's expressions raise
            fault = shortened(f"{type(error).__name__}: {error}")
            raise ValueError(f"{path}: xacro could not expand it: {fault}") from None
    if idle := [name for name in arguments if name not in arguments.asked]:
        names = ", ".join(map(repr, idle))
        known = ", ".join(sorted(arguments.asked)) or "none"
        warnings.warn(
            f"{path}: nothing asks for the argument {names}; arguments: {known}", stacklevel=3
        )
    return text, path


class _Arguments(dict[str, str]):
    """Arguments of a file, which xacro adds defaults to, and the names that the file asks for."""

    def __init__(self, given: Iterable[tuple[str, str]]) -> None:
        super().__init__(given)
        self.asked: set[str] = set()

    def __contains__(self, name: object) -> bool:
        self.asked.add(str(name))
        return super().__contains__(name)

    def __getitem__(self, name: str) -> str:
        self.asked.add(name)
        return super().__getitem__(name)


def imported_xacro() -> Any:
    """The package `xacro`.

    Raises:
        ImportError: with the command that installs it.
    """
    try:
        import xacro  # pyright: ignore[reportMissingImports, reportUnknownVariableType]
    except ImportError:
        raise ImportError(
            "xacro files are expanded by the package 'xacro': pip install 'robograd[xacro]'"
        ) from None
    return xacro  # pyright: ignore[reportUnknownVariableType]


@contextmanager
def _packages(directories: PackageDirs) -> Generator[None]:
    """While it lasts, `$(find package)` looks where `load_urdf` does, ROS installed or not."""
    module: Any = import_module("xacro.substitution_args")
    before = module._eval_find, module._eval_dict["find"]

    def find(package: str) -> str:
        return str(package_folder(package, directories))

    module._eval_find = module._eval_dict["find"] = find
    try:
        yield
    finally:
        module._eval_find, module._eval_dict["find"] = before


def _word(value: Any, where: str) -> str:
    """An argument as xacro takes it."""
    checked(value, (str, int, float), where, "mappings", "a dict of text, numbers and booleans")
    return str(value).lower() if isinstance(value, bool) else str(value)
