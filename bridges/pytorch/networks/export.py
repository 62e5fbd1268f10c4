"""`torch_to_primitives`: a trained torch module as primitives, through `torch.export`.

The module is exported, functionalised and decomposed; its graph is walked once, operator by
operator, with the rows of `aten`. What the module detaches is marked before that, because a
decomposed graph has forgotten it.
"""

# torch leaves the types of graphs and operators unknown.
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false
# pyright: reportUnknownParameterType=false, reportUnknownMemberType=false

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch._ops import OpOverload
from torch.export.graph_signature import InputKind, OutputKind
from torch.fx.node import map_arg

import ad_core as ad
from ad_core.graph import Expression, ExpressionLike, as_expressions
from ad_core.graph.errors import unknown_size
from bridges.pytorch.networks.aten import lowered, row
from bridges.pytorch.networks.values import Value, refused
from bridges.pytorch.networks.weights import varying_parameters

aten = torch.ops.aten


def torch_to_primitives(
    module: nn.Module,
    args: Sequence[ExpressionLike],
    *,
    weights: ExpressionLike | None = None,
) -> Expression:
    """`module(*args)` as an expression of primitives: exact on every engine, to every order.

    The module gets each argument as a tensor `(n_i,)` and gives a vector; one that needs a batch
    axis goes into a module that adds and removes it. Its parameters and buffers become constants,
    as they are now, but for those that `weights` stands for; it is read in the mode that it is in,
    and must not depend on chance. Known are the operators of torch's core set on real numbers, and
    so the usual layers: linear, convolutional, recurrent, attention, normalisation, pooling,
    activations. `detach` and `torch.no_grad` are kept: no derivative goes through them.

    With `weights` the graph does not change when the module is trained: kernels, layers and
    programs made of it are built once and called with `flat_weights(module)`.

    Args:
        module: an instance of `nn.Module`.
        args: expressions, names or numbers, one for each input; their sizes must be known.
        weights: what stands in the place of the parameters that require gradients, in the order of
            `flat_weights`: the name of a variable, which gets their size, or an expression of it.
            Frozen parameters and all buffers are constants, so are running statistics.

    Raises:
        TypeError: for a module that is no instance of `nn.Module`, or arguments that are no list.
        ValueError: where an argument's size is not known, the module does not take vectors of
            these sizes, or the result is no vector; for weights of another size, and where no
            parameter requires gradients.
        NotImplementedError: for an operator without a rule, named; `torch_to_ad` takes any module.
    """
    nodes = _arguments(module, args)
    varying = {} if weights is None else varying_parameters(module, weights)
    like = next((p for p in module.parameters() if p.is_floating_point()), None)
    dtype = torch.float64 if like is None else like.dtype
    device = "cpu" if like is None else like.device
    examples = [torch.zeros(n.size or 0, dtype=dtype, device=device) for n in nodes]
    _try(module, examples)
    program = _functional(module, examples)
    known: dict[str, Any] = {**program.state_dict, **program.constants}
    values: dict[Any, Any] = {}
    arguments = iter(nodes)
    placeholders = [n for n in program.graph.nodes if n.op == "placeholder"]
    for node, spec in zip(placeholders, program.graph_signature.input_specs, strict=True):
        if spec.kind == InputKind.USER_INPUT:
            argument = next(arguments)
            values[node] = Value(argument, (argument.size or 0,))
        elif spec.kind == InputKind.TOKEN:  # it only orders operators that check or print
            values[node] = None
        elif (held := _parameter(module, spec)) is not None and id(held) in varying:
            values[node] = varying[id(held)]
        else:
            tensor = known[spec.target].detach().cpu()
            values[node] = tensor.to(torch.float64) if tensor.is_floating_point() else tensor
    outputs = walked(program.graph, values)
    kinds = [spec.kind for spec in program.graph_signature.output_specs]
    if OutputKind.BUFFER_MUTATION in kinds:
        raise refused(f"{type(module).__name__} changes its buffers when it is called")
    results = [o for o, k in zip(outputs, kinds, strict=True) if k == OutputKind.USER_OUTPUT]
    result = results[0]
    if isinstance(result, Tensor):
        entries = result.to(torch.float64).reshape(-1).numpy()
        result = Value(ad.constant(entries), tuple(result.shape))
    return result.entries


def _parameter(module: nn.Module, spec: Any) -> Any:
    """The module's own parameter behind an input of its program, if that is one."""
    return module.get_parameter(spec.target) if spec.kind == InputKind.PARAMETER else None


def walked(graph: torch.fx.Graph, values: dict[Any, Any]) -> Sequence[Any]:
    """The outputs of a functional graph of ATen operators; `values` has its placeholders'."""
    for node in graph.nodes:
        if node.op == "call_function" and node.users:
            if node.target is aten.as_strided.default and not _in_order(node.args[0]):
                raise refused(f"{node.target} of a tensor that does not lie row by row")
            operands = map_arg((node.args, node.kwargs), lambda n: values[n])
            values[node] = lowered(node.target, *operands)
    (output,) = next(n for n in graph.nodes if n.op == "output").args
    return map_arg(output if isinstance(output, (list, tuple)) else (output,), lambda n: values[n])


