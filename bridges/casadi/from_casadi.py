"""`casadi_to_ad`: a `casadi.Function` as a function of the graph.

A function of scalar operations (SX, or MX that CasADi can expand) is read instruction by
instruction into primitives, so that it runs on every engine. Others, such as integrators, root
finders and functions that call external code, stay whole: their value and derivatives of every
order are CasADi's own.
"""

# casadi's stubs leave most functions of symbols untyped; the public signatures are still checked.
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false
# pyright: reportCallIssue=false, reportArgumentType=false

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import casadi
import numpy as np
from numpy.typing import NDArray

import ad_core as ad
from ad_core.graph.nodes import ADFunctionInterface, Constant, Expression
from ad_core.ops.primitive import Composite
from bridges.casadi.operations import OPERATIONS
from bridges.casadi.read import read_program
from bridges.native.program import Program


def casadi_to_ad(function: casadi.Function, output: int | str | None = None) -> ADFunctionInterface:
    """`function` as a function of the graph, with exact derivatives of every order.

    Each argument is a column; a matrix goes in and out column by column, structural zeros included.

    Args:
        function: Any function that CasADi can evaluate.
        output: The number or name of the output wanted; by default all, one behind the other.

    Raises:
        TypeError: for anything but a `casadi.Function`.
        ValueError: for free symbols or an unknown output.
    """
    if not isinstance(function, casadi.Function):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"got {type(function).__name__}, expected a casadi.Function")
    if function.has_free():
        raise ValueError(f"{function.name()}: free symbols {function.get_free()}, expected none")
    column = _single_column(function, _output_numbers(function, output))
    try:
        program = read_program(column)
    except NotImplementedError:
        return WholeFunction(column)
    known = all(i.op in OPERATIONS for i in program.instructions if i.op not in _LEAVES)
    return ReadFunction(column, program) if known else WholeFunction(column)


_LEAVES = ("input", "constant")


class _OfCasadi(ADFunctionInterface):
    """A function of columns with the one output that a `casadi.Function` of columns has."""

    def __init__(self, function: casadi.Function) -> None:
        self.casadi_function = function

    def __str__(self) -> str:
        return self.casadi_function.name()

    def n_args(self) -> int:
        return self.casadi_function.n_in()

    def n_in(self, arg: int) -> int:
        return self.casadi_function.numel_in(arg)

    def n_out(self) -> int:
        return self.casadi_function.numel_out(0)

    def argname(self, arg: int) -> str:
        return self.casadi_function.name_in(arg)


class ReadFunction(_OfCasadi, Composite):
    """A function of scalar operations, which expands into primitives."""

    def __init__(self, function: casadi.Function, program: Program) -> None:
        super().__init__(function)
        self._program = program

    def expand(self, *args: Expression) -> Expression:
        """The instructions as scalar expressions, the outputs stacked."""
        values: list[Expression] = []
        for op, operands, number in self._program.instructions:
            if op == "constant":
                values.append(Constant(number))
            elif op == "input":
                source, entry = operands
                values.append(ad.getitem(args[source], entry))
            else:
                values.append(OPERATIONS[op](*(values[k] for k in operands)))
        (entries,) = self._program.outputs
        if not entries:
            return Constant(np.zeros(0))
        return ad.stack(*(Constant(0.0) if k is None else values[k] for k in entries))


class WholeFunction(_OfCasadi):
    """A function that CasADi evaluates and differentiates; a CasADi graph simply calls it."""

    def __init__(self, function: casadi.Function) -> None:
        super().__init__(function)
        self._derivatives: dict[tuple[int, ...], casadi.Function] = {}

    def eval(self, *args: Any) -> NDArray[np.float64]:
        """The value at these columns."""
        return _called(self.casadi_function, args)

    def sparsity(self, arg: int) -> NDArray[np.bool_]:
        """Where the Jacobian w.r.t. input `arg` can be other than zero: `(n_out, n_in)`."""
        pattern = self.casadi_function.jac_sparsity(0, arg)
        return np.asarray(casadi.DM(pattern, 1.0).full()) != 0.0

    def gen_derivative(self, arg: Sequence[int], *args: Any) -> NDArray[np.float64]:
        """CasADi's derivative w.r.t. the inputs in turn; NotImplementedError where it has none."""
        path = tuple(arg)
        if path not in self._derivatives:
            self._derivatives[path] = self._differentiated(path)
        shape = (self.n_out(), *(self.n_in(i) for i in path))
        return _called(self._derivatives[path], args).reshape(shape)

    def _differentiated(self, path: tuple[int, ...]) -> casadi.Function:
        inputs = [casadi.MX.sym(f"x{i}", self.n_in(i)) for i in range(self.n_args())]
        value = self.casadi_function(*inputs)
        try:
            for i in path:  # the transpose, column by column, is the matrix row by row
                value = casadi.vec(casadi.densify(casadi.jacobian(value, inputs[i])).T)
            return casadi.Function("derivative", inputs, [value])
        except RuntimeError as error:
            raise NotImplementedError(f"{self}: CasADi has no derivative of it") from error


def _called(function: casadi.Function, args: Sequence[Any]) -> NDArray[np.float64]:
    (result,) = function.call([casadi.DM(np.atleast_1d(a)) for a in args])
    return np.asarray(result.full(), dtype=np.float64).reshape(-1)


def _output_numbers(function: casadi.Function, output: int | str | None) -> list[int]:
    names: list[str] = function.name_out()
    if output is None:
        return list(range(len(names)))
    known = isinstance(output, str) and output in names
    number = names.index(output) if known else output
    if not isinstance(number, int) or not 0 <= number < len(names):
        raise ValueError(f"no output {output!r}; outputs: {', '.join(names)}")
    return [number]


def _single_column(function: casadi.Function, outputs: Sequence[int]) -> casadi.Function:
    """The function of dense columns whose one output is the chosen ones in one dense column."""
    symbol: Any = casadi.SX if function.is_a("SXFunction") else casadi.MX
    names: list[str] = function.name_in()
    inputs = [symbol.sym(n, function.numel_in(i)) for i, n in enumerate(names)]
    shaped = [casadi.reshape(x, *function.size_in(i)) for i, x in enumerate(inputs)]
    results = function.call(shaped)
    columns = [casadi.vec(casadi.densify(results[o])) for o in outputs]
    whole = casadi.vertcat(*columns) if columns else symbol(0, 1)
    return casadi.Function(function.name(), inputs, [whole], names, ["out"], {"allow_free": False})
