"""How the demonstration prints: numbered sections of lines `name  value`."""

from __future__ import annotations

import importlib

_WIDTH = 26


def heading(title: str) -> None:
    """A blank line, the title, and a rule under it."""
    print(f"\n{title}\n{'-' * len(title)}", flush=True)


def row(name: str, value: str) -> None:
    """One figure under its name."""
    print(f"  {name:<{_WIDTH}}{value}", flush=True)


def require(*modules: str) -> None:
    """Raises ImportError, naming the extra to install, where one of the modules is missing."""
    for module in modules:
        try:
            importlib.import_module(module)
        except ImportError:
            raise ImportError(
                f"the demonstration needs {module}; install it with: pip install 'robograd[viz]'"
            ) from None
