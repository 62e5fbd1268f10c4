"""The body of a loop: what one pass computes, of what it carries, reads and holds.

carry, rows, held -> next carry, row of the result
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias, TypeVar, cast

from ad_core.graph.nodes import ADFunctionCall, ADTerminal, Expression
from ad_core.graph.walks import rebuild, topological
from ad_core.lowering.guards import guarded
from ad_core.lowering.lowered import Lowered, Step, lower
from ad_core.ops.namespace import Namespace
from ad_core.ops.primitive import Op
from ad_core.ops.structure import spread

T = TypeVar("T")
Roles: TypeAlias = "tuple[str, ...]"

CARRY, ROW, HELD = "carry", "row", "held"
"""What an input of a body is: what the pass before left, a row of an argument, or all of it."""

# Numbers that reverse mode keeps of one loop; of longer ones it keeps fewer states.
MOST_KEPT = 10_000


@dataclass(frozen=True, eq=False)
class Body:
    """`next, y = f(carry, rows, held)`, one of whose inputs is the carry.

    Bodies are equal where their steps are, so that equal loops are one.

    Attributes:
        lowered: inputs as `roles` says, and two outputs: the next carry and the result's row.
        roles: of each input.
    """

    lowered: Lowered
    roles: Roles

    @staticmethod
    def of(
        following: Expression, row: Expression, inputs: Sequence[tuple[ADTerminal, str]]
    ) -> Body:
        """From expressions of variables whose sizes are known; they are renamed by their number."""
        variables = [ADTerminal(f"@{i}", old.size) for i, (old, _) in enumerate(inputs)]
        new = {old.name: v for (old, _), v in zip(inputs, variables, strict=True)}
        roots = replaced((following, row), new)
        return Body(lower(roots, variables, title="scan"), tuple(role for _, role in inputs))

    @property
    def carried(self) -> int:
        """Which input the carry is."""
        return self.roles.index(CARRY)

    @property
    def size(self) -> int:
        """Entries of the carry."""
        return self.lowered.sizes_out[0]

    @property
    def size_row(self) -> int:
        """Entries of the result's row."""
        return self.lowered.sizes_out[1]

    @property
    def keeps(self) -> bool:
        """Whether the result's row is the next carry."""
        first, second = self.lowered.tape.outputs
        return first == second

    @cached_property
    def safe(self) -> Lowered:
        """The same with slopes that are finite in branches that are not taken."""
        return guarded(self.lowered)

    def kept(self, length: int) -> list[ADFunctionCall]:
        """The calls in `safe` whose values derivatives read, of those that make the next carry.

        Functions by entry are among them where a loop of this length keeps few numbers in all;
        else they are computed again.
        """
        nodes = topological(self.safe.roots[:1])
        calls = [node for node in nodes if isinstance(node, ADFunctionCall)]
        ops = [(call, call.func) for call in calls if isinstance(call.func, Op)]
        kept = [(call, func) for call, func in ops if func.kept]
        numbers = self.size + sum(call.size or 0 for call, _ in kept)
        return [c for c, func in kept if not func.entrywise or length * numbers <= MOST_KEPT]

    @cached_property
    def _key(self) -> Hashable:
        tape = self.lowered.tape
        constants = tuple((slot, value.tobytes()) for slot, value in tape.constants)
        steps = tuple(map(_step_key, tape.steps))
        return self.roles, self.lowered.sizes_in, constants, steps, tape.outputs

    @cached_property
    def _hash(self) -> int:
        return hash(self._key)

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Body):
            return NotImplemented
        return self is other or (self._hash == other._hash and self._key == other._key)

    @property
    def inputs(self) -> list[tuple[ADTerminal, str]]:
        """Its variables with their roles."""
        named = zip(self.lowered.tape.inputs, self.roles, strict=True)
        return [(ADTerminal(name, size), role) for (name, size), role in named]

    def at(
        self, values: Sequence[T], carry: T, t: int, take: Callable[[T, tuple[int, ...]], T]
    ) -> list[T]:
        """What its inputs are in step t, from the loop's arguments and the carry."""
        given: list[T] = []
        for value, n, role in zip(values, self.lowered.sizes_in, self.roles, strict=True):
            row = tuple(range(t * n, (t + 1) * n)) if role == ROW else ()
            given.append(carry if role == CARRY else take(value, row) if role == ROW else value)
        return given

    def bind(self, xp: Namespace) -> Callable[[Sequence[Any]], list[Any]]:
        """The body over an engine's values: from its inputs to its two outputs."""
        tape = self.lowered.tape
        template: list[Any] = [None] * len(tape.sizes)
        for slot, value in tape.constants:
            template[slot] = xp.constant(value)
        calls = [(cast("Op", step.func).bind(xp), step.args, step.out) for step in tape.steps]

        def run(values: Sequence[Any]) -> list[Any]:
            slots = [*values, *template[len(values) :]]
            for kernel, args, out in calls:
                slots[out] = kernel(*[slots[a] for a in args])
            return [slots[o] for o in tape.outputs]

        return run


def _step_key(step: Step) -> Hashable:
    func = step.func
    own = (type(func), func.params) if isinstance(func, Op) and func.params else func
    return own, step.args


def replaced(roots: Sequence[Expression], new: Mapping[str, Expression]) -> list[Expression]:
    """The graphs with some of their variables replaced."""
    return rebuild(
        roots, lambda leaf: new.get(leaf.name, leaf) if isinstance(leaf, ADTerminal) else leaf
    )


def put(roots: Sequence[Expression], new: Mapping[Expression, Expression]) -> list[Expression]:
    """The graphs with others in the place of some of their nodes."""
    made: dict[Expression, Expression] = dict(new)
    for node in topological(roots, lambda call: () if call in new else call.args):
        if node not in made:
            made[node] = node
            if isinstance(node, ADFunctionCall):
                args = [made[a] for a in node.args]
                if any(a is not b for a, b in zip(args, node.args, strict=True)):
                    made[node] = ADFunctionCall(node.func, args)
    return [made[root] for root in roots]


def at(f: Lowered, values: Sequence[Expression]) -> Expression:
    """The one result of `f` for other inputs."""
    (root,) = replaced(f.roots, dict(zip(f.names_in, values, strict=True)))
    return spread(root, f.sizes_out[0])
