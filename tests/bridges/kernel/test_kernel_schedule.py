"""Orders of programs: operands first, each instruction once, few values in memory."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from robot_files import urdf_path

from bridges.casadi import ad_to_casadi
from bridges.kernel import casadi_to_kernel
from bridges.native.program import Instruction, schedule_program
from bridges.native.schedule import Timing, depth_first, overlapped, spills
from robotics_ad import load_urdf
from robotics_ad.dynamics import InverseDynamics

Operands = list[list[int]]


def random_operands(seed: int, count: int = 300) -> Operands:
    rng = np.random.default_rng(seed)
    return [
        sorted(set(rng.integers(max(0, k - 40), k, min(k, 2)).tolist())) if k else []
        for k in range(count)
    ]


def check(order: list[int], operands: Operands, roots: list[int]) -> None:
    """What `roots` need is there once, and each instruction after its operands; nothing else is."""
    place = {k: at for at, k in enumerate(order)}
    assert len(place) == len(order)
    needed: set[int] = set()
    stack = list(roots)
    while stack:
        k = stack.pop()
        if k not in needed:
            needed.add(k)
            stack.extend(operands[k])
    assert set(place) == needed
    for k in order:
        assert all(place[a] < place[k] for a in operands[k])


@pytest.mark.parametrize("seed", range(8))
def test_orders_keep_operands_first(seed: int) -> None:
    operands = random_operands(seed)
    rng = np.random.default_rng(seed)
    roots = [299, 150, 299, 7]
    check(depth_first(operands, roots), operands, roots)
    widths = rng.integers(0, 4, 300)
    for k, args in enumerate(operands):  # what takes no instruction reads nothing
        if args:
            widths[k] = max(widths[k], 1)
    timings = [Timing(int(4 * w), int(w)) for w in widths]
    for registers in (0, 3, 30, 1000):
        check(overlapped(operands, roots, timings, registers), operands, roots)


def test_independent_chains_are_woven() -> None:
    """Two chains of sums: one after the other they wait at every step, in turn at none."""
    length = 20
    operands: Operands = []
    for k in range(2 * length):
        operands.append([k - 1] if k % length else [])
    operands.append([length - 1, 2 * length - 1])
    timings = [Timing(4, 1)] * len(operands)
    root = [2 * length]
    chains = [k // length for k in overlapped(operands, root, timings, 30)[:-1]]
    assert chains == [0, 1] * length
    walked = [k // length for k in depth_first(operands, root)[:-1]]
    assert len(list(itertools.groupby(walked))) == 2


def test_pressure_comes_before_urgency() -> None:
    """Sums of pairs: with registers for few values, pairs are added before others are loaded."""
    pairs = 30
    operands: Operands = [[] for _ in range(2 * pairs)]
    operands += [[2 * i, 2 * i + 1] for i in range(pairs)]
    for i in range(pairs - 1):  # one sum of all
        operands.append([2 * pairs if i == 0 else len(operands) - 1, 2 * pairs + i + 1])
    timings = [Timing(4, 1)] * len(operands)
    root = [len(operands) - 1]
    narrow = overlapped(operands, root, timings, 4)
    wide = overlapped(operands, root, timings, 1000)
    assert spills(operands, narrow, 6) == 0
    assert spills(operands, wide, 6) > 40


def test_spills_are_counted() -> None:
    """Of three values two fit: the last goes to memory once and comes back for each of its uses."""
    operands: Operands = [[], [], [], [0], [1], [2], [0, 1], [2]]
    order = list(range(8))
    assert spills(operands, order, 3) == 0
    assert spills(operands, order, 2) == 3
    assert spills([[], [0], [1], [2]], [0, 1, 2, 3], 1) == 0


def test_inverse_dynamics_needs_little_memory() -> None:
    """For 607 operations with up to 95 values alive, 108 moves between registers and memory."""
    robot = load_urdf(urdf_path("panda_description/urdf/panda.urdf"))
    robot = robot.lock_joints({"panda_finger_joint1": 0.0})
    program = casadi_to_kernel(ad_to_casadi(InverseDynamics(robot), symbolic="SX")).program
    instructions = program.instructions
    held = [
        [a for a in i.args if instructions[a].op != "constant"]
        if i.op not in ("input", "constant")
        else []
        for i in instructions
    ]
    assert spills(held, range(len(held)), 30) <= 115
    functions = [at for at, i in enumerate(instructions) if i.op in ("sin", "cos")]
    first = next(at for at, i in enumerate(instructions) if i.op == "mul")
    assert sum(at < first for at in functions) >= 8


def test_order_does_not_depend_on_names_of_instructions() -> None:
    """The same program gives the same order each time: libraries are found by their text."""
    chain = [Instruction("input", (0, i)) for i in range(4)]
    chain += [Instruction("mul", (i, (i + 1) % 4)) for i in range(4)]
    chain += [Instruction("add", (4, 5)), Instruction("add", (6, 7)), Instruction("add", (8, 9))]
    orders = {schedule_program((4,), list(chain), ((10,),)) for _ in range(3)}
    assert len(orders) == 1
