"""Built libraries, and what is known of compilers, on disk, shared by the processes of one user.

An entry is stored under the hash of everything it depends on, with a checksum (`checked`). Files
are written beside their place and renamed into it, so a reader finds a whole file or none. Only
files of this user, in a folder that only this user can write, are ever read. All lie in a folder of
their own, and only names of our own form are ever removed.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import stat
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bridges.native.checked import checksum, fault_of, is_intact, read_checked
from bridges.native.errors import BuildError

SIZE_LIMIT = 512 * 2**20
_FOLDER = "kernels"
_FACTS_SUFFIX = ".facts"
_SUFFIX = ".so"
_BUILD_PREFIX = "build-"
_LIBRARY = re.compile(rf"[0-9a-f]{{40,64}}{re.escape(_SUFFIX)}")
_FACTS = re.compile(rf"[0-9a-f]{{40}}{re.escape(_FACTS_SUFFIX)}")
_DRAFT = re.compile(rf"{_BUILD_PREFIX}[a-z0-9_]{{8}}")
_STALE_S = 3600.0


@dataclass(frozen=True)
class CacheInfo:
    """Where the cache is, its libraries, their bytes, and the most it may hold."""

    path: Path
    n_libraries: int
    n_bytes: int
    limit_bytes: int


def cache_path() -> Path:
    """The folder `kernels` in `$ROBOGRAD_CACHE`, else in `robograd` in the user's cache directory.

    The latter is that of the XDG base directories.
    """
    chosen = os.environ.get("ROBOGRAD_CACHE", "").strip()
    if chosen:
        return Path(chosen).expanduser().absolute() / _FOLDER
    base = os.environ.get("XDG_CACHE_HOME", "").strip()
    return Path(base or os.path.expanduser("~/.cache")) / "robograd" / _FOLDER


def open_cache() -> Path:
    """The cache directory, made if missing; a private temporary one, with a warning, if unsafe.

    Raises BuildError where there is no folder to write into at all.
    """
    path = cache_path()
    for folder in (path.parent, path):
        fault = _make_private(folder)
        if fault is not None:
            return _temporary_instead(folder, fault)
    return path


def fetch(folder: Path, key: str, build: Callable[[Path], None]) -> Path:
    """Path of the library `key` in `folder`, built by `build(path)` if it is not there intact."""
    found = find(folder, key)
    if found is not None:
        return found
    path = folder / (key + _SUFFIX)
    workshop = Path(tempfile.mkdtemp(dir=folder, prefix=_BUILD_PREFIX))
    try:
        draft = workshop / ("library" + _SUFFIX)
        build(draft)
        body = draft.read_bytes()
        draft.write_bytes(body + checksum(key, [body]))
        draft.chmod(0o700)
        _put(draft, path)
    finally:
        shutil.rmtree(workshop, ignore_errors=True)
    evict(folder, size_limit(), keep=path)
    return path


def find(folder: Path, key: str) -> Path | None:
    """Path of the library `key` in `folder` if it is there intact; marks it as used."""
    path = folder / (key + _SUFFIX)
    return path if is_intact(path, key) else None


def find_facts(folder: Path, key: str) -> bytes | None:
    """What was put under `key` in `folder`, if it is there intact; marks it as used."""
    return read_checked(folder / (key + _FACTS_SUFFIX), key)


def put_facts(folder: Path, key: str, body: bytes) -> None:
    """Puts a few bytes into their place. Raises OSError."""
    descriptor, name = tempfile.mkstemp(dir=folder, prefix=_BUILD_PREFIX)
    draft = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(body + checksum(key, [body]))
        _put(draft, folder / (key + _FACTS_SUFFIX))
    finally:
        draft.unlink(missing_ok=True)


def info() -> CacheInfo:
    """State of the cache; creates nothing."""
    path = cache_path()
    files = _files(path)
    return CacheInfo(path, len(files), sum(size for _, size, _ in files), size_limit())


def clear() -> CacheInfo:
    """Removes every entry of the cache; returns what was there before."""
    before = info()
    if before.path.is_dir():
        for path in before.path.iterdir():
            if any(form.fullmatch(path.name) for form in (_LIBRARY, _FACTS, _DRAFT)):
                _remove(path)
    return before


def size_limit() -> int:
    """`$ROBOGRAD_CACHE_SIZE` in bytes, else 512 MiB. Raises ValueError if it is not a number."""
    text = os.environ.get("ROBOGRAD_CACHE_SIZE", "").strip()
    if not text:
        return SIZE_LIMIT
    if not text.isdigit():
        raise ValueError(f"ROBOGRAD_CACHE_SIZE is {text!r}, expected a number of bytes")
    return int(text)


def evict(folder: Path, limit: int, keep: Path) -> None:
    """Removes the least recently used libraries until at most `limit` bytes are left."""
    files = sorted(_files(folder))
    total = sum(size for _, size, _ in files)
    for _, size, path in files:
        if total <= limit:
            break
        if path != keep:
            _remove(path)
            total -= size
    for leftover in folder.glob(_BUILD_PREFIX + "*"):
        with contextlib.suppress(OSError):
            stale = time.time() - leftover.lstat().st_mtime > _STALE_S
            if stale and _DRAFT.fullmatch(leftover.name):
                _remove(leftover)


def _remove(path: Path) -> None:
    """Removes a file, or a folder that took its place."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _put(draft: Path, path: Path) -> None:
    """Moves a file to its place in one step, a folder there or not."""
    if path.is_dir():
        _remove(path)
    os.replace(draft, path)


