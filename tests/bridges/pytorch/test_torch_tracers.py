"""Every way in which torch records, intercepts or replays, on every kind of graph and engine.

A cell of the table traces at one batch and runs at other numbers. It is right to 1e-10 against the
same function written in torch, or it raises what `OURS` says where `REFUSED` says so. Derivatives
are inside of what is traced (`CELLS`), or taken of it (`AROUND`).
"""

import functools
import io

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.func import grad, hessian, jacrev, jvp, linearize, vmap
from torch.fx.experimental.proxy_tensor import make_fx
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.checkpoint import checkpoint
from torch_graphs import Cubes

import ad_core as ad
from ad_core import math as adm
from bridges.pytorch import ad_to_torch, torch_to_ad

pytestmark = pytest.mark.filterwarnings("ignore")  # torch's own, of what is deprecated
TOGETHER = {"rtol": 1e-10, "atol": 1e-10}
WEIGHTS = [0.1, 0.2]


def network():
    torch.manual_seed(5)
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 3)).double().requires_grad_(False)


NET, CUBES, X = network(), Cubes(), ad.var("x", 3)

GRAPHS = {
    "primitives": ad.stack(adm.dot(X, adm.sin(X)), X[[2, 0]] * WEIGHTS),
    "user": adm.sin(CUBES(X * 0.7)) * X,
    "module": torch_to_ad(NET, [X * 2.0]),
    "mixed": CUBES(adm.sin(X)) * torch_to_ad(NET, [adm.sin(X)]),
}
IN_TORCH = {
    "primitives": lambda x: torch.cat(
        [(x * x.sin()).sum(-1, keepdim=True), torch.stack([x[..., 2], x[..., 0]], -1) * c(x)], -1
    ),
    "user": lambda x: ((x * 0.7) ** 3).sin() * x,
    "module": lambda x: NET(2.0 * x),
    "mixed": lambda x: x.sin() ** 3 * NET(x.sin()),
}
LAYERS = [
    *(("primitives", engine) for engine in ("auto", "kernel", "torch")),
    *((kind, "auto") for kind in ("user", "module", "mixed")),
    ("mixed", "torch"),
]


TAKEN_APART = {("primitives", "kernel"), ("mixed", "torch")}
"""Layers whose ways other layers take too, one by one: their cells are slow tests."""


def c(x):
    return torch.stack([torch.full_like(x[..., 0], w) for w in WEIGHTS], -1)


# ------------------------------------------------------------------------------- what is traced


def squared(f):
    return lambda x: (f(x) ** 2).sum()


def backward(f):
    def gradient(x):
        x = x.detach().requires_grad_()
        return torch.autograd.grad(squared(f)(x), x)[0]

    return gradient


def double_backward(f):
    def gradient(x):
        x = x.detach().requires_grad_()
        (first,) = torch.autograd.grad(squared(f)(x), x, create_graph=True)
        return torch.autograd.grad((first**2).sum(), x)[0]

    return gradient


RULES = {
    "value": lambda f: f,
    "backward": backward,
    "double backward": double_backward,
    "grad": lambda f: grad(squared(f)),
    "jvp": lambda f: lambda x: jvp(f, (x,), (x,))[1],
    "linearize": lambda f: lambda x: linearize(f, x)[1](x),
    "vmap(jacrev)": lambda f: vmap(jacrev(f)),
    "vmap(hessian)": lambda f: vmap(hessian(squared(f))),
}


# ---------------------------------------------------------------------------- what traces or sees


class Seen(TorchDispatchMode):
    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return func(*args, **(kwargs or {}))


class SeenFunctions(TorchFunctionMode):
    def __torch_function__(self, func, types, args=(), kwargs=None):
        return func(*args, **(kwargs or {}))


class Marked(torch.Tensor):
    """A tensor of somebody's own."""


def within(context):
    def tool(f, x):
        def call(y):
            with context():
                return f(y)

        return call

    return tool


def traced_by_fx(**options):
    """Parameters and buffers are not arguments here, so they are real where inputs are fake."""
    return lambda f, x: make_fx(f, _allow_non_fake_inputs=True, **options)(x)


