"""Find what an arm holds, its mass, centre and inertia, from noisy torques of short motions.

Twice: by linear least squares on the regressor of inverse dynamics, which may find numbers that no
body can have; and over log-Cholesky parameters, all of which are a body's, by Gauss and Newton's
method.

Run: python examples/24_payload.py
"""

import numpy as np

from robotics_ad import Inertia, packaged_arm
from robotics_ad.dynamics import InverseDynamics, InverseDynamicsRegressor
from robotics_ad.model import from_log_cholesky, inertia_from_ten_numbers, log_cholesky, ten_numbers

NOISE = 0.05  # N m
BOX = Inertia(1.4, [0.02, -0.03, 0.08], np.diag([6.1e-3, 5.2e-3, 2.6e-3]))


def main(samples: int = 60) -> tuple[Inertia, Inertia]:
    """The payload found by either way."""
    arm, rng = packaged_arm(), np.random.default_rng(0)
    loaded = arm.parametrize(["tool.moments"]).with_parameters(ten_numbers(BOX))
    q, v, a = arm.random(rng, samples), *rng.normal(size=(2, samples, arm.nv))
    state = {"q": q, "v": v, "a": 3.0 * a}
    torque = InverseDynamics(loaded)("q", "v", "a").eval_batch(**state)
    torque += NOISE * rng.normal(size=torque.shape)

    # tau = (the arm's own torques) + Y pi
    own = InverseDynamics(arm)("q", "v", "a").eval_batch(**state)
    regressor = InverseDynamicsRegressor(arm, [arm.link("tool")])("q", "v", "a")
    Y = regressor.eval_batch(**state).reshape(-1, 10)
    numbers = np.linalg.lstsq(Y, (torque - own).reshape(-1), rcond=None)[0]
    linear = inertia_from_ten_numbers(numbers)

    # theta <- theta + argmin_d |r - J d|^2 + |d|^2 / 100, from a ball of 1 kg
    model = InverseDynamics(arm.parametrize(["tool.log_cholesky"]))("q", "v", "a", "parameters")
    theta = log_cholesky(Inertia(1.0, np.zeros(3), 2e-3 * np.eye(3)))
    for _ in range(30):
        residual = (torque - model.eval_batch(parameters=theta, **state)).reshape(-1)
        J = model.derivative_batch("parameters", parameters=theta, **state).reshape(-1, 10)
        step = np.linalg.solve(J.T @ J + 0.01 * NOISE**2 * np.eye(10), J.T @ residual)
        theta = theta + step / max(1.0, float(np.abs(step).max()))
    body = from_log_cholesky(theta)

    rows = (("true", BOX), ("linear", linear), ("log-Cholesky", body))
    print(f"{'':12} {'mass':>6} {'centre of mass':>22} {'principal moments, g m^2':>26} a body?")
    for name, found in rows:
        com = " ".join(f"{x:7.4f}" for x in found.com)
        moments = " ".join(f"{1e3 * x:8.3f}" for x in np.linalg.eigvalsh(found.rotational))
        print(f"{name:12} {found.mass:6.3f} {com} {moments} {found.is_consistent()!s:>6}")
    return linear, body


if __name__ == "__main__":
    main()