def _files(folder: Path) -> list[tuple[float, int, Path]]:
    """Time of last use, size and path of every library."""
    found: list[tuple[float, int, Path]] = []
    for path in folder.glob("*"):
        if _LIBRARY.fullmatch(path.name):
            with contextlib.suppress(OSError):
                status = path.lstat()
                found.append((status.st_mtime, status.st_size, path))
    return found


def _make_private(path: Path) -> str | None:
    """None when `path` is now a folder that only this user can write, else what is wrong."""
    try:
        if not path.is_dir():
            _make_folders(path)
        status = path.stat()
        if not stat.S_ISDIR(status.st_mode):
            return "is not a directory"
        if not os.access(path, os.W_OK | os.X_OK):
            return "cannot be written"
        return fault_of(status) or _fault_above(path)
    except FileExistsError:
        return "is not a directory"
    except OSError as error:
        return f"cannot be made ({error.strerror})"


def _make_folders(path: Path) -> None:
    """Makes a folder and those above it that are missing, for this user alone whatever the mask."""
    missing = [path, *(folder for folder in path.parents if not folder.exists())]
    for folder in reversed(missing):
        folder.mkdir(mode=0o700, exist_ok=True)


def _fault_above(path: Path) -> str | None:
    """What is wrong with the folder that holds `path`: others could put another in its place."""
    for parent in {path.parent, path.resolve().parent}:
        status = parent.stat()
        mode = status.st_mode
        shared = mode & stat.S_IWOTH or (
            mode & stat.S_IWGRP and not _is_private_group(status.st_gid)
        )
        if shared and not mode & stat.S_ISVTX:
            return f"is in {parent}, which can be written by other users"
    return None


def _is_private_group(number: int) -> bool:
    """Whether this user's own group, of which no one else is a member, has this number."""
    try:
        import grp
        import pwd

        user = pwd.getpwuid(os.getuid())
        return user.pw_gid == number and set(grp.getgrgid(number).gr_mem) <= {user.pw_name}
    except (ImportError, KeyError):
        return False


_temporary: dict[str, Path] = {}


def _temporary_instead(path: Path, fault: str) -> Path:
    known = _temporary.get(f"{os.getpid()} {path}")
    if known is not None and known.is_dir():
        return known
    try:
        folder = Path(tempfile.mkdtemp(prefix="robograd-"))
    except OSError as error:
        raise BuildError(
            f"kernel cache {path} {fault}, and there is no temporary folder ({error.strerror}); "
            "set ROBOGRAD_CACHE to a folder that only you can write"
        ) from error
    warnings.warn(
        f"kernel cache {path} {fault}: kernels of this process are built in a temporary folder. "
        "Set ROBOGRAD_CACHE to a folder that only you can write.",
        RuntimeWarning,
        stacklevel=2,
    )
    _temporary[f"{os.getpid()} {path}"] = folder
    return folder
