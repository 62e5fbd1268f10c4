"""Every public callable, tried with wrong kinds of each argument: errors in our words, or none.

Callables are those of each public package's `__all__`, and the methods of the objects in `OBJECTS`.
Each is called with right arguments (`RIGHT`) but for one, which is in turn each of `WRONG`. It may
work, or raise an error whose message names the function or the argument.
"""

import datetime
import importlib.util
import inspect
import re
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import casadi
import numpy as np
import pinocchio
import pytest
import torch

import ad_core as ad
import robotics_ad
from ad_core import math as adm
from bridges import casadi as casadi_bridge
from bridges import kernel, pytorch
from bridges.kernel import ad_to_kernel
from bridges.pytorch import ad_to_torch
from robotics_ad import (
    dynamics,
    geometry,
    interop,
    inverse_kinematics,
    kinematics,
    load,
    log_cholesky,
    model,
    packaged_arm,
    se3,
    so3,
    trajectory,
)
from robotics_ad.data import packaged_arm_text

MODULES = {
    "ad": ad,
    "adm": adm,
    "kernel": kernel,
    "casadi": casadi_bridge,
    "pytorch": pytorch,
    "so3": so3,
    "se3": se3,
    "robotics": robotics_ad,
    "load": load,
    "interop": interop,
    "log_cholesky": log_cholesky,
    "kinematics": kinematics,
    "dynamics": dynamics,
    "trajectory": trajectory,
    "geometry": geometry,
    "inverse_kinematics": inverse_kinematics,
}


def numbers() -> Iterator[int]:
    yield from (1, 2)


def nothing() -> None:
    """A function of no arguments."""


WRONG: dict[str, Callable[[], object]] = {
    "None": lambda: None,
    "negative": lambda: -2,
    "fraction": lambda: 1.5,
    "text": lambda: "x y",
    "bytes": lambda: b"x",
    "complex": lambda: 1 + 2j,
    "dict": lambda: {"a": 1},
    "generator": numbers,
    "object": object,
    "texts": lambda: ["a", "b"],
    "nones": lambda: [None],
    "array": lambda: np.full((2, 5), np.nan),
    "tensor": lambda: torch.ones(2, requires_grad=True),
    "symbol": lambda: casadi.SX.sym("s"),
    "masked": lambda: np.ma.masked_array(np.ones(7), [True] + [False] * 6),
    "date": lambda: datetime.date(2020, 1, 1),
    "function": lambda: nothing,
}

ROBOT = packaged_arm()
LINK = ROBOT.link("tool")
VARIED = ROBOT.parametrize(["link7.com"])
X = ad.var("x", 3)
E = X * adm.sin(X)
KERNEL = ad_to_kernel(E)
LAYER = ad_to_torch(E)
BODY = model.Inertia(1.0, [0.0, 0.0, 0.1], 0.1 * np.eye(3))
JOINT = ROBOT.joints[0]
Q = ROBOT.neutral()
POINT = np.array([0.1, 0.2, 0.3])
CASADI = casadi.Function("f", [casadi.SX.sym("x", 3)], [casadi.SX.zeros(2)])
SQUARE = np.eye(3)
CURVE = trajectory.PiecewiseLinear(3, 2)

PIN = model.LoopConstraint("base", POINT, "tool", POINT, rotations="")
SPHERE = model.Sphere(0.1)
BALLS = {name: [model.PlacedShape(SPHERE)] for name in ("base", "tool")}
PAIRED = ("PairDistance", "PairDistanceSquared", "PairClosest", "SmoothPairDistance")
DISTANCES = ("CollisionDistances", "SelfCollision", "SweptClearance")

STEPS = casadi_bridge.Phase(3, {"x": X * 0.5})
SOLVER = casadi_bridge.ControlProblem(STEPS).solver()

BODIES = "".join(f"<body><joint name='j{k}'/><geom size='1'/></body>" for k in range(7))
MJCF = f"<mujoco><worldbody>{BODIES}</worldbody></mujoco>"
SCENE = load.read_mjcf(MJCF)
STILL = model.RobotModel("still", [model.Link("base")], [])

MESH = model.TriangleMesh(np.eye(3), [[0, 1, 2]])
SHAPED = load.load_urdf(
    "<robot name='r'><link name='a'><collision><geometry><box size='1 1 1'/></geometry></collision>"
    "</link></robot>",
    geometry=True,
)

