"""The primitive of loops that run a known number of times, and its derivatives, which are such.

    c_{t+1}, y_t = f(c_t, u_t, p),  t = 0 ... T - 1      value: [c_T, y_0, ..., y_{T-1}]

Forward mode is a loop over the tangents dc_t that reads the carries c_t as rows; reverse mode one
that runs backwards over the cotangents of c_t and adds up those of p. Both need the carries: they
are rows of the loop's own value where y_t is c_{t+1}, and else of a loop of which that is so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ad_core.derivatives.compress import jacobian_pattern
from ad_core.derivatives.products import jvp, vjp
from ad_core.graph.nodes import ADTerminal, Constant, Expression
from ad_core.loops.body import CARRY, HELD, ROW, Body, put, replaced
from ad_core.lowering.guards import guarded
from ad_core.lowering.lowered import Lowered, Tape
from ad_core.ops.namespace import Kernel, Namespace
from ad_core.ops.pattern import Dependence, Pattern, stacked, unite
from ad_core.ops.primitive import Args, Flags, Op, Term, Terms, never
from ad_core.ops.structure import Take, spread, stack


class Scan(Op):
    """The loop of a body over `length` rows, of the last first where it is `backwards`.

    It takes the body's inputs: what is carried at the beginning, all rows of what is read by rows,
    one behind the other, and what is held.

    until: an entry of the carry that is 1 once the steps leave the carry as it is, and 0 before:
        engines may stop where it is 1 in all samples. There are no rows of the result then.
    """

    name = "scan"
    scalarity = staticmethod(never)

    def __init__(
        self, body: Body, length: int, backwards: bool = False, until: int | None = None
    ) -> None:
        self.body, self.length, self.backwards, self.until = body, length, backwards, until
        self.params = (body, length, backwards, until)
        self.argnames = body.lowered.names_in
        self.sizes_in = tuple(
            size * length if role == ROW else size
            for size, role in zip(body.lowered.sizes_in, body.roles, strict=True)
        )
        self.size_out = body.size + length * body.size_row

    def bind(self, xp: Namespace) -> Kernel:
        """The engine's own loop, or one in Python: straight code, where that is recorded."""
        own = getattr(xp, "scan", None)
        kernel = None if own is None else own(self)
        return kernel or self._stepped(xp)

    def _stepped(self, xp: Namespace) -> Kernel:
        run, body = self.body.bind(xp), self.body
        stop = () if self.until is None else (self.until,)
        is_one = getattr(xp, "is_one", None) if stop else None

        def kernel(*values: Any) -> Any:
            carry, rows = values[body.carried], dict[int, Any]()
            for t in self.order:
                carry, rows[t] = run(body.at(values, carry, t, xp.take))
                if is_one is not None and is_one(xp.take(carry, stop)):
                    break
            kept = [rows[t] for t in range(self.length)] if body.size_row else []
            return xp.concat([carry, *kept])

        return kernel

    def guarded(self) -> Scan:
        lowered = guarded(self.body.lowered)
        if lowered is self.body.lowered:
            return self
        body = replace(self.body, lowered=lowered)
        return Scan(body, self.length, self.backwards, self.until)

    def wider(self) -> tuple[Scan, tuple[int, ...]] | None:
        """The loop that keeps what derivatives read, of one that has states as rows, or none."""
        body, n = self.body, self.body.size
        if self.until is not None or (body.size_row and not body.keeps):
            return None
        whole = self._keeping()
        if whole.params == self.params:
            return None
        starts = range(n, whole.size_out or 0, whole.body.size_row) if body.keeps else ()
        return whole, (*range(n), *(k for start in starts for k in range(start, start + n)))

    def _keeping(self) -> Scan:
        """The loop with rows of all that derivatives read: the next carry, then values kept."""
        following = self.body.safe.roots[0]
        body = Body.of(following, stack(following, *self.body.kept(self.length)), self.body.inputs)
        return Scan(body, self.length, self.backwards)

    @property
    def order(self) -> range:
        """The rows in the order in which they are read."""
        times = range(self.length)
        return times[::-1] if self.backwards else times

    def jvp_rule(self, args: Args, out: Expression, tangents: Terms) -> Term:
        body = self.body
        active = [i for i, t in enumerate(tangents) if t is not None]
        moved = sorted({body.carried, *active})
        pushed = jvp(body.safe, moved)
        inputs, values, roots = self._at(args, pushed)
        for i, name in zip(moved, pushed.names_in[len(args) :], strict=True):
            role, size = body.roles[i], body.lowered.sizes_in[i]
            tangent = tangents[i]
            inputs.append((ADTerminal(name, size), role))
            whole = size * self.length if role == ROW else size
            values.append(Constant(np.zeros(whole)) if tangent is None else spread(tangent, whole))
        following, row = (spread(e, m) for e, m in zip(roots, pushed.sizes_out, strict=True))
        return Scan(Body.of(following, row, inputs), self.length, self.backwards)(*values)

    def vjp_rule(self, args: Args, out: Expression, cotangent: Expression, needed: Flags) -> Terms:
        body, n, sizes = self.body, self.body.size, self.body.lowered.sizes_in
        wanted = [i for i, need in enumerate(needed) if need]
        through = sorted({body.carried, *wanted})
        pulled = vjp(body.safe, through)
        inputs, values, roots = self._at(args, pulled)
        gradients = dict(zip(through, map(spread, roots, pulled.sizes_out), strict=True))
        held = [i for i in wanted if body.roles[i] == HELD]
        rows = [i for i in wanted if body.roles[i] == ROW]
        carry = ADTerminal("@cotangent", n + sum(sizes[i] for i in held))
        of_carry, *sums = cut(carry, [n, *(sizes[i] for i in held)])
        following = [gradients[body.carried]]
        following += [total + gradients[i] for total, i in zip(sums, held, strict=True)]
        of_next, of_row = pulled.names_in[len(args) :]
        new: dict[str, Expression] = {of_next: of_carry}
        begin, later = cut(cotangent, [n, self.length * body.size_row])
        if body.size_row:
            inputs.append((ADTerminal(of_row, body.size_row), ROW))
            values.append(later)
        else:
            new[of_row] = later
        inputs.append((carry, CARRY))
        values.append(stack(begin, np.zeros((carry.size or 0) - n)))
        row = stack(np.zeros(0), *(gradients[i] for i in rows))
        both = replaced([stack(*following), row], new)
        made = Body.of(both[0], both[1], inputs)
        result = Scan(made, self.length, not self.backwards)(*values)
        ends = [n, *(sizes[i] for i in held), self.length * made.size_row]
        of_carry, *sums, last = cut(result, ends)
        found = {body.carried: of_carry, **dict(zip(held, sums, strict=True))}
        start = 0
        for i in rows:
            firsts = range(start, self.length * made.size_row, made.size_row)
            found[i] = Take(tuple(k for f in firsts for k in range(f, f + sizes[i])))(last)
            start += sizes[i]
        return [found[i] if need else None for i, need in enumerate(needed)]

    def _at(
        self, args: Args, derivative: Lowered
    ) -> tuple[list[tuple[ADTerminal, str]], list[Expression], list[Expression]]:
        """Inputs of a derivative's body, their values, and its graphs of these inputs.

        Inputs are the same, the carries as rows, and values kept.
        """
        body, n = self.body, self.body.size
        whole = self._keeping()
        rows = Take(tuple(range(n, whole.size_out or 0)))(whole(*args))
        inputs: list[tuple[ADTerminal, str]] = []
        values: list[Expression] = []
        for i, (role, arg) in enumerate(zip(body.roles, args, strict=True)):
            inputs.append(
                (
                    ADTerminal(derivative.names_in[i], derivative.sizes_in[i]),
                    ROW if role == CARRY else role,
                )
            )
            values.append(self._carries(arg, rows) if role == CARRY else arg)
        calls = body.kept(self.length)
        sizes = [call.size or 0 for call in calls]
        if not sizes:
            return inputs, values, list(derivative.roots)
        variable = ADTerminal("@kept", sum(sizes))
        inputs.append((variable, ROW))
        values.append(self._part(rows, n, sum(sizes)))
        kept: dict[Expression, Expression] = {}
        kept.update(zip(calls, cut(variable, sizes), strict=True))
        return inputs, values, put(derivative.roots, kept)

    def _part(self, rows: Expression, start: int, size: int) -> Expression:
        """Some entries of each row."""
        stride = (rows.size or 0) // self.length
        firsts = range(start, self.length * stride, stride)
        return Take(tuple(k for first in firsts for k in range(first, first + size)))(rows)

    def _carries(self, begin: Expression, rows: Expression) -> Expression:
        """The carry before each row."""
        n = self.body.size
        states = self._part(rows, 0, n)
        if self.backwards:
            return stack(Take(tuple(range(n, self.length * n)))(states), begin)
        return stack(begin, Take(tuple(range((self.length - 1) * n)))(states))

    def pattern(self, args: Sequence[Dependence], size: int) -> Pattern:
        body, columns = self.body, args[0].pattern.columns
        sizes, n = body.lowered.sizes_in, body.size
        whole = jacobian_pattern(body.lowered.tape, range(len(sizes))).to_array()
        parts = np.split(whole, np.cumsum(sizes)[:-1], axis=1)
        carry = args[body.carried].pattern
        rows: dict[int, Pattern] = {}
        for t in self.order:
            given = body.at([a.pattern for a in args], carry, t, Pattern.take)
            both = unite(
                [p.through(np.asarray(part)) for p, part in zip(given, parts, strict=True)],
                n + body.size_row,
                columns,
            )
            carry, rows[t] = both.take(range(n)), both.take(range(n, n + body.size_row))
        return stacked([carry, *(rows[t] for t in range(self.length))], columns)


def cut(e: Expression, sizes: Sequence[int]) -> list[Expression]:
    """Consecutive parts of a vector."""
    found: list[Expression] = []
    start = 0
    for size in sizes:
        found.append(Take(tuple(range(start, start + size)))(e))
        start += size
    return found


def loop_steps(tape: Tape) -> int:
    """How many steps the loops of a tape come to."""
    return sum(
        step.func.length * (len(body.steps) + loop_steps(body))
        for step in tape.steps
        if isinstance(step.func, Scan) and (body := step.func.body.lowered.tape)
    )
