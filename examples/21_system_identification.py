"""Find 7 link masses and a tool's position on an arm from noisy torques and tool positions.

`parametrize` turns numbers of the model into an argument of its graphs; two torch layers, of
inverse dynamics and of the tool's position, share the values and learn them.

Run: python examples/21_system_identification.py
"""

import numpy as np
import torch

from bridges.pytorch import ad_to_torch
from robotics_ad import packaged_arm
from robotics_ad.dynamics import InverseDynamics
from robotics_ad.kinematics import WorldPosition

LINKS = [f"link{i}" for i in range(1, 8)]
TORQUE_NOISE, POSITION_NOISE = 0.05, 0.002  # N m, m


def main(samples: int = 32_000, allowed: float = 0.005) -> dict[str, tuple[float, float]]:
    """Each quantity's name with its true and its found value."""
    rng = np.random.default_rng(0)
    model = packaged_arm().parametrize(["link*.density", "tool_mount.translation"])
    masses = np.array([link.inertia.mass for link in model.links if link.inertia])[1:]

    # The real arm: other masses, and another tool mount. We only see its measurements.
    truth = np.array([*rng.uniform(0.7, 1.4, 7), 0.01, -0.02, 0.155])
    real = model.with_parameters(truth)
    q = torch.from_numpy(real.random(rng, samples))
    v, a = (torch.from_numpy(rng.normal(0, s, (samples, real.nv))) for s in (1.0, 6.0))
    torque = ad_to_torch(InverseDynamics(real))(q, v, a)
    position = ad_to_torch(WorldPosition(real.link("tool")))(q)
    torque += TORQUE_NOISE * torch.randn(torque.shape, generator=torch.manual_seed(1))
    position += POSITION_NOISE * torch.randn(position.shape, generator=torch.manual_seed(2))

    # The model: its parameters start at the nominal arm's.
    values = torch.nn.Parameter(torch.tensor(model.parameters))
    dynamics = ad_to_torch(InverseDynamics(model), trainable={"parameters": values})
    tool = ad_to_torch(WorldPosition(model.link("tool")), trainable={"parameters": values})
    optimizer = torch.optim.LBFGS([values], max_iter=60, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        torques = ((dynamics(q, v, a) - torque) / TORQUE_NOISE).square().mean()
        positions = ((tool(q) - position) / POSITION_NOISE).square().mean()
        (torques + positions).backward()
        return torques + positions

    optimizer.step(loss)
    found = values.detach().numpy()
    rows = {name: (truth[i] * masses[i], found[i] * masses[i]) for i, name in enumerate(LINKS)}
    rows |= {f"tool {axis}": (truth[7 + i], found[7 + i]) for i, axis in enumerate("xyz")}
    worst = 0.0
    print(f"{'':8} {'true':>8} {'found':>8} {'error':>8}")
    for name, (wanted, got) in rows.items():
        error = abs(got - wanted) / (abs(wanted) if name in LINKS else 0.155)
        worst = max(worst, error)
        print(f"{name:8} {wanted:8.4f} {got:8.4f} {error:8.3%}")
    if worst > allowed:
        raise SystemExit(f"the largest error is {worst:.2%}, more than {allowed:.2%}")
    return rows


if __name__ == "__main__":
    main()
