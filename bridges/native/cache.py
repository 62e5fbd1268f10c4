"""Built libraries on disk and what they are linked of, shared by the processes of one user.

An entry is stored under the hash of everything it depends on, and ends in a checksum of this key
and of its bytes: what was cut, changed, or put under the key of another counts as not there. Only
files of this user, in a folder that only this user can write, are ever read (`files`). All lie in a
folder of their own, and only names of our own form are ever removed.
"""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import os
import re
import shutil
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from bridges.native.errors import BuildError
from bridges.native.files import make_private, put_file, read_private

SIZE_LIMIT = 512 * 2**20
_FOLDER = "kernels"
_SUFFIX = ".so"
OBJECT = ".o"
PARTS = ".json"
_BUILD_PREFIX = "build-"
_ENTRY = re.compile(r"[0-9a-f]{40,64}\.(?:so|o|json)")
_DRAFT = re.compile(rf"{_BUILD_PREFIX}[a-z0-9_]{{8}}")
_STALE_S = 3600.0
_CHECKSUM_BYTES = 32

Loaded = TypeVar("Loaded")


@dataclass(frozen=True)
class CacheInfo:
    """Where the cache is, its libraries, all of its bytes, and the most it may hold."""

    path: Path
    n_libraries: int
    n_bytes: int
    limit_bytes: int


def cache_path() -> Path:
    """The folder `kernels` in `$ROBOGRAD_CACHE`, else in `robograd` in the user's cache directory.

    The latter is that of the XDG base directories; without a home, it is in the temporary folder.
    Raises FileNotFoundError where there is none of these.
    """
    chosen = os.path.expanduser(os.environ.get("ROBOGRAD_CACHE", "").strip())
    if chosen and not chosen.startswith("~"):
        return Path(chosen).absolute() / _FOLDER
    base = os.environ.get("XDG_CACHE_HOME", "").strip()
    if not os.path.isabs(base):
        base = os.path.expanduser("~/.cache")
    if os.path.isabs(base):
        return Path(base) / "robograd" / _FOLDER
    return Path(tempfile.gettempdir()) / f"robograd-{os.getuid()}" / _FOLDER


def open_cache() -> Path:
    """The cache directory, made if missing; a private temporary one, with a warning, if unsafe.

    Raises BuildError where there is no folder to write into at all.
    """
    try:
        path = cache_path()
    except OSError as error:
        raise BuildError(f"there is no folder for the kernel cache: {error}") from error
    for folder in (path.parent, path):
        fault = make_private(folder)
        if fault is not None:
            return _temporary_instead(folder, fault)
    return path


def fetch(
    folder: Path,
    key: str,
    build: Callable[[Path], None],
    load: Callable[[Path, bytes], Loaded],
    suffix: str = _SUFFIX,
) -> Loaded:
    """What `load(path, bytes)` makes of the library `key` in `folder`, or the entry with a suffix.

    suffix: `OBJECT`, or `PARTS`, which names the objects of libraries.

    It is built by `build(path)` if it is not there intact, or does not load. Raises OSError, and
    BuildError as `build` and `load` do.
    """
    path = folder / (key + suffix)
    found = _read(path, key)
    if found is not None:
        with contextlib.suppress(BuildError):
            return load(path, found)
    with tempfile.TemporaryDirectory(
        dir=folder, prefix=_BUILD_PREFIX, ignore_cleanup_errors=True
    ) as workshop:
        draft = Path(workshop) / ("library" + suffix)
        build(draft)
        body = draft.read_bytes()
    if path.is_dir():
        _remove(path)
    put_file(path, body + _checksum(key, body), 0o700, _BUILD_PREFIX)
    _keep_within(folder, size_limit(), path, len(body))
    return load(path, body)


def find(folder: Path, key: str, suffix: str) -> bytes | None:
    """The bytes of an entry, if it is there intact; marks it as used."""
    return _read(folder / (key + suffix), key)


