"""C text of a loop: operands into their places, then the body's block function over and over."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from bridges.native.parts import Layout
from bridges.native.program import CARRY, ROW, Program
from bridges.native.sweeps import Sweep, Sweeps
from bridges.native.target import Target
from bridges.native.transpose import suffix


class Function(NamedTuple):
    """A C function: its head, its whole text, and the heads of the functions that it calls."""

    head: str
    text: str
    calls: tuple[str, ...] = ()


def signature(name: str, number: str = "real", more: str = "") -> str:
    """The head of a block function or a part of one; `number`: what inputs and outputs are of."""
    parameters = f"const {number} *const *x, {number} *const *y, vec *restrict w{more}"
    return f"static NOINLINE void {name}({parameters})"


def loop_function(  # noqa: PLR0917
    program: Program,
    layout: Layout,
    k: int,
    target: Target,
    name: str,
    number: int,
    vectors: bool,
    sweeps: Sweeps,
) -> Function:
    """The part of a block function that is a loop."""
    _, operands, which = program.instructions[k]
    loop, region = program.loops[int(which)], layout.regions[k]
    lines: list[str] = []
    for place, a in enumerate(operands):
        op, args, value = program.instructions[a]
        slot = region.operand(place)
        if slot is None:
            continue
        if op == "constant":
            lines.append(f"w[{slot}] = splat({target.literal(value)});")
        elif op == "result":
            lines.append(f"w[{slot}] = w[{layout.regions[args[0]].result(args[1])}];")
    n, m, last = loop.size, loop.size_row, loop.length - 1
    inputs: list[str] = []
    for i, (size, role) in enumerate(zip(loop.body.input_sizes, loop.roles, strict=True)):
        start, view = region.starts[i], region.views.get(i)
        if role == CARRY and region.second is None:
            before = f"t {'+' if loop.backwards else '-'} 1"
            inputs.append(f"k ? w + {region.rows} + ({before}) * {n} : w + {start}")
        elif role == CARRY:
            inputs.append(f"w + (k % 2 ? {region.second} : {start})")
        elif view is not None:
            row = f"w + ({view.first} + t * {view.stride})"
            inputs.append(row if view.apart is None else f"t == {view.apart} ? w + {start} : {row}")
        else:
            inputs.append(f"w + {start}" + (f" + t * {size}" if role == ROW else ""))
    outputs = [f"w + {region.rows} + t * {m}"]
    if region.second is not None:
        begin = region.starts[loop.carried]
        outputs.insert(0, f"w + (k % 2 ? {begin} : {region.second})")

    loads = [
        _moves(sweep, slot, program.input_sizes[sweep.array], True, vectors)
        for sweep in sweeps.loads.get(k, ())
        if (slot := region.operand(sweep.start)) is not None
    ]
    stores = [
        _moves(sweep, region.rows + sweep.start, program.output_sizes[sweep.array], False, vectors)
        for sweep in sweeps.stores.get(k, ())
    ]
    stopped: list[str] = []
    moved: list[str] = []
    if loop.until is not None:
        stopped = [
            f"        if (!any_above(splat(R(0.5)), q[0][{loop.until}]))",
            "            break;",
        ]
    if loop.until is not None and region.second is not None:
        places = [region.starts[loop.carried], region.second]
        end, other = places if loop.length % 2 == 0 else places[::-1]
        moved = [  # the steps were k + 1, or all of them
            f"    if (k < {loop.length} && k % 2 == {loop.length % 2})",
            f"        __builtin_memcpy(w + {end}, w + {other}, {n} * sizeof(vec));",
        ]
    head = signature(f"{name}_part_{number}", "vec" if vectors else "real")
    body = f"{name}_body_{int(which)}"
    text = "\n".join(
        [
            f"/* Part {number} of the block: a loop. */",
            head,
            "{",
            *(f"    {line}" for line in _joined_copies(lines)),
            *(f"    {line}" for lines in loads for line in lines),
            "    integer k = 0;",
            f"    for (; k < {loop.length}; k++) {{",
            f"        const integer t = {f'{last} - k' if loop.backwards else 'k'};",
            f"        const vec *const p[] = {{{', '.join(inputs)}}};",
            f"        vec *const q[] = {{{', '.join(outputs)}}};",
            f"        {body}(p, q, w + {region.scratch});",
            *stopped,
            "    }",
            *moved,
            *(f"    {line}" for lines in stores for line in lines),
            "}",
            "",
        ]
    )
    return Function(head, text, (signature(body, "vec"),))


def _moves(sweep: Sweep, slot: int, n: int, into: bool, vectors: bool) -> list[str]:
    """Columns of an input into the workspace from slot `slot`, or of an output out of it.

    n: the size of their rows; vectors: whether they are vectors already.
    """
    last = sweep.count * sweep.width
    there = f"{'x' if into else 'y'}[{sweep.array}] + {sweep.first}"
    if vectors:
        to, source = (f"w + {slot}", there) if into else (there, f"w + {slot}")
        return [f"__builtin_memcpy({to}, {source}, {last} * sizeof(vec));"]
    name = f"{'load' if into else 'store'}_{suffix(sweep.width, n)}"
    places = [f"{slot + j} + i" for j in range(sweep.width)]
    columns = ", ".join(f"w + {place}" if into else f"w[{place}]" for place in places)
    return [
        f"for (integer i = 0; i < {last}; i += {sweep.width})",
        f"    {name}({there} + i, {n}, {columns});",
    ]


def _joined_copies(lines: Sequence[str]) -> list[str]:
    """Runs of `w[i] = w[j];` as one statement each."""
    found: list[tuple[int, int, int] | str] = []
    for line in lines:
        match = re.fullmatch(r"w\[(\d+)\] = w\[(\d+)\];", line)
        if match is None:
            found.append(line)
            continue
        to, source = map(int, match.groups())
        previous = found[-1] if found else ""
        if not isinstance(previous, str) and (to - previous[0], source - previous[1]) == (
            previous[2],
            previous[2],
        ):
            found[-1] = (*previous[:2], previous[2] + 1)
        else:
            found.append((to, source, 1))
    return [
        run
        if isinstance(run, str)
        else f"__builtin_memcpy(w + {run[0]}, w + {run[1]}, {run[2]} * sizeof(vec));"
        for run in found
    ]
