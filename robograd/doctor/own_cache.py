"""A kernel cache of the doctor's own, so that kernels are built anew and are gone afterwards."""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from bridges.native import cache
from bridges.native.errors import BuildError


@contextmanager
def folder_beside_kernels() -> Generator[str]:
    """A folder beside the kernels that are kept, or where there is room if they cannot be."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            beside: Path | None = cache.open_cache().parent
        except BuildError:
            beside = None
    with tempfile.TemporaryDirectory(
        dir=beside, prefix="doctor-", ignore_cleanup_errors=True
    ) as folder:
        yield folder


@contextmanager
def kernels_in(folder: str) -> Generator[None]:
    """This process keeps its kernels in `folder` meanwhile."""
    before = os.environ.get("ROBOGRAD_CACHE")
    os.environ["ROBOGRAD_CACHE"] = folder
    try:
        yield
    finally:
        if before is None:
            del os.environ["ROBOGRAD_CACHE"]
        else:
            os.environ["ROBOGRAD_CACHE"] = before
