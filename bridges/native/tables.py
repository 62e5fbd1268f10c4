"""The tables of programs as C and CUDA text: their bytes, which compilers read fastest as a string.

A table of 262,144 doubles is 8.4 MB of text, read by GCC in a fifth of the time of its decimals.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable

import numpy as np

from ad_core.ops.tables import Table
from bridges.native.program import Program
from bridges.native.target import DType

_A_LINE = 1024  # bytes
_OCTAL = np.array([list(f"\\{c:03o}".encode()) for c in range(256)], dtype=np.uint8)


def tables_text(programs: Iterable[Program], dtype: DType) -> str:
    """Definitions of the tables that these programs read, each once; empty if there are none."""
    found = {i.value: None for p in programs for i in p.all_instructions if i.op == "table"}
    if not found:
        return ""
    order = f"__ORDER_{sys.byteorder.upper()}_ENDIAN__"
    check = f"#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != {order}"
    lines = [check, '#error "tables are for another order of bytes"', "#endif"]
    return "\n".join([*lines, *(_definition(table, np.dtype(dtype)) for table in found), ""])


def table_arguments(table: Table) -> str:
    """The table as `lookup` of C and CUDA takes it: its first number, the last one's place."""
    return f"{_name(table)}.at, {table.values.size - 1}"


def _name(table: Table) -> str:
    return f"table_{table.digest[:16]}"


def _definition(table: Table, dtype: np.dtype[np.floating]) -> str:
    with np.errstate(over="ignore"):
        data = table.values.astype(dtype).tobytes()
    octal = _OCTAL[np.frombuffer(data, np.uint8)].tobytes().decode("ascii")
    text = "\n".join(f'"{octal[i : i + 4 * _A_LINE]}"' for i in range(0, len(octal), 4 * _A_LINE))
    members = f"char bytes[{len(data) + 1}]; real at[{table.values.size}];"  # C++ counts the 0
    return f"STORED union {{ {members} }} {_name(table)} = {{\n{text}}};"
