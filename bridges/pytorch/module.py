"""`ad_to_torch`: a graph as an `nn.Module` that behaves like torch's own layers.

Data flows: arguments -> bound by position or name -> checked -> the chain's stages -> outputs. The
engines are compiled kernels (plain CPU tensors of float32 or float64) and straight-line torch code
(any device and dtype, export); users' functions are called on the host.
"""

# torch leaves the types of shapes partly unknown.
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, get_args

import torch
from torch import Tensor, nn

from ad_core.graph.errors import unknown_name, wrong_size
from ad_core.graph.nodes import ADTerminal
from ad_core.lowering.signature import Func, Signature, signature
from bridges.kernel import Kernel
from bridges.pytorch.block import KERNEL_DTYPES, Engine
from bridges.pytorch.chain import Chain, Part, tensor
from bridges.pytorch.compiled import Compiled
from bridges.pytorch.inputs import bind, is_bare, sized, uniform
from bridges.pytorch.recorded import PLAIN, apply
from bridges.pytorch.stages import Stage

Result = Tensor | tuple[Tensor, ...]


def ad_to_torch(
    func: Func,
    terminals: Sequence[str | ADTerminal] | None = None,
    *,
    sizes: Mapping[str, int] | None = None,
    engine: Engine = "auto",
    trainable: Mapping[str, Tensor] | None = None,
) -> ADModule:
    """`func` as a torch layer: tensors `(*batch, n_i)` in, `(*batch, n_out)` out.

    Inputs are given by position, in the order of `terminals`, or by name; their batch axes
    broadcast. Device and dtype follow the inputs. Derivatives are exact, to every order, in reverse
    and forward mode and under `torch.func`'s transforms; those of users' functions are what the
    functions give, and finite differences beyond.

    Args:
        func: An expression, a tuple of expressions (the layer then gives a tuple), or a function.
        terminals: The order of the inputs; by default that of first appearance, or of arguments.
        sizes: Sizes of variables that were declared without one.
        engine: For the primitives: `"kernel"` (compiled; CPU, float32 and float64), `"torch"`
            (generated torch code), or `"auto"`: the kernel where it can run, else torch. Users'
            functions always run on the host. Under a transform inside `torch.compile`, and in
            `torch.export`, primitives are torch code whatever the engine.
        trainable: Variables that the layer holds itself, with values `(n_i,)` to start from. An
            `nn.Parameter` is held as it is (layers may share it), so is an `nn.Buffer`; any other
            value becomes a parameter. They are named as the variables are in `state_dict`, with
            `_` behind what is the name of a method of modules: `parameters_`.

    Raises:
        ValueError: for names or sizes that misfit.
    """
    if engine not in get_args(Engine):
        raise unknown_name("engine", engine, get_args(Engine))
    return ADModule(signature(func, terminals), sizes or {}, engine, trainable or {})


