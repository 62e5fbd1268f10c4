"""The ``robograd`` command."""

import argparse
from collections.abc import Sequence

import robograd


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line ``argv`` and return the exit status."""
    parser = argparse.ArgumentParser(prog="robograd")
    parser.add_argument("--version", action="version", version=f"robograd {robograd.__version__}")
    parser.parse_args(argv)
    return 0
