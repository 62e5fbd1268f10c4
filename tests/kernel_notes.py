"""Notes in a kernel cache."""

from pathlib import Path


def notes_in(folder: Path) -> list[Path]:
    """The notes in the cache `folder`."""
    return sorted(folder.glob("*.note"))
