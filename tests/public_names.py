"""The public modules: those whose `__all__` is for users."""

from __future__ import annotations

import importlib
import pkgutil

PACKAGES = ("ad_core", "bridges", "robotics_ad", "robograd")
# Folders whose names are for the other folders; the package above exports what users call.
INNER = {f"ad_core.{name}" for name in ("derivatives", "functions", "graph", "loops", "lowering")}
INNER |= {"ad_core.numpy", "ad_core.ops", "robograd.demo", "robograd.viewer"}


def exporting() -> list[str]:
    """The public modules with public names, down to the folders of each package."""
    found: list[str] = []
    for package in PACKAGES:
        top = importlib.import_module(package)
        below = [m.name for m in pkgutil.iter_modules(top.__path__) if m.ispkg]
        for name in (package, *(f"{package}.{b}" for b in below)):
            if getattr(importlib.import_module(name), "__all__", None):
                found.append(name)
    return [name for name in found if name not in INNER]
