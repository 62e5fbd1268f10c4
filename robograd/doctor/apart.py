"""What the process does that imports torch.

Importing this module is cheap: the process that starts the other one imports no torch.
"""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING

from robograd.doctor.finding import Finding
from robograd.doctor.own_cache import kernels_in

if TYPE_CHECKING:
    from ad_core.lowering import Lowered
    from robograd.doctor.engines import Case


def answer(questions: Connection, folder: str) -> None:
    """Import torch, then receive a graph and its case, and send two findings."""
    with suppress(Exception):  # the first finding says what is wrong
        import_module("bridges.pytorch")
    graph, case = questions.recv()
    with kernels_in(folder):
        questions.send(_torch(graph, case))
        questions.send(_gpu(graph, case))


def _torch(graph: Lowered, case: Case) -> Finding:
    """Whether layers work."""
    from robograd.doctor import engines

    return engines.compared("torch", engines.torch(graph), case)


def _gpu(graph: Lowered, case: Case) -> Finding:
    """Whether kernels run on the GPU, if there is one."""
    present = Path("/proc/driver/nvidia/version").exists()
    try:
        import torch
    except Exception:  # the finding about torch says why
        return Finding("GPU", present, "torch cannot be imported")
    if not torch.cuda.is_available():
        if not present:
            return Finding("GPU", False, "none")
        mend = "install torch's CUDA build" if torch.version.cuda is None else "update the driver"
        return Finding("GPU", True, "NVIDIA's driver is there, but torch cannot use it", mend)
    from robograd.doctor import engines

    found = engines.compared("GPU", engines.gpu(graph), case)
    mend = "pip install 'robograd[cuda]'"
    return Finding("GPU", True, found.text, mend) if found.fault else found
