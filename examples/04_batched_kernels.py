"""Batches of kinematics and dynamics as compiled kernels: what a sample costs.

`ad_to_kernel` turns a graph into C for the vector units of the CPU; the derivatives of a kernel
are kernels again. Times are medians of calls on all threads; building is timed apart. At the end a
kernel goes into one file and comes back: so it runs where neither torch nor CasADi is installed.

Run: python examples/04_batched_kernels.py
"""

import tempfile
import time
from pathlib import Path

import numpy as np

from bridges.kernel import Kernel, ad_to_kernel, load
from robotics_ad import packaged_arm
from robotics_ad.dynamics import InverseDynamics
from robotics_ad.kinematics import WorldTransform


def median_seconds(kernel: Kernel, inputs: list[np.ndarray], repeats: int = 11) -> float:
    """Time of a call, into outputs that exist already."""
    first = kernel(*inputs)
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        kernel(*inputs, out=first)
        times.append(time.perf_counter() - began)
    return float(np.median(times))


def main(samples: int = 65_536) -> dict[str, float]:
    """Nanoseconds a sample, by name."""
    robot = packaged_arm()
    rng = np.random.default_rng(0)
    q = robot.random(rng, samples)
    v, a = rng.normal(size=(2, samples, robot.nv))
    began = time.perf_counter()
    pose = ad_to_kernel(WorldTransform(robot.link("tool")))
    torque = ad_to_kernel(InverseDynamics(robot))
    rows = {
        "pose of the tool": (pose, [q]),
        "its vector-Jacobian product": (pose.vjp(), [q, rng.normal(size=(samples, 12))]),
        "inverse dynamics": (torque, [q, v, a]),
        "its Jacobian w.r.t. q": (torque.jacobian(wrt="q"), [q, v, a]),
    }
    for kernel, _ in rows.values():
        kernel.build()
    print(f"built in {time.perf_counter() - began:.2f} s, or found in the cache")

    figures = {}
    print(f"{samples:,} samples, float64")
    for name, (kernel, inputs) in rows.items():
        figures[name] = 1e9 * median_seconds(kernel, inputs) / samples
        print(
            f"  {name:28} {figures[name]:8.1f} ns a sample  "
            f"({kernel.n_ops} operations, {kernel.bytes} bytes)"
        )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "torque.kernel"
        torque.save(path, [("jacobian", "q")])
        loaded = load(path)
        same = np.array_equal(loaded(q=q, v=v, a=a), torque(q, v, a))
        print(f"saved in {path.stat().st_size / 1000:.0f} kB and loaded: results are equal: {same}")
    return figures


if __name__ == "__main__":
    main()
