"""C text -> shared library, with the system's compiler.

The compiler is `$CC`, else the first of cc, gcc and clang on the PATH. Libraries are tuned to the
processor they are built on, so its identity is part of their cache key.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import platform
import select
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from bridges.native.errors import BuildError

BASE_FLAGS = (
    "-std=gnu11",
    "-fPIC",
    "-fvisibility=hidden",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-ffp-contract=fast",
    "-Wno-psabi",
    "-Werror=implicit-function-declaration",  # as all compilers will, which older ones do not
)
# Seconds for a short answer, for a text of so many bytes in addition, and at most: a hundred times
# what they take.
_ANSWER_S = 60.0
_BYTES_A_SECOND = 10_000
_MOST_S = 600.0
_ASKED_S = 0.1  # between questions whether a compiler shall go on


@dataclass(frozen=True)
class Compiler:
    """A compiler's command, and the width of the vectors that this processor has.

    identity: changes when the compiler or the processor does.
    """

    command: tuple[str, ...]
    vector_bytes: int
    identity: str


def compiler_here() -> Compiler:
    """The compiler of this machine, which does not run yet. Raises BuildError."""
    command = find_compiler()
    try:
        found = os.stat(command[0])
    except OSError as error:
        raise BuildError(f"{command[0]}: {error.strerror}") from error
    facts = [*command, os.path.realpath(command[0]), str(found.st_mtime_ns), str(found.st_size)]
    identity = hashlib.sha256("\n".join([*facts, cpu_identity()]).encode()).hexdigest()
    return Compiler(command, vector_bytes(), identity)


def find_compiler() -> tuple[str, ...]:
    """Command of the system's C compiler, found anew each time.

    Raises BuildError that says where it looked.
    """
    chosen = os.environ.get("CC", "").strip()
    if chosen:
        try:
            command = shlex.split(chosen)
        except ValueError as error:
            raise BuildError(f"CC is {chosen!r}, which is no command: {error}") from error
        path = shutil.which(command[0])
        if path is None:
            raise BuildError(f"CC is {chosen!r}, but there is no such program")
        return (path, *command[1:])
    for name in ("cc", "gcc", "clang"):
        path = shutil.which(name)
        if path is not None:
            return (path,)
    raise BuildError("no C compiler on the PATH (looked for $CC, cc, gcc, clang)")


def compile_library(
    source: str, compiler: Compiler, flags: str, target: Path, objects: Sequence[Path] = ()
) -> None:
    """Builds `source` and `objects` into the shared library `target`.

    flags: optimisation level, then refinements of it for GCC.

    Raises BuildError with the diagnostics.
    """
    _compile(source, compiler, flags, target, (*map(str, objects), "-shared", "-lm"))


def compile_object(
    source: str, compiler: Compiler, flags: str, target: Path, stopped: Callable[[], bool]
) -> None:
    """Builds `source` into `target`, an object of a library, as `compile_library` does.

    stopped: asked meanwhile; where it is true, the compiler is ended.
    """
    _compile(source, compiler, flags, target, ("-c",), stopped)


def _compile(  # noqa: PLR0917
    source: str,
    compiler: Compiler,
    flags: str,
    target: Path,
    ends: Sequence[str],
    stopped: Callable[[], bool] = lambda: False,
) -> None:
    tuning, is_gcc = _probed(compiler.command, target.parent, stopped)
    chosen = [flag for flag in flags.split() if is_gcc or flag.startswith("-O")]
    text = target.with_suffix(".c")
    text.write_text(source, encoding="ascii")
    arguments = (*tuning, *BASE_FLAGS, *chosen, "-o", str(target), str(text), *ends)
    seconds = min(_ANSWER_S + len(source) / _BYTES_A_SECOND, _MOST_S)
    status, _, failure = run_compiler(
        compiler.command, arguments, target.parent, seconds, stopped=stopped
    )
    if status != 0 or not target.is_file():
        raise BuildError(f"{shlex.join(compiler.command)} failed: {_first_lines(failure)}")


_known: dict[tuple[str, ...], tuple[tuple[str, ...], bool]] = {}


def _probed(
    command: tuple[str, ...], folder: Path, stopped: Callable[[], bool]
) -> tuple[tuple[str, ...], bool]:
    """The flags that tune for this processor, and whether it is GCC, which has flags of its own.

    Raises BuildError if the compiler cannot even list its predefined macros.
    """
    failure = ""
    for tuning in (("-march=native",), ("-mcpu=native",), ()):
        if command in _known:
            break
        arguments = (*tuning, "-dM", "-E", "-x", "c", os.devnull)
        status, macros, failure = run_compiler(
            command, arguments, folder, _ANSWER_S, stopped=stopped
        )
        if status == 0:
            _known[command] = tuning, "__GNUC__" in macros and "__clang__" not in macros
    if command not in _known:
        raise BuildError(f"{shlex.join(command)} failed: {_first_lines(failure)}")
    return _known[command]


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


def vector_bytes() -> int:
    """The width of this processor's vectors; text for any width runs on any processor."""
    flags = cpu_identity().split()
    if {"avx512f", "avx512dq"} <= set(flags):
        return 64
    return 32 if "avx" in flags else 16