class Model(nn.Module):
    def __init__(self, f):
        super().__init__()
        self.f = f

    def forward(self, x):
        return self.f(x)


def dynamic():
    return ({0: torch.export.Dim("batch")},)


def exported(f, x, **options):
    return torch.export.export(Model(f).eval(), (x[:3],), dynamic_shapes=dynamic(), **options)


def to_onnx(**options):
    """The model in onnx's own evaluator."""

    def tool(f, x):
        reference = pytest.importorskip("onnx.reference")
        file = io.BytesIO()
        torch.onnx.export(Model(f).eval(), (x[:3],), file, **options)
        model = reference.ReferenceEvaluator(file.getvalue())
        (name,) = model.input_names
        return lambda y: torch.from_numpy(model.run(None, {name: y.numpy()})[0])

    return tool


def to_onnx_by_export(f, x):
    pytest.importorskip("onnxscript")
    return to_onnx(dynamo=True, dynamic_shapes=dynamic(), verbose=False)(f, x)


TOOLS = {
    "dispatch mode": within(Seen),
    "function mode": within(SeenFunctions),
    "device context": within(lambda: torch.device("cpu")),
    "profiler": within(torch.profiler.profile),
    "saved tensors hooks": within(
        lambda: torch.autograd.graph.saved_tensors_hooks(lambda t: t.clone(), lambda t: t + 0.0)
    ),
    "anomaly mode": within(torch.autograd.detect_anomaly),
    "autocast": within(lambda: torch.autocast("cpu", dtype=torch.bfloat16)),
    "make_fx real": traced_by_fx(tracing_mode="real"),
    "make_fx fake": traced_by_fx(tracing_mode="fake"),
    "make_fx symbolic": traced_by_fx(tracing_mode="symbolic"),
    "make_fx before dispatch": traced_by_fx(pre_dispatch=True),
    "functionalize": lambda f, x: torch.func.functionalize(f),
    "jit.trace": lambda f, x: torch.jit.trace(f, (x,)),
    "checkpoint": lambda f, x: lambda y: checkpoint(f, y, use_reentrant=False),
    "checkpoint reentrant": lambda f, x: lambda y: checkpoint(f, y, use_reentrant=True),
    "compile": lambda f, x: torch.compile(f, fullgraph=True, backend="aot_eager"),
    "export": lambda f, x: exported(f, x).module(),
    "export strict": lambda f, x: exported(f, x, strict=True).module(),
    "onnx": to_onnx_by_export,
    "onnx TorchScript": to_onnx(dynamo=False, input_names=["x"], dynamic_axes={"x": {0: "batch"}}),
    "symbolic_trace": lambda f, x: torch.fx.symbolic_trace(Model(f)),
    "subclass": lambda f, x: lambda y: f(y.as_subclass(Marked)).as_subclass(torch.Tensor),
}
VALUES_ONLY = {"export", "export strict", "onnx", "onnx TorchScript", "symbolic_trace"}
"""Programs for elsewhere, for a batch of any size."""

CONTEXTS = {
    "dispatch mode",
    "function mode",
    "device context",
    "profiler",
    "anomaly mode",
    "autocast",
}

TORCHS_FAULTS = {
    ("compile", "vmap(hessian)"),
    *((tool, "linearize") for tool in TOOLS if tool.startswith("make_fx")),
    *((tool, "linearize") for tool in ("functionalize", "jit.trace", "compile")),
    ("checkpoint reentrant", "linearize"),
    ("make_fx before dispatch", "grad"),
}
"""Where torch goes wrong inside, or gives zeros, for its own functions, too."""

OURS = (
    "use torch.",
    "move the transform out",
    "cannot be exported",
    "leave pre_dispatch out",
    "Tracer.is_leaf_module",
)
REFUSED = {
    *(("jit.trace", kind) for kind in GRAPHS),
    *(("symbolic_trace", kind) for kind in GRAPHS),
    *((tool, kind) for tool in ("compile", *VALUES_ONLY) for kind in ("user", "mixed")),
    *(("make_fx before dispatch", kind) for kind in ("user", "mixed", "module")),
    ("onnx TorchScript", "module"),
}
"""Where a user's function, a module, or a transform inside of what is traced, is refused by us."""

