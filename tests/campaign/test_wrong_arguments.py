"""Random arguments for everything public: it works, or the error is robograd's own and clear."""

from __future__ import annotations

import importlib
import inspect
import mmap
import types
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from campaign.errors import PACKAGES, fault_of
from campaign.forks import ended, limit_memory
from campaign.tally import Several, Tally
from campaign.wrong_values import ROBOT, E, good, wrong

import ad_core as ad
from bridges.kernel import ad_to_kernel
from bridges.pytorch import ad_to_torch

pytestmark = pytest.mark.campaign("wrong arguments")

BATCH = 40  # calls in a forked process
TEXT = 2000  # bytes to describe one
MODULES = (
    "ad_core",
    "bridges.kernel",
    "bridges.casadi",
    "bridges.pytorch",
    "robotics_ad",
    "robotics_ad.model",
    "robotics_ad.kinematics",
    "robotics_ad.dynamics",
    "robotics_ad.so3",
    "robotics_ad.se3",
    "robotics_ad.interop",
    "robotics_ad.load",
    "robotics_ad.log_cholesky",
)


# Made by functions, for code that knows them.
PARTS = {"ADFunctionCall", "ADModule", "Expression", "Kernel", "MujocoOrder", "Order"}
PARTS |= {"BaseParameters", "JointType", "LinkFrame", "Mjcf", "ParameterKind", "checked_robot"}
PARTS |= {"call_torch", "on_gpu", "run_arrays", "extra_repr"}


def public_functions(module: str) -> list[Callable[..., Any]]:
    """What a module exports and can be called."""
    found = importlib.import_module(module)
    values = [getattr(found, name) for name in found.__all__ if name not in PARTS]
    return [v for v in values if callable(v) and not isinstance(v, types.ModuleType)]


def public_methods(thing: object) -> list[Callable[..., Any]]:
    """Methods that robograd gives to an object."""
    names = {
        name
        for kind in type(thing).__mro__
        for name, value in vars(kind).items()
        if inspect.isfunction(value) and value.__code__.co_filename.startswith(PACKAGES)
    }
    shown = [name for name in names if not name.startswith("_") or name == "__call__"]
    return [getattr(thing, name) for name in sorted(set(shown) - PARTS)]


def subjects() -> dict[str, Callable[[], list[Callable[..., Any]]]]:
    """Titles, and what gives the callables."""
    things: dict[str, Callable[[], object]] = {
        "an expression": lambda: E,
        "a kernel": lambda: ad_to_kernel(E),
        "a layer": lambda: ad_to_torch(E, sizes={"y": 1}),
        "a robot": lambda: ROBOT,
    }
    modules = {m: (lambda m=m: public_functions(m)) for m in MODULES}
    return modules | {t: (lambda make=make: public_methods(make())) for t, make in things.items()}


SUBJECTS = subjects()


def arguments(f: Callable[..., Any], rng: np.random.Generator) -> tuple[list[Any], dict[str, Any]]:
    """Some right, some wrong, some left out."""
    positional: list[Any] = []
    named: dict[str, Any] = {}
    for p in inspect.signature(f).parameters.values():

        def drawn(name: str = p.name) -> Any:
            return good(name, rng) if rng.random() < 0.5 else wrong(rng)

        if p.kind is p.VAR_POSITIONAL:
            positional += [] if named else [drawn() for _ in range(rng.integers(4))]
        elif p.kind is p.VAR_KEYWORD:
            named |= {name: drawn() for name in ("x", "y") if rng.random() < 0.5}
        elif p.default is not p.empty and rng.random() < 0.6:
            continue
        elif p.kind is p.POSITIONAL_ONLY or (not named and rng.random() < 0.5):
            positional.append(drawn())
        else:
            named[p.name] = drawn()
    return positional, named


def calls(f: Callable[..., Any], rng: np.random.Generator) -> Iterator[tuple[str, str]]:
    """What is called with what, and then what is unclear about the error, for a call and the next.

    Functions that a call makes are called too, and expressions are evaluated.
    """
    for _ in range(2):
        positional, named = arguments(f, rng)
        title = f"{getattr(f, '__qualname__', f)}(*{positional!r:.300}, **{named!r:.300})"
        yield title, ""
        try:
            f_next = f(*positional, **named)
        except Exception as error:
            yield title, fault_of(error)
            return
        if isinstance(f_next, ad.Expression):
            f_next = f_next.eval
        if not callable(f_next) or not type(f_next).__module__.startswith(("ad_core", "builtins")):
            return
        f = f_next


@pytest.mark.parametrize("title", SUBJECTS)
def test_random_arguments(
    tally: Tally, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, title: str
) -> None:
    monkeypatch.chdir(tmp_path)
    functions = SUBJECTS[title]()
    note = mmap.mmap(-1, BATCH * TEXT + TEXT)  # what failed, and at its end the last call

    def trial(rng: np.random.Generator) -> int:
        def work() -> None:
            limit_memory(1 << 30)
            warnings.simplefilter("ignore")
            note.seek(0)
            for _ in range(BATCH):
                f = functions[int(rng.integers(len(functions)))]
                for what, fault in calls(f, rng):
                    note[-TEXT:] = what.encode(errors="replace")[:TEXT].ljust(TEXT)
                    if fault:
                        note.write(f"{what:.200}: {fault:.200}\n".encode(errors="replace"))

        note[:] = bytes(len(note))
        how = ended(work)
        faults = note[:-TEXT].rstrip(b"\0").decode(errors="replace").split("\n")[:-1]
        if how:
            faults.append(f"{how}, in {note[-TEXT:].decode(errors='replace').strip()}")
        if faults:
            raise Several(BATCH, faults)
        return BATCH

    tally.run(20, trial)