_hanging: dict[tuple[str, ...], str] = {}
"""Compilers that did not end in time in this process, and what is said of them."""


def run_compiler(
    command: tuple[str, ...],
    arguments: Sequence[str],
    folder: Path | None,
    seconds: float,
    *,
    stopped: Callable[[], bool] = lambda: False,
) -> tuple[int, str, str]:
    """Status, output and messages of a compiler, which may leave processes behind.

    folder: where its output goes meanwhile; None: the temporary folder.
    stopped: asked meanwhile; where it is true, the compiler is ended.

    Raises BuildError where it does not run, is ended, or does not end in time; in the last case it
    is not tried again.
    """
    if command in _hanging:
        raise BuildError(_hanging[command])
    with contextlib.ExitStack() as stack:
        try:
            # files: a process that is left behind would keep a pipe open
            files = [stack.enter_context(tempfile.TemporaryFile(dir=folder)) for _ in range(2)]
            status = _status([*command, *arguments], files[0], files[1], seconds, stopped)
        except subprocess.TimeoutExpired as error:
            text = f"{shlex.join(command)} ran for {seconds:.0f} s and is not tried again"
            _hanging[command] = f"{text} by this process"
            raise BuildError(_hanging[command]) from error
        except OSError as error:
            raise BuildError(f"{command[0]}: {error.strerror}") from error
        for file in files:
            file.seek(0)
        output, errors = (file.read().decode(errors="replace") for file in files)
        return status, output, errors


def _status(
    command: list[str],
    output: IO[bytes],
    errors: IO[bytes],
    seconds: float,
    stopped: Callable[[], bool],
) -> int:
    """How a command ends; one that takes too long is ended with all that it has started."""
    last = time.monotonic() + seconds
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=errors,
        env={**os.environ, "LC_ALL": "C"},  # messages that can be searched for
        start_new_session=True,
    ) as process:
        try:
            while not stopped():
                status = _ended(process, min(_ASKED_S, seconds))
                if status is not None:
                    return status
                if time.monotonic() > last:
                    raise subprocess.TimeoutExpired(command, seconds)
            raise BuildError(f"{shlex.join(command[:1])} was ended")
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise


def _ended(process: subprocess.Popen[bytes], seconds: float) -> int | None:
    """The status of a process as soon as it ends, None after so many seconds."""
    try:
        descriptor = os.pidfd_open(process.pid)
    except (AttributeError, OSError):  # not Linux, or an old one
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.wait(seconds)  # which looks now and then
        return None
    try:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        poll.poll(1000 * seconds)
    finally:
        os.close(descriptor)
    return process.poll()


def _first_lines(text: str, count: int = 8) -> str:
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return "\n".join(lines[:count]) or "no message"
