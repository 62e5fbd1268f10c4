"""What functions of robots and of their links share: arguments and results given as data.

Arguments come in this order: the state (`q`, `v`, `a` or `tau`), then those that options add
(`local`, `forces`, `wrenches`, `gravity`); last come the `parameters` of a model that has some.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike

import ad_core as ad
from ad_core import math as adm
from ad_core.graph import Expression, MatrixLayout
from robotics_ad.arrays import Matrix, Vector, frozen
from robotics_ad.model import LinkFrame, RobotModel, checked_robot
from robotics_ad.multibody.frames import aligned, regrouped, settled
from robotics_ad.multibody.tree import Tree, kept, merged

Sizes = Mapping[str, int | str]
"""Names of arguments, each with its size: a number, or a name that `ModelFunction.sizes` knows."""

Q: Sizes = {"q": "nq"}
QV: Sizes = {**Q, "v": "nv"}
QVA: Sizes = {**QV, "a": "nv"}
QVT: Sizes = {**QV, "tau": "nv"}


class ModelFunction(ad.Composite):
    """A function of a model, with what it takes and gives as class data.

    Attributes:
        ARGUMENTS: the arguments that it always has.
        OPTIONS: arguments that follow them unless their size is 0.
        RESULT: the natural shape of the result, of numbers and names of sizes: () is a scalar,
            ("nv",) a vector, also where nv is 1, and (6, "nv") a matrix.
        ORDER: how a result that is a matrix lies flat; see `MatrixLayout`.
    """

    ARGUMENTS: ClassVar[Sizes] = Q
    OPTIONS: ClassVar[Sizes] = {}
    RESULT: tuple[int | str, ...] = ("nv",)
    ORDER: Literal["rows", "columns", "transform"] = "rows"

    def __init__(self, robot: RobotModel) -> None:
        kind = type(self).__name__
        if checked_robot(robot, kind).nv == 0:
            raise ValueError(f"{kind}: robot '{robot.name}' has no moving joint")
        self.robot = robot

    def __str__(self) -> str:
        return f"{type(self).__name__}({self.robot.name})"

    def sizes(self) -> Mapping[str, int]:
        """The sizes that names in `ARGUMENTS`, `OPTIONS` and `RESULT` stand for."""
        return {"nq": self.robot.nq, "nv": self.robot.nv}

    def arguments(self) -> Mapping[str, int]:
        """Names and sizes of all arguments, in order."""
        given = self._resolved(self.ARGUMENTS)
        return given | {name: n for name, n in self._resolved(self.OPTIONS).items() if n > 0}

    @property
    def shape(self) -> tuple[int, ...]:
        """The natural shape of the result."""
        sizes = self.sizes()
        return tuple(sizes[n] if isinstance(n, str) else n for n in self.RESULT)

    @property
    def layout(self) -> MatrixLayout | None:
        return MatrixLayout(self.shape, self.ORDER) if len(self.RESULT) > 1 else None

    def n_args(self) -> int:
        return len(self.arguments())

    def n_in(self, arg: int) -> int:
        return list(self.arguments().values())[arg]

    def argname(self, arg: int) -> str:
        return list(self.arguments())[arg]

    def n_out(self) -> int:
        return MatrixLayout(self.shape, self.ORDER).size

    def gives_scalar(self, scalars: Sequence[bool]) -> bool:
        return not self.RESULT

    def _resolved(self, names: Sizes) -> dict[str, int]:
        sizes = self.sizes()
        return {name: sizes[n] if isinstance(n, str) else n for name, n in names.items()}


class RobotFunction(ModelFunction):
    """A function of a robot's state: an expression over the robot's tree.

    With a model that `RobotModel.parametrize` made there is one more argument, `parameters`, and
    numbers of the tree are expressions of it. Subclasses give `build`.
    """

    def build(self, tree: Tree, *args: Expression) -> Expression:
        """The expression of the arguments, without `parameters`, over the tree."""
        raise NotImplementedError(f"{type(self).__name__} has no build")

    def expand(self, *args: Expression) -> Expression:
        own = args[:-1] if self.robot.parametrized else args
        return self.build(self.tree_of(args), *own)

    def tree_of(self, args: Sequence[Expression]) -> Tree:
        """The tree for all arguments."""
        return self.tree(args[-1]) if self.robot.parametrized else self.tree()

    def tree(self, parameters: Expression | None = None) -> Tree:
        """The bodies, in the frames and with the mass moments that take fewest operations."""
        if parameters is None:
            return kept(self.robot, _in_joint_space)
        return _in_joint_space(self.robot, parameters)

    def arguments(self) -> Mapping[str, int]:
        given, robot = super().arguments(), self.robot
        return {**given, "parameters": robot.n_parameters} if robot.parametrized else given

    def named(self, args: Sequence[Expression]) -> dict[str, Expression]:
        """The arguments of `build` by name."""
        return dict(zip(self.arguments(), args, strict=False))


def _in_joint_space(robot: RobotModel, parameters: Expression | None = None) -> Tree:
    return regrouped(settled(aligned(merged(robot, parameters))))


class LinkFunction(RobotFunction):
    """A function of a robot's state that belongs to one of its links.

    The tree is the chain to the link alone; a robot without moving joints has such functions, too.

    Args:
        link: the link, from `robot.link(name)`.
    """

    def __init__(self, link: LinkFrame) -> None:
        if not isinstance(link, LinkFrame):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(
                f"{type(self).__name__}: argument 'link' is a {type(link).__name__}, "
                "expected a link as robot.link(name) gives it"
            )
        self.link, self.robot = link, link.robot

    def __str__(self) -> str:
        return f"{type(self).__name__}({self.link.name})"

    def tree(self, parameters: Expression | None = None) -> Tree:
        path = merged(self.robot, parameters).path(self.link.name)
        return aligned(path, end=path.links[self.link.name][1])


class PointFunction(LinkFunction):
    """A function that belongs to a point of a link, which is constant or an expression.

    An expression becomes part of the graph: the function has one more argument, `local`, and calls
    that leave it out have this expression there.
    """

    OPTIONS: ClassVar[Sizes] = {"local": "local"}

    def __init__(self, link: LinkFrame, local: ArrayLike | Expression = (0.0, 0.0, 0.0)) -> None:
        super().__init__(link)
        self.local = three(local, f"{type(self).__name__}: argument 'local'")
        if isinstance(self.local, Expression):
            self.defaults = {"local": self.local}

    def sizes(self) -> Mapping[str, int]:
        return {**super().sizes(), "local": 3 if isinstance(self.local, Expression) else 0}

    def _turned(self, R: Matrix, args: Sequence[Expression]) -> Vector | Expression:
        """R local, for a constant rotation and the arguments of `build`."""
        if isinstance(self.local, Expression):
            local = self.named(args)["local"]
            return local if np.array_equal(R, np.eye(3)) else adm.linear(R, local)
        return R @ self.local

    def _on_body(self, tree: Tree, args: Sequence[Expression]) -> Vector | Expression:
        """The point on the body that carries the link."""
        end = tree.links[self.link.name][1]
        local = self._turned(end.R, args)
        return local + end.p


def three(value: ArrayLike | Expression, where: str) -> Vector | Expression:
    """Three numbers, or an expression of three entries.

    Raises:
        ValueError: for another size.
    """
    if not isinstance(value, Expression):
        return frozen(value, (3,), where)
    if value.size not in (None, 3):
        raise ValueError(f"{where} has size {value.size}, expected 3")
    return value
