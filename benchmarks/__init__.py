"""Workloads of ours beside the same workloads of peers and a physical limit, in one run.

    table (rows) -> run (prepare, check agreement, time in turn) -> report (text, JSON, picture)

A workload is one entry of `benchmarks.table.ROWS`, made of small functions: one for ours, one for
each peer (`benchmarks.peers`), one for each limit (`benchmarks.limits`). `python -m benchmarks`
runs them; `docs/method.md` says how to read what it prints.
"""
