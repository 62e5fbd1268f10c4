"""`ad_to_casadi`: a graph as a `casadi.Function`."""

# casadi's stubs leave most functions of symbols untyped; the public signatures are still checked.
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false
# pyright: reportCallIssue=false, reportArgumentType=false

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

import casadi

from ad_core.graph import Variable, checked, checked_name, flag, one_of, whole_number
from ad_core.lowering import Func
from bridges.casadi.compiled import content_name
from bridges.casadi.lowering import (
    identifier,
    lowered_for_casadi,
    symbol_for,
    symbolic_function,
)
from bridges.casadi.made import Made, hosted_function, native_function

Symbolic = Literal["auto", "SX", "MX"]


def ad_to_casadi(
    func: Func,
    terminals: Sequence[Variable] | None = None,
    *,
    sizes: Mapping[str, int] | None = None,
    name: str | None = None,
    symbolic: Symbolic = "auto",
    compiled: bool = False,
    mapped: int | None = None,
    options: Mapping[str, Any] | None = None,
) -> casadi.Function:
    """`func` as a `casadi.Function` of columns `(n_i, 1)`, one output column for each expression.

    A graph of primitives becomes one `SX` function, one with a `lookup` an `MX` function. Where it
    holds users' functions it becomes an `MX` function that calls them, with exact derivatives as
    far as they give them and the differences of `ad_core` beyond. It can be called with `SX` and
    `MX` symbols, and keeps what it calls alive wherever CasADi holds it. Called with numbers, it
    raises what a user's function raises; inside other functions and solvers see
    `raise_callback_errors`. It pickles as the graph does; CasADi can neither save it nor write C
    for it. What calls it (a function, a map, a solver) is refused at once when it is saved,
    serialized or pickled, with no better word of CasADi's than `Assertion "!is_null()" failed`; C
    text for it gets a warning, and does not compile.

    Args:
        func: An expression, several of them (a tuple, list or generator, or a dict by the names
            of the outputs), or a function.
        terminals: The order of the inputs; by default that of first appearance, or of arguments.
        sizes: Sizes of variables that were declared without one.
        name: The function's name; made from `func` by default. That of a compiled function ends in
            a hash of its content besides, since linked code calls a function by its name: two of
            one name are told apart, and code that CasADi compiles (option `jit`) finds the right
            one in this process. `ad_to_c` takes a name as it is.
        symbolic: Build with scalar symbols (`"SX"`: smallest programs) or matrix ones (`"MX"`);
            `"auto"` takes `SX` unless there are users' functions, `lookup`s, or long loops, which
            are CasADi's own (`mapaccum`) in `MX` and written out in `SX`.
        compiled: Evaluate by native code: the value, the Jacobian and the Hessian of a Lagrangian
            (second derivatives by way of a gradient), which are our own graphs. The Jacobian's own
            derivatives (`jacobian(jacobian(y, x), x)`, forward sensitivities of `cvodes`) are made
            of such Hessians, one for each output: nan where the second derivative of another output
            is infinite or nan. Third derivatives are refused.
            Needs a C compiler and a cache folder; without them, CasADi's own evaluation, with a
            warning. Saved by CasADi, alone or in another function, it carries its library, for this
            kind of processor (with CasADi 3.7: the library's path in the cache); pickled, it is
            built or found again where it is loaded.
        mapped: Evaluate this many stages a call: inputs and outputs have a column for each, and
            Jacobians are block-diagonal. Compiled, the stages fill the lanes of SIMD instructions,
            and another number of them takes the code that the cache has of the first.
        options: Passed to the constructor of the function.

    Raises:
        ValueError: for names or sizes that misfit, an unknown `symbolic`, `mapped` below 1.
        TypeError: for what is neither expression nor function.
        NotImplementedError: for `symbolic="SX"`, `compiled` or the option `jit` where the graph
            holds a user's function.
    """
    stages, place = 1, "ad_to_casadi"
    one_of(symbolic, f"{place}: symbolic", get_args(Symbolic))
    if mapped is not None:
        mapped = stages = whole_number(mapped, f"{place}: mapped", least=1)
    if name is not None:
        checked_name(name, place)
    if options is not None:
        checked(options, Mapping, place, "options", "a dict")
    lowered = lowered_for_casadi(func, terminals, sizes)
    given = dict(options or {})
    title = identifier(name or lowered.title)
    if flag(compiled, f"{place}: compiled"):
        if lowered.tape.opaque:
            symbolic_function(lowered, title, casadi.SX, given)  # names the function
        title = content_name(lowered, title, stages)
        return native_function(Made(lowered, title, stages, given))
    if lowered.tape.opaque and symbolic != "SX":
        return hosted_function(Made(lowered, title, mapped, given))
    symbols = {"SX": casadi.SX, "MX": casadi.MX, "auto": symbol_for(lowered.tape)}
    function = symbolic_function(lowered, title, symbols[symbolic], given)
    return function if mapped is None else function.map(mapped)
