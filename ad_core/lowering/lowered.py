"""`lower`: what a user hands to an engine, with its sizes, as one `Lowered` for every engine.

expressions or a function -> inputs in order -> roots, every size fixed -> tape

Engines read the tape: inputs, constants, then steps over slots in order. They carry a scalar and a
vector of one entry alike, as a vector of length 1; which of both a value is, users' functions and
results tell apart: `scalar_nodes` and `slot_scalars` say it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias, cast

import numpy as np

from ad_core.functions.opaque import SizedOpaque
from ad_core.graph.errors import checked, checked_name, unknown_name, unknown_size, wrong_size
from ad_core.graph.nodes import (
    ADFunctionCall,
    ADFunctionInterface,
    ADTerminal,
    Constant,
    Expression,
    Variable,
    listed,
    names_of,
)
from ad_core.graph.values import Array, whole_number
from ad_core.graph.walks import sizes_asked, terminals_among, topological
from ad_core.lowering.simplify import Simplifier, simplify_call
from ad_core.ops.primitive import Composite, Graphed, Op
from ad_core.ops.structure import Take

Func: TypeAlias = (
    "Expression | Iterable[Expression] | Mapping[str, Expression] | ADFunctionInterface"
)
SizeProbe: TypeAlias = "Callable[[ADFunctionCall], tuple[int, bool]]"
"""The size of an opaque call's result, and whether it is a scalar."""


class Step(NamedTuple):
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


@dataclass(frozen=True)
class Lowered:
    """`y_0, y_1, ... = f(x_0, x_1, ...)` with every size known.

    Attributes:
        title: what the whole is called in errors.
        single: whether one expression was given, not a sequence of them.
        names_out: a name for each output.
        roots: the outputs as graphs of primitives and users' functions.
        tape: the same as steps over slots, with the inputs' names and sizes.
        safe: whether slopes are known to be finite in branches that are not taken (`guarded`).
    """

    title: str
    single: bool
    names_out: tuple[str, ...]
    roots: tuple[Expression, ...]
    tape: Tape
    safe: bool = False

    @property
    def names_in(self) -> tuple[str, ...]:
        """The inputs' names, in order."""
        return tuple(name for name, _ in self.tape.inputs)

    @property
    def sizes_in(self) -> tuple[int, ...]:
        """The inputs' numbers of entries, in order."""
        return tuple(size for _, size in self.tape.inputs)

    @property
    def sizes_out(self) -> tuple[int, ...]:
        """The outputs' numbers of entries, in order."""
        return tuple(self.tape.sizes[slot] for slot in self.tape.outputs)


def lower(
    func: Func,
    terminals: Sequence[Variable] | None = None,
    sizes: Mapping[str, int] | None = None,
    probe: SizeProbe | None = None,
    title: str | None = None,
) -> Lowered:
    """Lower an expression, several of them, or a function.

    Args:
        func: An expression; a tuple, list or generator of them, or a dict of them by the names of
            the results; or a function.
        terminals: The order of the inputs; by default that of first appearance for expressions and
            that of the arguments for a function. It may name variables that are not used.
        sizes: Sizes of variables that were declared without one. A variable that a function of
            fixed sizes takes has that size.
        title: What it is called in errors; by default made from `func`.
        probe: Finds the size of a user's function's result that the function does not say.

    Raises:
        ValueError: for a repeated, unknown or missing name, or a size that is missing or misfits.
        TypeError: for what is neither expression nor function.
    """
    if terminals is not None:
        terminals = listed(terminals, "terminals", "names")
    roots, own_title, names_out = _read(func)
    title = title or own_title
    nodes = topological(roots)
    declared = terminals_among(nodes)
    names = tuple(declared) if terminals is None else _ordered(terminals, declared)
    if sizes is None:
        sizes = {}
    given: dict[str, int] = {}
    for name, number in checked(sizes, Mapping, title, "sizes", "a dict of sizes by name").items():
        size = given[name] = whole_number(number, f"{title}: the size of '{name}'")
        if name not in names:
            raise unknown_name("variable", name, names)
        if declared.get(name) not in (None, size):
            raise wrong_size(title, name, size, f"{declared[name]} as declared")
    stated = {t.name: t.size for t in terminals or () if isinstance(t, ADTerminal)}
    known = {**stated, **sizes_asked(nodes), **given}
    inputs: list[tuple[str, int]] = []
    for name in names:
        declared_size = declared.get(name)
        size = known.get(name) if declared_size is None else declared_size
        if size is None:
            raise unknown_size(title, name)
        inputs.append((name, size))
    fixed = tuple(fix_sizes(roots, dict(inputs), probe))
    single = names_out is None
    return Lowered(title, single, names_out or ("out",), fixed, make_tape(fixed, inputs))


