"""Files that are written whole, and files and folders that no one else can change.

The cache relies upon the latter. Root is trusted, and so is a group of which this user is the only
member. A folder is only as safe as those that lead to it: whoever can write one of them can put
another folder in its place, unless it has the sticky bit, as `/tmp` has.
"""

from __future__ import annotations

import functools
import os
import stat
import tempfile
from io import FileIO
from pathlib import Path


def put_file(
    path: str | bytes | os.PathLike[str], data: bytes, mode: int = 0o644, prefix: str = "tmp"
) -> None:
    """Writes a file in one step: whoever reads it finds the old one or the whole new one.

    prefix: how the draft's name begins, which lies beside it.

    Raises OSError, with the path as its file, and leaves nothing then.
    """
    whole = os.fsdecode(path)
    try:
        _put_by_draft(whole, data, mode, prefix)
    except OSError as error:
        raise OSError(error.errno, error.strerror, whole) from error


def _put_by_draft(path: str, data: bytes, mode: int, prefix: str) -> None:
    descriptor, draft = tempfile.mkstemp(dir=os.path.dirname(os.path.abspath(path)), prefix=prefix)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        os.chmod(draft, mode)
        os.replace(draft, path)
    except BaseException:
        os.unlink(draft)
        raise


def make_private(path: Path) -> str | None:
    """None when `path` is now a folder that only this user can write, else what is wrong."""
    try:
        if not path.is_dir():
            _make_folders(path)
        if not os.access(path, os.W_OK | os.X_OK):
            return "cannot be written"
        return _fault_of(path.stat()) or _fault_above(path)
    except (FileExistsError, NotADirectoryError):
        return "is not a directory"
    except OSError as error:
        return f"cannot be made ({error.strerror})"


def read_private(path: Path) -> bytes:
    """What a file says; marks it as used.

    Raises OSError for links, for what is no file, and for what others can write.
    """
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    with FileIO(os.open(path, flags)) as file:
        status = os.fstat(file.fileno())
        fault = _fault_of(status) if stat.S_ISREG(status.st_mode) else "is no file"
        if fault is not None:
            raise OSError(f"{path} {fault}")
        os.utime(file.fileno())
        return file.readall()


def _make_folders(path: Path) -> None:
    """Makes a folder and those above it that are missing, for this user alone whatever the mask."""
    missing = [path, *(folder for folder in path.parents if not folder.exists())]
    for folder in reversed(missing):
        folder.mkdir(mode=0o700, exist_ok=True)


def _fault_above(path: Path) -> str | None:
    """What is wrong with the folders that lead to `path`."""
    for folder in sorted(_folders_above(path)):
        fault = _fault_of(folder.stat(), is_above=True)
        if fault is not None:
            return f"is in {folder}, which {fault}"
    return None


def _folders_above(path: Path) -> set[Path]:
    """The folders that lead to `path`, also by way of links."""
    found = set(path.parents)
    for step in (path, *path.parents):
        if step.is_symlink():
            found |= _folders_above(step.parent / os.readlink(step))
    return found


def _fault_of(status: os.stat_result, is_above: bool = False) -> str | None:
    """What makes a file or folder unsafe to rely upon; None: nothing.

    is_above: whether it is a folder that leads to one of ours. It may then be root's, or belong to
    whom the root folder does, and others may have files in it that are theirs alone.
    """
    if not hasattr(os, "getuid"):
        return None
    trusted = {os.getuid(), *((0, os.stat("/").st_uid) if is_above else ())}
    if status.st_uid not in trusted:
        return "belongs to another user"
    mode = status.st_mode
    if is_above and mode & stat.S_ISVTX:
        return None
    if mode & stat.S_IWOTH or (mode & stat.S_IWGRP and not _is_private_group(status.st_gid)):
        return "can be written by other users"
    return None


@functools.cache
def _is_private_group(number: int) -> bool:
    """Whether this group is the user's own: of the user's name, and no one else's.

    The name counts because not every system lists the users that have a group as their first one.
    """
    try:
        import grp
        import pwd

        user = pwd.getpwuid(os.getuid())
        group = grp.getgrgid(number)
        others = {other.pw_name for other in pwd.getpwall() if other.pw_gid == number}
        return group.gr_name == user.pw_name and {*group.gr_mem, *others} <= {user.pw_name}
    except (ImportError, KeyError):
        return False
