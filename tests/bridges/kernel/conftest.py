"""An empty cache for tests that look into it, and functions of CasADi as examples."""

from __future__ import annotations

from pathlib import Path

import casadi as ca
import objects_once
import pytest


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache for one test."""
    path = tmp_path / "cache"
    monkeypatch.setenv("ROBOGRAD_CACHE", str(path))
    objects_once.install(monkeypatch)
    return path


@pytest.fixture(scope="session")
def arm() -> ca.Function:
    """Pose of the flange of a seven-joint arm (Panda's modified DH parameters, Franka's manual):
    rotation column by column, then position."""
    half = ca.pi / 2
    rows = [
        (0, 0, 0.333),
        (-half, 0, 0),
        (half, 0, 0.316),
        (half, 0.0825, 0),
        (-half, -0.0825, 0.384),
        (half, 0, 0),
        (half, 0.088, 0),
    ]
    q = ca.SX.sym("q", 7)
    rotation, position = ca.SX.eye(3), ca.SX.zeros(3)
    for i, (alpha, a, d) in enumerate(rows):
        s, c = round(float(ca.sin(alpha))), round(float(ca.cos(alpha)))
        tilt = ca.sparsify(ca.SX([[1, 0, 0], [0, c, -s], [0, s, c]]))
        position = position + rotation @ ca.sparsify(ca.SX([a, -s * d, c * d]))
        spin = ca.sparsify(ca.SX(3, 3))
        spin[0, 0], spin[0, 1] = ca.cos(q[i]), -ca.sin(q[i])
        spin[1, 0], spin[1, 1] = ca.sin(q[i]), ca.cos(q[i])
        spin[2, 2] = 1
        rotation = rotation @ (tilt @ spin)
    position = position + rotation[:, 2] * 0.107
    pose = ca.vertcat(ca.vec(rotation), position)
    return ca.Function("arm", [q], [pose], ["q"], ["pose"])


@pytest.fixture(scope="session")
def all_operations() -> ca.Function:
    """Every operation of SX, on two numbers and on one between -1 and 1."""
    x, y, s = ca.SX.sym("x"), ca.SX.sym("y"), ca.SX.sym("s")
    outputs = [
        *(x + y, x - y, x * y, x / y, -x, 1 / x, x**2, 2 * x, ca.fmin(x, y), ca.fmax(x, y)),
        *(x < y, x <= y, ca.if_else(x == y, s, x), ca.if_else(x != y, s, y)),
        *(ca.logic_not(x), ca.logic_and(x, y), ca.logic_or(x < 0, y), ca.copysign(x, y)),
        *(ca.fmod(x, y), ca.remainder(x, y), ca.sin(x), ca.cos(x), ca.tan(x), ca.cos(y)),
        *(ca.asin(s), ca.acos(s), ca.atan(x), ca.atan2(x, y), ca.sinh(x), ca.cosh(x), ca.tanh(x)),
        *(ca.asinh(x), ca.acosh(1 + x * x), ca.atanh(s), ca.exp(x), ca.log(x * x), ca.expm1(x)),
        *(ca.log1p(x * x), ca.fabs(x) ** y, ca.hypot(x, y), ca.erf(x), ca.erfinv(s)),
        *(ca.sqrt(ca.fabs(y)), ca.fabs(x), ca.sign(x), ca.floor(x), ca.ceil(x)),
    ]
    return ca.Function("f", [x, y, s], [ca.vertcat(*outputs), ca.vertcat(0, x)])
