"""Every operator of torch's core ATen set: its rule against torch, or its refusal.

A case is a function of six numbers that uses the operator; torch traces it, the traced graph is
walked by our rows, and values, first and second derivatives are those of torch.autograd.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from aten_cases import CASES, INSIDE, KINKS, OVERLOADS, POINTS, Case, aten, constant, whole
from torch import Tensor
from torch.autograd.functional import hessian, jacobian
from torch.fx.experimental.proxy_tensor import make_fx

import ad_core as ad
from bridges.pytorch import ad_to_torch
from bridges.pytorch.networks.aten import lowered, row
from bridges.pytorch.networks.export import walked
from bridges.pytorch.networks.values import Value, as_value

SHAPES = ("sym_size.int", "sym_numel.default")
"""Rules that give integers of a shape."""


def flat(result: Tensor | Sequence[Tensor]) -> Tensor:
    parts = [result] if isinstance(result, Tensor) else result
    return torch.cat([p.reshape(-1).double() for p in parts])


def lowered_case(case: Case) -> tuple[ad.Expression, set[str]]:
    """The case as primitives, and the operators that torch traced it into."""
    graph = make_fx(lambda x: flat(case(x)))(POINTS[0].clone()).graph
    x = ad.var("x", 6)
    (placeholder,) = [n for n in graph.nodes if n.op == "placeholder"]
    module = {n: v for n, v in graph.owning_module.__dict__.items() if isinstance(v, Tensor)}
    module |= dict(graph.owning_module.named_buffers())
    values = {placeholder: Value(x, (6,))}
    values |= {n: module[n.target] for n in graph.nodes if n.op == "get_attr"}
    (result,) = walked(graph, values)
    targets = {
        str(n.target).removeprefix("aten.").partition(".")[0]
        for n in graph.nodes
        if "aten." in str(n.target)
    }
    return as_value(result).entries, targets


COMPOSED = {"avg_pool1d.default", "adaptive_avg_pool1d.default"}
"""Operators that torch traces as others here; `test_networks` has them through `torch.export`."""
NO_SLOPE = {"copy.default"}
NO_CURVATURE = {"_cdist_forward.default", "_pdist_forward.default"}
"""Operators whose derivatives torch does not have."""
NO_TIES = {"topk.default"}
"""Operators of which torch does not say which of equal entries they take."""
IDS = [(name, i) for name, cases in CASES.items() for i in range(len(cases))]


@pytest.mark.parametrize(("name", "number"), IDS)
def test_a_row_is_torchs_operator(name: str, number: int):
    case = CASES[name][number]
    e, names = lowered_case(case)
    assert name.partition(".")[0] in names or name in COMPOSED
    weights = constant(e.size or 0, seed=8)
    potential = ad.sum_(e * weights.numpy())
    slope, curvature = ad.gradient(potential, "x"), ad.hessian(potential, "x")

    def f(x: Tensor) -> Tensor:
        return flat(case(x)) @ weights

    for point in [*POINTS, *INSIDE, *(() if name in NO_TIES else KINKS)]:
        point = point.clone()
        x = point.numpy()
        if not flat(case(point)).isfinite().all():
            continue
        close(e.eval(x=x), flat(case(point)), 1e-12, f"value at {x}")
        if name in NO_SLOPE or not f(point.clone().requires_grad_()).requires_grad:
            continue
        close(slope.eval(x=x), jacobian(f, point), 1e-10, f"slope at {x}")
        if name not in NO_CURVATURE:
            close(curvature.eval(x=x), hessian(f, point).reshape(-1), 1e-9, f"curvature at {x}")


def close(got: object, true: Tensor, tolerance: float, text: str):
    np.testing.assert_allclose(got, true, rtol=tolerance, atol=tolerance, err_msg=text)


def test_all_rows_run_on_a_kernel():
    used = [case for name, cases in CASES.items() if name not in NO_SLOPE for case in cases]
    parts = [lowered_case(case)[0] for case in used]
    potential = ad.sum_(ad.stack(*parts))
    layer = ad_to_torch(ad.stack(*parts, ad.gradient(potential, "x")), engine="kernel")
    point = INSIDE[0]
    value = torch.cat([flat(case(point)) for case in used])
    slopes = [
        jacobian(lambda x, case=case: flat(case(x)).sum(), point)
        for case in used
        if flat(case(point.clone().requires_grad_())).requires_grad
    ]
    close(layer(point), torch.cat([value, torch.stack(slopes).sum(0)]), 1e-9, "")


def test_every_core_operator_has_a_row():
    kinds: dict[str, list[str]] = {"rule": [], "moved": [], "affine": [], "refused": []}
    for target in OVERLOADS:
        name = str(target).removeprefix("aten.")
        kind, entry = row(target)
        assert entry != "no rule", f"no row for {name}"
        assert kind == "refused" or name in CASES or name in SHAPES, f"no case for {name}"
        kinds[kind].append(name)
    counts = {kind: len(names) for kind, names in kinds.items()}
    assert counts["refused"] <= 22, counts
    assert len(OVERLOADS) - counts["refused"] >= 171, counts


REFUSALS = [t for t in OVERLOADS if row(t)[0] == "refused"]


@pytest.mark.parametrize("target", REFUSALS, ids=str)
def test_a_refusal_names_the_operator(target: torch._ops.OpOverload):
    with pytest.raises(NotImplementedError, match="torch_to_ad takes any module") as error:
        lowered(target, [Value(ad.var("x", 6), (6,))], {})
    assert str(target) in str(error.value)


def test_indices_that_depend_on_the_arguments_are_refused():
    x = Value(ad.var("x", 6), (6,))
    with pytest.raises(NotImplementedError, match="indices or weights that depend"):
        lowered(aten.gather.default, [constant(6), 0, x], {})
    with pytest.raises(NotImplementedError, match="bits of integers"):
        lowered(aten.bitwise_and.Tensor, [x, whole(1)], {})
    with pytest.raises(NotImplementedError, match="scatter_reduce with 'amax'"):
        lowered(aten.scatter_reduce.two, [x, 0, whole(0), x, "amax"], {})
