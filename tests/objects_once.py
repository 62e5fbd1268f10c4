"""Objects of libraries that are compiled once a session, for tests with empty caches."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bridges.native import objects
from bridges.native.build import Compiler, compile_object

_made: dict[tuple[str, Compiler, str], bytes] = {}


def install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets texts of objects that were compiled before, as the driver of all kernels, be copied."""
    monkeypatch.setattr(objects, "compile_object", _compile_once)


def _compile_once(
    source: str, compiler: Compiler, flags: str, target: Path, stopped: Callable[[], bool]
) -> None:
    key = source, compiler, flags
    if key in _made:
        target.write_bytes(_made[key])
        return
    compile_object(source, compiler, flags, target, stopped)
    _made[key] = target.read_bytes()