class ADModule(nn.Module):
    """The layer that `ad_to_torch` makes.

    Its parameters are the variables that it holds, and those of torch modules that the graph calls
    (`module0`, ...); copies share such modules, as they share the graph.
    """

    def __init__(
        self,
        chosen: Signature,
        sizes: Mapping[str, int],
        engine: Engine,
        trainable: Mapping[str, Tensor],
    ) -> None:
        super().__init__()
        self._signature, self._given_sizes = chosen, dict(sizes)
        self._engine: Engine = engine
        self._held = tuple(trainable)
        self._prepare()
        for name, value in trainable.items():
            self._hold(name, value)

    def _prepare(self) -> None:
        """Make everything that follows from the signature: also after unpickling."""
        tape = self._signature.tape(self._given_sizes)
        self._declared = tape.inputs
        for name in self._held:
            if name not in dict(tape.inputs):
                raise unknown_name("variable", name, dict(tape.inputs))
        self._inputs = tuple((n, size) for n, size in tape.inputs if n not in self._held)
        self._chain = Chain(tape)
        self._buffer_names: list[list[str]] = []
        for b, block in enumerate(self._chain.blocks):
            names = [f"_c{b}_{i}" for i in range(len(block.constants))]
            for name, value in zip(names, block.constants, strict=True):
                self.register_buffer(name, tensor(value), persistent=False)
            self._buffer_names.append(names)
        for i, module in enumerate(self._chain.modules):
            self.add_module(f"module{i}", module)
        single = self._chain.single
        direct = single is not None and not self._held and self._engine != "torch"
        self._direct = single.compiled if single is not None and direct else None
        self._sizes_in = tuple(size for _, size in self._inputs)

    def _hold(self, name: str, value: Tensor) -> None:
        """Make `value`, of shape `(n,)`, the layer's own tensor for the variable `name`."""
        size = dict(self._declared)[name]
        if not isinstance(value, (nn.Parameter, nn.Buffer)):
            start = torch.as_tensor(value).detach().clone()
            if not start.is_floating_point():
                start = start.to(torch.get_default_dtype())
            value = nn.Parameter(start.reshape(1) if start.ndim == 0 and size == 1 else start)
        if value.ndim == 0 or value.shape[-1] != size:
            got = value.shape[-1] if value.ndim else 1
            raise wrong_size(self._signature.title, name, got, size)
        own = _held_as(name)
        if "." in own or hasattr(self, own):
            raise ValueError(f"variable '{name}' cannot be held: a module cannot name it so")
        if isinstance(value, nn.Parameter):
            self.register_parameter(own, value)
        else:
            self.register_buffer(own, value)

    @property
    def input_names(self) -> tuple[str, ...]:
        """The inputs' names, in order."""
        return tuple(name for name, _ in self._inputs)

    @property
    def input_sizes(self) -> tuple[int, ...]:
        """The inputs' lengths on their last axis, in order."""
        return tuple(size for _, size in self._inputs)

    @property
    def stages(self) -> list[tuple[Stage, Part]]:
        """What a call runs, in order: blocks of primitives and calls of users' functions."""
        return self._chain.stages

    @property
    def code(self) -> str:
        """The generated torch code, one function for each stage of primitives."""
        return "\n".join(block.source for block in self._chain.blocks)

    def extra_repr(self) -> str:
        """What `print(module)` shows between the brackets."""
        inputs = ", ".join(f"{name}: {size}" for name, size in self._inputs)
        sizes = dict(self._declared)
        held = "".join(f", {name}: {sizes[name]} (held)" for name in self._held)
        return f"{self._signature.title}, {inputs}{held}, engine={self._engine!r}"

    def kernel(self, dtype: torch.dtype = torch.float64) -> Kernel:
        """The compiled kernel for float32 or float64, built when first asked for.

        Raises ValueError for another dtype, NotImplementedError where users' functions are called.
        """
        if dtype not in KERNEL_DTYPES:
            raise ValueError(f"kernels are made for float32 and float64, not {dtype}")
        block = self._chain.single
        if block is None:
            raise NotImplementedError(f"{self._signature.title}: it calls users' functions")
        return block.compiled.kernel(dtype)

    # -------------------------------------------------------------------------------- calls

    def forward(self, *args: Tensor, **named: Tensor) -> Result:
        """The outputs for tensors `(*batch, n_i)` by position, by name, or both.

        Raises ValueError for wrong counts, names and sizes, TypeError for what is no real tensor.
        """
        direct = self._direct
        if direct is not None and not named and self._takes(direct, args):
            outputs = apply(direct, args)
        else:
            outputs = self._general(args, named)
        return outputs[0] if self._signature.single else outputs

    def _takes(self, direct: Compiled, args: tuple[Tensor, ...]) -> bool:
        """Whether the kernel is built and the arguments are just what it takes."""
        sizes = self._sizes_in
        if len(args) != len(sizes) or not args or torch.compiler.is_compiling():
            return False
        first = args[0]
        if type(first) not in PLAIN or not first.is_cpu:
            return False
        dtype, shape = first.dtype, first.shape
        if dtype not in direct.native or not shape or shape[-1] != sizes[0]:
            return False
        if len(args) == 1:
            return True
        batch = shape[:-1]
        for value, size in zip(args, sizes, strict=True):
            if (
                type(value) not in PLAIN
                or value.dtype is not dtype
                or not value.is_cpu
                or value.shape != (*batch, size)
            ):
                return False
        return True

    def _general(self, args: tuple[Tensor, ...], named: dict[str, Tensor]) -> tuple[Tensor, ...]:
        names = self.input_names
        given = bind(self._signature.title, names, args, named)
        bare = False
        if names:
            shown = uniform(tuple(given[n] for n in names), self._inputs)
            bare = is_bare(shown, self._inputs)
            if bare:
                shown = tuple(x.unsqueeze(-1) for x in shown)
            given = dict(zip(names, sized(self._signature.title, shown, self._inputs), strict=True))
        if self._held:
            given |= {name: getattr(self, _held_as(name)) for name in self._held}
        inputs = uniform(tuple(given[n] for n, _ in self._declared), self._declared)
        constants = [[getattr(self, n) for n in names] for names in self._buffer_names]
        outputs = self._chain.apply(inputs, constants, self._engine)
        if bare:
            outputs = tuple(y[..., 0] if y.shape[-1] == 1 else y for y in outputs)
        return outputs

    # ----------------------------------------------------------------------- torch's customs

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> ADModule:
        """Follow `.to(device)`; the constants stay float64, since dtype follows the inputs."""
        super()._apply(fn, recurse)
        for names, block in zip(self._buffer_names, self._chain.blocks, strict=True):
            for name, value in zip(names, block.constants, strict=True):
                moved = getattr(self, name)
                if moved.dtype != torch.float64 and moved.device.type != "mps":
                    setattr(self, name, tensor(value).to(moved.device))
        return self

    def __getstate__(self) -> dict[str, Any]:
        """What travels: the graph and the tensors, not what was made from the graph."""
        state = self.__dict__.copy()
        for made in ("_chain", "_direct"):
            state.pop(made)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        constants = [getattr(self, n) for names in self._buffer_names for n in names]
        self._prepare()
        if constants:
            for names in self._buffer_names:
                for name in names:
                    setattr(self, name, getattr(self, name).to(constants[0].device))


def _held_as(name: str) -> str:
    """The attribute that holds a variable: `parameters` and its kin are methods of every module."""
    return f"{name}_" if hasattr(ADModule, name) else name
