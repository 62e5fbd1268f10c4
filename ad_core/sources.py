"""Packages whose functions are known by their files.

A function that is named in a graph stands for code. Where that code is in a package that says so,
by `LOADED_NS` in its `__init__`, the package's files tell what the function does: equal files,
equal function. Reading files takes long, so they are told apart by their sizes and times; the time
at which a file was last changed in any way, unlike that of its content, is not for programs to set.

    LOADED_NS = time.time_ns()    # in `__init__`: when this process took up the files
"""

from __future__ import annotations

import os
import struct
import sys
from collections.abc import Iterable
from types import ModuleType

_SECOND_NS = 1_000_000_000


def package_of(module: str) -> str | None:
    """The package, known by its files, that a loaded module's own file is in; None: there is none.

    module: its full name.
    """
    top = module.partition(".")[0]
    folder = _folder(top)
    file = getattr(sys.modules.get(module), "__file__", None)
    inside = folder is not None and isinstance(file, str) and file.startswith(folder + os.sep)
    return top if inside else None


def sources_stamp(packages: Iterable[str]) -> bytes | None:
    """Bytes that change whenever a file of one of the packages does.

    None where files do not tell what runs in this process: a package is not known by its files, one
    of them changed after it was loaded, or its file system keeps no times of changes (images of
    file systems, whose times are whole seconds chosen by whoever made them).
    """
    facts: list[bytes] = []
    for name in sorted(set(packages)):
        folder = _folder(name)
        if folder is None:
            return None
        loaded: int = vars(sys.modules[name])["LOADED_NS"]
        try:
            paths, numbers = _files(folder)
        except OSError:
            return None
        changes = numbers[::4]
        if max(changes) > loaded or not any(change % _SECOND_NS for change in changes):
            return None
        facts.append(os.fsencode("\0".join([name, *paths, ""])))
        facts.append(struct.pack(f"<{len(numbers)}q", *numbers))
    return b"".join(facts)


def _folder(package: str) -> str | None:
    module = sys.modules.get(package)
    if not isinstance(module, ModuleType) or type(vars(module).get("LOADED_NS")) is not int:
        return None
    folder, name = os.path.split(module.__file__ or "")
    return folder if name == "__init__.py" else None


def _files(folder: str) -> tuple[list[str], list[int]]:
    """Every file below a folder but the compiled ones of Python: paths, and four numbers for each.

    The numbers are the times of the last change to anything and to the content, size, and inode.
    """
    paths: list[str] = []
    numbers: list[int] = []
    folders = [folder]
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                if not entry.is_dir():
                    s = entry.stat()
                    paths.append(entry.path)
                    numbers += (s.st_ctime_ns, s.st_mtime_ns, s.st_size, s.st_ino >> 1)
                elif entry.name != "__pycache__":
                    folders.append(entry.path)
    return paths, numbers
