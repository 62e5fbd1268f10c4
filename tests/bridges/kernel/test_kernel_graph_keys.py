"""Kernels that are found by their graph: in the cache or not, never those of another graph."""

from __future__ import annotations

import os
import pickle
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import casadi as ca
import numpy as np
import pytest
from fresh_process import ROOT, run_python
from kernel_notes import notes_in

import ad_core as ad
from ad_core import math as adm
from bridges.kernel import Kernel, ad_to_kernel, casadi_to_kernel, formula
from robotics_ad import RobotModel, packaged_arm
from robotics_ad.dynamics import InverseDynamics
from robotics_ad.kinematics import WorldPosition, WorldTransform

X, Y = ad.var("x", 2), ad.var("y", 2)


def call(kernel: Kernel, fill: float = 0.3) -> np.ndarray:
    """All results of a kernel for one sample, one behind the other."""
    rng = np.random.default_rng(int(100 * fill))
    results = kernel(*(rng.normal(size=n).astype(kernel.dtype) for n in kernel.input_sizes))
    return np.concatenate([np.ravel(r) for r in (results if kernel.is_tuple else [results])])


# ------------------------------------------------------------------------------------ found


DERIVATIVES: dict[str, Callable[[Kernel], Kernel]] = {
    "itself": lambda k: k,
    "vjp": lambda k: k.vjp(),
    "vjp of one": lambda k: k.vjp([1]),
    "jvp": lambda k: k.jvp(),
    "jvp of one": lambda k: k.jvp([0]),
    "jacobian": lambda k: k.jacobian(),
    "jacobian of one": lambda k: k.jacobian([1]),
    "values": lambda k: k.jacobian_values(),
    "hessian": lambda k: k.hessian_vp(),
    "second": lambda k: k.vjp().jvp([0]),
    "third": lambda k: k.jacobian().vjp([1]).jvp(),
}


def two_results() -> tuple[ad.Expression, ...]:
    return adm.sin(X) * Y, adm.dot(X, Y) + adm.exp(X[0])


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_found_again_without_a_casadi_function(
    folder: Path, monkeypatch: pytest.MonkeyPatch, dtype: str
) -> None:
    """The same numbers, names, sizes and counts, to the third order."""
    cold = {
        n: derive(ad_to_kernel(two_results(), dtype=dtype)).build()
        for n, derive in DERIVATIVES.items()
    }
    results = {name: call(kernel) for name, kernel in cold.items()}
    monkeypatch.setattr("bridges.casadi.ad_to_casadi", None)
    monkeypatch.setattr(formula, "_as_columns", None)
    warm = {
        n: derive(ad_to_kernel(two_results(), dtype=dtype)).build()
        for n, derive in DERIVATIVES.items()
    }
    for name, kernel in warm.items():
        before = cold[name]
        np.testing.assert_array_equal(call(kernel), results[name])
        assert repr(kernel) == repr(before)
        assert kernel.arguments == before.arguments
        assert kernel.output_shapes == before.output_shapes
        assert kernel.is_tuple == before.is_tuple
        assert kernel.n_ops == before.n_ops == before.program.n_ops
        assert kernel.bytes == before.bytes
        assert kernel.is_native


def test_what_needs_the_function_makes_it(folder: Path) -> None:
    """After a warm load, from what the graph said: texts, counts, patterns, pickles."""
    cold = ad_to_kernel(two_results())
    warm = ad_to_kernel(two_results())
    assert warm.c_source == cold.c_source
    assert warm.cuda_source == cold.cuda_source
    assert warm.flops == cold.flops
    assert warm.program == cold.program
    assert warm.jacobian_pattern() == cold.jacobian_pattern()
    assert warm.function.name() == cold.function.name()
    assert warm.function.name_in() == ["x", "y"]
    again = pickle.loads(pickle.dumps(ad_to_kernel(two_results())))
    np.testing.assert_array_equal(call(again), call(cold))
    np.testing.assert_array_equal(call(again.vjp()), call(cold.vjp()))


