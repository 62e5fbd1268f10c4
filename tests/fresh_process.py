"""Python code in new processes, from this checkout; warnings are errors."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def start_python(code: str, **environment: str) -> subprocess.Popen[str]:
    """A process that runs the code; `environment` adds to ours."""
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(code)],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def printed(process: subprocess.Popen[str]) -> str:
    """What the process prints until it ends, which it does well."""
    out, error = process.communicate(timeout=120)
    assert process.returncode == 0, error
    return out.strip()


def run_python(code: str, **environment: str) -> str:
    """What the code prints in a new process."""
    return printed(start_python(code, **environment))


def library_of(name: str) -> str:
    """Where gcc has a sanitizer's library; skips the test where it has none."""
    gcc = shutil.which("gcc")
    if gcc is None:
        pytest.skip("no gcc")
    command = [gcc, f"-print-file-name={name}"]
    path = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    if not os.path.isabs(path):
        pytest.skip(f"gcc has no {name}")
    return path
