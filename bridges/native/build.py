"""C text -> shared library, with the system's compiler.

The compiler is `$CC`, else the first of cc, gcc and clang on the PATH. Libraries are tuned to the
processor they are built on, so its identity is part of their cache key.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import platform
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from bridges.native import cache
from bridges.native.errors import BuildError

BASE_FLAGS = (
    "-std=gnu11",
    "-fPIC",
    "-shared",
    "-fvisibility=hidden",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-ffp-contract=fast",
    "-Wno-psabi",
)
_TIMEOUT_S = 600.0


@dataclass(frozen=True)
class Compiler:
    """A working compiler: its command, flags that tune for this processor, and vector width.

    is_gcc: whether it knows GCC's names for single optimisations.
    identity: changes when the compiler or the processor does.
    """

    command: tuple[str, ...]
    tuning: tuple[str, ...]
    vector_bytes: int
    is_gcc: bool
    identity: str


def find_compiler() -> tuple[str, ...]:
    """Command of the system's C compiler, found anew each time.

    Raises BuildError that says where it looked.
    """
    chosen = os.environ.get("CC", "").strip()
    if chosen:
        command = shlex.split(chosen)
        path = shutil.which(command[0])
        if path is None:
            raise BuildError(f"CC is {chosen!r}, but there is no such program")
        return (path, *command[1:])
    for name in ("cc", "gcc", "clang"):
        path = shutil.which(name)
        if path is not None:
            return (path,)
    raise BuildError("no C compiler on the PATH (looked for $CC, cc, gcc, clang)")


def probe(command: tuple[str, ...], folder: Path) -> Compiler:
    """What the compiler can do here; remembered in the cache `folder` while it does not change.

    Raises BuildError if it cannot even list its predefined macros.
    """
    try:
        found = os.stat(command[0])
    except OSError as error:
        raise BuildError(f"{command[0]}: {error.strerror}") from error
    facts = [*command, os.path.realpath(command[0]), str(found.st_mtime_ns), str(found.st_size)]
    identity = hashlib.sha256("\n".join([*facts, cpu_identity()]).encode()).hexdigest()
    key = identity[:40]
    remembered = _as_compiler(cache.find_facts(folder, key))
    if remembered is not None and remembered.identity == identity:
        return remembered
    compiler = _probe(command, identity)
    with contextlib.suppress(OSError):  # a full disk: it is probed again the next time
        cache.put_facts(folder, key, json.dumps(asdict(compiler)).encode())
    return compiler


def _probe(command: tuple[str, ...], identity: str) -> Compiler:
    failure = ""
    for tuning in (("-march=native",), ("-mcpu=native",), ()):
        ran = _run([*command, *tuning, "-dM", "-E", "-x", "c", os.devnull])
        if ran.returncode == 0:
            macros = {line.split()[1] for line in ran.stdout.splitlines() if len(line.split()) > 1}
            is_gcc = "__GNUC__" in macros and "__clang__" not in macros
            return Compiler(command, tuning, _vector_bytes(macros), is_gcc, identity)
        failure = ran.stderr
    raise BuildError(f"{shlex.join(command)} failed: {_first_lines(failure)}")


def _vector_bytes(macros: set[str]) -> int:
    if {"__AVX512F__", "__AVX512DQ__"} <= macros:
        return 64
    return 32 if "__AVX__" in macros else 16


def compile_library(source: str, compiler: Compiler, flags: str, target: Path) -> None:
    """Builds `source` into the shared library `target`.

    flags: optimisation level, then refinements of it for GCC.

    Raises BuildError with the diagnostics.
    """
    chosen = [flag for flag in flags.split() if compiler.is_gcc or flag.startswith("-O")]
    text = target.with_suffix(".c")
    text.write_text(source, encoding="ascii")
    ran = _run(
        [
            *(*compiler.command, *compiler.tuning, *BASE_FLAGS, *chosen),
            *("-o", str(target), str(text), "-lm"),
        ]
    )
    if ran.returncode != 0 or not target.is_file():
        raise BuildError(f"{shlex.join(compiler.command)} failed: {_first_lines(ran.stderr)}")


@functools.cache
def cpu_identity() -> str:
    """Text that differs between processors with different instructions."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            text = file.read(16384)
    except OSError:
        return f"{platform.machine()} {platform.processor()}"
    first = text.split("\n\n", 1)[0]
    telling = ("vendor_id", "cpu family", "model", "flags", "Features", "CPU ")
    lines = [line for line in first.splitlines() if line.startswith(telling)]
    return "\n".join([platform.machine(), *lines])


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT_S,
            check=False,
            stdin=subprocess.DEVNULL,
            env=_plain_environment(os.environ),
        )
    except subprocess.TimeoutExpired as error:
        raise BuildError(f"{command[0]} ran for more than {_TIMEOUT_S:.0f} s") from error
    except OSError as error:
        raise BuildError(f"{command[0]}: {error.strerror}") from error


def _plain_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Messages in English, so that they can be quoted and searched for."""
    return {**environment, "LC_ALL": "C"}


def _first_lines(text: str, count: int = 8) -> str:
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return "\n".join(lines[:count]) or "no message"


def _as_compiler(facts: bytes | None) -> Compiler | None:
    try:
        data = json.loads(facts or b"")
        width = int(data["vector_bytes"])
        if width not in (16, 32, 64):
            return None
        return Compiler(
            tuple(map(str, data["command"])),
            tuple(map(str, data["tuning"])),
            width,
            bool(data["is_gcc"]),
            str(data["identity"]),
        )
    except (ValueError, KeyError, TypeError):
        return None
