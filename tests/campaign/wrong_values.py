"""Values of wrong kinds, drawn at random, and right ones by the names of arguments."""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable
from typing import Any

import casadi
import numpy as np
import torch

import ad_core as ad
from ad_core import math as adm
from robotics_ad import Inertia, Joint, Link, Mimic, dynamics, packaged_arm

Rng = np.random.Generator

ROBOT = packaged_arm()
LINK = ROBOT.link("tool")
E = adm.sin(ad.var("x", 3)) * ad.var("y", 1)

_PLAIN: list[Any] = [
    None, True, False, 0, 1, -1, 3, 7, 2**31, 10**400, 0.0, 1.5, -2.0, math.nan, math.inf, 1 + 2j,
    "", "x", "tool", "joint1", "nan", "1.0", "*.mass", "a" * 3000, "\0", b"x", b"", (), [], {},
    set(), frozenset([1]), range(3), slice(1), Ellipsis, NotImplemented, object(), int, Inertia,
    math, len, datetime.date(2020, 1, 1), datetime.timedelta(1), [None], [[1.0]], [[]], ["x"],
    ("tool",), {"a": 1}, {"x": None}, {1: 2}, {"x": [1.0, 2.0, 3.0]}, Ellipsis,
]  # fmt: skip
_DTYPES = ("f8", "f4", "f2", "i8", "u1", "?", "c16", "M8[D]", "m8[s]", "U3", "S2", "O")
_MADE: list[Callable[[Rng], Any]] = [
    lambda rng: np.zeros(rng.integers(0, 4, rng.integers(4)).tolist(), rng.choice(_DTYPES)),
    lambda rng: rng.normal(size=rng.integers(8)),
    lambda rng: np.ma.masked_array(np.ones(3), [True, False, False]),
    lambda rng: rng.normal(size=3).tolist(),
    lambda rng: torch.ones(int(rng.integers(4)), requires_grad=bool(rng.random() < 0.5)),
    lambda rng: torch.nn.Linear(2, 2),
    lambda rng: casadi.SX.sym("s", 2),
    lambda rng: casadi.MX.sym("m", 2),
    lambda rng: casadi.DM([1.0, 2.0]),
    lambda rng: ad.var("p", int(rng.integers(5))),
    lambda rng: ad.var("p"),
    lambda rng: E,
    lambda rng: adm.sin,
    lambda rng: lambda *_: 0,
    lambda rng: (value for value in (1.0, 2.0)),
    lambda rng: ROBOT,
    lambda rng: LINK,
    lambda rng: ROBOT.joint("joint1"),
    lambda rng: dynamics.PointContact(LINK),
    lambda rng: Mimic("joint1"),
    lambda rng: [wrong(rng) for _ in range(rng.integers(1, 4))],
    lambda rng: {"x": wrong(rng), "y": wrong(rng)},
]


def wrong(rng: Rng) -> Any:
    """Anything; it may be right by chance."""
    if rng.random() < 0.5:
        return _PLAIN[int(rng.integers(len(_PLAIN)))]
    return _MADE[int(rng.integers(len(_MADE)))](rng)


# By the name of an argument; where several things are right, one of each kind.
GOOD: dict[str, list[Any]] = {
    "robot": [ROBOT],
    "link": [LINK, "tool"],
    "local": [[0.0, 0.0, 0.1]],
    "contacts": [[dynamics.PointContact(LINK)]],
    "names": [["tool.mass"], ("x",)],
    "name": ["tool", "joint1", "x"],
    "frame": ["world", "local"],
    "expr": [E],
    "func": [E, adm.sin(ad.var("x", 2))],
    "terminals": [["x", "y"], None],
    "sizes": [{"y": 1}, None],
    "dtype": ["float32"],
    "engine": ["torch", "auto"],
    "path": ["saved"],
    "source": ["<robot name='r'><link name='a'/></robot>", "<mujoco/>"],
    "q": [ROBOT.neutral()],
    "q0": [ROBOT.neutral()],
    "q1": [ROBOT.neutral()],
    "v": [np.zeros(ROBOT.nv)],
    "mass": [1.0],
    "com": [[0.0, 0.0, 0.0]],
    "links": [[Link("a"), Link("b")]],
    "joints": [[Joint("j", "revolute", "a", "b")]],
    "kind": ["revolute", "vjp"],
    "parent": ["a"],
    "child": ["b"],
    "rng": [np.random.default_rng(0)],
    "wrt": ["x", [0], None],
    "shape": [(1, 3), (3, 1)],
    "module": [torch.nn.Linear(2, 2)],
    "f": [adm.sin, lambda x: x],
}


def good(name: str, rng: Rng) -> Any:
    """What an argument of this name takes; an expression or numbers where nothing is known."""
    known = GOOD.get(name) or [ad.var("p", 3), np.ones(3), 2.0]
    return known[int(rng.integers(len(known)))]
