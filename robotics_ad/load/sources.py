"""Where a robot file's text comes from: a path, a `package://` address, XML text or an open file.

Only what the caller names is opened, and at most `MAX_BYTES` of it. A device, a pipe or a directory
is refused before it is opened.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import IO, Any
from urllib.parse import unquote, urlsplit

from ad_core.graph import checked, listed

MAX_BYTES = 1 << 26
_SHOWN = 200  # characters of a source or a value that a message shows
# No file, one in the place of a folder, links in a circle, and mostly a text that was meant as XML.
_NOTHING = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG)
PackageDirs = Iterable["str | os.PathLike[str]"]


def read_source(
    source: str | bytes | os.PathLike[str] | IO[Any], package_dirs: PackageDirs = ()
) -> tuple[bytes | str, str]:
    """The text of a source, and what to call it in messages.

    Args:
        source: A path, an address `package://package/path` or `file:///path`, XML text (its first
            character is `<`), or an open file.
        package_dirs: As for `package_path`.

    Raises:
        FileNotFoundError: If a path names no file, or an address no package.
        OSError: If the file cannot be read.
        TypeError: If the source is none of these.
        ValueError: If the text is empty or larger than `MAX_BYTES`, and if a path names no file but
            a directory, a device or a pipe.
    """
    text: Any
    if isinstance(source, bytes) or (isinstance(source, str) and not is_path(source)):
        text, label = source, "XML text"
    elif isinstance(source, (str, os.PathLike)):
        path = _located(os.fspath(source), package_dirs)
        if not _exists(path):
            raise FileNotFoundError(f"no file '{shortened(str(path))}'")
        if not path.is_file():
            raise ValueError(f"'{path}' is not a file")
        with path.open("rb") as file:
            text, label = file.read(MAX_BYTES + 1), str(path)
    elif hasattr(source, "read"):
        label = str(getattr(source, "name", "open file"))
        try:
            text = source.read(MAX_BYTES + 1)
        except UnicodeDecodeError as error:
            raise ValueError(f"{label}: {error}") from None
    else:
        raise TypeError(
            f"source is a {type(source).__name__}, expected a path, XML text or an open file"
        )
    if not isinstance(text, (bytes, str)):
        raise TypeError(f"{label}: read() gave a {type(text).__name__}, expected bytes or str")
    if len(text) > MAX_BYTES:
        raise ValueError(f"{label}: larger than {MAX_BYTES} bytes")
    if not text.strip():
        raise ValueError(f"{label}: empty")
    return text, label


def package_path(address: str, package_dirs: PackageDirs = ()) -> Path:
    """The file that `package://package/path` means.

    A package is looked for in `package_dirs`, then in the directories of `ROS_PACKAGE_PATH`, then
    in `share` below those of `AMENT_PREFIX_PATH`. It is a directory of the package's name: one of
    these directories itself, or one directly below.

    Raises:
        FileNotFoundError: if no such directory holds the file; the message lists where it looked.
        ValueError: if the address names no package or no path, or leaves the package by `..`.
    """
    checked(address, str, "package_path", "address", "a string")
    directories = listed(package_dirs, "package_path: package_dirs", "directories")
    for directory in directories:
        checked(directory, (str, os.PathLike), "package_path", "package_dirs", "a list of paths")
    package, _, rest = address.removeprefix("package://").partition("/")
    parts = PurePosixPath(rest).parts
    if not package or package in (".", "..") or not parts:
        raise ValueError(f"'{shortened(address)}': expected package://package/path")
    if ".." in parts or PurePosixPath(rest).is_absolute():
        raise ValueError(f"'{shortened(address)}' leaves its package")
    for candidate in _candidates(package, directories):
        if candidate.joinpath(*parts).exists():
            return candidate.joinpath(*parts)
    raise FileNotFoundError(f"no file '{shortened(address)}'; looked in {_looked(directories)}")


def package_folder(package: str, package_dirs: PackageDirs = ()) -> Path:
    """The folder of a package, found as `package_path` finds its files.

    Raises:
        FileNotFoundError: if there is none; the message lists where it looked.
        ValueError: for what is no name of a package.
    """
    directories = list(package_dirs)
    if not package or package in (".", "..") or "/" in package:
        raise ValueError(f"'{shortened(package)}' is no name of a package")
    for candidate in _candidates(package, directories):
        if candidate.is_dir():
            return candidate.absolute()
    raise FileNotFoundError(f"no package '{package}'; looked in {_looked(directories)}")


def _candidates(package: str, directories: Iterable[str | os.PathLike[str]]) -> Iterator[Path]:
    """The folders that may be the package: a directory of its name, or one directly below."""
    for directory in (*map(Path, directories), *_ros_directories()):
        if directory.resolve().name == package:
            yield directory
        yield directory / package


def _looked(directories: Iterable[str | os.PathLike[str]]) -> str:
    places = [*map(str, map(Path, directories)), *map(str, _ros_directories())]
    return ", ".join(places) or "no directory: give package_dirs, or set ROS_PACKAGE_PATH"


def asset_path(address: str, source: str | None, package_dirs: PackageDirs = ()) -> Path:
    """The file, made absolute, that a robot's file calls `address`: a mesh.

    It is found and not opened. `package://package/path` and `model://package/path` are looked for
    as `package_path` does, with the folders that the robot's file lies in after `package_dirs`;
    other paths from the folder of the robot's file on.

    Args:
        address: what the robot's file says.
        source: the path of the robot's file; None for text, whose folder is the current one.
        package_dirs: as for `package_path`.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: for addresses of other machines, and those that leave their package.
    """
    folder = Path("" if source is None else source).absolute()
    if source is not None:
        folder = folder.parent
    kind, separator, rest = address.partition("://")
    if separator and kind in ("package", "model"):
        within = [] if source is None else [folder, *folder.parents]
        path = package_path(f"package://{rest.lstrip('/')}", [*package_dirs, *within])
    else:
        path = folder / _located(address, ())
    if not _exists(path) or not path.is_file():
        raise FileNotFoundError(f"no file '{shortened(address)}'")
    return Path(os.path.abspath(path))


def shortened(text: str) -> str:
    """The text on one line and of moderate length, for a message."""
    line = " ".join(text[: 2 * _SHOWN].splitlines())
    return line if len(line) <= _SHOWN else f"{line[:_SHOWN]}..."


def is_path(source: object) -> bool:
    """Whether a source names a file, and is neither XML text nor an open file."""
    if isinstance(source, str):
        return source.lstrip("\ufeff \t\r\n")[:1] != "<"
    return isinstance(source, os.PathLike)


def _exists(path: Path) -> bool:
    """Whether there is something; OSError where that may not be known (`Path.exists` hides it)."""
    try:
        path.stat()
    except ValueError:  # no path has a character 0
        return False
    except OSError as error:
        if error.errno in _NOTHING:
            return False
        raise
    return True


def _located(source: str, package_dirs: PackageDirs) -> Path:
    if source.startswith("package://"):
        return package_path(source, package_dirs)
    if source.startswith("file://"):
        address = urlsplit(source)
        if address.netloc not in ("", "localhost"):
            raise ValueError(f"'{shortened(source)}' is on another machine")
        return Path(unquote(address.path))
    if not source:
        raise ValueError("source is an empty text, expected a path, XML text or an open file")
    return Path(source)


def _ros_directories() -> Sequence[Path]:
    ros = os.environ.get("ROS_PACKAGE_PATH", "").split(os.pathsep)
    ament = os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep)
    return [*(Path(p) for p in ros if p), *(Path(p) / "share" for p in ament if p)]
