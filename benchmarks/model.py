"""What a benchmark is made of: cases, contenders, limits, rows. Data only."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.robots import Robot

Arrays = tuple[NDArray[Any], ...]


@dataclass(frozen=True)
class Case:
    """The inputs of one row: every contender gets the same numbers.

    Attributes:
        robot: the model, and files that peers can read; None for rows without a robot.
        batch: samples a call.
        dtype: "float64" or "float32".
    """

    robot: Robot | None
    batch: int
    dtype: str

    @property
    def arm(self) -> Robot:
        """The robot, for rows that have one (an arm in most)."""
        if self.robot is None:
            raise ValueError("this row has no robot")
        return self.robot

    def configurations(self) -> NDArray[Any]:
        """Configurations uniform within the limits, (batch, nq), rad and m."""
        return self.arm.model.random(np.random.default_rng(1), self.batch).astype(self.dtype)

    def normal(self, size: int, seed: int) -> NDArray[Any]:
        """Standard normal numbers, (batch, size)."""
        return np.random.default_rng(seed).normal(size=(self.batch, size)).astype(self.dtype)

    def states(self) -> Arrays:
        """Configurations (batch, nq), velocities and accelerations or torques (batch, nv)."""
        nv = self.arm.model.nv
        return self.configurations(), self.normal(nv, seed=3), self.normal(nv, seed=4)

    def cotangents(self) -> NDArray[Any]:
        """Weights of the pose's 12 entries (se3 order), the same for every backward pass."""
        return self.normal(12, seed=2)


@dataclass(frozen=True)
class Work:
    """What one sample must at least do: bytes read and written, arithmetic operations."""

    bytes_read: int = 0
    bytes_written: int = 0
    operations: int = 0


@dataclass(frozen=True)
class Timed:
    """Something to time.

    Attributes:
        call: does the work; what it returns is what `values` reads.
        values: turns that into the row's common form, to compare it with ours; None: not compared.
        tolerance: largest difference from ours, relative to the largest entry (or 1).
        work: what one sample costs, for ours: the limits are made from it.
        remark: printed beside the name.
    """

    call: Callable[[], Any]
    values: Callable[[Any], Arrays] | None = None
    tolerance: float | None = None
    work: Work = Work()
    remark: str = ""


@dataclass(frozen=True)
class Contender:
    """One implementation of a workload: `prepare` builds and warms it, outside of the timing."""

    label: str
    prepare: Callable[[Case], Timed]
    needs: str | None = None
    distribution: str | None = None

    @property
    def is_present(self) -> bool:
        """Whether the library that it needs is installed."""
        return self.needs is None or find_spec(self.needs) is not None


@dataclass(frozen=True)
class Limit:
    """A bound that no implementation can beat, made from the work of ours."""

    label: str
    prepare: Callable[[Case, Work], Timed]


@dataclass(frozen=True)
class Row:
    """A workload: ours, its peers, its limits, and goals.

    Attributes:
        siblings: other programs of ours, to compare with this one; their results differ.
        goals: by label. For a peer: how many times faster ours shall be at least. For a limit: how
            many times its time ours may take at most. For a sibling: how many times the time of
            ours it may take at most.
        at_most: seconds a sample that ours shall take at most, if that is a goal.
        slow: preparing takes long, by what we or a peer compile.
    """

    name: str
    what: str
    robot: str | None
    batch: int
    dtype: str
    ours: Contender
    peers: Sequence[Contender] = ()
    limits: Sequence[Limit] = ()
    siblings: Sequence[Contender] = ()
    goals: Mapping[str, float] = field(default_factory=dict[str, float])
    at_most: float | None = None
    slow: bool = False


@dataclass(frozen=True)
class Count:
    """A row of exact numbers: SX instructions of one of our functions beside cited ones."""

    name: str
    what: str
    robot: str
    ours: Callable[[Robot], int]
    cited: Mapping[str, int]
    goal: int


@dataclass(frozen=True)
class Comparison:
    """A row of exact numbers: SX instructions of a function beside those of textbook formulas."""

    name: str
    what: str
    ours: Callable[[], int]
    formulas: Mapping[str, Callable[[], int]]


@dataclass(frozen=True)
class Measured:
    """One figure, and its bounds, if any."""

    label: str
    value: float
    unit: str
    at_most: float | None = None
    at_least: float | None = None

    @property
    def meets_goal(self) -> bool:
        """Whether the figure is within its bounds."""
        low = self.at_least is None or self.value >= self.at_least
        return low and (self.at_most is None or self.value <= self.at_most)

    def as_json(self) -> dict[str, Any]:
        """The figure as plain data."""
        return asdict(self)


@dataclass(frozen=True)
class Measurement:
    """A row of figures that are no times of contenders; `measure(quick)` takes them."""

    name: str
    what: str
    measure: Callable[[bool], Sequence[Measured]]


def contender(
    label: str, needs: str | None = None, distribution: str | None = None
) -> Callable[[Callable[[Case], Timed]], Contender]:
    """Decorator: the function prepares a contender of that label.

    needs: the module that must be importable; distribution: what to install to have it.
    """

    def make(prepare: Callable[[Case], Timed]) -> Contender:
        return Contender(label, prepare, needs, distribution or needs)

    return make