def test_derivatives_of_casadi_functions_are_found(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = ca.SX.sym("x", 3)
    function = ca.Function("f", [x], [ca.sin(x) * x[0]], ["x"], ["y"])
    cold = {n: derive(casadi_to_kernel(function)).build() for n, derive in ONE_INPUT.items()}
    monkeypatch.setattr(formula, "_DERIVATIVES", dict.fromkeys(formula._DERIVATIVES, refuse))
    for name, derive in ONE_INPUT.items():
        kernel = derive(casadi_to_kernel(function))
        assert repr(kernel) == repr(cold[name])
        np.testing.assert_array_equal(call(kernel), call(cold[name]))
    renamed = ca.Function("f", [x], [ca.sin(x) * x[0]], ["p"], ["y"])
    with pytest.raises(LookupError):  # its derivatives have other names
        casadi_to_kernel(renamed).vjp()


def refuse(*_: object) -> None:
    raise LookupError("a derivative was made")


ONE_INPUT: dict[str, Callable[[Kernel], Kernel]] = {
    "vjp": lambda k: k.vjp(),
    "second": lambda k: k.jacobian().jvp(),
    "hessian": lambda k: k.hessian_vp(),
}

HITS = """
    import sys
    import numpy as np
    import ad_core as ad
    from bridges.kernel import ad_to_kernel, formula
    from robotics_ad import packaged_arm
    from robotics_ad.dynamics import ForwardDynamics
    robot = packaged_arm()
    nv = robot.nv
    graph = ForwardDynamics(robot)(ad.var("q", nv), ad.var("v", nv), ad.var("tau", nv))
    kernels = [ad_to_kernel(graph), ad_to_kernel(graph).vjp(), ad_to_kernel(graph).jacobian()]
    made = [k.formula._function is not None for k in kernels]
    sums = [repr(float(np.sum(k(*(np.full(n, 0.1) for n in k.input_sizes))[0]))) for k in kernels]
    print(made, *sums)
"""


def test_found_in_new_processes_whatever_their_hash_seed(folder: Path) -> None:
    first = run_python(HITS, PYTHONHASHSEED="1")
    assert first.startswith("[True, True, True]")
    for seed in ("2", "random"):
        again = run_python(HITS, PYTHONHASHSEED=seed)
        assert again == first.replace("True", "False")


# --------------------------------------------------------------------------------- told apart


def arm() -> RobotModel:
    return packaged_arm()


def fk(link: str = "tool", **numbers: Any) -> ad.Expression:
    robot = arm()
    return WorldTransform(robot.link(link))(ad.var(numbers.get("name", "q"), robot.nq))


def torques(robot: RobotModel | None = None, **options: Any) -> ad.Expression:
    """With arguments by the function's own names."""
    robot = robot or arm()
    links = [robot.link(name) for name in options.pop("wrenches_on", ())]
    function = InverseDynamics(robot, wrenches_on=links, **options)
    return function(*(ad.var(n, s) for n, s in function.arguments().items()))


VARIANTS: dict[str, Callable[[], tuple[Any, dict[str, Any]]]] = {
    "x + 1": lambda: (X + 1.0, {}),
    "x + 1 and a bit": lambda: (X + np.nextafter(1.0, 2.0), {}),
    "x + 0": lambda: (X + 0.0, {}),
    "x + -0": lambda: (X + -0.0, {}),
    "x / 0": lambda: (X / 0.0, {}),
    "x / -0": lambda: (X / -0.0, {}),
    "nan": lambda: (X + np.nan, {}),
    "tuple": lambda: ((X + 1.0,), {}),
    "float32": lambda: (X + 1.0, {"dtype": "float32"}),
    "order": lambda: (X - Y, {"terminals": ["x", "y"]}),
    "other order": lambda: (X - Y, {"terminals": ["y", "x"]}),
    "unused": lambda: (X - Y, {"terminals": ["x", "y", "z"], "sizes": {"z": 1}}),
    "unused of two": lambda: (X - Y, {"terminals": ["x", "y", "z"], "sizes": {"z": 2}}),
    "size 3": lambda: (adm.exp(ad.var("u")), {"sizes": {"u": 3}}),
    "size 4": lambda: (adm.exp(ad.var("u")), {"sizes": {"u": 4}}),
    "results": lambda: ((X, Y), {}),
    "results the other way": lambda: ((Y, X), {"terminals": ["x", "y"]}),
    "tool": lambda: (fk(), {}),
    "other link": lambda: (fk("link6"), {}),
    "other name": lambda: (fk(name="p"), {}),
    "function": lambda: (WorldTransform(arm().link("tool")), {}),
    "point": lambda: (WorldPosition(arm().link("tool"), [0.0, 0.0, 0.1]), {}),
    "other point": lambda: (WorldPosition(arm().link("tool"), [0.0, 0.1, 0.0]), {}),
    "torques": lambda: (torques(), {}),
    "moon": lambda: (torques(gravity=[0.0, 0.0, -1.62]), {}),
    "gravity as argument": lambda: (torques(gravity="argument"), {}),
    "friction": lambda: (torques(friction=True), {}),
    "wrench": lambda: (torques(wrenches_on=["tool"]), {}),
    "other wrench": lambda: (torques(wrenches_on=["link4"]), {}),
    "locked": lambda: (torques(arm().lock_joints({arm().joint_names[2]: 0.1})), {}),
    "locked elsewhere": lambda: (torques(arm().lock_joints({arm().joint_names[2]: 0.2})), {}),
    "floating": lambda: (torques(arm().floating()), {}),
    "parametrized": lambda: (torques(arm().parametrize(["link4.mass"])), {}),
    "parametrized elsewhere": lambda: (torques(arm().parametrize(["link5.mass"])), {}),
    "two parameters": lambda: (torques(arm().parametrize(["link4.mass", "link5.mass"])), {}),
    "the other way": lambda: (torques(arm().parametrize(["link5.mass", "link4.mass"])), {}),
}


@pytest.mark.slow
def test_different_graphs_have_different_kernels(folder: Path) -> None:
    """A note each; and loaded again, all of them in one cache, each has its own values."""
    arguments = {name: make() for name, make in VARIANTS.items()}
    first = {n: call(ad_to_kernel(g, **options)) for n, (g, options) in arguments.items()}
    assert len(notes_in(folder)) == len(VARIANTS)
    for name, make in VARIANTS.items():
        graph, options = make()
        kernel = ad_to_kernel(graph, **options)
        assert kernel.formula._function is None, name
        np.testing.assert_array_equal(call(kernel), first[name], name)
        want = casadi_to_kernel(ca_function(graph, options), kernel.dtype)
        np.testing.assert_array_equal(call(kernel), call(want), name)


def ca_function(graph: Any, options: dict[str, Any]) -> ca.Function:
    from bridges.casadi import ad_to_casadi

    kept = {name: value for name, value in options.items() if name != "dtype"}
    return ad_to_casadi(graph, symbolic="SX", **kept)


def test_derivatives_have_keys_of_their_own(folder: Path) -> None:
    for derive in DERIVATIVES.values():
        derive(ad_to_kernel(two_results())).build()
    steps = 1  # the vector-Jacobian product of the Jacobian, on the way to the third derivative
    assert len(notes_in(folder)) == len(DERIVATIVES) + steps


def test_tuple_and_single_results_differ_in_form_only(folder: Path) -> None:
    for _ in range(2):
        single, several = ad_to_kernel(X + 2.5), ad_to_kernel((X + 2.5,))
        assert isinstance(single(np.ones(2)), np.ndarray)
        assert isinstance(several(np.ones(2)), tuple)
        assert isinstance(several.jvp()(np.ones(2), np.ones(2)), tuple)
        assert isinstance(single.jvp()(np.ones(2), np.ones(2)), np.ndarray)


def test_a_function_changed_afterwards_changes_nothing(folder: Path) -> None:
    """A kernel is of the graph as it was; its derivatives too, whenever they are asked for."""
    robot = arm()
    function = InverseDynamics(robot)
    state = [ad.var(n, s) for n, s in function.arguments().items()]
    graph = function(*state)
    kernel = ad_to_kernel(graph)
    expected = call(kernel.jacobian())
    loaded = ad_to_kernel(graph)
    function.gravity = np.zeros(3)
    assert np.abs(call(ad_to_kernel(graph)) - call(kernel)).max() > 0.1
    np.testing.assert_array_equal(call(loaded.jacobian()), expected)
    np.testing.assert_array_equal(call(casadi_to_kernel(loaded.function)), call(kernel))
    second = ad_to_kernel(graph)
    assert np.abs(call(second.jacobian()) - expected).max() > 0.1


def test_settings_of_casadi_are_in_the_key(folder: Path) -> None:
    """Without its simplifications `0 * x` stays, and is nan for an infinite x."""
    graph = X * 0.0 + Y
    first = ad_to_kernel(graph)
    options: Any = ca.GlobalOptions
    options.setSimplificationOnTheFly(False)
    try:
        second = ad_to_kernel(graph)
        assert len(notes_in(folder)) == 2
    finally:
        options.setSimplificationOnTheFly(True)
    infinite = [np.full(2, np.inf), np.ones(2)]
    np.testing.assert_array_equal(first(*infinite), casadi_to_kernel(first.function)(*infinite))
    assert second.n_ops >= first.n_ops


USERS = """
    import numpy as np
    import ad_core as ad
    from ad_core.ops.shaped import Quadratic
    from bridges.kernel import ad_to_kernel

    class Scaled(ad.Composite):
        def n_args(self): return 1
        def n_out(self): return 2
        def expand(self, x): return FACTOR * x

    @ad.composite("scaled", n_in=(2,), n_out=2, argnames=("x",))
    def scaled(x):
        return FACTOR * x

    class Extended(Quadratic):
        def expand(self, x): return FACTOR * x[0]

    x = ad.var("x", 2)
    graphs = [Scaled()(x), scaled(x), Extended(np.eye(2))(x), -scaled(x)]
    print([float(ad_to_kernel(g)(np.ones(2)).ravel()[0]) for g in graphs])
"""


def test_users_code_that_changes_between_processes_is_run_anew(folder: Path) -> None:
    """Its module and name stay the same; what it does is nowhere in the graph."""
    for factor in ("2.0", "3.0", "2.0"):
        f = float(factor)
        assert run_python(USERS.replace("FACTOR", factor)) == str([f, f, f, -f])
    assert not notes_in(folder)


def users_package(folder: Path, name: str, factor: str) -> Path:
    """A package known by its files, with a function `Scaled` that multiplies by `factor`."""
    package = folder / name
    package.mkdir()
    (package / "__init__.py").write_text("import time\nLOADED_NS = time.time_ns()\n")
    (package / "factor.py").write_text("FACTOR = 2.0\n")
    body = f"""
        import ad_core as ad
        from {name}.factor import FACTOR

        class Scaled(ad.Composite):
            def n_args(self): return 1
            def n_out(self): return 2
            def expand(self, x): return {factor} * x
    """
    (package / "scaled.py").write_text(textwrap.dedent(body))
    return package


def test_code_known_by_files_that_changes_is_run_anew(folder: Path, tmp_path: Path) -> None:
    """A user's package may say that it is: its functions are found, until a file changes."""
    package = users_package(tmp_path, "known_functions", "FACTOR")
    code = """
        import numpy as np
        import ad_core as ad
        from bridges.kernel import ad_to_kernel
        from known_functions.scaled import Scaled
        kernel = ad_to_kernel(Scaled()(ad.var("x", 2)))
        print(kernel.formula._function is None, kernel(np.ones(2))[0])
    """
    path = f"{ROOT}{os.pathsep}{tmp_path}"
    for number in ("2.0", "3.0"):
        (package / "factor.py").write_text(f"FACTOR = {number}\n")
        time.sleep(1.1)  # Python itself tells compiled files by whole seconds
        assert run_python(code, PYTHONPATH=path) == f"False {number}"
        assert run_python(code, PYTHONPATH=path) == f"True {number}"


def test_no_note_for_code_that_changed_since_it_was_loaded(folder: Path, tmp_path: Path) -> None:
    """The process still runs the old code: it must not say that this is what the files do."""
    users_package(tmp_path, "edited_functions", "2.0")
    code = """
        import pathlib, time
        import numpy as np
        import ad_core as ad
        from bridges.kernel import ad_to_kernel
        import edited_functions.scaled as module
        file = pathlib.Path(module.__file__)
        EDIT
        kernel = ad_to_kernel(module.Scaled()(ad.var("x", 2)))
        print(kernel(np.ones(2))[0], kernel.jacobian()(np.ones(2))[0, 0])
    """
    edit = "time.sleep(1.1); file.write_text(file.read_text().replace('2.0', '3.0'))"
    path = f"{ROOT}{os.pathsep}{tmp_path}"
    assert run_python(code.replace("EDIT", edit), PYTHONPATH=path) == "2.0 2.0"
    assert run_python(code.replace("EDIT", ""), PYTHONPATH=path) == "3.0 3.0"
