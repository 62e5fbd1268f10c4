"""Inputs of a kernel by name or number."""

from __future__ import annotations

import contextlib
import operator
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from ad_core.graph import listed

Wrt: TypeAlias = "Iterable[int | str] | int | str"
"""Inputs, or one of them, by their numbers or names."""


def in_order(
    names: Sequence[str], inputs: Sequence[Any], named: Mapping[str, Any]
) -> tuple[Any, ...]:
    """All inputs by position: those given so, then those by name.

    Raises ValueError for a name that is unknown, missing, or given by position too.
    """
    listed = ", ".join(names)
    for name in named:
        if name not in names:
            raise ValueError(f"no input {name!r} (inputs: {listed})")
        if name in names[: len(inputs)]:
            raise ValueError(f"input {name!r} is given by position and by name")
    missing = [name for name in names[len(inputs) :] if name not in named]
    if missing:
        raise ValueError(f"no value for {', '.join(missing)} (inputs: {listed})")
    return (*inputs, *(named[name] for name in names[len(inputs) :]))


def chosen_inputs(names: Sequence[str], wrt: Wrt | None) -> tuple[int, ...]:
    """The numbers of the inputs that `wrt` says; None: all.

    Raises ValueError for an unknown name or number and for one that comes twice, TypeError for what
    is neither.
    """
    if wrt is None:
        return tuple(range(len(names)))
    if isinstance(wrt, str) or not isinstance(wrt, Iterable):
        wrt = (wrt,)
    given: list[Any] = listed(wrt, "wrt", "names or numbers of inputs")
    chosen: list[int] = []
    for which in given:
        if isinstance(which, str):
            if which not in names:
                raise ValueError(f"wrt: no input {which!r} (inputs: {', '.join(names)})")
            chosen.append(names.index(which))
        else:
            chosen.append(_number(which))
    if len(set(chosen)) < len(chosen) or not all(0 <= i < len(names) for i in chosen):
        expected = f"expected different input numbers below {len(names)}"
        raise ValueError(f"wrt {tuple(chosen)}, {expected}")
    return tuple(chosen)


def _number(which: Any) -> int:
    with contextlib.suppress(TypeError):
        if not isinstance(which, bool):
            return operator.index(which)
    raise TypeError(f"wrt: got {which!r}, expected a name or number of an input")
