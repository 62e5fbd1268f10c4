"""Functions of so3 and se3 called with arrays give arrays: the values of their expressions."""

import pickle

import numpy as np
import pytest
from group_points import ROWS

import ad_core as ad
from robotics_ad import se3, so3

FUNCTIONS = {
    str(f): f
    for module in (so3, se3)
    for name in module.__all__
    if isinstance(f := getattr(module, name), ad.Composite)
}
TITLES = [title for title, row in ROWS.items() if title in FUNCTIONS and row.points[0].args]
R = so3.from_rpy(np.array([0.1, -0.2, 0.3]))
T = np.concatenate([R, [1.0, 2.0, 3.0]])


def on_variables(function, count):
    return function(*(f"x{i}" for i in range(count)))


@pytest.mark.parametrize("title", TITLES)
def test_values_are_those_of_the_expression_batch_axes_first(title):
    function, points = FUNCTIONS[title], ROWS[title].points
    args = [np.asarray(a, dtype=float).reshape(-1) for a in points[0].args]
    root = on_variables(function, len(args))
    expected = root.eval(**{f"x{i}": a for i, a in enumerate(args)})
    found = function(*args)
    assert type(found) is type(expected)
    np.testing.assert_array_equal(found, expected)
    same = [p.args for p in points if [np.size(a) for a in p.args] == [a.size for a in args]]
    columns = [np.stack([np.ravel(a) for a in column]) for column in zip(*same, strict=True)]
    batch = [columns[0][:, None], *columns[1:]]  # axes that broadcast
    values = {f"x{i}": a for i, a in enumerate(batch)}
    found = function(*batch)
    assert type(found) is np.ndarray
    np.testing.assert_array_equal(found, root.eval_batch(**values))


def test_every_function_of_arguments_takes_arrays():
    without = {title for title, f in FUNCTIONS.items() if f.n_args() == 0}
    assert without == {"so3.identity", "se3.identity"}
    assert set(TITLES) | without == set(FUNCTIONS)


def test_against_matrices():
    batch = so3.exp(np.random.default_rng(1).normal(size=(5, 2, 3)))
    assert batch.shape == (5, 2, 9)
    product = so3.matrix(so3.mul(batch, R)).reshape(5, 2, 3, 3)
    matrices = so3.matrix(batch).reshape(5, 2, 3, 3)
    np.testing.assert_allclose(product, matrices @ so3.matrix(R).reshape(3, 3), atol=1e-15)


def test_numbers_stand_beside_arrays_and_names_and_defaults_are_known():
    axis = np.array([0.0, 0.0, 1.0])
    turned = so3.from_axis_angle(axis, 0.3)
    np.testing.assert_array_equal(turned, so3.from_axis_angle(angle=0.3, axis=axis))
    np.testing.assert_allclose(turned[:2], [np.cos(0.3), np.sin(0.3)], atol=1e-16)
    moved = se3.mul(T, se3.from_translation(np.array([3.0, 0.0, 4.0])))
    assert isinstance(se3.distance(T, moved), float)
    np.testing.assert_allclose(se3.distance(T, moved, tweight=2), 10.0)
    assert se3.distance(T, np.stack([moved, T])).shape == (2, 1)


def test_anything_else_gives_an_expression():
    for value in (
        so3.mul(R, "x"),
        so3.mul(R, ad.var("x", 9)),
        so3.mul(R.tolist(), R.tolist()),
        so3.mul(R, R.tolist()),
        so3.identity(),
        so3.inv(ad.constant(R)),
    ):
        assert isinstance(value, ad.Expression)


def test_they_pickle_by_name():
    for function in FUNCTIONS.values():
        assert pickle.loads(pickle.dumps(function)) is function


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: so3.mul(R, R[:8]), ValueError, r"so3\.mul: argument 'Rb' has size 8, expected 9"),
        (lambda: so3.mul(R), ValueError, r"so3\.mul: got 1 arguments, expected 2 .*: no Rb"),
        (lambda: so3.mul(R, Rc=R), ValueError, r"so3\.mul: no argument 'Rc'"),
        (lambda: so3.inv(np.array(["a"] * 9)), TypeError, r"so3\.inv: R"),
        (lambda: so3.inv(R.astype(complex)), TypeError, r"so3\.inv: R"),
        (lambda: so3.geodesic_mean(R, R[:3]), ValueError, "'R2' has size 3, expected 9"),
        (lambda: so3.mul(np.stack([R] * 2), np.stack([R] * 3)), ValueError, "broadcast|batch"),
        (lambda: so3.from_axis_angle(T[:3], np.ones(5)), ValueError, "'angle' has size 5"),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()
