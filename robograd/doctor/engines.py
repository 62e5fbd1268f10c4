"""The engines, and whether they agree with numpy."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ad_core.graph import ADFunctionInterface
from ad_core.lowering import Lowered
from bridges.kernel import ad_to_kernel
from bridges.native.errors import BuildError
from robograd.doctor.finding import Finding, in_one_line

Array = NDArray[np.float64]
Run = Callable[[Array], tuple[Array, Array]]
"""x (samples, n_x) -> values (samples, n) and derivatives (samples, n, n_x)."""

_TOLERANCE = 1e-10  # between engines: m, and entries of rotations and Jacobians


@dataclass(frozen=True)
class Case:
    """What a function of one variable gives by numpy.

    Attributes:
        x: samples of the variable, `(samples, n_x)`.
        values: `(samples, n)`.
        slopes: derivatives, `(samples, n, n_x)`.
    """

    x: Array
    values: Array
    slopes: Array


def compared(name: str, run: Run, case: Case) -> Finding:
    """Whether an engine's values and derivatives are those of numpy."""
    began = time.perf_counter()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they are findings of their own
            values, slopes = run(case.x)
        apart = max(
            float(np.abs(values - case.values).max()), float(np.abs(slopes - case.slopes).max())
        )
    except ImportError as error:
        return Finding(name, True, in_one_line(error), f"pip install {name.lower()}")
    except Exception as error:  # whatever an engine raises on a machine that is not right
        mend = "see the finding about the compiler and the cache"
        return Finding(name, True, in_one_line(error), mend)
    seconds = time.perf_counter() - began
    if not apart <= _TOLERANCE:
        return Finding(
            name, True, f"differs from numpy by {apart:.1e}", "report it with `robograd info`"
        )
    return Finding(name, False, f"ready in {seconds:.1f} s, {apart:.0e} from numpy")


def kernel(func: ADFunctionInterface) -> Run:
    """By a kernel that the compiler made."""

    def run(x: Array) -> tuple[Array, Array]:
        f = ad_to_kernel(func)
        if not f.is_native:
            raise BuildError("it is not compiled, and runs some hundred times slower")
        return np.asarray(f(x)), np.asarray(f.jacobian()(x))

    return run


def casadi(func: ADFunctionInterface) -> Run:
    """By a CasADi function, sample by sample."""

    def run(x: Array) -> tuple[Array, Array]:
        from bridges.casadi import ad_to_casadi

        f: Any = ad_to_casadi(func)
        J = f.jacobian()
        values: list[Array] = [f(one).full().ravel() for one in x]
        slopes: list[Array] = [J(one, 0).full() for one in x]
        return np.stack(values), np.stack(slopes)

    return run


def torch(graph: Lowered) -> Run:
    """By a layer, differentiated row by row."""

    def run(x: Array) -> tuple[Array, Array]:
        import torch

        from bridges.pytorch import ADModule

        given = torch.tensor(x, requires_grad=True)
        y = ADModule(graph, "auto", {})(given)
        rows = [
            torch.autograd.grad(y[:, i].sum(), given, retain_graph=True)[0]
            for i in range(y.shape[1])
        ]
        return y.detach().numpy(), torch.stack(rows, 1).numpy()

    return run


def gpu(graph: Lowered) -> Run:
    """By a kernel on tensors of the GPU."""

    def run(x: Array) -> tuple[Array, Array]:
        import torch

        from bridges.pytorch import ADModule

        f, given = ADModule(graph, "kernel", {}).kernel(), torch.tensor(x, device="cuda")
        return f(given).cpu().numpy(), f.jacobian()(given).cpu().numpy()

    return run