OBJECTS: dict[str, Any] = {
    "Srdf": load.load_srdf("<robot name='r'/>"),
    "Expression": E,
    "Kernel": KERNEL,
    "ADModule": LAYER,
    "RobotModel": VARIED,
    "Inertia": BODY,
    "KinematicsBuilder": kinematics.KinematicsBuilder(ROBOT, "q", "v", "a"),
    "Order": interop.Order(ROBOT, "mujoco", [], 7, 7),
    "MujocoOrder": SCENE.order,
    "Mjcf": SCENE,
    "LinkFrame": LINK,
}

# Right arguments by the parameter's name, or by `callable.parameter` where that is another.
RIGHT: dict[str, Any] = {
    "A": SQUARE, "a": POINT, "arg": "x", "args": [X], "argnames": "x", "b": POINT,
    "contacts": [dynamics.PointContact(LINK)], "cotangent": POINT, "e": X[0] * X[1],
    "h": 1e-3, "length": 3, "Ball.link": "link1",
    "first": dynamics.Ball("link1"), "second": dynamics.Ball("link2"),
    "ball": dynamics.Ball("link1"),
    "exprs": [E, X], "f": E, "func": E, "function": CASADI, "hx": 1e-3, "index": 0,
    "link1": "link1", "link2": "link2",
    "inertia": BODY, "joint": "joint1", "link": LINK, "local": POINT, "m": 3, "n": 3,
    "module": torch.nn.Linear(3, 2), "name": "name", "path": "saved.kernel", "policy": "warn",
    "positions": {"joint1": 0.1}, "q": Q, "q0": Q, "q1": Q, "rng": np.random.default_rng(0),
    "robot": ROBOT, "shape_a": (3, 3), "shape_b": (3, 1), "source": packaged_arm_text(),
    "fit_spheres.tolerance": 0.2,
    "tangents": {"x": POINT}, "theta": np.zeros(10), "tip": "tool", "u": 0.5, "v": Q,
    "value": 1.0, "values": POINT, "x": POINT, "y": POINT, "mass": 1.0, "parent": "base",
    "child": "tool", "links": ROBOT.links, "joints": ROBOT.joints, "inputs": POINT,
    "world": POINT, "ADFunctionCall.func": adm.sin,
    "check_derivatives.x": {"x": POINT}, "curl.e": E, "divergence.e": E,
    "finite_differences.f": np.sin, "finite_differences_hessian.f": np.sin,
    "finite_differences_hessian.h": 1e-3, "finite_differences_hessian2.f": np.add,
    "function.func": np.sin, "function.argspec": [3], "setitem.v": 0.1,
    "ShapedDot.shape1": (3, 3), "matmul.a": SQUARE.ravel(), "matmul.b": POINT,
    "solve.a": SQUARE.ravel(), "solve_spd.a": SQUARE.ravel(), "transpose.a": SQUARE.ravel(),
    "Joint.name": "joint", "Joint.kind": "revolute", "load_mjcf.source": MJCF,
    "read_mjcf.source": MJCF, "mujoco_order.robot": SCENE.robot,
    "mujoco_order.model": SCENE.model, "to_a.a": Q, "from_a.qacc": Q, "from_force.qfrc": Q,
    "from_mass_matrix.qM": np.eye(7), "pinocchio_order.model": pinocchio.Model(),
    "pinocchio_order.robot": STILL, "joint.name": "joint1", "link.name": "tool",
    "parametrize.names": ["link1.mass"], "Expression.sparsity.sizes": 3,
    "load.path": "folder/saved.kernel",
    "package_path.address": "package://folder/saved.kernel",
    "package_path.package_dirs": ["folder"], "replace.replacements": POINT,
    "forward.args": torch.ones(3), "geodesic_mean.x": SQUARE.ravel(),
    "geodesic_mean.y": SQUARE.ravel(), "to_klampt.T": [*SQUARE.ravel(), *POINT],
    "from_klampt.T": (SQUARE.ravel(), POINT), "space": 3, "points": 5, "degree": 3,
    "geodesic": "so3", "n_or_robot": 3, "curve": CURVE, "PathLimits.path": CURVE,
    "PathLimits.grid": POINT, "PathTimes.grid": POINT,
    "times": POINT, "waypoints": SQUARE,
    "PathLimits.velocity": 1.0,
    "TrajectoryEval.traj": SimpleNamespace(times=POINT, milestones=SQUARE),
    "Trajectory.ts": POINT, "Trajectory.xs": SQUARE.ravel(), "Trajectory.t": 0.2,
    "grid": geometry.DistanceGrid(np.ones((2, 2, 2)), POINT, POINT + 1.0),
    "DistanceGrid.values": np.ones((4, 4, 4)), "lower": POINT, "upper": POINT + 1.0,
    "table": POINT, "error": 0.1, "bmin": POINT, "bmax": POINT + 1.0,
    **{f"{f}.{x}": SPHERE for x in "ab" for f in PAIRED},
    **dict.fromkeys((f"{f}.shapes" for f in DISTANCES), BALLS),
    "step": X * 0.5, "init": {"x": POINT}, "scan.inputs": None,
    "ik": robotics_ad.InverseKinematics(ROBOT, "tool"), "targets": "tool",
    "residual": X - 0.5, "guess": {"x": POINT},
    "load_xacro.source": "robot.xacro", "expand_xacro.source": "robot.xacro",
    "mounted_on.prefix": "b_", "kinematics.base_parameters.robot": VARIED,
    "kinematics.base_parameters.link": "tool",
    "link_a": "link1", "link_b": "tool", "frame_a": POINT, "frame_b": POINT,
    "LoopError.loops": [PIN], "ClosedConfiguration.loops": [PIN],
    "Constraint.value": X, "nodes": 3, "dynamics": {"x": X * 0.5}, "phases": STEPS,
    "solver": SOLVER,
    "load_srdf.source": "<robot name='r'/>", "geom": MESH, "geom1": MESH, "geom2": MESH,
    "geometries": [MESH, MESH], "read_mesh.mesh": model.Mesh("mesh.obj"),
}  # fmt: skip
# Records that functions of the packages make, with what only these know; what Python calls through
# torch and kernels, unchecked for the sake of time.
SKIPPED = {
    "ControlResult",
    "ControlSolver",
    "Curve",
    "Solution",
    "Solutions",
    "ADModule",
    "BaseParameters",
    "Fit",
    "Srdf",
    "JointType",
    "Kernel",
    "LinkFrame",
    "Mjcf",
    "MujocoOrder",
    "Order",
    "ParameterKind",
    "call_torch",
    "on_gpu",
    "run_arrays",
    "transformed",
}
if importlib.util.find_spec("xacro") is None:
    SKIPPED |= {"load_xacro", "expand_xacro"}
