"""One line of what the doctor says."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        what: its name.
        fault: whether it does not work.
        text: what was found.
        mend: what to do, where something should be done.
    """

    what: str
    fault: bool
    text: str
    mend: str = ""

    def __str__(self) -> str:
        state = "FAULT" if self.fault else "ok"
        mend = f"\n{'':7}-> {self.mend}" if self.mend else ""
        return f"{state:<6} {self.what}: {self.text}{mend}"


def in_one_line(error: BaseException) -> str:
    """An error's message in one line, its type where it has none."""
    return " ".join(str(error).split())[:200] or type(error).__name__
