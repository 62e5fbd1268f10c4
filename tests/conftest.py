"""What every test shares: one thread each, a kernel cache in the checkout, markers, hypothesis."""

import gc
import os
import tempfile
from pathlib import Path

# Before numpy or torch is imported: two test processes share two cores, so that a thread pool in
# each would only add switching. Tests of threading ask for their threads by name.
for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")
# Compiled kernels are found again by the next run, and the user's own cache is left alone. A cache
# in a checkout that others can write, or that is another's, would be refused.
from bridges.native.files import make_private

_cache = Path(__file__).parents[1] / ".kernel-cache"
if make_private(_cache) is not None:
    _cache = Path(tempfile.mkdtemp(prefix="robograd-"))
os.environ.setdefault("ROBOGRAD_CACHE", str(_cache))
os.environ.setdefault("MPLBACKEND", "Agg")

import pytest
from hypothesis import HealthCheck, settings

gc.set_threshold(50_000)  # graphs are many small objects, and few of them are in cycles

# Deadlines fail on a noisy machine, and a pull request should not fail by the luck of its draw:
# under CI the examples are the same each time, at a developer's desk they are new.
settings.register_profile(
    "robograd",
    deadline=None,
    derandomize="CI" in os.environ,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("robograd")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the tests marked ``gpu`` where there is no CUDA device."""
    on_gpu = [item for item in items if item.get_closest_marker("gpu")]
    if not on_gpu:
        return
    import torch

    if not torch.cuda.is_available():
        for item in on_gpu:
            item.add_marker(pytest.mark.skip(reason="no CUDA device"))


def pytest_collection_finish() -> None:
    """Let the collector of garbage leave what is imported by now and the tests themselves alone.

    They are a million objects that stay, and looks at all objects took a tenth of the tests' time.
    """
    gc.collect()
    gc.freeze()