CELLS = [
    (kind, engine, tool, rule)
    for kind, engine in LAYERS
    for tool in TOOLS
    for rule in (("value",) if tool in VALUES_ONLY else RULES)
    if (tool, rule) not in TORCHS_FAULTS
]
AROUND = [
    (kind, engine, tool, rule)
    for kind, engine in LAYERS
    for tool in TOOLS
    for rule in RULES
    if engine == "auto" and rule != "value" and tool not in VALUES_ONLY | CONTEXTS
]


@pytest.fixture(scope="module")
def layer():
    made = {(kind, engine): ad_to_torch(GRAPHS[kind], engine=engine) for kind, engine in LAYERS}
    return lambda kind, engine: made[kind, engine]


def cells(table):
    return [
        pytest.param(*cell, marks=pytest.mark.slow) if cell[:2] in TAKEN_APART else cell
        for cell in table
    ]


def points():
    generator = torch.Generator().manual_seed(2)
    return [0.3 + 0.5 * torch.randn(4, 3, dtype=torch.float64, generator=generator) for _ in "ab"]


def inside(tool, rule, f, x, y):
    return TOOLS[tool](RULES[rule](f), x)(y)


def around(tool, rule, f, x, y):
    return RULES[rule](TOOLS[tool](f, x[0] if rule.startswith("vmap") else x))(y)


def outcome(f, tool, rule, order):
    """What the cell gives for `f`, or the exception."""
    try:
        return order(tool, rule, f, *points())
    except Exception as error:
        return error


@functools.cache
def torchs_own(kind, tool, rule, order):
    return outcome(IN_TORCH[kind], tool, rule, order)


@functools.cache
def truth(kind, rule):
    return RULES[rule](IN_TORCH[kind])(points()[1])


def check(layer, kind, engine, tool, rule, order):
    if tool == "compile":
        torch._dynamo.reset()
    got = outcome(layer(kind, engine), tool, rule, order)
    if isinstance(got, Exception) and any(words in str(got) for words in OURS):
        assert (tool, kind) in REFUSED  # torch.compile wraps our NotImplementedError
    elif isinstance(got, Exception):  # then torch refuses its own function, too
        assert isinstance(torchs_own(kind, tool, rule, order), Exception), got
    else:
        torch.testing.assert_close(got, truth(kind, rule), **TOGETHER)


@pytest.mark.parametrize(("kind", "engine", "tool", "rule"), cells(CELLS))
def test_what_traces_derivatives(layer, kind, engine, tool, rule):
    check(layer, kind, engine, tool, rule, inside)


@pytest.mark.parametrize(("kind", "engine", "tool", "rule"), cells(AROUND))
def test_derivatives_of_what_was_traced(layer, kind, engine, tool, rule):
    check(layer, kind, engine, tool, rule, around)


@pytest.mark.parametrize(("kind", "engine"), LAYERS)
def test_fake_tensors_have_shapes(layer, kind, engine):
    with FakeTensorMode(allow_non_fake_inputs=True):
        out = layer(kind, engine)(torch.empty(5, 3, dtype=torch.float64))
    assert isinstance(out, FakeTensor)
    assert out.shape == (5, 3)


@pytest.mark.parametrize(("kind", "engine"), LAYERS[:4])
def test_meta_tensors_have_shapes(layer, kind, engine):
    out = layer(kind, engine)(torch.empty(5, 3, dtype=torch.float64, device="meta"))
    assert out.is_meta
    assert out.shape == (5, 3)


def test_compiled_ahead_of_time(layer):
    x, y = points()
    program = exported(layer("module", "auto"), x)
    run = torch._inductor.aoti_load_package(torch._inductor.aoti_compile_and_package(program))
    torch.testing.assert_close(run(y), IN_TORCH["module"](y), **TOGETHER)