# Words by which messages name an argument, where they do not say its name.
NAMED: dict[str, str] = {
    "arg": "variable",
    "address": "package",
    "args": "variable name input expression argument",
    "derivatives": "derivative",
    "argspec": "size",
    "exprs": "expression variable",
    "hx": "step",
    "hy": "step",
    "named": "'x'",
    "names": "parameter",
    "outspec": "size",
    "replacements": "'x'",
    "func": "expression",
    "inputs": "'x'",
    "links": "link",
    "n_in": "size",
    "sizes": "size variable",
    "source": "XML",
    "tangents": "variable",
    "tip": "link",
    "trainable": "variable",
    "world": "'p' so3.apply_inv se3.apply",
    "values": "'x' parameters",
}
# What Python, numpy, CasADi and torch say where nobody looked at the argument.
RAW = (
    "object is not", "unpack", "subscript", "not supported between", "ambiguous", "ufunc",
    "has no attribute", "must be real", "could not convert", "unhashable", "is not iterable",
    "required, not", "'NoneType'", "dictionary update", "<locals>", "inhomogeneous", "broadcast",
    "Wrong number or type", "os.PathLike object", "positional argument", "SwigPy", "setting an",
)  # fmt: skip
ALLOWED = (TypeError, ValueError, KeyError, NotImplementedError, IndexError)


def callables() -> Iterator[tuple[str, Callable[..., Any]]]:
    """Each public callable once, by a name that tells where it is."""
    seen: set[int] = set()
    for title, module in MODULES.items():
        for name in module.__all__:
            function = getattr(module, name)
            if callable(function) and name not in SKIPPED and id(function) not in seen:
                seen.add(id(function))
                yield f"{title}.{name}", function
    for title, thing in OBJECTS.items():
        for name in dir(type(thing)):
            method = getattr(type(thing), name)
            ours = str(getattr(method, "__module__", "")).partition(".")[0]
            public = not name.startswith("_") and name not in SKIPPED
            if public and inspect.isfunction(method) and ours in PACKAGES:
                yield f"{title}.{name}", getattr(thing, name)
        if not isinstance(thing, ad.Expression) and "__call__" in vars(type(thing)):
            yield f"{title}.__call__", thing


