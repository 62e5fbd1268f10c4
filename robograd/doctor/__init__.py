"""What `robograd doctor` finds: whether this installation works, and how to mend what does not.

It builds a kernel anew in the kernel cache's folder, and compares the engines on the packaged arm.
What is installed in which version, `robograd info` says.

Importing torch takes longer than all the rest, so a process of its own does it, which is started
before anything else is imported, and uses the new kernels too. A torch that ends its process is
a finding as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context

from robograd.doctor import apart, installation
from robograd.doctor.finding import Finding
from robograd.doctor.own_cache import folder_beside_kernels, kernels_in


def examine() -> Iterator[Finding]:
    """Findings, each as soon as it is known; they take some seconds."""
    with (
        folder_beside_kernels() as folder,
        ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process,
    ):
        process.submit(apart.load)
        yield installation.versions()
        yield installation.compiler()
        yield installation.kernel_cache()
        from ad_core.lowering import lower
        from robograd.doctor import arm, engines

        pose, case = arm.poses()
        with kernels_in(folder):
            yield engines.compared("kernel", engines.kernel(pose), case)
            yield engines.compared("CasADi", engines.casadi(pose), case)
        graph = lower(pose)  # which needs no robots where it is unpickled
        yield _told(process, "torch", apart.torch, folder, graph, case)
        yield _told(process, "GPU", apart.gpu, folder, graph, case)
        yield installation.extras()


def _told(
    process: ProcessPoolExecutor, what: str, look: Callable[..., Finding], *args: object
) -> Finding:
    try:
        return process.submit(look, *args).result()
    except BrokenProcessPool:
        return Finding(what, True, "the process that imported torch died", "reinstall torch")
