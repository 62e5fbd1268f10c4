"""How every function of so3 and se3 is called: names, sizes, kinds of arguments, expansion."""

import pickle

import numpy as np
import pytest
from group_points import ROWS

import ad_core as ad
from ad_core.graph.walks import topological
from ad_core.lowering import fix_sizes
from ad_core.ops.primitive import Op
from robotics_ad import se3, so3

FUNCTIONS = {
    f"{module.__name__.rpartition('.')[2]}.{name}": getattr(module, name)
    for module in (so3, se3)
    for name in module.__all__
    if isinstance(getattr(module, name), ad.Composite)
}
TAKING = {name: f for name, f in FUNCTIONS.items() if ROWS[str(f)].points[0].args}
ASKED_SO3 = """
    identity apply mul inv trace rpy from_rpy rotation_vector moment from_rotation_vector axis angle
    from_axis_angle quaternion from_quaternion distance error cross_product diag deskew canonical
    interpolate det matrix from_matrix exp log slerp geodesic_mean align project from_six to_six
    yaw_pitch_roll from_yaw_pitch_roll
"""
ASKED_SE3 = """
    join identity apply apply_rotation mul inv rotation from_rotation translation from_translation
    distance interpolate error homogeneous from_homogeneous exp log adjoint coadjoint
    screw_interpolate
"""
JACOBIANS = "left_jacobian left_jacobian_inv right_jacobian right_jacobian_inv"


def values(function: ad.Composite) -> tuple[np.ndarray, ...]:
    """Arguments at an ordinary point."""
    return ROWS[str(function)].points[0].args


def test_all_names_are_there():
    assert so3.SIZE == 9
    assert se3.SIZE == 12
    for module, names in ((so3, ASKED_SO3), (se3, ASKED_SE3)):
        assert set(f"{names} {JACOBIANS}".split()) <= set(module.__all__)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_calls_print_under_the_function_s_name(name):
    function = FUNCTIONS[name]
    aliases = {"exp": "from_rotation_vector", "log": "rotation_vector", "moment": "rotation_vector"}
    title = name if name.startswith("se3") else f"so3.{aliases.get(name[4:], name[4:])}"
    letters = "abcd"[: len(values(function))]
    assert str(function) == title
    assert str(function(*letters)) == f"{title}({', '.join(letters)})"
    assert function.__doc__ or type(function).__doc__


@pytest.mark.parametrize("name", TAKING)
def test_strings_lists_variables_and_expressions_serve_alike(name):
    function, given = TAKING[name], values(TAKING[name])
    names = [f"x{i}" for i in range(len(given))]
    by_name = dict(zip(names, given, strict=True))
    expected = function(*names).eval(**by_name)
    variables = [ad.var(n, v.size) for n, v in by_name.items()]
    half = {n: 0.5 * v for n, v in by_name.items()}
    for call, bound in (
        (function(*(v.tolist() if v.size > 1 else float(v[0]) for v in given)), {}),
        (function(*variables), by_name),
        (function(*(2.0 * v for v in variables)), half),
        (function(variables[0], *given[1:]), {names[0]: given[0]}),
    ):
        assert isinstance(call, ad.Expression)
        np.testing.assert_array_equal(call.eval(**bound), expected)
    np.testing.assert_array_equal(function.eval(*given), expected)
    assert np.size(expected) == function.n_out()
    assert isinstance(expected, float) == (function.n_out() == 1)


@pytest.mark.parametrize("name", TAKING)
def test_a_wrong_size_or_count_is_refused_when_the_call_is_built(name):
    function, given = TAKING[name], values(TAKING[name])
    for i, value in enumerate(given):
        wrong = [*given[:i], np.ones(value.size + 1), *given[i + 1 :]]
        argument = function.argname(i)
        message = (
            f"{function}: argument '{argument}' has size {value.size + 1}, expected {value.size}"
        )
        with pytest.raises(ValueError, match=message.replace("(", r"\(")):
            function(*wrong)
        with pytest.raises(ValueError, match=rf"{function}: argument '{argument}' has size 8"):
            function(*given[:i], ad.var("eight", 8), *given[i + 1 :])
    count = () if function.n_args() < 0 else (*given, given[0], given[0], given[0])
    with pytest.raises(ValueError, match=str(function)):
        function(*count)


@pytest.mark.parametrize("name", TAKING)
def test_calls_expand_into_primitives(name):
    function, given = TAKING[name], values(TAKING[name])
    variables = [ad.var(f"x{i}", v.size) for i, v in enumerate(given)]
    call = function(*variables)
    (expanded,) = fix_sizes([call], {})
    kinds = {type(node.func) for node in topological([expanded]) if hasattr(node, "func")}
    assert all(issubclass(kind, Op) for kind in kinds)
    once = call.func.expand(*variables)
    by_name = {v.name: x for v, x in zip(variables, given, strict=True)}
    used = {n: x for n, x in by_name.items() if n in once.terminals()}
    np.testing.assert_array_equal(once.eval(**used), call.eval(**by_name))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_can_be_pickled(name):
    assert pickle.loads(pickle.dumps(FUNCTIONS[name])) is FUNCTIONS[name]
