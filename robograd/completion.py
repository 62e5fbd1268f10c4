"""Scripts that complete the command line in a shell, from its parser."""

from __future__ import annotations

import argparse
from typing import Any, cast

try:
    import shtab
except ImportError as error:
    raise ImportError(
        "completion is written by the package 'shtab': pip install 'robograd[completion]'"
    ) from error


def script(parser: argparse.ArgumentParser, shell: str) -> str:
    """The script of bash, zsh or fish; arguments that are files complete to files."""
    _mark_files(parser, shtab.FILE)
    return shtab.complete(parser, shell=shell)


def _mark_files(parser: argparse.ArgumentParser, kind: Any) -> None:
    for action in cast("list[Any]", vars(parser)["_actions"]):
        if isinstance(action.choices, dict):  # of subcommands
            for inner in cast("dict[str, argparse.ArgumentParser]", action.choices).values():
                _mark_files(inner, kind)
        elif "FILE" in str(action.metavar):
            action.complete = kind
