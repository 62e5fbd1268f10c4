"""Functions of control problems in native code against CasADi's own derivatives of its symbols."""

import casadi
import numpy as np
import pytest
from control_problems import PROBLEMS, pendulum

from bridges.casadi import ControlProblem, ad_to_casadi
from bridges.casadi.control.library import FUNCTIONS, build_functions, library_units
from bridges.native.target import Target

KINDS = {name.replace("triu_", "") for f in FUNCTIONS.values() for _, o in f.values() for name in o}


def reference(problem: ControlProblem) -> casadi.Function:
    """Everything that solvers ask for, by CasADi."""
    made = problem.program()
    x, p, f, g = (made[name] for name in ("x", "p", "f", "g"))
    sigma, y = casadi.MX.sym("sigma"), casadi.MX.sym("y", g.size1())
    u, v = casadi.MX.sym("u", x.size1()), casadi.MX.sym("v", g.size1())
    L = sigma * f + casadi.dot(y, g)
    by_x, by_p = casadi.gradient(L, x), casadi.gradient(L, p)
    pulled = casadi.jtimes(by_p, x, u) + casadi.jtimes(by_p, y, v)
    values = {
        "f": f,
        "g": g,
        "grad_f_x": casadi.gradient(f, x),
        "jac_g_x": casadi.jacobian(g, x),
        "grad_gamma_x": by_x,
        "grad_gamma_p": by_p,
        "hess_gamma_x_x": casadi.jacobian(by_x, x),
        "pull_p": pulled,
    }
    return casadi.Function(
        "reference", [x, p, sigma, y, u, v], list(values.values()),
        ["x", "p", "lam_f", "lam_g", "x_", "lam_g_"], list(values),
    )  # fmt: skip


def point(f: casadi.Function, problem: ControlProblem, seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    given = {name: rng.normal(size=f.numel_in(i)) for i, name in enumerate(f.name_in())}
    return given


@pytest.mark.parametrize("kind", PROBLEMS)
@pytest.mark.parametrize("flavour", FUNCTIONS)
def test_functions_are_those_of_casadi(kind: str, flavour: str) -> None:
    problem = PROBLEMS[kind]()
    expected = reference(problem)
    assert set(expected.name_out()) == KINDS
    functions = build_functions(problem.transcription, flavour, "exact")
    for seed in range(2):
        given = point(expected, problem, seed)
        values = expected(**given)
        for name, f in functions.items():
            found = f(**{key: given[key] for key in f.name_in()})
            for output in f.name_out():
                want = np.array(values[output.replace("triu_", "")])
                if output.startswith("triu"):
                    want = np.triu(want)
                scale = 1.0 + np.abs(want).max(initial=0.0)
                got = np.array(found[output])
                assert np.abs(got - want).max(initial=0.0) <= 1e-11 * scale, (name, output)


@pytest.mark.parametrize("flavour", ["fatrop", "ipopt"])
def test_structure_has_no_more_entries_than_casadi_finds(flavour: str) -> None:
    problem = PROBLEMS["pendulum"]()
    expected = reference(problem)
    functions = build_functions(problem.transcription, flavour, "exact")
    jacobian = functions["nlp_jac_g"].sparsity_out("jac_g_x")
    assert jacobian == expected.sparsity_out("jac_g_x")
    (hessian,) = (n for n in functions["nlp_hess_l"].name_out() if "hess" in n)
    want = expected.sparsity_out("hess_gamma_x_x")
    want = casadi.triu(want) if hessian.startswith("triu") else want
    assert functions["nlp_hess_l"].sparsity_out(hessian) == want


def test_arguments_that_casadi_leaves_out_are_zeros() -> None:
    problem = PROBLEMS["pendulum"]()
    functions = build_functions(problem.transcription, "fatrop", "exact")
    expected = reference(problem)
    given = point(expected, problem, 0)
    for missing in ("x", "p", "lam_f", "lam_g"):
        zeros = {**given, missing: 0.0 * given[missing]}
        values = expected(**zeros)
        f = functions["nlp_hess_l"]
        found = f(**{key: given[key] for key in f.name_in() if key != missing})
        for output in f.name_out():
            assert np.allclose(np.array(found[output]), np.array(values[output]), atol=1e-11)


def test_gauss_newton_leaves_curvature_of_residuals_and_constraints_out() -> None:
    """H = sigma (d2 cost + J' J), with J and d2 cost by CasADi."""
    problem = PROBLEMS["pendulum"]()
    (phase,) = problem.phases
    functions = build_functions(problem.transcription, "fatrop", "gauss_newton")
    expected = reference(problem)
    given = point(expected, problem, 3)
    f = functions["nlp_hess_l"]
    found = np.array(f(**{key: given[key] for key in f.name_in()})["hess_gamma_x_x"])
    plain = ControlProblem(
        type(phase)(**{**vars(phase), "residual": None, "end_residual": None, "path": ()})
    )
    made = plain.program()
    hessian = casadi.hessian(made["f"], made["x"])[0]
    by_cost = casadi.Function("h", [made["x"], made["p"]], [hessian])
    shared = given["p"][8:]  # the goal came first by the residual; here there are weights alone
    weights = shared[list(problem.parameters).index("weight") * 2 :][:2]
    want = np.array(by_cost(given["x"], np.concatenate([given["p"][:8], weights])))
    at = 0
    for stage, points in zip(problem.transcription.stages, (7, 1), strict=True):
        given_sizes = dict(stage.graphs.tape.inputs)
        residual = ad_to_casadi(stage.root("residual"), list(given_sizes), sizes=given_sizes)
        jacobian = residual.jacobian()
        for k in range(points):
            w = given["x"][at : at + stage.n_w]
            row = given["p"][k if points > 1 else 7 :][: stage.n_row]
            J = np.array(jacobian(w, row, given["p"][8:], 0)[0])
            want[at : at + stage.n_w, at : at + stage.n_w] += J.T @ J
            at += stage.n_w
    assert np.abs(found - float(given["lam_f"][0]) * want).max() <= 1e-11 * np.abs(want).max()


def test_texts_of_stages_know_no_number_of_points() -> None:
    """Of 7 and 70 points they are the same; the main one differs in numbers alone."""
    target = Target("float64", 32)

    def texts(nodes: int) -> tuple[list[str], str]:
        made = ControlProblem(pendulum(nodes)).transcription
        units = library_units(made, "ipopt", "exact", target)
        found: list[str] = []
        try:
            while True:
                found.append(next(units).text)
        except StopIteration as end:
            return found, end.value.text

    (few, main), (many, other) = texts(7), texts(70)
    assert few == many
    assert len(few) == 1  # all are short
    assert abs(len(main) - len(other)) < 100