def info() -> CacheInfo:
    """State of the cache; creates nothing."""
    path = cache_path()
    files = _files(path)
    libraries = sum(name.endswith(_SUFFIX) for _, _, name in files)
    return CacheInfo(path, libraries, sum(size for _, size, _ in files), size_limit())


def clear() -> CacheInfo:
    """Removes every entry of the cache; returns what was there before."""
    before = info()
    if before.path.is_dir():
        for path in before.path.iterdir():
            if any(form.fullmatch(path.name) for form in (_ENTRY, _DRAFT)):
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


_room: dict[tuple[Path, int], int] = {}
"""Bytes that this process may add to a folder with a limit before it looks through it again."""


def _keep_within(folder: Path, limit: int, new: Path, size: int) -> None:
    """Evicts after an entry of this size is new: not each time, for a folder has many entries."""
    room = _room.get((folder, limit), 0) - size
    if room <= 0:
        room = (limit - evict(folder, limit, keep=new)) // 8  # other processes add entries, too
    _room[folder, limit] = room


def evict(folder: Path, limit: int, keep: Path) -> int:
    """Removes the least recently used entries until at most `limit` bytes are left.

    Returns the bytes of the entries that are left.
    """
    files = sorted(_files(folder))
    total = sum(size for _, size, _ in files)
    for _, size, name in files:
        if total <= limit:
            break
        if name != keep.name:
            _remove(folder / name)
            total -= size
    for leftover in _entries(folder, _DRAFT):
        with contextlib.suppress(OSError):
            if time.time() - leftover.stat(follow_symlinks=False).st_mtime > _STALE_S:
                _remove(folder / leftover.name)
    return total


def _read(path: Path, key: str) -> bytes | None:
    """The bytes of an entry, if it is there intact; marks it as used."""
    with contextlib.suppress(OSError):
        data = read_private(path)
        body = data[:-_CHECKSUM_BYTES]
        if _checksum(key, body) == data[-_CHECKSUM_BYTES:]:
            return body
    return None


def _checksum(key: str, body: bytes) -> bytes:
    digest = hashlib.sha256(key.encode())
    digest.update(body)
    return digest.digest()


def _remove(path: Path) -> None:
    """Removes a file, or a folder that took its place."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _files(folder: Path) -> list[tuple[float, int, str]]:
    """Time of last use, size and name of every entry."""
    found: list[tuple[float, int, str]] = []
    for entry in _entries(folder, _ENTRY):
        with contextlib.suppress(OSError):
            status = entry.stat(follow_symlinks=False)
            found.append((status.st_mtime, status.st_size, entry.name))
    return found


def _entries(folder: Path, form: re.Pattern[str]) -> list[os.DirEntry[str]]:
    """What has names of this form in a folder, which may not be there."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        return [entry for entry in entries if form.fullmatch(entry.name)]
    return []


_temporary: dict[tuple[int, Path], Path] = {}


def _temporary_instead(path: Path, fault: str) -> Path:
    """A folder of this process, which is gone when it ends."""
    process = os.getpid()
    known = _temporary.get((process, path))
    if known is not None and known.is_dir():
        return known
    try:
        folder = Path(tempfile.mkdtemp(prefix="robograd-"))
    except OSError as error:
        raise BuildError(
            f"kernel cache {path} {fault}, and there is no temporary folder ({error.strerror}); "
            "set ROBOGRAD_CACHE to a folder that only you can write"
        ) from error
    atexit.register(_remove_at_end, folder, process)
    warnings.warn(
        f"kernel cache {path} {fault}: kernels of this process are built in a temporary folder. "
        "Set ROBOGRAD_CACHE to a folder that only you can write.",
        RuntimeWarning,
        stacklevel=2,
    )
    _temporary[process, path] = folder
    return folder


def _remove_at_end(folder: Path, process: int) -> None:
    if os.getpid() == process:  # not in a process that it forked
        shutil.rmtree(folder, ignore_errors=True)
