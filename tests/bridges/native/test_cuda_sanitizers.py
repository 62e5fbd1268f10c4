"""The text of CUDA kernels under sanitizers: no access outside or misaligned, nothing undefined.

`python -m cuda_sanitized` runs the launches, with every array in a block of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from fresh_process import ROOT, library_of


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "ASAN_OPTIONS": "detect_leaks=0",
        "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}",
        "PYTHONMALLOC": "malloc",
        "LD_PRELOAD": library_of("libasan.so"),
    }
    command = [sys.executable, "-W", "error", "-m", "cuda_sanitized", *arguments]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, timeout=600
    )


def test_launches() -> None:
    ran = run()
    assert ran.returncode == 0, ran.stderr[-3000:]
    assert int(ran.stdout) > 300


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("k < rows * size;", "k < rows * size + 1;", "heap-buffer-overflow"),
        ("is_aligned(const real *x) {", "is_aligned(const real *x) { return true;", "misaligned"),
        ("SHARED(tile, ", "SHARED(tile, -1 + ", "stack-buffer-overflow"),
    ],
)
def test_faults_are_found(old: str, new: str, found: str) -> None:
    ran = run(old, new)
    assert ran.returncode
    assert found in ran.stderr
