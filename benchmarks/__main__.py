"""`python -m benchmarks [NAME ...]`: run rows, print them, keep them as JSON or a picture."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.confine import confine


def main(argv: Sequence[str] | None = None) -> int:
    """Run the rows that `argv` names, or all; 0, or 1 if some row could not be run."""
    arguments = _parser().parse_args(argv)
    try:
        confine(arguments.threads)
    except ValueError as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 2
    return _run(arguments)


def _run(arguments: argparse.Namespace) -> int:
    # After `confine`, because these import numpy, torch and more.
    import torch

    from benchmarks.counts import COUNTS
    from benchmarks.model import Count, Row
    from benchmarks.plot import plot
    from benchmarks.report import as_json, count_text, machine, outcome_text
    from benchmarks.robots import robot
    from benchmarks.run import DisagreementError, run_quick, run_row
    from benchmarks.table import ROWS

    torch.set_num_threads(arguments.threads)
    chosen: list[Row | Count] = [*COUNTS, *ROWS]
    names = [row.name for row in chosen]
    if arguments.list:
        print("\n".join(f"{row.name:<24}{row.what}" for row in chosen))
        return 0
    unknown = [name for name in arguments.names if name not in names]
    if unknown:
        print(f"benchmarks: no row {', '.join(unknown)}; rows: {', '.join(names)}", file=sys.stderr)
        return 2
    about = machine()
    print("\n".join(f"{name}: {value}" for name, value in about.items()), flush=True)
    outcomes, counts, failed = [], [], 0
    for row in chosen:
        if arguments.names and row.name not in arguments.names:
            continue
        try:
            if isinstance(row, Count):
                counts.append((row, row.ours(robot(row.robot))))
                print(f"\n{count_text(*counts[-1])}", flush=True)
            else:
                timed = run_quick(row) if arguments.quick else run_row(row)
                outcomes.append(timed)
                print(f"\n{outcome_text(outcomes[-1])}", flush=True)
        except (DisagreementError, ImportError) as error:
            print(f"\n{row.name}: not run: {error}", flush=True)
            failed += 1
    if arguments.json:
        arguments.json.write_text(json.dumps(as_json(about, outcomes, counts), indent=1) + "\n")
    if arguments.plot and outcomes:
        plot(outcomes, arguments.plot, f"{about['processor']}, {arguments.threads} thread(s)")
    return 1 if failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Time robograd beside installed peers and a physical limit, in one run.",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="rows to run; default: all")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep every figure as JSON")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the figures")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="default: 1")
    parser.add_argument("--quick", action="store_true", help="small batches, one round: a check")
    parser.add_argument("--list", action="store_true", help="list the rows")
    return parser


if __name__ == "__main__":
    sys.exit(main())
