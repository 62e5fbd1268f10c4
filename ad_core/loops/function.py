"""`scan`: a step applied over and over, as one function of the graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isqrt
from typing import Literal

import numpy as np

from ad_core.graph.errors import checked, one_of, unknown_size, wrong_size
from ad_core.graph.nodes import (
    ADFunctionInterface,
    ADTerminal,
    Constant,
    Expression,
    ExpressionLike,
    Size,
    as_expression,
)
from ad_core.graph.values import whole_number
from ad_core.graph.walks import sizes_asked, terminals, topological
from ad_core.loops.body import CARRY, HELD, MOST_KEPT, ROW, Body, replaced
from ad_core.loops.scan_op import Scan
from ad_core.lowering.lowered import applied
from ad_core.ops.primitive import Composite
from ad_core.ops.structure import Take, spread, stack


def scan(
    step: Expression | ADFunctionInterface,
    init: Mapping[str, ExpressionLike] | ExpressionLike,
    inputs: Mapping[str, ExpressionLike] | None = None,
    *,
    length: int,
    keep: Literal["last", "all"] = "last",
) -> Expression:
    """`x_{t+1} = step(x_t, u_t, p)` for t = 0 ... length - 1: x_length, or all of x_1 ... x_length.

    The derivatives of a loop are loops, to every order: forward mode carries a tangent, reverse
    mode runs back over the states, which it keeps.

    Args:
        step: The next state: an expression of variables with sizes, or a function. Its variables
            that are neither in `init` nor in `inputs` stay variables, held in all steps.
        init: x_0 by the names of the step's variables; the step gives as many entries, in this
            order. A value by itself is that of a function's first argument. {}: a step without a
            state, whose results are all kept.
        inputs: By name, what the steps read: of a variable of m entries `length * m`, of which
            step t reads entries t m ... t m + m - 1; or m entries, held in all steps.
        length: How many steps.
        keep: "last": the result is x_length, n entries; "all": `length * n` of x_1, x_2, ...

    Raises:
        ValueError: for names that the step does not have, and sizes that misfit or are not known.

    Example:
        >>> x, u = ad.var("x", 2), ad.var("u", 1)
        >>> step = ad.stack(x[0] + 0.1 * x[1], x[1] + 0.1 * u)
        >>> path = ad.scan(step, {"x": [0.0, 0.0]}, {"u": ad.var("controls", 50)}, length=50)
    """
    checked(step, (Expression, ADFunctionInterface), "scan", "step", "an expression or a function")
    following = applied(step) if isinstance(step, ADFunctionInterface) else step
    length = whole_number(length, "scan: length")
    one_of(keep, "scan: keep", ("last", "all"))
    if isinstance(init, Mapping) and not init and keep == "last":
        raise ValueError("scan: init names no state, so that keep is to be 'all'")
    names = list(terminals([following]))
    if not isinstance(init, Mapping):
        if not isinstance(step, ADFunctionInterface):
            raise ValueError("scan: init names the state of an expression: {'x': ...}")
        init = {names[0]: init}
    inputs = checked({} if inputs is None else inputs, Mapping, "scan", "inputs", "a dict by name")
    given = {name: as_expression(v, f"scan: {name}") for name, v in {**init, **inputs}.items()}
    for name in given:
        if name not in names:
            raise ValueError(f"scan: the step has no variable '{name}', only {', '.join(names)}")
    order = [*init, *(n for n in names if n not in init)]
    loop = ScanOf(following, tuple(order), len(init), length, keep)
    return loop(
        *(given.get(name, ADTerminal(name, terminals([following])[name])) for name in order)
    )


class ScanOf(Composite):
    """The loop of a step over its variables in order, of which the first are the state."""

    name = "scan"

    def __init__(
        self, step: Expression, names: Sequence[str], states: int, length: int, keep: str
    ) -> None:
        self.step, self.names, self.states = step, tuple(names), states
        self.argnames = self.names
        self.length, self.keep = length, keep

    def n_out(self) -> int:
        sizes = terminals([self.step])
        size = self.step.size
        if size is None and self.states:
            size = _total([sizes[name] for name in self.names[: self.states]])
        if size is None:
            return -1
        return size * self.length if self.keep == "all" else size

    def n_in(self, arg: int) -> int:
        return -1

    def expand(self, *args: Expression) -> Expression:
        carry = stack(*args[: self.states]) if self.states else Constant(np.zeros(1))
        body, n = self._body(args), carry.size or 0
        if body.size != n:
            raise wrong_size("scan", "step", body.size, f"{n} as the state")
        values = (carry, *args[self.states :])
        if not self.length:
            return carry if self.keep == "last" else Constant(np.zeros(0))
        if body.lowered.tape.opaque:
            return self._written_out(body, values)
        if self.keep == "all":
            made = Scan(body, self.length)(*values)
            return Take(tuple(range(n, n + self.length * body.size_row)))(made)
        return _last(body, self.length, values)

    def _body(self, args: Sequence[Expression]) -> Body:
        """The step of one carry, with every variable's size."""
        declared = terminals([self.step])
        asked = sizes_asked(topological([self.step]))
        begin = args[: self.states]
        carry = ADTerminal("@carry", sum(a.size or 0 for a in begin) if begin else 1)
        new: dict[str, Expression] = {}
        start = 0
        for name, arg in zip(self.names, begin, strict=False):
            size = arg.size or 0
            if declared[name] not in (None, size):
                raise wrong_size("scan", name, size, f"{declared[name]} as declared")
            scalar = size == 1 and isinstance(arg, Constant) and arg.value.ndim == 0
            new[name] = Take(tuple(range(start, start + size)), scalar)(carry)
            start += size
        inputs = [(carry, CARRY)]
        for name, arg in zip(self.names[self.states :], args[self.states :], strict=True):
            size = declared[name] if declared[name] is not None else asked.get(name)
            if size is None:
                raise unknown_size("scan", name)
            if arg.size not in (size, size * self.length):
                expected = f"{size}, or {size * self.length} for {self.length} steps"
                raise wrong_size("scan", name, arg.size or 0, expected)
            variable = ADTerminal(name, size)
            new[name] = variable
            inputs.append((variable, HELD if arg.size == size else ROW))
        (made,) = replaced([self.step], new)
        made = spread(made, self.step.size)
        if not begin:
            return Body.of(carry, made, inputs)
        return Body.of(made, made if self.keep == "all" else Constant(np.zeros(0)), inputs)

    def _written_out(self, body: Body, values: Sequence[Expression]) -> Expression:
        """The steps one after the other, where a user's function stands in them."""
        carry, made = values[0], list[Expression]()
        for t in range(self.length):
            given = body.at(values, carry, t, lambda value, row: Take(row)(value))
            new = dict(zip(body.lowered.names_in, given, strict=True))
            carry, row = replaced(body.lowered.roots, new)
            made.append(row)
        return carry if self.keep == "last" else stack(*made)