def _in_order(node: Any) -> bool:
    return node.meta["val"].is_contiguous()


def _arguments(module: Any, args: Any) -> list[Expression]:
    title = "torch_to_primitives"
    if not isinstance(module, nn.Module):
        hint = "; torch_to_ad takes functions" if callable(module) else ""
        got = f"the class {module.__name__}" if isinstance(module, type) else repr(module)
        raise TypeError(f"{title}: expected an instance of nn.Module, got {got}{hint}")
    if not isinstance(args, (list, tuple)):
        raise TypeError(
            f"{title}: expected a list of expressions, one for each input of the module, got "
            f"{type(args).__name__}; for one input write [x]"
        )
    nodes = [*as_expressions(f"{title}: args", args)]
    for i, node in enumerate(nodes):
        if node.size is None:
            raise unknown_size(title, f"argument {i}")
    return nodes


def _try(module: nn.Module, examples: Sequence[Tensor]) -> None:
    """Call the module once: it must take vectors, give one, and have torch's own derivatives."""
    title = f"torch_to_primitives: {type(module).__name__}"
    sizes = ", ".join(str(tuple(e.shape)) for e in examples)
    state = {k: v.detach().clone() for k, v in module.state_dict(keep_vars=True).items()}
    inputs = [e.clone().requires_grad_() * 1 for e in examples]
    try:
        with torch.random.fork_rng(devices=[]), torch.enable_grad():
            result = torch.func.functional_call(module, state, tuple(inputs), tie_weights=False)
    except Exception as error:
        raise ValueError(
            f"{title} does not take inputs of the shapes {sizes}: {error}. Each argument is one "
            "vector; a module that needs a batch axis or another shape goes into one that reshapes"
        ) from error
    if not isinstance(result, Tensor):
        raise ValueError(f"{title} gives a {type(result).__name__}, expected one tensor")
    if result.dim() > 1:
        raise ValueError(f"{title}: the result has shape {tuple(result.shape)}, not a vector")
    waiting: list[Any] = [result.grad_fn]
    seen: set[Any] = {None}
    while waiting:
        step = waiting.pop()
        if step in seen:
            continue
        seen.add(step)
        if isinstance(step, torch.autograd.function.BackwardCFunction):
            raise refused(f"{type(step).__name__.removesuffix('Backward')} has its own derivative")
        waiting += [following for following, _ in step.next_functions]


def _functional(module: nn.Module, examples: Sequence[Tensor]) -> Any:
    """The exported program without in-place operators, decomposed but for our rows."""
    with warnings.catch_warnings():  # torch warns of its own calls
        warnings.simplefilter("ignore")
        return _decomposed(_exported(module, examples))


def _exported(module: nn.Module, examples: Sequence[Tensor]) -> Any:
    try:
        return torch.export.export(module, tuple(examples))
    except Exception as error:
        text = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise refused(f"torch.export cannot record {type(module).__name__} ({text})") from error


def _decomposed(program: Any) -> Any:
    _mark_detached(program.graph_module, shared=set(), inside=False)
    decompositions = torch.export.default_decompositions()
    for target in list(decompositions):
        if (
            isinstance(target, OpOverload)
            and target.namespace == "aten"
            and row(target)[0] != "refused"
        ):
            del decompositions[target]
    return program.run_decompositions(decompositions)


def _mark_detached(owner: torch.fx.GraphModule, shared: set[Any], inside: bool) -> None:
    """Put `detach_copy` for `detach`, and on all that enters a region without gradients.

    A copy does not see what is written into its source in place, nor the other way round: so a
    tensor on one memory with a detached one must not be written into from there on.
    """
    bases: dict[Any, Any] = {}
    for node in list(owner.graph.nodes):
        if inside and node.op == "placeholder":
            with owner.graph.inserting_after(node):
                copy = owner.graph.call_function(aten.detach_copy.default, (node,))
            copy.meta = dict(node.meta)
            node.replace_all_uses_with(copy)
            copy.args = (node,)
            shared |= {node, copy}
        if node.op != "call_function":
            continue
        sources = [n for n in node.all_input_nodes if n.op != "get_attr"]
        base = [bases.get(n, n) for n in sources]
        if node.target is torch.ops.higher_order.wrap_with_set_grad_enabled:
            enabled, region = node.args[0], getattr(owner, node.args[1].target)
            _mark_detached(region, set(), inside=not enabled)
            shared |= {node, *base}
        elif node.target is aten.detach.default:
            node.target = aten.detach_copy.default
            shared |= {node, *base}
        elif not isinstance(node.target, OpOverload):
            bases[node] = base[0] if base else node
        else:
            _follow(node, bases, shared)
    owner.recompile()


def _follow(node: Any, bases: dict[Any, Any], shared: set[Any]) -> None:
    """Note whose memory the result of an operator is, and refuse to write into shared memory."""
    for argument, value in zip(node.target._schema.arguments, node.args, strict=False):
        if argument.alias_info is not None and isinstance(value, torch.fx.Node):
            bases[node] = bases.get(value, value)
            if argument.alias_info.is_write and bases[node] in shared:
                raise refused(f"{node.target} in place on what is detached elsewhere")
