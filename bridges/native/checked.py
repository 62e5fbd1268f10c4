"""Files that say whether they are whole: bytes, then a checksum of a key and of these bytes.

A file that was cut, changed, or put under the key of another has the wrong checksum. Only regular
files of this user that no one else can write are looked at.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from io import FileIO
from pathlib import Path

_CHECKSUM_BYTES = 32
_PIECE_BYTES = 2**18


def checksum(key: str, pieces: Iterable[bytes | memoryview]) -> bytes:
    """The checksum of bytes under a key."""
    digest = hashlib.sha256(key.encode())
    for piece in pieces:
        digest.update(piece)
    return digest.digest()


def is_intact(path: Path, key: str) -> bool:
    """Whether the file is there with the right checksum; if so, marks it as used."""
    with contextlib.suppress(OSError), _opened(path) as file:
        size = os.fstat(file.fileno()).st_size - _CHECKSUM_BYTES
        if checksum(key, _pieces(file, size)) == file.read():
            os.utime(path)
            return True
    return False


def read_checked(path: Path, key: str) -> bytes | None:
    """What the file says before its checksum, if that is right; marks it as used."""
    with contextlib.suppress(OSError), _opened(path) as file:
        data = file.read()
        body = data[:-_CHECKSUM_BYTES]
        if checksum(key, [body]) == data[-_CHECKSUM_BYTES:]:
            os.utime(path)
            return body
    return None


def fault_of(status: os.stat_result) -> str | None:
    """What makes a file or folder unsafe to rely upon; None: nothing."""
    if hasattr(os, "getuid") and status.st_uid != os.getuid():
        return "belongs to another user"
    if status.st_mode & 0o022:
        return "can be written by other users"
    return None


def _opened(path: Path) -> FileIO:
    """The file, open for reading. Raises OSError for links, for what is no file, and others'."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    file = FileIO(os.open(path, flags))
    status = os.fstat(file.fileno())
    fault = fault_of(status) if stat.S_ISREG(status.st_mode) else "is no file"
    if fault is not None:
        file.close()
        raise OSError(f"{path} {fault}")
    return file


def _pieces(file: FileIO, size: int) -> Iterator[memoryview]:
    """The next `size` bytes, in one small buffer that is filled again and again."""
    buffer = memoryview(bytearray(_PIECE_BYTES))
    while size > 0:
        count = file.readinto(buffer[: min(size, _PIECE_BYTES)])
        if not count:
            return
        yield buffer[:count]
        size -= count
