"""Kernels and layers on workers of Ray and Dask, two processes on this machine."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
PARTS, SAMPLES = 4, 50


def run(on: str, folder: Path, *options: str) -> int:
    """How many parts were made."""
    command = [sys.executable, "examples/42_labels_by_workers.py", "--on", on, *options]
    sizes = ["--samples", str(PARTS * SAMPLES), "--part", str(SAMPLES), "--folder", str(folder)]
    result = subprocess.run(
        [*command, *sizes],
        check=False,
        cwd=ROOT,
        env=os.environ | {"RAY_AUTH_MODE": "disabled"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert result.returncode == 0, result.stderr
    (made,) = re.findall(rf"{on}: (\d) of {PARTS} parts made", result.stdout)
    return int(made)


@pytest.mark.parametrize("on", ["ray", "dask"])
def test_a_data_set_is_whole_when_workers_die_and_runs_end(on: str, tmp_path: Path) -> None:
    pytest.importorskip("ray" if on == "ray" else "distributed")
    parquet = pytest.importorskip("pyarrow.parquet")
    pin = pytest.importorskip("pinocchio")
    from robotics_ad import packaged_arm
    from robotics_ad.interop import pinocchio_order

    assert run(on, tmp_path, "--kill") == PARTS
    assert (tmp_path / ".killed").exists()
    files = sorted(tmp_path.glob("part-*.parquet"))
    assert len(files) == PARTS
    assert not list(tmp_path.glob(".part-*"))
    first = files[0].read_bytes()
    files[0].unlink()
    assert run(on, tmp_path) == 1
    assert files[0].read_bytes() == first
    arm = packaged_arm()
    model = pin.buildModelFromXML(URDF.read_text(encoding="utf-8"))
    order, data = pinocchio_order(arm, model), model.createData()
    for file in files:
        table = parquet.read_table(file)
        columns = (np.stack(table[name].to_numpy()) for name in ("q", "v", "a", "tau"))
        q, v, a, tau = (x.astype(np.float64) for x in columns)
        assert len(q) == SAMPLES
        states = zip(order.to_q(q), order.to_v(v), order.to_v(a), strict=True)
        known = order.from_v(np.stack([pin.rnea(model, data, *state) for state in states]))
        np.testing.assert_allclose(tau, known, rtol=1e-3, atol=1e-3)


URDF = ROOT / "robotics_ad" / "data" / "arm7.urdf"
