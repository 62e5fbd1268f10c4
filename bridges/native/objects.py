"""Texts of one library: compiled side by side, kept in the cache one by one.

    units (`units`) -> objects, from the cache or compiled now -> `Parts` -> library (`load`)

An object is known by its text, so that libraries which have texts in common share their objects.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from _thread import start_new_thread
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from queue import SimpleQueue
from typing import Any, NamedTuple, TypeVar

from bridges.native import cache
from bridges.native.build import BASE_FLAGS, Compiler, compile_library, compile_object
from bridges.native.errors import BuildError
from bridges.native.garbage import no_collections
from bridges.native.progress import Progress
from bridges.native.units import Unit, Units

Item = TypeVar("Item")
Result = TypeVar("Result")
Stopped = Callable[[], bool]


class Parts(NamedTuple):
    """What a library is linked of: the main text and, under their keys, objects."""

    main: Unit
    objects: dict[str, bytes]

    def link(self, compiler: Compiler, target: Path) -> None:
        """Builds the shared library `target`. Raises BuildError, and OSError of the folder."""
        paths: list[Path] = []
        for number, body in enumerate(self.objects.values()):
            paths.append(target.with_name(f"{number}{cache.OBJECT}"))
            paths[-1].write_bytes(body)
        compile_library(self.main.text, compiler, self.main.flags, target, paths)


class Workshop(NamedTuple):
    """With what objects are made, in which folder of the cache, and who hears how far it is."""

    compiler: Compiler
    folder: Path
    progress: Progress


def make_parts(units: Units, shop: Workshop) -> Parts:
    """The parts of these units; the first compile while the next are made.

    Raises BuildError, and OSError of the cache.
    """
    last: list[Unit] = []

    def apart() -> Iterator[Unit]:
        last.append((yield from units))

    def heard() -> Iterator[Unit]:
        for unit in chain(apart(), last):
            shop.progress.made(len(unit.text), unit.ahead)
            if not last:
                yield unit

    def compiled(unit: Unit, stopped: Stopped) -> tuple[str, bytes]:
        def build(path: Path) -> None:
            compile_object(unit.text, shop.compiler, unit.flags, path, stopped)

        key, begun = _key(unit, shop.compiler), time.monotonic()
        body = cache.fetch(shop.folder, key, build, lambda _, body: body, cache.OBJECT)
        shop.progress.compiled(len(unit.text), time.monotonic() - begun)
        return key, body

    with no_collections():
        objects = dict(side_by_side(compiled, heard(), processors()))
    return Parts(last[0], objects)


def fetch_parts(key: str, units: Callable[[], Units], shop: Workshop) -> Parts:
    """The parts that the cache has under this key, or makes now of these units.

    Raises BuildError, and OSError of the cache.
    """
    made: list[Parts] = []

    def build(path: Path) -> None:
        made[:] = [make_parts(units(), shop)]
        path.write_text(json.dumps([*made[0].main[:2], *made[0].objects]), encoding="ascii")

    def load(_: Path, body: bytes) -> Parts:
        if made:
            return made[0]
        text, flags, *keys = json.loads(body)
        found = {key: cache.find(shop.folder, key, cache.OBJECT) for key in keys}
        objects = {key: body for key, body in found.items() if body is not None}
        if len(objects) < len(found):
            raise BuildError("an object is not in the cache")
        return Parts(Unit(text, flags), objects)

    return cache.fetch(shop.folder, key, build, load, cache.PARTS)


def _key(unit: Unit, compiler: Compiler) -> str:
    parts = (unit.text, unit.flags, compiler.identity, repr(BASE_FLAGS))
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:40]


def processors() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def side_by_side(
    work: Callable[[Item, Stopped], Result], items: Iterable[Item], workers: int
) -> list[Result]:
    """`work(item, stopped)` of every item, in order, on threads that begin as items come.

    stopped: whether the result is no longer wanted.

    Raises what `work` or the items raise, and interrupts, after all threads have ended.
    """
    # Queues written in C: an interrupt leaves no lock behind.
    tasks: SimpleQueue[tuple[int, Item] | None] = SimpleQueue()
    done: SimpleQueue[tuple[int, Any, BaseException | None]] = SimpleQueue()
    ended: SimpleQueue[None] = SimpleQueue()
    stop: list[bool] = []

    def run() -> None:
        while (task := tasks.get()) is not None and not stop:
            number, item = task
            try:
                done.put((number, work(item, lambda: bool(stop)), None))
            except BaseException as error:
                done.put((number, None, error))
        ended.put(None)

    results: dict[int, Result] = {}
    count = started = 0
    try:
        for item in items:
            tasks.put((count, item))
            count += 1
            if started < workers:
                try:
                    start_new_thread(run, ())
                    started += 1
                except RuntimeError:  # no more threads, as at the end of the interpreter
                    workers = started
            while not done.empty():
                _take(done, results)
        if not started:
            tasks.put(None)
            run()
        while len(results) < count:
            _take(done, results)
    finally:
        stop.append(True)
        for _ in range(started):
            tasks.put(None)
        for _ in range(started):
            ended.get()
    return [results[number] for number in range(count)]


def _take(
    done: SimpleQueue[tuple[int, Any, BaseException | None]], results: dict[int, Any]
) -> None:
    number, result, error = done.get()
    if error is not None:
        raise error
    results[number] = result
