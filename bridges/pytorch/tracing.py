"""How torch looks at a call: whether it records, intercepts or transforms what runs.

A kernel or a user's function is hidden from torch. While something of torch watches, graphs of
primitives are torch code, which everything of torch sees and differentiates; users' functions, and
under transforms of `torch.func` primitives too, are the operator of `recorded`. What neither can
serve is refused with a word of what to do.
"""

# These functions of torch are private; the tests tell when they change.
# pyright: reportPrivateUsage=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportAttributeAccessIssue=false
# pyright: reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NoReturn, TypeVar

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.utils._device import DeviceContext

from bridges.pytorch.legacy_vmap import is_legacy

PLAIN = (Tensor, nn.Parameter)
"""Tensor types that own memory; others (fake, traced, distributed) stand for a tensor."""

_dispatch_modes = torch._C._len_torch_dispatch_stack
_function_modes = torch._C._len_torch_function_stack
_jit_tracing = torch._C._is_tracing
transformed = torch._C._are_functorch_transforms_active

Function = TypeVar("Function", bound=Callable[..., object])


def constant_to_compilers(function: Function) -> Function:
    """`torch.compiler.assume_constant_result`, without loading all of torch's compiler for it."""
    vars(function)["_dynamo_marked_constant"] = True
    return function


def visible(inputs: Iterable[Tensor]) -> bool:
    """Whether torch is to see the operators that run.

    So it is under a dispatch mode, a function mode or `torch.jit.trace`, and where an input stands
    for a tensor. `torch.device(...)` as a context is a function mode that changes no call of ours.
    """
    if _dispatch_modes() or _jit_tracing() or (_function_modes() and _other_modes()):
        return True
    for x in inputs:  # noqa: SIM110 (a generator would double the cost)
        if type(x) not in PLAIN:
            return True
    return False


def plain(inputs: Iterable[Tensor]) -> bool:
    """Whether torch neither watches nor transforms, and the tensors have memory of their own."""
    if torch.compiler.is_dynamo_compiling() or transformed():
        return False
    if _dispatch_modes() or _jit_tracing() or (_function_modes() and _other_modes()):
        return False
    for x in inputs:  # noqa: SIM110 (a generator would double the cost)
        if type(x) not in PLAIN or is_legacy(x):
            return False
    return True


def _other_modes() -> bool:
    modes = (torch._C._get_function_stack_at(i) for i in range(_function_modes()))
    return any(type(mode) is not DeviceContext for mode in modes)


@constant_to_compilers
def exporting() -> bool:
    """Whether a portable program is wanted: it must run where this package is not.

    Compilers before torch 2.13 would take that for so, whatever is.
    """
    return torch.compiler.is_exporting() or torch.onnx.is_in_onnx_export()


@constant_to_compilers
def transforming() -> bool:
    """Whether `torch.func` or forward mode is at work."""
    return bool(torch._C._functorch.get_interpreter_stack()) or forward_ad._current_level >= 0


@constant_to_compilers
def refuse_untraceable(what: str) -> None:
    """Raise NotImplementedError where a user's function cannot be part of what is recorded."""
    if exporting():
        raise NotImplementedError(
            f"{what}: a user's function cannot be exported; write it with primitives, or export "
            "what stands before and behind it"
        )
    if torch.compiler.is_compiling() and _in_forward_mode():
        raise NotImplementedError(
            f"{what}: inside torch.compile a user's function has no forward mode; move the "
            "transform out of the compiled function, or do not compile it"
        )


def _in_forward_mode() -> bool:
    stack = torch._C._functorch.get_interpreter_stack() or []
    jvp = torch._C._functorch.TransformType.Jvp
    return forward_ad._current_level >= 0 or any(level.key() == jvp for level in stack)


def refuse_pre_dispatch(what: str) -> None:
    """Raise NotImplementedError where `make_fx(pre_dispatch=True)` would record what is wrong."""
    if _function_modes() and torch._ops._len_torch_dispatch_stack_pre_dispatch():
        raise NotImplementedError(
            f"{what}: make_fx(pre_dispatch=True) cannot record this; leave pre_dispatch out"
        )


def refuse_jit(what: str) -> None:
    """Raise NotImplementedError where `torch.jit.trace` would bake a mapped module in."""
    if torch.compiler.is_compiling():
        return
    refuse_pre_dispatch(what)
    if _jit_tracing():
        raise NotImplementedError(
            f"{what}: torch.jit.trace cannot record a torch module inside a graph; use "
            "torch.export or torch.fx's make_fx"
        )


def refuse_jit_transforms(what: str) -> None:
    """Raise NotImplementedError where `torch.jit.trace` meets a transform of `torch.func`."""
    if _jit_tracing() and transformed():
        raise NotImplementedError(
            f"{what}: torch.jit.trace cannot record transforms of torch.func; use torch.fx's "
            "make_fx, or torch.export"
        )


def refuse_script(what: str) -> NoReturn:
    """Raise NotImplementedError: `torch.jit.script` would fail at the first line that it reads."""
    raise NotImplementedError(
        f"{what}: torch.jit.script cannot read a layer's Python code; use torch.export or "
        "torch.jit.trace"
    )
