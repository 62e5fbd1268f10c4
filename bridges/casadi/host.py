"""Users' Python functions as `casadi.Callback`s, their derivatives of every order, their lifetime.

CasADi does not own the Python side of a callback. Here the callbacks of one function belong to a
`Hosts`, which lives as long as CasADi holds that function anywhere: in another graph, in a solver,
in a derivative. Derivatives are callbacks of the same `Hosts`, made when CasADi asks for them.
"""

# casadi's stubs leave most functions of symbols untyped; the public signatures are still checked.
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false
# pyright: reportCallIssue=false, reportArgumentType=false

from __future__ import annotations

import weakref
from collections.abc import Mapping, Sequence
from typing import Any

import casadi
import numpy as np

from ad_core.functions import (
    DerivativeTensor,
    SizedOpaque,
    host_kernel,
    jacobian_structure,
)
from ad_core.graph.nodes import ADFunctionInterface
from bridges.casadi.errors import report
from bridges.casadi.from_casadi import WholeFunction
from bridges.casadi.lowering import distinct, identifier

_alive: list[tuple[Any, Hosts]] = []


class Hosts:
    """The callbacks behind one CasADi function: each user function and derivative once."""

    def __init__(self) -> None:
        self._callbacks: dict[object, HostCallback] = {}

    def __call__(
        self, func: ADFunctionInterface, sizes: tuple[int, ...], size: int, floats: tuple[bool, ...]
    ) -> casadi.Function:
        """`func` for arguments of these sizes, of which `floats` are floats, as CasADi calls it."""
        if isinstance(func, WholeFunction):
            return func.casadi_function
        key = (_identity(func), sizes, size, floats)
        if key not in self._callbacks:
            self._callbacks[key] = HostCallback(func, sizes, size, floats, self)
        return self._callbacks[key]

    def live_with(self, function: casadi.Function) -> None:
        """Keep the callbacks until CasADi has let go of `function` everywhere."""
        _alive[:] = [entry for entry in _alive if entry[0].alive()]
        _alive.append((casadi.WeakRef(function), self))


class HostCallback(casadi.Callback):
    """`y = func(x_0, x_1, ...)` by a call of Python, for columns of fixed sizes."""

    def __init__(
        self,
        func: ADFunctionInterface,
        sizes: tuple[int, ...],
        size: int,
        floats: tuple[bool, ...],
        hosts: Hosts,
    ) -> None:
        super().__init__()
        self._func = func.func if isinstance(func, SizedOpaque) else func
        self._sizes, self._size, self._floats = sizes, size, floats
        self._hosts = weakref.ref(hosts)  # which holds this callback
        self._kernel = host_kernel(func, size, floats)
        # CasADi would save the function without its Python, and say so only where it is loaded:
        # asked for a library of the function as well, which it has not, it refuses at once.
        self.construct(identifier(str(func)), {"jit_serialize": "embed"})

    def get_n_in(self) -> int:
        return len(self._sizes)

    def get_n_out(self) -> int:
        return 1

    def get_name_in(self, i: int) -> str:
        return distinct([identifier(self._func.argname(k)) for k in range(i + 1)])[i]

    def get_sparsity_in(self, i: int) -> casadi.Sparsity:
        return casadi.Sparsity.dense(self._sizes[i], 1)

    def get_sparsity_out(self, i: int) -> casadi.Sparsity:
        return casadi.Sparsity.dense(self._size, 1)

    def has_eval_buffer(self) -> bool:
        return True

    def eval_buffer(self, arg: Sequence[Any], res: Sequence[Any]) -> int:
        """The value. An exception is reported before CasADi hears of it."""
        try:
            args = [_copied(a, n) for a, n in zip(arg, self._sizes, strict=True)]
            value = self._kernel(*args)
            if res[0] is not None and self._size:
                np.frombuffer(res[0], dtype=np.float64)[:] = value
        except BaseException as error:
            report(error)
            raise RuntimeError(f"{type(error).__name__}: {error}") from error
        return 0

    def has_jacobian(self) -> bool:
        return True

    def get_jacobian(
        self,
        name: str,
        inames: Sequence[str],
        onames: Sequence[str],
        opts: Mapping[str, Any],
    ) -> casadi.Function:
        """`(x_0, ..., y) -> dy/dx_0, ...`, each with its structure."""
        hosts = self._hosts()
        if hosts is None:
            raise RuntimeError(f"{self._func}: the function that it belonged to is gone")
        inputs = [casadi.MX.sym(f"x{i}", n) for i, n in enumerate(self._sizes)]
        blocks: list[Any] = []
        for i, n in enumerate(self._sizes):
            tensor = _differentiated(self._func, i, self._size, n)
            flat = hosts(tensor, self._sizes, self._size * n, self._floats)(*inputs)
            block = casadi.reshape(flat, n, self._size).T
            blocks.append(casadi.project(block, self.get_jac_sparsity(0, i, False)))
        value = casadi.MX.sym("y", self._size)
        return casadi.Function(name, [*inputs, value], blocks, inames, onames, opts)

    def has_jac_sparsity(self, oind: int, iind: int) -> bool:
        return True

    def get_jac_sparsity(self, oind: int, iind: int, symmetric: bool) -> casadi.Sparsity:
        """Where `dy/dx_i` can be other than zero."""
        structure = jacobian_structure(self._func, iind, self._size, self._sizes[iind])
        if structure is None:
            return casadi.Sparsity.dense(self._size, self._sizes[iind])
        rows, columns = np.nonzero(structure)
        return casadi.Sparsity.triplet(*structure.shape, rows.tolist(), columns.tolist())


def _differentiated(func: ADFunctionInterface, arg: int, m: int, n: int) -> DerivativeTensor:
    if isinstance(func, DerivativeTensor):
        return DerivativeTensor(func.func, (*func.path, arg), (*func.shape, n))
    return DerivativeTensor(func, (arg,), (m, n))


def _identity(func: ADFunctionInterface) -> object:
    """What tells functions apart; an id stays true since the callback holds the object."""
    if isinstance(func, DerivativeTensor):
        return (id(func.func), func.path)
    return id(func.func if isinstance(func, SizedOpaque) else func)


def _copied(memory: Any, size: int) -> Any:
    """An argument as an array of its own, since a user may keep it; no memory stands for zeros."""
    if memory is None or not size:
        return np.zeros(size)
    return np.frombuffer(memory, dtype=np.float64).copy()