def lowered_graphs(
    title: str,
    roots: Sequence[tuple[str, Expression]],
    inputs: Sequence[tuple[str, int]],
    single: bool = False,
    safe: bool = False,
) -> Lowered:
    """Named graphs in which every size is known, such as derivatives, as a `Lowered`."""
    names, graphs = tuple(n for n, _ in roots), tuple(e for _, e in roots)
    return Lowered(title, single, names, graphs, make_tape(graphs, inputs), safe)


def _read(func: Func) -> tuple[tuple[Expression, ...], str, tuple[str, ...] | None]:
    """The expressions, a title, and the results' names, or None for one by itself."""
    if isinstance(func, ADFunctionInterface):
        return (applied(func),), str(func), None
    if isinstance(func, Expression):
        return (func,), "expression", None
    named = cast("Mapping[str, Expression]", func) if isinstance(func, Mapping) else None
    given = cast("Iterable[Expression]", func) if named is None else named.values()
    roots = tuple(listed(given, "func", "expressions, one of them, or a function"))
    if not roots:
        raise ValueError("func: no expressions were given")
    for root in roots:
        checked(root, Expression, "func", "root", "an expression")
    numbered = (f"out_{i}" for i in range(len(roots)))
    names = numbered if named is None else (checked_name(name, "func") for name in named)
    return roots, "expressions", tuple(names)


def _ordered(terminals: Sequence[Variable], declared: Mapping[str, int | None]) -> tuple[str, ...]:
    names = names_of("terminals", terminals)
    if len(set(names)) != len(names):
        raise ValueError(f"a terminal is listed twice: {', '.join(names)}")
    for name in declared:
        if name not in names:
            raise unknown_name("listed terminal", name, names)
    return names


def applied(func: ADFunctionInterface) -> Expression:
    """The function called on variables named as its arguments are."""
    count = func.n_args()
    if count < 0:
        raise ValueError(f"{func} takes any number of arguments; call it on variables first")
    sizes = [func.n_in(i) for i in range(count)]
    variables = [ADTerminal(func.argname(i), None if n < 0 else n) for i, n in enumerate(sizes)]
    return func(*variables)


def fix_sizes(
    roots: Sequence[Expression], sizes: Mapping[str, int], probe: SizeProbe | None = None
) -> list[Expression]:
    """The roots as graphs of primitives and opaque functions in which every size is known.

    `sizes` gives the sizes of variables that were declared without one; `probe` finds the size of
    an opaque function's result where the function does not say it.
    """
    fixed: dict[str, Expression] = {}
    simplest = Simplifier()
    forms = simplest.forms
    keys: dict[Expression, object] = {}
    expanding: set[object] = set()
    stack: list[tuple[Expression, Expression | None]] = [(r, None) for r in reversed(roots)]
    while stack:
        node, expansion = stack[-1]
        if node in forms:
            stack.pop()
        elif expansion is not None:
            stack.pop()
            simplest.place(node, forms[expansion])
            expanding.discard(keys.pop(node))
        elif isinstance(node, ADFunctionCall):
            pending = [(a, None) for a in node.args if a not in forms]
            if pending:
                stack.extend(pending[::-1])
                continue
            stack.pop()
            args = [forms[a] for a in node.args]
            if isinstance(node.func, Composite):
                key = (id(node.func), tuple([a.size for a in args]))
                if key in expanding:
                    raise ValueError(f"{node.func}: its expansion calls it again, without end")
                expanding.add(key)
                keys[node] = key
                expansion = _expand(node.func, args)
                stack += [(node, expansion), (expansion, None)]
            else:
                form = simplify_call(node, args)
                if form.size is None and isinstance(form, ADFunctionCall):
                    form = _probed(form, probe)
                simplest.place(node, form)
        else:
            stack.pop()
            simplest.place(
                node, _sized(node, sizes, fixed) if isinstance(node, ADTerminal) else node
            )
    return [forms[r] for r in roots]


def _expand(func: Composite, args: Sequence[Expression]) -> Expression:
    func.call_size(tuple(a.size for a in args))
    return func.expand(*args)


def _probed(call: ADFunctionCall, probe: SizeProbe | None) -> ADFunctionCall:
    if probe is None:
        raise ValueError(
            f"{call.func}: the size of its result is not known; give it as outspec or n_out"
        )
    return ADFunctionCall(SizedOpaque(call.func, *probe(call)), call.args)


