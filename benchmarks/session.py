"""One run of the command: choose rows, run each, print it, keep all."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace

import torch

from benchmarks.builds import MEASUREMENTS
from benchmarks.confine import UsageError
from benchmarks.counts import COMPARISONS, COUNTS
from benchmarks.model import Comparison, Count, Measured, Measurement, Row
from benchmarks.plot import plot
from benchmarks.report import (
    as_json,
    comparison_text,
    count_text,
    machine,
    measurement_text,
    outcome_text,
)
from benchmarks.robots import robot
from benchmarks.run import Outcome, run_quick, run_row
from benchmarks.table import ROWS
from benchmarks.timing import CLOCKS, FULL


def run(arguments: argparse.Namespace) -> int:
    """Do what the parsed command line says; 0, or 1 if some row could not be run.

    Raises UsageError for a name that is no row's.
    """
    rows = choose(arguments.names)
    if arguments.quick and not arguments.names:
        rows = [row for row in rows if not (isinstance(row, Row) and row.slow)]
    if arguments.list:
        print("\n".join(f"{row.name:<28}{row.what}" for row in rows))
        return 0
    torch.set_num_threads(arguments.threads)
    effort = replace(FULL, clock=CLOCKS[arguments.clock])
    about = machine()
    print("\n".join(f"{name}: {value}" for name, value in about.items()), flush=True)
    outcomes: list[Outcome] = []
    counts: list[tuple[Count, int]] = []
    comparisons: list[tuple[Comparison, int, dict[str, int]]] = []
    measurements: list[tuple[Measurement, Sequence[Measured]]] = []
    failed = 0
    for row in rows:
        try:
            if isinstance(row, Count):
                counts.append((row, row.ours(robot(row.robot))))
                text = count_text(*counts[-1])
            elif isinstance(row, Comparison):
                comparisons.append((row, row.ours(), {k: f() for k, f in row.formulas.items()}))
                text = comparison_text(*comparisons[-1])
            elif isinstance(row, Measurement):
                measurements.append((row, row.measure(arguments.quick)))
                text = measurement_text(*measurements[-1])
            else:
                outcomes.append(run_quick(row) if arguments.quick else run_row(row, effort))
                text = outcome_text(outcomes[-1])
        except Exception as error:  # one row that fails shall not cost the others
            text = f"{row.name}: not run: {type(error).__name__}: {error}"
            failed += 1
        print(f"\n{text}", flush=True)
    if arguments.json:
        arguments.json.write_text(
            json.dumps(as_json(about, outcomes, counts, comparisons, measurements), indent=1) + "\n"
        )
    if arguments.plot and outcomes:
        settings = f"{arguments.threads} thread(s), {arguments.clock} time"
        plot(outcomes, arguments.plot, f"{about['processor']}, {settings}")
    return 1 if failed else 0


def choose(names: Sequence[str]) -> list[Row | Count | Comparison | Measurement]:
    """The rows of these names in the order of the table; all of them for no names."""
    rows: list[Row | Count | Comparison | Measurement] = [
        *COUNTS,
        *COMPARISONS,
        *ROWS,
        *MEASUREMENTS,
    ]
    known = [row.name for row in rows]
    for name in names:
        if name not in known:
            raise UsageError(f"no row '{name}'; rows: {', '.join(known)}")
    return [row for row in rows if not names or row.name in names]
