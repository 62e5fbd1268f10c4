"""CasADi: one call of the same function at a time, from Python."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.model import Arrays, Case, Timed, contender
from benchmarks.ours import pose
from bridges.casadi import ad_to_casadi


@contender("casadi.Function", "casadi")
def fk(case: Case) -> Timed:
    """Pose of the tip as `function(q)`, a numpy array in and a casadi.DM out."""
    function = ad_to_casadi(pose(case.arm))
    q = case.configurations()[0]
    return Timed(lambda: function(q), _row, tolerance=1e-12)


@contender("casadi.Function, buffers", "casadi")
def fk_buffers(case: Case) -> Timed:
    """The same on memory that was bound beforehand, without conversions: its fastest way."""
    function = ad_to_casadi(pose(case.arm))
    q, out = np.ascontiguousarray(case.configurations()[0]), np.zeros(12)
    buffer, trigger = function.buffer()
    buffer.set_arg(0, memoryview(q))
    buffer.set_res(0, memoryview(out))
    kept = (buffer, q)  # the trigger does not own them

    def values(_: Any) -> Arrays:
        assert kept
        return (out.reshape(1, -1),)

    return Timed(trigger, values, tolerance=1e-12)


def _row(y: Any) -> Arrays:
    return (np.asarray(y).reshape(1, -1),)
