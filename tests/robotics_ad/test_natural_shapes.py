"""Functions whose result is a matrix say how it lies flat: shape, order, number of entries."""

import inspect

import numpy as np
import pytest
from ad_core_layouts import natural

import ad_core as ad
from robotics_ad import LoopConstraint, dynamics, kinematics, packaged_arm, se3, so3
from robotics_ad.multibody.function import LinkFunction, ModelFunction

ROBOT = packaged_arm()
LINK = ROBOT.link("tool")
GROUP = [
    pytest.param(getattr(module, name), id=f"{module.__name__}.{name}")
    for module in (so3, se3)
    for name in module.__all__
    if isinstance(getattr(module, name), ad.Composite)
]


def instances():
    """One object of each function of a robot or of a link that the package exports."""
    values = {"local": [0.0, 0.0, 0.1], "contacts": [dynamics.FrameContact("tool")]}
    values |= {"h": 1e-3, "length": 2}
    held = LoopConstraint("base", [0.3, 0.2, 0.4], "tool", [0.0, 0.0, 0.0], rotations="")
    for module in (kinematics, dynamics):
        for name in module.__all__:
            kind = getattr(module, name)
            if not inspect.isclass(kind) or not issubclass(kind, ModelFunction):
                continue
            parameters = list(inspect.signature(kind.__init__).parameters.values())[2:]
            needed = [p.name for p in parameters if p.default is p.empty and p.kind.value < 2]
            first = LINK if issubclass(kind, LinkFunction) else ROBOT
            options = {"loops": [held]} if name in ("ClosedConfiguration", "LoopError") else {}
            yield pytest.param(kind(first, *(values[n] for n in needed), **options), id=name)


@pytest.mark.parametrize("function", list(instances()))
def test_shapes_of_robots_functions(function):
    arguments = {name: np.full(n, 0.3) for name, n in function.arguments().items()}
    value = np.asarray(function(*arguments).eval(**arguments))
    assert value.size == function.n_out()
    shape = function.shape
    assert (function.layout is None) == (len(shape) < 2)
    assert value.ndim == min(1, len(shape))
    if function.layout is not None:
        assert function.layout.shape == shape
        assert natural(value, function.layout).shape == shape


@pytest.mark.parametrize("function", GROUP)
def test_shapes_of_group_functions(function):
    sizes = [function.n_in(i) for i in range(abs(function.n_args()))]  # -1: any number
    assert (function.layout is not None) == (function.n_out() in (9, 12, 16, 36))
    if function.layout is not None:
        assert function.layout.size == function.n_out()
        given = np.random.default_rng(0).normal(size=sum(sizes))
        parts = np.split(given, np.cumsum(sizes)[:-1]) if sizes else []
        parts = [x.tolist() if n > 1 else float(x[0]) for x, n in zip(parts, sizes, strict=True)]
        assert np.asarray(function(*parts).eval()).size == function.n_out()


def test_orders_are_those_that_numpy_users_expect():
    q = ROBOT.random(np.random.default_rng(0))
    pose = kinematics.WorldTransform(LINK)
    T = natural(pose("q").eval(q=q), pose.layout)
    np.testing.assert_array_equal(T.ravel(), se3.homogeneous(pose("q")).eval(q=q))
    turn = kinematics.WorldOrientation(LINK)
    np.testing.assert_array_equal(natural(turn("q").eval(q=q), turn.layout), T[:3, :3])
    both = kinematics.WorldTransforms(ROBOT, ["link3", "tool"])
    poses = natural(both("q").eval(q=q), both.layout)
    assert poses.shape == (2, 4, 4)
    np.testing.assert_allclose(poses[1], T, atol=1e-15)
    J = kinematics.Jacobian(LINK)
    v = np.arange(7.0)
    velocity = kinematics.WorldVelocity(LINK)("q", "v").eval(q=q, v=v)
    np.testing.assert_allclose((natural(J("q").eval(q=q), J.layout) @ v)[3:], velocity, atol=1e-14)


@pytest.mark.parametrize("name", ["left_jacobian", "right_jacobian"])
def test_jacobians_of_both_groups_lie_row_by_row(name):
    w = np.array([0.3, -0.2, 0.5])
    small = natural(getattr(so3, name)("w").eval(w=w), getattr(so3, name).layout)
    large = getattr(se3, name)("x").eval(x=[*w, 0.0, 0.0, 0.0])
    np.testing.assert_allclose(large.reshape(6, 6)[:3, :3], small, atol=1e-15)
    inverse = getattr(so3, f"{name}_inv")("w").eval(w=w).reshape(3, 3)
    np.testing.assert_allclose(small @ inverse, np.eye(3), atol=1e-14)
