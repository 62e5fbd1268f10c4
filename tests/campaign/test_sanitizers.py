"""The emitted C under sanitizers: no read or write outside, no undefined behaviour, no race."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from campaign.tally import Tally, scaled
from fresh_process import ROOT, library_of

pytestmark = pytest.mark.campaign("sanitizers over the emitted C")


class Way(NamedTuple):
    """How kernels are compiled, and the library that a Python without sanitizers loads first."""

    flags: str
    library: str
    environment: dict[str, str]
    threads: int


WAYS = {
    "address and undefined": Way(
        "-fsanitize=address,undefined -fno-sanitize-recover=all",
        "libasan.so",
        {"ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1"},
        1,
    ),
    "address, threads": Way(
        "-fsanitize=address",
        "libasan.so",
        {"ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1"},
        3,
    ),
    "thread": Way(
        "-fsanitize=thread", "libtsan.so", {"TSAN_OPTIONS": "halt_on_error=1:exitcode=66"}, 3
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_calls_of_random_kernels(tally: Tally, tmp_path: Path, way: str) -> None:
    flags, name, options, threads = WAYS[way]
    environment = {
        **os.environ,
        **options,
        "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}",
        "PYTHONMALLOC": "malloc",  # so that every array has a block of its own
        "LD_PRELOAD": library_of(name),
        "CC": f"env -u LD_PRELOAD gcc -g {flags}",
        "ROBOGRAD_CACHE": str(tmp_path / "cache"),
    }

    def trial(rng: np.random.Generator) -> int:
        seed = str(rng.integers(2**31))
        arguments = ["-m", "campaign.kernel_calls", seed, str(scaled(14)), str(threads)]
        ran = subprocess.run(
            [sys.executable, "-W", "error", *arguments],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        if ran.returncode or not ran.stdout.strip().isdigit():
            text = f"{ran.stderr[:1500]} ... {ran.stderr[-1500:]}"
            raise AssertionError(f"seed {seed}, status {ran.returncode}: {text}")
        return int(ran.stdout)

    tally.run(1, trial)
