"""`ad_to_torch`: a graph as an `nn.Module` that behaves like torch's own layers.

Data flows: arguments -> bound by position or name -> checked -> one engine -> outputs. The engines
are compiled kernels (plain CPU tensors of float32 or float64) and straight-line torch code (any
device and dtype, `torch.compile`, export); `auto` chooses for each call.
"""

# torch leaves the types of shapes and of autograd.Function.apply partly unknown.
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from ad_core.errors import unknown_name, wrong_count, wrong_size
from ad_core.expr import ADTerminal, Array
from ad_core.signature import Func, Signature, signature
from bridges.casadi import ad_to_casadi
from bridges.kernel import Kernel, casadi_to_kernel
from bridges.pytorch.kernel_function import apply_kernel
from bridges.pytorch.straight_line import straight_line

Engine = Literal["auto", "kernel", "torch"]
Result = Tensor | tuple[Tensor, ...]

KERNEL_DTYPES = {torch.float32: "float32", torch.float64: "float64"}


def ad_to_torch(
    func: Func,
    terminals: Sequence[str | ADTerminal] | None = None,
    *,
    sizes: Mapping[str, int] | None = None,
    engine: Engine = "auto",
) -> ADModule:
    """`func` as a torch layer: tensors `(*batch, n_i)` in, `(*batch, n_out)` out.

    Inputs are given by position, in the order of `terminals`, or by name; their batch axes
    broadcast. Device and dtype follow the inputs. Derivatives are exact, to every order, in reverse
    and forward mode and under `torch.func`'s transforms.

    Args:
        func: An expression, a tuple of expressions (the layer then gives a tuple), or a function.
        terminals: The order of the inputs; by default that of first appearance, or of arguments.
        sizes: Sizes of variables that were declared without one.
        engine: `"kernel"` (compiled; CPU, float32 and float64), `"torch"` (generated torch code),
            or `"auto"`: the kernel where it can run, else torch.

    Raises:
        ValueError: for names or sizes that misfit.
        NotImplementedError: where the graph holds a function that torch code cannot look into.
    """
    if engine not in ("auto", "kernel", "torch"):
        raise unknown_name("engine", engine, ("auto", "kernel", "torch"))
    return ADModule(signature(func, terminals), dict(sizes or {}), engine)


