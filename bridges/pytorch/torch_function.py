"""`torch_to_ad`: a torch module or function as a node, differentiated by `torch.func`.

Only reverse mode is used, also for Jacobian-vector products: torch does not nest forward mode, and
a node may be asked for its derivative inside someone's forward mode.
"""

# torch leaves the types of its functional transforms partly unknown.
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import jacrev, vjp

from ad_core.graph import (
    ADFunctionCall,
    ADFunctionInterface,
    Array,
    ExpressionLike,
    as_expressions,
    checked,
    whole_number,
)


def torch_to_ad(
    module: Callable[..., Tensor], args: Sequence[ExpressionLike], *, n_out: int | None = None
) -> ADFunctionCall:
    """`module(*args)` as an expression, for any torch module or function of tensors.

    The module gets each argument as a tensor `(n_i,)` in the dtype and on the device of its first
    floating point parameter (float64 on the CPU where it has none), and gives a tensor `(n_out,)`,
    or one number. Its parameters are read when the expression is evaluated, and it stays in the
    mode, train or eval, that it is in. Derivatives of every order come from `torch.func`. In a
    layer of `ad_to_torch` torch runs it over the batch, and its parameters are the layer's, too.

    Args:
        module: An `nn.Module`, or a function of tensors.
        args: Expressions, names or numbers, one for each argument of the module.
        n_out: The size of the result; found by a call at zeros where every argument's size is known
            and this is not given. The call leaves buffers and random numbers as they were.

    Raises:
        ValueError: where the result is no vector, or has another size than `n_out`.
        TypeError: where `module` cannot be called, or gives no real tensor.
    """
    checked(module, Callable, "torch_to_ad", "module", "a callable")
    if n_out is not None:
        n_out = whole_number(n_out, "torch_to_ad: n_out")
    nodes = as_expressions("torch_to_ad: args", args)
    function = TorchFunction(module, len(nodes), n_out)
    sizes = [node.size for node in nodes]
    if n_out is None and all(size is not None for size in sizes):
        function.find_size([size or 0 for size in sizes])
    return ADFunctionCall(function, nodes)


class TorchFunction(ADFunctionInterface):
    """A torch module as a function of the graph: `torch_to_ad` makes calls of it."""

    def __init__(self, module: Callable[..., Tensor], count: int, n_out: int | None = None) -> None:
        self.module = module
        self._count, self._n_out = count, n_out

    def __str__(self) -> str:
        named = getattr(self.module, "__name__", None)
        return named if isinstance(named, str) else type(self.module).__name__

    def n_args(self) -> int:
        """The number of arguments."""
        return self._count

    def argname(self, arg: int) -> str:
        """`x0`, `x1`, ..."""
        return f"x{arg}"

    def n_out(self) -> int:
        """The size of the result, or -1 until it is known."""
        return -1 if self._n_out is None else self._n_out

    def find_size(self, sizes: Sequence[int]) -> None:
        """Learn the result's size from one call at zeros."""
        buffers: list[tuple[Tensor, Tensor]] = []
        if isinstance(self.module, nn.Module):
            buffers = [(b, b.detach().clone()) for b in self.module.buffers()]
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            try:
                result = self.vector(self._tensors([np.zeros(n) for n in sizes]))
            except RuntimeError as error:
                given = ", ".join(map(str, sizes))
                raise ValueError(f"{self}: called with vectors of size {given}: {error}") from error
            self._n_out = result.shape[0]
            for buffer, before in buffers:
                buffer.copy_(before)

    def eval(self, *args: Any) -> Array:
        """The module's result as an array `(n_out,)`."""
        with torch.no_grad():
            return _array(self.vector(self._tensors(args)))

    def jvp(self, arg: int, darg: Any, *args: Any) -> Array:
        """`(d module / d x_arg) darg`, the pullback's own pullback."""
        inputs = self._tensors(args)
        (tangent,) = self._tensors([darg])
        value, pull, *_ = vjp(self._of_one(arg, inputs), inputs[arg])

        def gradient(cotangent: Tensor) -> Tensor:
            return pull(cotangent)[0]

        _, push, *_ = vjp(gradient, torch.zeros_like(value))
        return _array(push(tangent)[0])

    def gen_derivative(self, arg: Sequence[int], *args: Any) -> Array:
        """The derivative w.r.t. the arguments in turn, by as many `jacrev`."""
        inputs = self._tensors(args)
        function: Callable[..., Tensor] = lambda *x: self.vector(x)  # noqa: E731
        for number in arg:
            function = jacrev(function, argnums=number)
        return _array(function(*inputs))

    def _of_one(self, arg: int, inputs: Sequence[Tensor]) -> Callable[[Tensor], Tensor]:
        return lambda x: self.vector([*inputs[:arg], x, *inputs[arg + 1 :]])

    def _tensors(self, values: Sequence[Any]) -> list[Tensor]:
        """Values as tensors `(n_i,)` of the module's dtype, with memory of their own."""
        like = self.like()
        arrays = [np.array(v, dtype=np.float64).reshape(-1) for v in values]
        return [torch.from_numpy(a).to(like) for a in arrays]

    def like(self) -> Tensor:
        """A tensor of the dtype and on the device that the module works with."""
        parameters = self.module.parameters() if isinstance(self.module, nn.Module) else ()
        found = next((p for p in parameters if p.is_floating_point()), None)
        return torch.empty(0, dtype=torch.float64) if found is None else found.detach()

    def vector(self, inputs: Sequence[Tensor]) -> Tensor:
        """The module's result for tensors `(n_i,)`, checked, as a tensor `(n_out,)`."""
        result: Any = self.module(*inputs)
        if not isinstance(result, Tensor) or result.is_complex():
            raise TypeError(f"{self}: gave {type(result).__name__}, expected a tensor of reals")
        if result.ndim > 1:
            raise ValueError(f"{self}: gave shape {tuple(result.shape)}, expected a vector")
        return result.reshape(-1)


class TorchModuleFunction(TorchFunction):
    """A torch module or function as a function of any number of arguments, as Klampt has it.

    Calling it is `torch_to_ad(module, args)`. torch's default dtype stays what it is.
    """

    def __init__(self, module: Callable[..., Tensor]) -> None:
        super().__init__(
            checked(module, Callable, "TorchModuleFunction", "module", "a callable"), -1
        )

    def __call__(self, /, *args: ExpressionLike, **named: ExpressionLike) -> ADFunctionCall:
        """The module's result for these arguments, as an expression."""
        return super().__call__(**named) if named else torch_to_ad(self.module, args)


def _array(tensor: Tensor) -> Array:
    return tensor.detach().to("cpu", torch.float64).numpy()
