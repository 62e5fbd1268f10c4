"""URDF files of the package `example-robot-data`, by their path inside it, and a small mesh."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

TETRAHEDRON = (
    "v 0 0 0\nv .1 0 0\nv 0 .1 0\nv 0 0 .1\nf 1 3 2\nf 1 2 4\nf 1 4 3\nf 2 3 4\n"  # an OBJ file
)


def urdf_path(relative: str) -> Path:
    """Where a file under `robots/` of the package lies."""
    files = importlib.metadata.files("example-robot-data") or []
    for file in files:
        if str(file).endswith(f"example-robot-data/robots/{relative}"):
            return Path(str(file.locate())).resolve()
    raise FileNotFoundError(relative)