class ADModule(nn.Module):
    """The layer that `ad_to_torch` makes; it has no parameters of its own."""

    def __init__(self, chosen: Signature, sizes: dict[str, int], engine: Engine) -> None:
        super().__init__()
        self._signature, self._given_sizes, self._engine = chosen, sizes, engine
        self._prepare()

    def _prepare(self) -> None:
        """Make everything that follows from the signature: also after unpickling."""
        tape = self._signature.tape(self._given_sizes)
        self._inputs = tape.inputs
        self._shapes_in = tuple(size for _, size in tape.inputs)
        self._all_single = all(size == 1 for _, size in tape.inputs)
        self._sizes_out = tuple(tape.sizes[o] for o in tape.outputs)
        code = straight_line(tape)
        self._run: Callable[..., tuple[Tensor, ...]] = code.run
        self._constants = code.constants
        self.code = code.source
        for i, value in enumerate(code.constants):
            self.register_buffer(f"_c{i}", _tensor(value), persistent=False)
        self._kernels: dict[torch.dtype, Kernel] = {}

    @property
    def input_names(self) -> tuple[str, ...]:
        """The inputs' names, in order."""
        return tuple(name for name, _ in self._inputs)

    def extra_repr(self) -> str:
        """What `print(module)` shows between the brackets."""
        inputs = ", ".join(f"{name}: {size}" for name, size in self._inputs)
        return f"{self._signature.title}, {inputs}, engine={self._engine!r}"

    def forward(self, *args: Tensor, **named: Tensor) -> Result:
        """The outputs for tensors `(*batch, n_i)` by position, by name, or both."""
        kernel = None if named else self._plain_kernel(args)
        if kernel is not None:
            outputs = apply_kernel(kernel, args)
            return outputs[0] if self._signature.single else outputs
        inputs, squeeze = self._checked(self._bound(args, named))
        outputs = self._computed(inputs)
        if squeeze:
            outputs = tuple(y[..., 0] if y.shape[-1] == 1 else y for y in outputs)
        return outputs[0] if self._signature.single else outputs

    def kernel(self, dtype: torch.dtype = torch.float64) -> Kernel:
        """The compiled kernel for float32 or float64, built when first asked for."""
        if dtype not in KERNEL_DTYPES:
            raise ValueError(f"kernels are made for float32 and float64, not {dtype}")
        found = self._kernels.get(dtype)
        if found is None:
            chosen = self._signature
            program = ad_to_casadi(
                chosen.roots, chosen.names, sizes=self._given_sizes, symbolic="SX"
            )
            found = self._kernels[dtype] = casadi_to_kernel(program, KERNEL_DTYPES[dtype])
        return found

    # ------------------------------------------------------------------------------- inputs

    def _bound(self, args: Sequence[Tensor], named: Mapping[str, Tensor]) -> tuple[Tensor, ...]:
        """The inputs in order, from positions and names together."""
        names = self.input_names
        if len(args) > len(names):
            raise wrong_count(self._signature.title, len(args), len(names))
        given = dict(zip(names, args, strict=False))
        for name, value in named.items():
            if name not in names:
                raise unknown_name("input", name, names)
            if name in given:
                raise ValueError(f"input '{name}' is given by position and by name")
            given[name] = value
        missing = [name for name in names if name not in given]
        if missing:
            raise ValueError(f"{self._signature.title}: no value for {', '.join(missing)}")
        return tuple(given[name] for name in names)

    def _checked(self, inputs: tuple[Tensor, ...]) -> tuple[tuple[Tensor, ...], bool]:
        """The inputs as `(*batch, n_i)` of one floating dtype, and whether scalars came bare."""
        dtype: torch.dtype | None = None
        uniform = True
        for value, (name, _) in zip(inputs, self._inputs, strict=True):
            if not isinstance(value, Tensor):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise TypeError(f"input '{name}' is a {type(value).__name__}, expected a tensor")
            uniform = uniform and dtype in (None, value.dtype)
            dtype = value.dtype
        if not uniform or (dtype is not None and not dtype.is_floating_point):
            inputs = _promoted(inputs)
        bare = self._all_single and any(x.ndim == 0 or x.shape[-1] != 1 for x in inputs)
        if bare:
            inputs = tuple(x.unsqueeze(-1) for x in inputs)
        for value, (name, size) in zip(inputs, self._inputs, strict=True):
            if value.ndim == 0 or value.shape[-1] != size:
                got = value.shape[-1] if value.ndim else 1
                if value.ndim or size != 1:
                    raise wrong_size(self._signature.title, name, got, size)
                inputs = tuple(x if x.ndim else x.unsqueeze(0) for x in inputs)
        return inputs, bare

    def _plain_kernel(self, args: tuple[Tensor, ...]) -> Kernel | None:
        """The kernel, where it is built and the arguments are just what it takes."""
        if not self._kernels or self._engine == "torch" or torch.compiler.is_compiling():
            return None
        if len(args) != len(self._shapes_in) or type(args[0]) not in PLAIN:
            return None
        first = args[0]
        dtype, shape = first.dtype, first.shape
        batch = shape[:-1]
        for value, size in zip(args, self._shapes_in, strict=True):
            if (
                type(value) not in PLAIN
                or value.dtype is not dtype
                or not value.is_cpu
                or value.shape != (*batch, size)
            ):
                return None
        kernel = self._kernels.get(dtype)
        return kernel if kernel is not None and kernel.is_native else None

    # ------------------------------------------------------------------------------ engines

    def _computed(self, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        if self._engine == "torch" or not _on_host(inputs):
            if self._engine == "kernel" and inputs:
                raise ValueError(
                    "engine 'kernel' takes plain CPU tensors of float32 or float64, "
                    f"got {inputs[0].dtype} on {inputs[0].device}"
                )
            return self._straight_line(inputs)
        kernel = self.kernel(inputs[0].dtype)
        if not kernel.is_native and self._engine == "auto":
            return self._straight_line(inputs)
        return apply_kernel(kernel, _broadcast(inputs))

    def _straight_line(self, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        constants = [getattr(self, f"_c{i}") for i in range(len(self._constants))]
        if inputs:
            constants = [c.to(inputs[0].dtype) for c in constants]
        outputs = self._run(*inputs, *constants)
        batch = torch.broadcast_shapes(*(x.shape[:-1] for x in inputs))
        return tuple(
            y.expand(*batch, size) if y.shape != (*batch, size) else y
            for y, size in zip(outputs, self._sizes_out, strict=True)
        )

    # ----------------------------------------------------------------------- torch's customs

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> ADModule:
        """Follow `.to(device)`; the constants stay float64, since dtype follows the inputs."""
        super()._apply(fn, recurse)
        for i, value in enumerate(self._constants):
            moved = getattr(self, f"_c{i}")
            if moved.dtype != torch.float64 and moved.device.type != "mps":
                exact = _tensor(value).to(moved.device)
                setattr(self, f"_c{i}", exact)
        return self

    def __getstate__(self) -> dict[str, Any]:
        """What travels: the graph, not the code made from it."""
        state = self.__dict__.copy()
        for made in ("_run", "_kernels", "code"):
            state.pop(made)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        device = next(self.buffers()).device if self._constants else None
        self._prepare()
        if device is not None:
            self.to(device)


def _tensor(value: Array) -> Tensor:
    """A float64 tensor made from numbers, so that it is fake where tensors are being faked."""
    return torch.tensor(value.tolist(), dtype=torch.float64)


def _promoted(inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """All inputs in their common dtype; integers become torch's default float dtype."""
    dtype = inputs[0].dtype
    for value in inputs[1:]:
        dtype = torch.promote_types(dtype, value.dtype)
    if dtype.is_complex:
        raise TypeError(f"inputs are real, got {dtype}")
    if not dtype.is_floating_point:
        dtype = torch.get_default_dtype()
    return tuple(x.to(dtype) for x in inputs)


def _on_host(inputs: tuple[Tensor, ...]) -> bool:
    """Whether the inputs are CPU tensors with memory behind them, of a dtype kernels have."""
    if not inputs or torch.compiler.is_compiling():
        return False
    first = inputs[0]
    return first.dtype in KERNEL_DTYPES and all(x.is_cpu and type(x) in PLAIN for x in inputs)


PLAIN = (Tensor, nn.Parameter)
"""Tensor types that own memory; others (fake, distributed, user subclasses) get torch code."""


def _broadcast(inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """The inputs with one common batch shape, as views, so that autograd sums what it repeats."""
    batch = inputs[0].shape[:-1]
    if all(x.shape[:-1] == batch for x in inputs):
        return inputs
    batch = torch.broadcast_shapes(*(x.shape[:-1] for x in inputs))
    return tuple(x.expand(*batch, x.shape[-1]) for x in inputs)
