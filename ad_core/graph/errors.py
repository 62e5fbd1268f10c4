"""The wording of errors: they name the place, the argument, what was expected, and what came."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, TypeVar

T = TypeVar("T")


def wrong_size(place: str, argument: str, got: int, expected: int | str) -> ValueError:
    """An argument or value whose number of entries does not fit."""
    return ValueError(f"{place}: argument '{argument}' has size {got}, expected {expected}")


def wrong_kind(place: str, argument: str, got: object, expected: str) -> TypeError:
    """An argument that is an object of another kind."""
    kind = type(got).__name__
    return TypeError(f"{place}: argument '{argument}' is a {kind}, expected {expected}")


def checked(value: T, kinds: Any, place: str, argument: str, what: str) -> T:
    """The value, which is of one of these types: `what` they are, in words; else TypeError."""
    if not isinstance(value, kinds):
        raise wrong_kind(place, argument, value, what)
    return value


def checked_name(name: str, place: str) -> str:
    """The name, which is a string and not empty."""
    if not checked(name, str, place, "name", "a string"):
        raise ValueError(f"{place}: a name is not empty")
    return name


def one_of(word: str, what: str, choices: Collection[str]) -> str:
    """The word, which is one of the choices; else ValueError that lists them, of `what`."""
    if not isinstance(word, str) or word not in choices:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ValueError(f"{what} is {word!r}, expected one of {', '.join(choices)}")
    return word


def wrong_count(
    place: str, got: int, expected: int | Sequence[str], missing: Sequence[str] | None = None
) -> ValueError:
    """A call with too many or too few arguments; `expected` is how many, or their names.

    missing: names of those that were not given; None: the last ones.
    """
    if isinstance(expected, int):
        return ValueError(f"{place}: got {got} arguments, expected {expected}")
    absent = ", ".join(expected[got:] if missing is None else missing)
    tail = f": no {absent}" if absent else ""
    names = ", ".join(expected)
    return ValueError(f"{place}: got {got} arguments, expected {len(expected)} ({names}){tail}")


def unknown_name(kind: str, name: str, choices: Iterable[str]) -> ValueError:
    """A name that does not exist, with the ones that do."""
    listed = ", ".join(choices) or "none"
    return ValueError(f"no {kind} '{name}'; {kind}s: {listed}")


def unknown_size(place: str, argument: str) -> ValueError:
    """A size that is needed now and was never given."""
    return ValueError(
        f"{place}: the size of '{argument}' is not known; "
        f"declare it with var('{argument}', size) or pass sizes={{'{argument}': size}}"
    )