def _sized(
    variable: ADTerminal, sizes: Mapping[str, int], made: dict[str, Expression]
) -> Expression:
    """The one variable of this name with its size."""
    name = variable.name
    if name not in made:
        size = sizes.get(name) if variable.size is None else variable.size
        if size is None:
            raise unknown_size("expression", name)
        made[name] = ADTerminal(name, size)
    return made[name]


def make_tape(roots: Sequence[Expression], inputs: Sequence[tuple[str, int]]) -> Tape:
    """The tape of graphs whose sizes are fixed: a slot for each input, then one for each node.

    What is `ruled` is its first argument: rules are for derivatives, which are made of graphs.
    """
    slot_of_name = {name: i for i, (name, _) in enumerate(inputs)}
    slots: dict[Expression, int] = {}
    sizes = [size for _, size in inputs]
    constants: list[tuple[int, Array]] = []
    steps: list[Step] = []
    order = topological(roots, _computed)
    wider = _wider(order)
    for node in order:
        if isinstance(node, ADTerminal):
            if node.name not in slot_of_name:
                raise unknown_name("terminal", node.name, slot_of_name)
            slots[node] = slot_of_name[node.name]
            continue
        if isinstance(node, ADFunctionCall) and _is_ruled(node):
            slots[node] = slots[node.args[0]]
            continue
        whole, entries = wider.get(node, (None, ()))
        for call in (node,) if whole is None else (whole, node):
            if call in slots:
                continue
            slots[call] = slot = len(sizes)
            if call.size is None:
                raise ValueError("a node's size is not known; fix_sizes comes before make_tape")
            sizes.append(call.size)
            if call is node and whole is not None:
                steps.append(Step(Take(entries), (slots[whole],), slot))
            elif isinstance(call, ADFunctionCall):
                steps.append(Step(call.func, tuple([slots[a] for a in call.args]), slot))
            elif isinstance(call, Constant):
                constants.append((slot, np.atleast_1d(call.value)))
    outputs = tuple(slots[r] for r in roots)
    return Tape(tuple(inputs), tuple(constants), tuple(steps), outputs, tuple(sizes))


def _wider(order: Sequence[Expression]) -> dict[Expression, tuple[Expression, tuple[int, ...]]]:
    """The calls of which others of the same arguments give all entries: those, and which."""
    alike: dict[object, list[tuple[ADFunctionCall, Op]]] = {}
    for node in order:
        if isinstance(node, ADFunctionCall):
            func = node.func
            if isinstance(func, Op) and type(func).wider is not Op.wider:
                alike.setdefault((type(func), node.args), []).append((node, func))
    found: dict[Expression, tuple[Expression, tuple[int, ...]]] = {}
    for calls in alike.values():
        known = {func.params: node for node, func in calls}
        for node, func in calls if len(calls) > 1 else ():
            whole = func.wider()
            if whole is not None and whole[0].params in known:
                found[node] = known[whole[0].params], whole[1]
    return found


def _is_ruled(call: ADFunctionCall) -> bool:
    return isinstance(call.func, Op) and call.func.ruled


def _computed(call: ADFunctionCall) -> Sequence[Expression]:
    """The arguments that the value is computed from."""
    return call.args[:1] if _is_ruled(call) else call.args


def scalar_nodes(
    nodes: Sequence[Expression], variables: Mapping[str, bool]
) -> dict[Expression, bool]:
    """Which nodes (arguments first) are scalars, given which variables are."""
    scalars: dict[Expression, bool] = {}
    for node in nodes:
        if isinstance(node, ADFunctionCall):
            scalars[node] = _gives_scalar(node.func, [scalars[a] for a in node.args], node.size)
        elif isinstance(node, ADTerminal):
            scalars[node] = variables[node.name]
        else:
            scalars[node] = isinstance(node, Constant) and node.value.ndim == 0
    return scalars


def slot_scalars(tape: Tape, inputs: Sequence[bool] = ()) -> list[bool]:
    """Which slots of a tape are; without knowledge, inputs and constants of one entry are."""
    scalars = [size == 1 for size in tape.sizes]
    scalars[: len(inputs)] = inputs
    for step in tape.steps:
        args = [scalars[a] for a in step.args]
        scalars[step.out] &= _gives_scalar(step.func, args, tape.sizes[step.out])
    return scalars


def _gives_scalar(func: ADFunctionInterface, args: Sequence[bool], size: int | None) -> bool:
    if isinstance(func, Graphed):
        return func.gives_scalar(args)
    return func.scalar if isinstance(func, SizedOpaque) else size in (1, None)
