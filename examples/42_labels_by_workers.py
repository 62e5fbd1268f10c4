"""Label robot states with joint torques on workers of Ray or Dask, into Parquet files.

Run: python examples/42_labels_by_workers.py --on ray --samples 100_000_000 --folder labels
or:  python examples/42_labels_by_workers.py --on dask

A part of the data set is drawn from its own number, and its file appears when it is whole. So any
worker can make any part: one that dies costs the part that it was at, and a run that was ended goes
on where it was when it is started again. Kernels and layers go to workers as all objects do; each
machine compiles a kernel once, or finds it in its cache. For a cluster, give `connect` its address.
"""

import argparse
import os
import signal
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from bridges.kernel import Kernel, ad_to_kernel
from bridges.pytorch import ad_to_torch
from robotics_ad import RobotModel, packaged_arm
from robotics_ad.dynamics import InverseDynamics

Map = Callable[[Callable[[Any], Any], Sequence[Any]], list[Any]]


@dataclass(frozen=True)
class Labels:
    """A data set: `states(part)` with the torques of inverse dynamics, a file for each part."""

    robot: RobotModel
    torques: Kernel
    folder: Path
    samples: int  # of a part
    killed: int | None = None  # the part at which a worker dies, once

    def states(self, part: int) -> tuple[np.ndarray, ...]:
        """Configurations, velocities and accelerations, (samples, nq or nv)."""
        rng = np.random.default_rng([2026, part])
        rates = rng.normal(size=(2, self.samples, self.robot.nv))
        return tuple(x.astype(np.float32) for x in (self.robot.random(rng, self.samples), *rates))

    def path(self, part: int) -> Path:
        return self.folder / f"part-{part:06}.parquet"

    def __call__(self, part: int) -> None:
        """Makes a part, unless it is there."""
        if self.path(part).exists():
            return
        q, v, a = self.states(part)
        columns = {"q": q, "v": v, "a": a, "tau": self.torques(q, v, a)}
        rows = {
            name: pa.FixedSizeListArray.from_arrays(pa.array(x.ravel()), x.shape[1])
            for name, x in columns.items()
        }
        draft = self.folder / f".part-{part:06}-{os.getpid()}"
        pq.write_table(pa.table(rows), draft)
        if part == self.killed and not (self.folder / ".killed").exists():
            (self.folder / ".killed").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        draft.rename(self.path(part))


@contextmanager
def ray_workers(workers: int) -> Iterator[Map]:
    """Ray on this machine."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray

    ray.init(num_cpus=workers, include_dashboard=False, log_to_driver=False)

    @ray.remote(max_retries=3)
    def call(function: Callable[[Any], Any], value: Any) -> Any:
        return function(value)

    def over(function: Callable[[Any], Any], values: Sequence[Any]) -> list[Any]:
        held = ray.put(function)  # sent once to each machine
        return ray.get([call.remote(held, value) for value in values])

    try:
        yield over
    finally:
        ray.shutdown()


@contextmanager
def dask_workers(workers: int) -> Iterator[Map]:
    """Dask on this machine."""
    from dask.distributed import Client, LocalCluster

    local = {"n_workers": workers, "threads_per_worker": 1, "dashboard_address": None}
    with LocalCluster(**local) as cluster, Client(cluster) as client:
        yield lambda function, values: client.gather(client.map(function, values, pure=False))


WORKERS = {"ray": ray_workers, "dask": dask_workers}


def main(
    on: str,
    samples: int,
    folder: Path,
    *,
    part: int = 1_000_000,
    workers: int = 2,
    kill: bool = False,
) -> int:
    """How many parts were made; the data set has `samples` states at least."""
    robot = packaged_arm()
    torques = InverseDynamics(robot)
    folder.mkdir(parents=True, exist_ok=True)
    parts = range(-(-samples // part))
    killed = len(parts) // 2 if kill else None
    labels = Labels(robot, ad_to_kernel(torques, dtype="float32"), folder, part, killed)
    with WORKERS[on](workers) as over:
        missing = [k for k in parts if not labels.path(k).exists()]
        over(labels, missing)
        # A layer goes the same way. It gives the labels of a few states of the last part again.
        state = [torch.from_numpy(x[:100]) for x in labels.states(parts[-1])]
        layer = ad_to_torch(torques)
        (again,) = over(lambda given: layer(*given), [state])
    stored = pq.read_table(labels.path(parts[-1]), columns=["tau"])["tau"].slice(0, 100)
    known = np.stack(stored.to_numpy())
    if not np.allclose(again.numpy(), known, rtol=1e-4, atol=1e-4):
        raise SystemExit("a worker's layer and the stored labels differ")
    for draft in folder.glob(".part-*"):  # of workers that died
        draft.unlink()
    rows = sum(pq.read_metadata(labels.path(k)).num_rows for k in parts)
    print(f"{on}: {len(missing)} of {len(parts)} parts made, {rows:,} states labelled in {folder}")
    return len(missing)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--on", choices=WORKERS, default="ray")
    parser.add_argument("--samples", type=int, default=100_000, help="default: %(default)s")
    parser.add_argument("--part", type=int, default=1_000_000, help="states a file")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--folder", type=Path, help="default: a temporary folder")
    parser.add_argument("--kill", action="store_true", help="kill a worker in the middle")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary)
        sizes = {"part": given.part, "workers": given.workers, "kill": given.kill}
        main(given.on, given.samples, folder, **sizes)
