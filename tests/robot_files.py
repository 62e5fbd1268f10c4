"""URDF files of the package `example-robot-data`, by their path inside it."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path


def urdf_path(relative: str) -> Path:
    """Where a file under `robots/` of the package lies."""
    files = importlib.metadata.files("example-robot-data") or []
    for file in files:
        if str(file).endswith(f"example-robot-data/robots/{relative}"):
            return Path(str(file.locate())).resolve()
    raise FileNotFoundError(relative)
