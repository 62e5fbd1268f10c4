"""What an engine is handed: expressions or a function, and the order of its inputs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from ad_core.graph.errors import unknown_name, unknown_size
from ad_core.graph.nodes import ADFunctionInterface, ADTerminal, Expression, names_of
from ad_core.graph.walks import sizes_asked, terminals, terminals_among, topological
from ad_core.lowering.sizes import fix_sizes
from ad_core.lowering.tape import Tape, make_tape

Func: TypeAlias = "Expression | Sequence[Expression] | ADFunctionInterface"


@dataclass(frozen=True)
class Signature:
    """The roots to compute, the inputs' names in order, and a name for the whole.

    `nodes` are all below the roots, arguments first.
    """

    roots: tuple[Expression, ...]
    names: tuple[str, ...]
    title: str
    single: bool
    nodes: tuple[Expression, ...]

    def tape(self, sizes: Mapping[str, int] | None) -> Tape:
        """The tape for engines; `sizes` fills in what the variables leave open."""
        return tape_of(self.roots, self.names, sizes or {})


def signature(func: Func, terminals: Sequence[str | ADTerminal] | None = None) -> Signature:
    """Read `func`: an expression, a tuple of expressions, or a function.

    Inputs are in the order of `terminals`; by default in order of first appearance for expressions
    and in argument order for a function. Raises ValueError for a repeated, unknown or missing name.
    """
    if isinstance(func, ADFunctionInterface):
        roots, title, single = (_applied(func),), str(func), True
    elif isinstance(func, Expression):
        roots, title, single = (func,), "expression", True
    elif isinstance(func, str) or not isinstance(func, Iterable):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"expected an expression, a tuple of them, or a function, got {func!r}")
    else:
        roots, title, single = tuple(func), "expressions", False
        if not roots:
            raise ValueError("no expressions were given")
        for root in roots:
            if not isinstance(root, Expression):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise TypeError(f"expected expressions, got {type(root).__name__}")
    nodes = tuple(topological(roots))
    present = terminals_among(nodes)
    if terminals is None:
        return Signature(roots, tuple(present), title, single, nodes)
    names = names_of("terminals", terminals)
    if len(set(names)) != len(names):
        raise ValueError(f"a terminal is listed twice: {', '.join(names)}")
    for name in present:
        if name not in names:
            raise unknown_name("listed terminal", name, names)
    return Signature(roots, names, title, single, nodes)


def _applied(func: ADFunctionInterface) -> Expression:
    """The function called on variables named as its arguments are."""
    count = func.n_args()
    if count < 0:
        raise ValueError(f"{func} takes any number of arguments; call it on variables first")
    sizes = [func.n_in(i) for i in range(count)]
    variables = [ADTerminal(func.argname(i), None if n < 0 else n) for i, n in enumerate(sizes)]
    return func(*variables)


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
