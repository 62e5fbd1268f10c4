"""From expressions to a tape: sizes fixed, composites expanded, repeated work shared.

Every engine reads the same tape: inputs, constants, then steps, each a function applied to earlier
slots. The order of slots is the order of evaluation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ad_core.functions.opaque import SizedOpaque
from ad_core.graph.errors import unknown_name, unknown_size, wrong_size
from ad_core.graph.nodes import (
    ADFunctionCall,
    ADFunctionInterface,
    ADTerminal,
    Constant,
    Expression,
)
from ad_core.graph.values import Array
from ad_core.graph.walks import sizes_asked, terminals, topological
from ad_core.lowering.simplify import simplify_call
from ad_core.ops.primitive import Composite, Op


@dataclass(frozen=True)
class Step:
    """One call: slot `out` becomes `func` of the slots `args`."""

    func: ADFunctionInterface
    args: tuple[int, ...]
    out: int


@dataclass(frozen=True)
class Tape:
    """A program in slots: the inputs come first (in the order of `inputs`), then the rest."""

    inputs: tuple[tuple[str, int], ...]
    constants: tuple[tuple[int, Array], ...]
    steps: tuple[Step, ...]
    outputs: tuple[int, ...]
    sizes: tuple[int, ...]

    @property
    def opaque(self) -> bool:
        """Whether some step is a user's function rather than a primitive."""
        return any(not isinstance(step.func, Op) for step in self.steps)


SizeProbe = Callable[[ADFunctionCall], tuple[int, bool]]
"""The size of an opaque call's result, and whether it is a scalar."""


def fix_sizes(
    roots: Sequence[Expression], sizes: Mapping[str, int], probe: SizeProbe | None = None
) -> list[Expression]:
    """The roots as graphs of primitives and opaque functions in which every size is known.

    `sizes` gives the sizes of variables that were declared without one; `probe` finds the size of
    an opaque function's result where the function does not say it.
    """
    declared = terminals(roots)
    fixed = _fixed_terminals(declared, sizes)
    new: dict[Expression, Expression] = {}
    keys: dict[Expression, object] = {}
    expanding: set[object] = set()
    stack: list[tuple[Expression, Expression | None]] = [(r, None) for r in reversed(roots)]
    while stack:
        node, expansion = stack[-1]
        if node in new:
            stack.pop()
        elif expansion is not None:
            stack.pop()
            new[node] = new[expansion]
            expanding.discard(keys.pop(node))
        elif isinstance(node, ADTerminal):
            stack.pop()
            new[node] = fixed[node.name]
        elif isinstance(node, ADFunctionCall):
            pending = [(a, None) for a in node.args[::-1] if a not in new]
            if pending:
                stack.extend(pending)
                continue
            stack.pop()
            args = [new[a] for a in node.args]
            if isinstance(node.func, Composite):
                key = (id(node.func), tuple(a.size for a in args))
                if key in expanding:
                    raise ValueError(f"{node.func}: its expansion calls it again, without end")
                expanding.add(key)
                keys[node] = key
                expansion = _expand(node.func, args)
                for arg in args:
                    new[arg] = arg
                stack.append((node, expansion))
                stack.append((expansion, None))
            else:
                made = simplify_call(node, args)
                if made.size is None and isinstance(made, ADFunctionCall):
                    made = _probed(made, probe)
                new[node] = made
                new[made] = made
        else:
            stack.pop()
            new[node] = node
    return [new[r] for r in roots]


def _expand(func: Composite, args: Sequence[Expression]) -> Expression:
    func.call_size(tuple(a.size for a in args))
    return func.expand(*args)


def _probed(call: ADFunctionCall, probe: SizeProbe | None) -> ADFunctionCall:
    if probe is None:
        raise ValueError(
            f"{call.func}: the size of its result is not known; give it as outspec or n_out"
        )
    return ADFunctionCall(SizedOpaque(call.func, *probe(call)), call.args)


def _fixed_terminals(
    declared: Mapping[str, int | None], sizes: Mapping[str, int]
) -> dict[str, ADTerminal]:
    fixed: dict[str, ADTerminal] = {}
    for name, size in declared.items():
        given = sizes.get(name)
        if size is not None and given is not None and size != given:
            raise wrong_size("value", name, given, size)
        chosen = size if size is not None else given
        if chosen is None:
            raise unknown_size("expression", name)
        fixed[name] = ADTerminal(name, chosen)
    return fixed


def make_tape(roots: Sequence[Expression], inputs: Sequence[tuple[str, int]]) -> Tape:
    """The tape of graphs whose sizes are fixed, with equal calls on equal slots made once."""
    slot_of_name = {name: i for i, (name, _) in enumerate(inputs)}
    slots: dict[Expression, int] = {}
    sizes = [size for _, size in inputs]
    constants: list[tuple[int, Array]] = []
    steps: list[Step] = []
    seen: dict[object, int] = {}

    def place(key: object, size: int) -> tuple[int, bool]:
        if key in seen:
            return seen[key], False
        seen[key] = len(sizes)
        sizes.append(size)
        return seen[key], True

    for node in topological(roots):
        if isinstance(node, ADTerminal):
            if node.name not in slot_of_name:
                raise unknown_name("terminal", node.name, slot_of_name)
            slots[node] = slot_of_name[node.name]
        elif isinstance(node, ADFunctionCall):
            args = tuple(slots[a] for a in node.args)
            func = node.func
            key = (func.name, func.params, args) if isinstance(func, Op) else (id(func), args)
            slot, new = place(key, _known(node.size))
            if new:
                steps.append(Step(func, args, slot))
            slots[node] = slot
        elif isinstance(node, Constant):
            slot, new = place((node.value.tobytes(), node.value.ndim), node.value.size)
            if new:
                constants.append((slot, np.atleast_1d(node.value)))
            slots[node] = slot
    outputs = tuple(slots[r] for r in roots)
    return Tape(tuple(inputs), tuple(constants), tuple(steps), outputs, tuple(sizes))


def _known(size: int | None) -> int:
    if size is None:
        raise ValueError("a node's size is not known; fix_sizes comes before make_tape")
    return size


def tape_of(
    roots: Sequence[Expression], terminal_names: Sequence[str], sizes: Mapping[str, int]
) -> Tape:
    """The tape of expressions for an engine, with the inputs in the order of `terminal_names`.

    A listed variable may be unused; a used one must be listed. A variable without a size takes that
    of the function's argument that it stands for. Raises ValueError where a size is missing or
    misfits.
    """
    declared = terminals(roots)
    for name in sizes:
        if name not in declared and name not in terminal_names:
            raise unknown_name("terminal", name, terminal_names)
    sizes = {**sizes_asked(topological(roots)), **sizes}
    inputs: list[tuple[str, int]] = []
    for name in terminal_names:
        size = declared.get(name)
        size = sizes.get(name) if size is None else size
        if size is None:
            raise unknown_size("expression", name)
        inputs.append((name, size))
    return make_tape(fix_sizes(roots, sizes), inputs)
