"""`python -m benchmarks [NAME ...]`: run rows, print them, keep them as JSON or a picture."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.confine import UsageError, confine


def main(argv: Sequence[str] | None = None) -> int:
    """Run the rows that `argv` names, or all.

    Returns 0, or 1 if some row could not be run, or 2 for a command line that cannot be.
    """
    arguments = _parser().parse_args(argv)
    try:
        confine(arguments.threads)
        from benchmarks.session import run  # it imports numpy, torch and more, so not earlier

        return run(arguments)
    except UsageError as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Time robograd beside installed peers and a physical limit, in one run.",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="rows to run; default: all")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep every figure as JSON")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the figures")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="default: 1")
    parser.add_argument(
        "--clock",
        choices=("wall", "cpu"),
        default="wall",
        help="what is measured; cpu for a machine that is not idle (default: %(default)s)",
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="small batches, one round, without the rows that take long to prepare: a check",
    )
    parser.add_argument("--list", action="store_true", help="list the rows")
    return parser


if __name__ == "__main__":
    sys.exit(main())
