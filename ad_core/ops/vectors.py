"""Vectors: products, lengths, distances and directions, as compositions of primitives."""

from __future__ import annotations

from collections.abc import Sequence

from ad_core.graph.errors import wrong_size
from ad_core.graph.nodes import Expression
from ad_core.ops.control import cond
from ad_core.ops.elementwise import equal, sqrt
from ad_core.ops.primitive import Composite, Size, composite
from ad_core.ops.structure import Take, total


class OfVectors(Composite):
    """A scalar of one or two vectors; two vectors have one common size."""

    def __init__(self, name: str, count: int) -> None:
        self._name, self._count = name, count

    def __str__(self) -> str:
        return self._name

    def __reduce__(self) -> str:
        return self._name

    def n_args(self) -> int:
        return self._count

    def n_out(self) -> int:
        return 1

    def argname(self, arg: int) -> str:
        return "xy"[arg]

    def call_size(self, sizes: tuple[Size, ...]) -> Size:
        super().call_size(sizes)
        known = [s for s in sizes if s is not None]
        if len(known) == 2 and known[0] != known[1]:
            raise wrong_size(str(self), "y", known[1], known[0])
        return 1


class _Dot(OfVectors):
    """`x . y = sum_i x_i y_i`, a scalar."""

    def expand(self, *args: Expression) -> Expression:
        return total(args[0] * args[1])


class _NormSquared(OfVectors):
    """`|x|^2 = sum_i x_i^2`, a scalar."""

    def expand(self, *args: Expression) -> Expression:
        return total(args[0] * args[0])


class _Length(OfVectors):
    """`|x| = sqrt(sum_i x_i^2)`, a scalar.

    At x = 0, where it has no derivative, its derivatives are taken as 0. The squares of entries
    beyond about 1e154 overflow and of those below 1e-162 vanish, as in `numpy.linalg.norm`.
    """

    def expand(self, *args: Expression) -> Expression:
        squared = total(args[0] * args[0])
        vanishes = equal(squared, 0.0)  # asked for thus, a nan goes on
        return cond(vanishes, 0.0, sqrt(cond(vanishes, 1.0, squared)))


class _Distance(OfVectors):
    """`|x - y|`, a scalar; its derivatives are taken as 0 at x = y."""

    def expand(self, *args: Expression) -> Expression:
        return norm(args[0] - args[1])


class _DistanceSquared(OfVectors):
    """`|x - y|^2`, a scalar."""

    def expand(self, *args: Expression) -> Expression:
        return normSquared(args[0] - args[1])


class _Unit(Composite):
    """`x / |x|`, of the size of x. At x = 0 the value and all derivatives are taken as 0."""

    def __str__(self) -> str:
        return "unit"

    def __reduce__(self) -> str:
        return "unit"

    def n_args(self) -> int:
        return 1

    def argname(self, arg: int) -> str:
        return "x"

    def call_size(self, sizes: tuple[Size, ...]) -> Size:
        super().call_size(sizes)
        return sizes[0]

    def expand(self, *args: Expression) -> Expression:
        (x,) = args
        squared = total(x * x)
        vanishes = equal(squared, 0.0)  # asked for thus, a nan goes on
        return cond(vanishes, 0.0, x) / sqrt(cond(vanishes, 1.0, squared))


class _Interpolate(Composite):
    """`(1 - u) a + u b` of two vectors, or scalars, of one size and a scalar u."""

    def __str__(self) -> str:
        return "interpolate"

    def __reduce__(self) -> str:
        return "interpolate"

    def n_args(self) -> int:
        return 3

    def argname(self, arg: int) -> str:
        return "abu"[arg]

    def n_in(self, arg: int) -> int:
        return 1 if arg == 2 else -1

    def gives_scalar(self, scalars: Sequence[bool]) -> bool:
        return all(scalars)

    def call_size(self, sizes: tuple[Size, ...]) -> Size:
        super().call_size(sizes)
        a, b, _ = sizes
        if a is not None and b is not None and a != b:
            raise wrong_size("interpolate", "b", b, a)
        return b if a is None else a

    def expand(self, *args: Expression) -> Expression:
        a, b, u = args
        return (1.0 - u) * a + u * b


dot = _Dot("dot", 2)
norm = _Length("norm", 1)
normSquared = _NormSquared("normSquared", 1)
distance = _Distance("distance", 2)
distanceSquared = _DistanceSquared("distanceSquared", 2)
unit = _Unit()
interpolate = _Interpolate()


@composite("cross", n_in=(3, 3), n_out=3, argnames=("x", "y"))
def cross(x: Expression, y: Expression) -> Expression:
    """`x cross y` of two 3-vectors."""
    ahead, behind = Take((1, 2, 0)), Take((2, 0, 1))
    return ahead(x) * behind(y) - behind(x) * ahead(y)
