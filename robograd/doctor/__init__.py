"""What `robograd doctor` finds: whether this installation works, and how to mend what does not.

It builds a kernel anew in the kernel cache's folder, and compares the engines on the packaged arm.
What is installed in which version, `robograd info` says.

Importing torch takes longer than all the rest, so a process of its own does it, which is started
before anything else is imported, and uses the new kernels too. A torch that ends its process is
a finding as well.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection

from robograd.doctor import apart, installation
from robograd.doctor.finding import Finding
from robograd.doctor.own_cache import folder_beside_kernels, kernels_in


def examine() -> Iterator[Finding]:
    """Findings, each as soon as it is known; they take some seconds."""
    with folder_beside_kernels() as folder, _process(folder) as torch:
        yield installation.versions()
        yield installation.compiler()
        yield installation.kernel_cache()
        from ad_core.lowering import lower
        from robograd.doctor import arm, engines

        pose, case = arm.poses()
        with kernels_in(folder):
            yield engines.compared("kernel", engines.kernel(pose), case)
            yield engines.compared("CasADi", engines.casadi(pose), case)
        try:
            torch.send((lower(pose), case))  # a graph of primitives, which needs no robots there
            yield torch.recv()
            yield torch.recv()
        except (EOFError, OSError):
            yield Finding("torch", True, "the process that imported it died", "reinstall torch")
        yield installation.extras()


@contextmanager
def _process(folder: str) -> Generator[Connection]:
    """The process that imports torch; it is not asked to end, which takes a second."""
    context = get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=apart.answer, args=(there, folder), daemon=True)
    process.start()
    there.close()
    try:
        yield here
    finally:
        process.kill()
        process.join()
