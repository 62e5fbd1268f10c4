"""`ad_to_casadi`: a graph as a `casadi.Function`."""

# casadi's stubs leave most functions of symbols untyped; the public signatures are still checked.
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false
# pyright: reportCallIssue=false, reportArgumentType=false

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

import casadi

from ad_core.graph.nodes import ADTerminal
from ad_core.lowering.signature import Func, signature
from ad_core.lowering.tape import Tape
from bridges.casadi.compiled import compiled_function
from bridges.casadi.errors import raise_callback_errors
from bridges.casadi.host import Hosts
from bridges.casadi.lowering import distinct, identifier, lower_tape

Symbolic = Literal["auto", "SX", "MX"]


def ad_to_casadi(
    func: Func,
    terminals: Sequence[str | ADTerminal] | None = None,
    *,
    sizes: Mapping[str, int] | None = None,
    name: str | None = None,
    symbolic: Symbolic = "auto",
    compiled: bool = False,
    mapped: int | None = None,
    options: Mapping[str, Any] | None = None,
) -> casadi.Function:
    """`func` as a `casadi.Function` of columns `(n_i, 1)`, one output column for each expression.

    A graph of primitives becomes one `SX` function. Where it holds users' functions it becomes an
    `MX` function that calls them, with exact derivatives as far as they give them and the
    differences of `ad_core` beyond. It can be called with `SX` and `MX` symbols, and keeps what it
    calls alive wherever CasADi holds it. Called with numbers, it raises what a user's function
    raises; inside other functions and solvers see `raise_callback_errors`.

    Args:
        func: An expression, a tuple of expressions, or a function.
        terminals: The order of the inputs; by default that of first appearance, or of arguments.
        sizes: Sizes of variables that were declared without one.
        name: The function's name; made from `func` by default.
        symbolic: Build with scalar symbols (`"SX"`: smallest programs) or matrix ones (`"MX"`);
            `"auto"` takes `SX` unless there are users' functions.
        compiled: Evaluate by native code: the value, the Jacobian and the Hessian of a Lagrangian
            (second derivatives by way of a gradient). Needs a C compiler; without one, CasADi's own
            evaluation, with a warning.
        mapped: Evaluate this many stages a call: inputs and outputs have a column for each, and
            Jacobians are block-diagonal. Compiled, the stages fill the lanes of SIMD instructions.
        options: Passed to the constructor of the function.

    Raises:
        ValueError: for names or sizes that misfit, an unknown `symbolic`, `mapped` below 1.
        NotImplementedError: for `symbolic="SX"` or `compiled` where the graph holds a user's
            function.
    """
    if symbolic not in get_args(Symbolic):
        choices = ", ".join(get_args(Symbolic))
        raise ValueError(f"symbolic is {symbolic!r}, expected one of {choices}")
    if mapped is not None and mapped < 1:
        raise ValueError(f"mapped is {mapped}, expected 1 or more")
    chosen = signature(func, terminals)
    tape = chosen.tape(sizes)
    title = identifier(name or chosen.title)
    outputs = ["out"] if chosen.single else [f"out_{i}" for i in range(len(chosen.roots))]
    given = dict(options or {})
    if compiled:
        return compiled_function(_symbolic(tape, title, outputs, casadi.SX, {}), mapped or 1, given)
    if tape.opaque and symbolic != "SX":
        function = _hosted(tape, title, outputs, given)
    else:
        symbol = casadi.MX if symbolic == "MX" else casadi.SX
        function = _symbolic(tape, title, outputs, symbol, given)
    return function if mapped is None else type(function)(function.map(mapped))


def _symbolic(
    tape: Tape, name: str, outputs: list[str], symbol: type[Any], options: dict[str, Any]
) -> casadi.Function:
    """A function of primitives alone."""
    inputs, names = _inputs(tape, symbol)
    values = lower_tape(tape, inputs, symbol)
    if symbol is casadi.SX:
        values = casadi.cse(values)
    return casadi.Function(name, inputs, values, names, outputs, options)


class HostedFunction(casadi.Function):
    """A `casadi.Function` that calls Python, and raises what Python raised when called itself."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """As `casadi.Function` is called."""
        with raise_callback_errors():
            return super().__call__(*args, **kwargs)

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """As `casadi.Function.call`."""
        with raise_callback_errors():
            return super().call(*args, **kwargs)


def _hosted(tape: Tape, name: str, outputs: list[str], options: dict[str, Any]) -> casadi.Function:
    """An MX function with callbacks.

    The callbacks are in an inner function that CasADi calls as a whole: whatever is made from the
    outer one, even from its expressions, holds the inner one, and so its callbacks live on.
    """
    hosts = Hosts()
    inputs, names = _inputs(tape, casadi.MX)
    values = lower_tape(tape, inputs, casadi.MX, hosts)
    inner = casadi.Function(name, inputs, values, names, outputs, {"never_inline": True})
    hosts.live_with(inner)
    return HostedFunction(name, inputs, inner.call(inputs), names, outputs, options)


def _inputs(tape: Tape, symbol: type[Any]) -> tuple[list[Any], list[str]]:
    names = distinct([identifier(n) for n, _ in tape.inputs])
    return [symbol.sym(n, size) for n, (_, size) in zip(names, tape.inputs, strict=True)], names
