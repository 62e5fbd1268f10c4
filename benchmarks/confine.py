"""One thread (or N) for everyone: settings that libraries read when they are first imported.

Nothing heavy is imported here, so that this can come before numpy, torch and jax.
"""

import os

_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "ROBOGRAD_NUM_THREADS",
)
# What frax's README asks for on one CPU.
_XLA_FLAGS = (
    "--xla_cpu_multi_thread_eigen=false",
    "--xla_cpu_scheduler_type=CPU_SCHEDULER_TYPE_MEMORY_OPTIMIZED",
)


class UsageError(ValueError):
    """A command line that cannot be run."""


def confine(threads: int) -> None:
    """Limit this process, and every library that it imports from now on, to `threads` threads.

    Where the system allows it the process is bound to as many processors, so that a library with
    a thread pool of its own gains nothing by it.

    Raises UsageError if there are fewer processors than that.
    """
    available = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if threads < 1 or (available and threads > len(available)):
        raise UsageError(f"--threads {threads}: this process may use {len(available)} processors")
    os.environ.update(dict.fromkeys(_THREAD_VARIABLES, str(threads)))
    os.environ["XLA_FLAGS"] = " ".join(_XLA_FLAGS if threads == 1 else _XLA_FLAGS[1:])
    os.environ["JAX_PLATFORMS"] = "cpu"
    os.environ["JAX_ENABLE_X64"] = "1"
    if available:
        os.sched_setaffinity(0, available[-threads:])
