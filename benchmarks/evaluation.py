"""What a control problem's functions take an iteration, beside kernels of the same graphs.

Kernels compute `MANY` times the points a call, so that calls do not count.
"""

from __future__ import annotations

import time
from functools import partial
from statistics import median
from typing import Any

import casadi
import numpy as np

from ad_core.lowering import Lowered
from benchmarks.control import problem
from benchmarks.model import Measured
from benchmarks.swing import Swing
from benchmarks.timing import FULL, QUICK, Effort, measure
from bridges.casadi.control import programs
from bridges.casadi.control.stages import Stage
from bridges.kernel import ad_to_kernel

MANY = 4
FUNCTIONS = ("nlp_f", "nlp_g", "nlp_grad_f", "nlp_jac_g", "nlp_hess_l")


def figures(quick: bool) -> list[Measured]:
    """Of Panda's swing, by fatrop's five functions; both write into arrays that are there.

    Times are the processor's.
    """
    made = problem(Swing(nodes=10 if quick else 50))
    functions = made.solver("fatrop").functions
    rng = np.random.default_rng(0)
    held: list[Any] = []
    calls = {name: _bound(functions[name], rng, held) for name in FUNCTIONS}
    stages = made.transcription.stages
    graphs = [graph for stage in stages for graph in _graphs(stage)]
    kernels = {
        f"kernel {k}": _kernel(graph, MANY * stage.count, rng)
        for k, (stage, graph) in enumerate(graphs)
    }
    chosen = QUICK if quick else FULL
    effort = Effort(0.0 if quick else 0.005, chosen.row, chosen.fewest, 21, time.process_time)
    for call in (*calls.values(), *kernels.values()):
        call()
    seconds = measure({**calls, **kernels}, effort)
    every = [sum(seconds[name][k] for name in calls) for k in range(len(seconds["nlp_f"]))]
    inner = [sum(seconds[name][k] for name in kernels) / MANY for k in range(len(every))]
    ratio = median([e / i for i, e in zip(inner, every, strict=True)])
    goal = None if quick else 150.0
    results = [Measured("all five", 1e6 * median(every), "us", at_most=goal)]
    results += [Measured(name, 1e6 * median(seconds[name]), "us") for name in FUNCTIONS]
    most = None if quick else 1.5  # a third outside of kernels
    results.append(Measured("kernels of the same graphs", 1e6 * median(inner), "us"))
    return [*results, Measured("all five over kernels", ratio, "times", at_most=most)]


def _bound(function: casadi.Function, rng: np.random.Generator, held: list[Any]) -> Any:
    """A call of a function from and into arrays of its own, without conversions."""
    buffer: Any = casadi.FunctionBuffer(function)
    given = [rng.normal(size=function.nnz_in(i)) for i in range(function.n_in())]
    results = [np.empty(function.nnz_out(i)) for i in range(function.n_out())]
    for i, array in enumerate(given):
        buffer.set_arg(i, memoryview(array.data))
    for i, array in enumerate(results):
        wanted = function.name_out(i) not in {"g", "grad_gamma_x"} or function.n_out() == 1
        if wanted:  # fatrop takes g from nlp_g
            buffer.set_res(i, memoryview(array.data))
    held += [function, given, results]
    return buffer._eval


def _graphs(stage: Stage) -> list[tuple[Stage, Lowered]]:
    """The graphs of these functions."""
    plain = [programs.value_graph, programs.rows_graph, programs.gradient_graph]
    found = [graph_of(stage) for graph_of in plain]
    found.append(programs.jacobian_matrix(stage, has_previous=True).graph)
    found.append(programs.hessian_matrix(stage, exact=True, upper=False).graph)
    return [(stage, graph) for graph in found if graph is not None]


def _kernel(graph: Lowered, count: int, rng: np.random.Generator) -> Any:
    """A call of a kernel of the graph over so many samples."""
    sizes = {name: size for name, size in graph.tape.inputs if size}
    kernel = ad_to_kernel(graph.roots[0], list(sizes), sizes=sizes)
    given = [rng.normal(size=(count, size)) for size in sizes.values()]
    result = kernel(*given)
    return partial(kernel, *given, out=result)