PACKAGES = ("ad_core", "bridges", "robotics_ad")
CALLABLES = dict(callables())


def parameters_of(name: str, function: Callable[..., Any]) -> list[inspect.Parameter]:
    """The parameters of a callable; those of functions of the graph have no default."""
    if isinstance(function, ad.ADFunctionInterface):
        count = function.n_args()
        names = [function.argname(i) for i in range(count)] if count >= 0 else ["x", "y"]
        return [inspect.Parameter(n, inspect.Parameter.POSITIONAL_ONLY) for n in names]
    return list(inspect.signature(function).parameters.values())


def right(name: str, function: Callable[..., Any], parameter: inspect.Parameter, at: int) -> Any:
    """A right argument."""
    own = f"{name.partition('.')[2]}.{parameter.name}"
    if f"{name}.{parameter.name}" in RIGHT or own in RIGHT:
        return RIGHT.get(f"{name}.{parameter.name}", RIGHT.get(own))
    if isinstance(function, ad.ADFunctionInterface):
        size = function.n_in(at) if function.n_args() >= 0 else 3
        return 0.3 if size == 1 else np.linspace(0.1, 0.4, 3 if size < 0 else size)
    return RIGHT[parameter.name]


def called(name: str, wrong: str | None = None, value: object = None) -> Any:
    """The result for right arguments, or with `value` for one of them."""
    function, own = CALLABLES[name], name.partition(".")[2]
    positional: list[Any] = []
    named: dict[str, Any] = {}
    parameters = parameters_of(name, function)
    kinds = {p.kind for p in parameters}
    by_name = any(p.name == wrong and p.kind is p.VAR_KEYWORD for p in parameters)
    for at, parameter in enumerate(parameters):
        kind = parameter.kind
        if parameter.name == wrong:
            given = value
        elif kind is parameter.VAR_POSITIONAL and by_name:
            continue  # what is given by name is not given by position
        elif kind is parameter.VAR_KEYWORD and parameter.VAR_POSITIONAL in kinds:
            continue
        elif parameter.default is parameter.empty or f"{own}.{parameter.name}" in RIGHT:
            given = right(name, function, parameter, at)
        else:
            continue
        if kind is parameter.VAR_KEYWORD:
            named["x"] = given
        elif kind in (parameter.POSITIONAL_ONLY, parameter.VAR_POSITIONAL):
            positional.append(given)
        else:
            named[parameter.name] = given
    result = function(*positional, **named)
    if hasattr(result, "__enter__"):
        with result:
            pass
    return result


def is_right(parameter: str, kind: str) -> bool:
    """Whether this is a right kind after all: what it does then is its own affair."""
    return (parameter, kind) in {
        *((p, "function") for p in ("compile", "f", "func", "module", "progress")),
        *(("args", k) for k in ("generator", "array")),  # two arguments: what takes one says so
        ("options", "dict"),  # which options there are is CasADi's affair
    }


def fault(name: str, parameter: str, value: object) -> str | None:
    """What is wrong with the answer to a wrong argument, if anything is."""
    try:
        called(name, parameter, value)
    except OSError:
        return None  # it names the file
    except AssertionError as error:
        return None if "check_derivatives" in name else f"AssertionError: {error}"
    except ALLOWED as error:
        message = str(error)
        words = {
            str(CALLABLES[name]),
            getattr(CALLABLES[name], "__name__", parameter),
            parameter,
            name.rpartition(".")[2].strip("_"),
            *NAMED.get(parameter, "").split(),
        }
        if any(raw in message for raw in RAW) or not re.search(
            "|".join(map(re.escape, words)), message, re.IGNORECASE
        ):
            return f"{type(error).__name__}: {message}"
    except Exception as error:  # every other kind is a fault
        return f"{type(error).__name__}: {error}"
    return None


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a file to read, where files may be written."""
    path = tmp_path_factory.mktemp("files")
    (path / "folder").mkdir()
    KERNEL.save(path / "folder" / "saved.kernel")
    (path / "mesh.obj").write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
    (path / "robot.xacro").write_text(packaged_arm_text())
    return path


@pytest.mark.parametrize("name", CALLABLES)
def test_wrong_kinds_of_arguments(name: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        called(name)
        found = [
            f"{parameter.name}={kind}: {words}"
            for parameter in parameters_of(name, CALLABLES[name])
            for kind, make in WRONG.items()
            if not is_right(parameter.name, kind)
            if (words := fault(name, parameter.name, make()))
        ]
    assert not found, "\n".join(found)
