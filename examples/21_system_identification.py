"""Find 7 link masses and a link length of the arm from noisy torques and tool positions.

Torques are linear in the masses: tau = sum_i m_i tau_i(q, v, a), where tau_i is the inverse
dynamics of the arm when link i alone has mass, 1 kg. Masses and length are the layers' own
parameters.

Run: python examples/21_system_identification.py
"""

import re
from dataclasses import replace

import numpy as np
import torch

import ad_core as ad
from bridges.pytorch import ad_to_torch
from robotics_ad import Inertia, RobotModel, load_urdf, packaged_arm
from robotics_ad.dynamics import InverseDynamics
from robotics_ad.kinematics import WorldPosition, WorldTransform
from robotics_ad.packaged import packaged_arm_text

LINKS = [f"link{i}" for i in range(1, 8)]
TORQUE_NOISE, POSITION_NOISE = 0.05, 0.002  # N m, m


def with_masses(robot: RobotModel, masses: dict[str, float]) -> RobotModel:
    """The robot with the masses given and no others; a body's shape and density profile stay."""
    links = []
    for link in robot.links:
        old, mass = link.inertia, masses.get(link.name, 0.0)
        if old is None or old.mass == 0:
            links.append(link)
            continue
        inertia = Inertia(mass, old.com, old.rotational * (mass / old.mass))
        links.append(replace(link, inertia=inertia))
    return replace(robot, links=tuple(links))


def main(samples: int = 16_000) -> dict[str, tuple[float, float]]:
    """Each quantity's name with its true and its found value."""
    rng = np.random.default_rng(0)
    nominal = packaged_arm()
    masses = {link.name: link.inertia.mass for link in nominal.links if link.inertia}

    # The real arm: other masses, and a longer tool mount. We only see its measurements.
    true_masses = np.array([masses[n] for n in LINKS]) * rng.uniform(0.7, 1.4, 7)
    true_length = 0.155
    text = re.sub(r'xyz="0 0 0.14"', f'xyz="0 0 {true_length}"', packaged_arm_text())
    real = with_masses(load_urdf(text), dict(zip(LINKS, true_masses, strict=True)))
    q = torch.from_numpy(real.random(rng, samples))
    v, a = (torch.from_numpy(rng.normal(0, s, (samples, real.nv))) for s in (1.0, 6.0))
    torque = ad_to_torch(InverseDynamics(real))(q, v, a)
    position = ad_to_torch(WorldPosition(real.link("tool")))(q)
    torque += TORQUE_NOISE * torch.randn(torque.shape, generator=torch.manual_seed(1))
    position += POSITION_NOISE * torch.randn(position.shape, generator=torch.manual_seed(2))

    # The model: the nominal arm, whose masses and tool length are parameters.
    m, length = ad.var("masses", 7), ad.var("length", 1)
    x = [ad.var(n, nominal.nv) for n in ("q", "v", "a")]
    unit = [InverseDynamics(with_masses(nominal, {n: 1.0})) for n in LINKS]
    tau = sum((m[i] * f(*x) for i, f in enumerate(unit)), start=ad.constant(np.zeros(7)))
    T = WorldTransform(nominal.link("link7"))(x[0])
    tool = T[9:12] + T[6:9] * length  # along the last link's z axis
    guess = torch.tensor([masses[n] for n in LINKS], dtype=torch.float64)
    dynamics = ad_to_torch(tau, ["q", "v", "a", "masses"], trainable={"masses": guess})
    kinematics = ad_to_torch(
        tool, ["q", "length"], trainable={"length": torch.tensor([0.14], dtype=torch.float64)}
    )
    model = torch.nn.ModuleList([dynamics, kinematics])
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=60, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        torques = ((dynamics(q, v, a) - torque) / TORQUE_NOISE).square().mean()
        positions = ((kinematics(q) - position) / POSITION_NOISE).square().mean()
        (torques + positions).backward()
        return torques + positions

    optimizer.step(loss)
    found = [*dynamics.masses.tolist(), *kinematics.length.tolist()]
    truth = [*true_masses.tolist(), true_length]
    rows = dict(zip([*LINKS, "tool length"], zip(truth, found, strict=True), strict=True))
    worst = 0.0
    print(f"{'':12} {'true':>8} {'found':>8} {'error':>8}")
    for name, (wanted, got) in rows.items():
        error = abs(got - wanted) / wanted
        worst = max(worst, error)
        print(f"{name:12} {wanted:8.4f} {got:8.4f} {error:8.3%}")
    if worst > 0.01:
        raise SystemExit(f"the largest error is {worst:.2%}, more than 1 %")
    return rows


if __name__ == "__main__":
    main()
