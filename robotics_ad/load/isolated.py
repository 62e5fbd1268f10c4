"""Robot files of strangers, read in a process of their own that may die.

source -> child with limits -> JSON -> `RobotModel`, checked as any other

A file that takes all memory or time, or that MuJoCo's parser fails on, ends the child, and here is
an error. What the child gives is numbers and names alone, never pickles: nothing of it is run. It
is no sandbox: a file that took the parser over could do there what its user may do.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from typing import IO, Any, TypeVar, cast

import numpy as np

from robotics_ad.load.sources import is_path, read_source, shortened
from robotics_ad.model import (
    SHAPES,
    Inertia,
    Joint,
    Link,
    LoopConstraint,
    Mimic,
    PlacedShape,
    RobotModel,
    Shape,
)

try:
    import resource
except ImportError:  # a system where processes have no limits
    resource = None

T = TypeVar("T")

MEMORY = 4 << 30
"""Bytes that the child may take."""
PROCESSOR_SECONDS, SECONDS = 60, 120
"""How long it may compute, and how long it may take."""
MOST_WRITTEN = 1 << 27
"""Bytes of its answer, and of any file that it writes."""

_ERRORS: Mapping[str, type[Exception]] = {
    error.__name__: error for error in (FileNotFoundError, ImportError, OSError, TypeError)
}
_PROGRAM = (
    "import sys, json; request = json.loads(sys.argv[1]); sys.path[:] = request.pop('path'); "
    "from robotics_ad import load; from robotics_ad.load.isolated import answer; "
    "answer(getattr(load, request.pop('loader')), **request)"
)


def load_in_child(
    loader: str, source: str | bytes | os.PathLike[str] | IO[Any], options: Mapping[str, Any]
) -> RobotModel:
    """What a function of `robotics_ad.load` makes of a source.

    Args:
        loader: its name.
        source: a path, XML text, or an open file, which is read here.
        options: of the function; numbers and texts.

    Raises:
        ValueError: Naming the source, where the child died, or took more memory or time than it
            may; and all errors of the function itself.
        NotImplementedError: Where the system has no limits for processes.
    """
    if resource is None:
        raise NotImplementedError(f"{loader}: untrusted=True needs a system like Linux or macOS")
    name, text = None, b""
    if isinstance(source, (str, os.PathLike)) and is_path(source):
        name = os.fspath(source)
        label = shortened(name)
    else:
        given, label = read_source(source)
        text = given if isinstance(given, bytes) else given.encode("utf-8", "surrogatepass")
    request: dict[str, Any] = {"path": sys.path, "loader": loader, "name": name}
    request |= {"options": dict(options), "limits": [MEMORY, PROCESSOR_SECONDS]}
    with tempfile.TemporaryFile() as out:
        try:
            ended = subprocess.run(
                [sys.executable, "-I", "-B", "-c", _PROGRAM, json.dumps(request)],
                input=text,
                stdout=out,
                stderr=subprocess.DEVNULL,
                timeout=SECONDS,
                check=False,
                env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
            )
        except subprocess.TimeoutExpired:
            raise ValueError(f"{label}: reading it took more than {SECONDS} s") from None
        out.seek(0)
        said = out.read(MOST_WRITTEN)
    if ended.returncode != 0:
        raise ValueError(f"{label}: reading it {_death(ended.returncode)}")
    try:
        robot, told, error = _understood(json.loads(said))
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as fault:
        raise ValueError(f"{label}: reading it gave no robot: {fault}") from None
    if robot is None:
        raise error
    for warning in told:
        warnings.warn(warning, stacklevel=3)
    return robot


def answer(
    load: Callable[..., RobotModel],
    name: str | None,
    limits: tuple[int, int],
    options: Mapping[str, Any],
) -> None:
    """Read, in the child: from a file or standard input, to JSON on standard output."""
    out = os.dup(1)
    os.dup2(2, 1)  # libraries may print
    memory, seconds = limits
    assert resource is not None
    for what, limit in (
        (resource.RLIMIT_AS, (memory, memory)),
        (resource.RLIMIT_CPU, (seconds, seconds + 1)),
        (resource.RLIMIT_CORE, (0, 0)),
        (resource.RLIMIT_FSIZE, (MOST_WRITTEN, MOST_WRITTEN)),
    ):
        resource.setrlimit(what, limit)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            robot = load(sys.stdin.buffer.read() if name is None else name, **options)
            said = {"robot": _plain(robot), "warnings": [str(warning.message) for warning in told]}
        except MemoryError:
            said = {"error": "", "message": f"reading it takes more than {memory} bytes of memory"}
        except Exception as error:  # whatever it is: the parent raises it
            said = {"error": type(error).__name__, "message": str(error)}
    with os.fdopen(out, "w") as file:
        json.dump(said, file)


def _plain(value: Any) -> Any:
    """Data classes as mappings, shapes with the name of their kind; arrays and tuples as lists."""
    if is_dataclass(value):
        plain = {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
        return plain | ({"kind": type(value).__name__} if isinstance(value, Shape) else {})
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, tuple):
        return [_plain(one) for one in cast("tuple[Any, ...]", value)]
    return value


def _understood(said: dict[str, Any]) -> tuple[RobotModel | None, list[str], Exception]:
    """(robot, warnings, error) of an answer, which may hold anything."""
    error = _ERRORS.get(str(said.get("error")), ValueError)(str(said.get("message")))
    if "error" in said:
        return None, [], error
    given = said["robot"]
    links = [_link(link) for link in given["links"]]
    joints = [Joint(**joint | {"mimic": _made(Mimic, joint["mimic"])}) for joint in given["joints"]]
    loops = [LoopConstraint(**loop) for loop in given["loops"]]
    robot = RobotModel(given["name"], links, joints, loops=loops)
    return robot, [str(told) for told in said["warnings"]], error


def _link(given: dict[str, Any]) -> Link:
    collisions, visuals = (
        [PlacedShape(**one | {"shape": _shape(**one["shape"])}) for one in given[what]]
        for what in ("collisions", "visuals")
    )
    return Link(given["name"], _made(Inertia, given["inertia"]), collisions, visuals)


def _shape(kind: str, **given: Any) -> Shape:
    return SHAPES[kind](**given)


def _made(kind: Callable[..., T], given: Any) -> T | None:
    return None if given is None else kind(**given)


def _death(status: int) -> str:
    if -status == signal.SIGXCPU:
        return f"took more than {PROCESSOR_SECONDS} s of processor time"
    why = f"status {status}" if status > 0 else signal.strsignal(-status)
    return f"ended its process: {why}"