def _last(body: Body, length: int, values: Sequence[Expression]) -> Expression:
    """The state at the end; of long loops by a loop of loops, whose states are fewer to keep.

    Reverse mode keeps the states between the inner loops and those of one of them, twice the root
    of as many, and computes each state twice (Griewank and Walther, "Evaluating Derivatives",
    2008, chapter 12).
    """
    outer = isqrt(length) if length * body.size > MOST_KEPT else 1
    inner = length // outer
    if outer == 1:
        return Scan(body, length)(*values)
    variables = [
        (ADTerminal(v.name, (v.size or 0) * (inner if role == ROW else 1)), role)
        for v, role in body.inputs
    ]
    part = Scan(body, inner)(*(v for v, _ in variables))
    whole = Body.of(part, body.lowered.roots[1], variables)
    done = outer * inner
    carry = Scan(whole, outer)(*_rows(body, values, 0, done))
    if done == length:
        return carry
    return Scan(body, length - done)(carry, *_rows(body, values, done, length)[1:])


def _rows(body: Body, values: Sequence[Expression], start: int, stop: int) -> list[Expression]:
    """The arguments for some of the steps."""
    return [
        Take(tuple(range(start * size, stop * size)))(value) if role == ROW else value
        for value, size, role in zip(values, body.lowered.sizes_in, body.roles, strict=True)
    ]


def _total(sizes: Sequence[Size]) -> Size:
    known = [size for size in sizes if size is not None]
    return sum(known) if len(known) == len(sizes) else None
