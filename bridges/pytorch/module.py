"""`ad_to_torch`: a graph as an `nn.Module` that behaves like torch's own layers.

Data flows: arguments -> bound by position or name -> checked -> the program or chain -> outputs.
The engines are compiled kernels (plain CPU tensors of float32 or float64) and straight-line torch
code (any device and dtype, export); users' functions are called on the host.
"""

# torch leaves the types of shapes partly unknown.
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NoReturn, get_args

import torch
from numpy.typing import DTypeLike
from torch import Tensor, nn

from ad_core.graph import (
    ADFunctionInterface,
    ADTerminal,
    Array,
    checked,
    one_of,
    real,
    unknown_name,
    wrong_size,
)
from ad_core.lowering import Func, Lowered, lower, make_tape
from bridges.kernel import Kernel
from bridges.native.target import check_dtype
from bridges.pytorch.chain import Chain, Part
from bridges.pytorch.inputs import batch_of, bind, check_batches, sized, uniform
from bridges.pytorch.natural import NaturalShape, in_rows
from bridges.pytorch.program import (
    Engine,
    Primitives,
    program_of,
    tensor,
    vector_constants,
)
from bridges.pytorch.tracing import refuse_jit_transforms, refuse_script

Result = Tensor | tuple[Tensor, ...]
Shapes = Literal["flat", "natural"]


def ad_to_torch(
    func: Func,
    terminals: Sequence[str | ADTerminal] | None = None,
    *,
    sizes: Mapping[str, int] | None = None,
    engine: Engine = "auto",
    trainable: Mapping[str, Tensor] | None = None,
    shapes: Shapes = "flat",
) -> ADModule:
    """`func` as a torch layer: tensors `(*batch, n_i)` in, `(*batch, n_out)` out.

    Inputs are given by position, in the order of `terminals`, or by name; their batch axes
    broadcast. The last axis is always the vector's, also of one entry: numbers for five samples
    have shape `(5, 1)`, and so has their result; a tensor without axes is one sample. Device and
    dtype follow the inputs. Derivatives are exact, to every order, in reverse and forward mode and
    under `torch.func`'s transforms; those of users' functions are what the functions give, and
    finite differences beyond.

    Args:
        func: An expression, several of them in a tuple, list, generator or dict (the layer then
            gives a tuple, of one too), or a function.
        terminals: The order of the inputs; by default that of first appearance, or of arguments.
        sizes: Sizes of variables that were declared without one.
        engine: For the primitives: `"kernel"` (compiled; CPU and CUDA, float32 and float64),
            `"torch"` (generated torch code), or `"auto"`: the kernel where it can run, else torch.
            Users' functions always run on the host. Under a transform inside `torch.compile`, in
            `torch.export`, and where something of torch records or intercepts operators (`make_fx`,
            `torch.func.linearize`, `torch.jit.trace`, modes), primitives are torch code whatever
            the engine.
        trainable: Variables that the layer holds itself, with values `(n_i,)` to start from. An
            `nn.Parameter` is held as it is (layers may share it), so is an `nn.Buffer`; any other
            value becomes a parameter. They are named as the variables are in `state_dict`, with
            `_` behind what is the name of a method of modules: `parameters_`.
        shapes: `"flat"`, or `"natural"` for results in the shape that their function states: poses
            `(*batch, 4, 4)`, rotations `(*batch, 3, 3)`, Jacobians and mass matrices as matrices.
            Functions that state none give vectors.

    Raises:
        ValueError: for names or sizes that misfit.
    """
    one_of(engine, "ad_to_torch: engine", get_args(Engine))
    one_of(shapes, "ad_to_torch: shapes", get_args(Shapes))
    if trainable is not None:
        checked(trainable, Mapping, "ad_to_torch", "trainable", "a dict of values by variable")
    natural: tuple[NaturalShape, ...] = ()
    title = str(func) if isinstance(func, ADFunctionInterface) else "layer"
    if shapes == "natural":
        func, natural = in_rows(func)
    lowered = lower(func, terminals, sizes, title=title)
    return ADModule(lowered, engine, trainable or {}, natural)


class ADModule(nn.Module):
    """The layer that `ad_to_torch` makes.

    Its parameters are the variables that it holds, and those of torch modules that the graph calls
    (`module0`, ...); copies share such modules, as they share the graph.
    """

    def __init__(
        self,
        lowered: Lowered,
        engine: Engine,
        trainable: Mapping[str, Tensor],
        natural: tuple[NaturalShape, ...] = (),
    ) -> None:
        super().__init__()
        self._engine: Engine = engine
        self._held, self._natural = tuple(trainable), natural
        self._prepare(lowered)
        for name, value in trainable.items():
            self._hold(name, value)

    def _prepare(self, lowered: Lowered) -> None:
        """Make everything that follows from the graph: also after unpickling."""
        self._lowered, tape = lowered, lowered.tape
        self._declared = tape.inputs
        for name in self._held:
            if name not in dict(tape.inputs):
                raise unknown_name("variable", name, dict(tape.inputs))
        self._inputs = tuple((n, size) for n, size in tape.inputs if n not in self._held)
        self._run: Primitives | Chain
        if tape.opaque:
            self._run = Chain(lowered, self._engine)
            self._constants: list[Array] = self._run.constants
            for i, module in enumerate(self._run.modules):
                self.add_module(f"module{i}", module)
        else:
            self._run = program_of(tape, self._engine, lambda: lowered)
            self._constants = vector_constants(tape)
        self._buffer_names = [f"_c{i}" for i in range(len(self._constants))]
        for name, value in zip(self._buffer_names, self._constants, strict=True):
            self.register_buffer(name, tensor(value), persistent=False)
        direct = isinstance(self._run, Primitives) and not self._held and self._engine != "torch"
        self._direct = self._run if direct and isinstance(self._run, Primitives) else None

    def _hold(self, name: str, value: Tensor) -> None:
        """Make `value`, of shape `(n,)`, the layer's own tensor for the variable `name`."""
        size = dict(self._declared)[name]
        if not isinstance(value, Tensor):  # pyright: ignore[reportUnnecessaryIsInstance]
            real(value, f"{self._lowered.title}: variable '{name}'")
        elif value.is_complex():
            raise TypeError(f"{self._lowered.title}: variable '{name}' is complex, expected reals")
        if not isinstance(value, (nn.Parameter, nn.Buffer)):
            start = torch.as_tensor(value).detach().clone()
            if not start.is_floating_point():
                start = start.to(torch.get_default_dtype())
            value = nn.Parameter(start.reshape(1) if start.ndim == 0 and size == 1 else start)
        if value.ndim == 0 or value.shape[-1] != size:
            got = value.shape[-1] if value.ndim else 1
            raise wrong_size(self._lowered.title, name, got, size)
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
    def parts(self) -> list[Part]:
        """What a call runs, in order: programs of primitives and calls of users' functions."""
        run = self._run
        return [run] if isinstance(run, Primitives) else [part for _, part in run.stages]

    @property
    def code(self) -> str:
        """The generated torch code, one function for each stage of primitives."""
        programs = [part for part in self.parts if isinstance(part, Primitives)]
        return "\n".join(program.code.source for program in programs)

    def extra_repr(self) -> str:
        """What `print(module)` shows between the brackets."""
        inputs = ", ".join(f"{name}: {size}" for name, size in self._inputs)
        sizes = dict(self._declared)
        held = "".join(f", {name}: {sizes[name]} (held)" for name in self._held)
        return f"{self._lowered.title}, {inputs}{held}, engine={self._engine!r}"

    def kernel(self, dtype: torch.dtype | DTypeLike = torch.float64) -> Kernel:
        """The kernel for float32 or float64, built when first called.

        Raises ValueError for another dtype, NotImplementedError where users' functions are called.
        """
        number = getattr(torch, check_dtype(dtype))
        if not isinstance(self._run, Primitives):
            raise NotImplementedError(f"{self._lowered.title}: it calls users' functions")
        return self._run.kernel(number)

    # -------------------------------------------------------------------------------- calls

    def forward(self, *args: Tensor, **named: Tensor) -> Result:
        """The outputs for tensors `(*batch, n_i)` by position, by name, or both.

        Raises ValueError for wrong counts, names and sizes, TypeError for what is no real tensor.
        """
        direct = self._direct
        outputs = None if direct is None or named else direct.at_once(args)
        if outputs is None:
            outputs = self._general(args, named)
        if self._natural:
            outputs = tuple(
                y if shape is None else y.unflatten(-1, shape)
                for y, shape in zip(outputs, self._natural, strict=True)
            )
        return outputs[0] if self._lowered.single else outputs

    def _general(self, args: tuple[Tensor, ...], named: dict[str, Tensor]) -> tuple[Tensor, ...]:
        title, names = self._lowered.title, self.input_names
        if not torch.compiler.is_compiling():
            refuse_jit_transforms(title)
        given = bind(title, names, args, named)
        if names:
            shown = uniform(tuple(given[n] for n in names), self._inputs)
            given = dict(zip(names, sized(title, shown, self._inputs), strict=True))
        if self._held:
            given |= {name: getattr(self, _held_as(name)) for name in self._held}
        inputs = uniform(tuple(given[n] for n, _ in self._declared), self._declared)
        if inputs and not torch.compiler.is_compiling():
            check_batches(title, inputs, self._declared)
        constants = [getattr(self, name) for name in self._buffer_names]
        outputs = self._run.apply(inputs, constants)
        batch = batch_of(inputs)
        return tuple(y if y.shape[:-1] == batch else y.expand(*batch, y.shape[-1]) for y in outputs)

    # ----------------------------------------------------------------------- torch's customs

    def __prepare_scriptable__(self) -> NoReturn:
        """What `torch.jit.script` calls, on every module within a module."""
        refuse_script(self._lowered.title)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> ADModule:
        """Follow `.to(device)`; the constants stay float64, since dtype follows the inputs.

        They are made again from their numbers, also where the layer comes from the meta device.
        """
        super()._apply(fn, recurse)
        for name, value in zip(self._buffer_names, self._constants, strict=True):
            setattr(self, name, tensor(value, getattr(self, name).device))
        return self

    def __getstate__(self) -> dict[str, Any]:
        """What travels: the graph and the tensors, not what was made from the graph."""
        state = self.__dict__.copy()
        for made in ("_run", "_direct", "_constants"):
            state.pop(made)
        f = state.pop("_lowered")
        state["_graph"] = (f.title, f.single, f.names_out, f.roots, f.tape.inputs)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        title, single, names_out, roots, inputs = state.pop("_graph")
        super().__setstate__(state)
        devices = [getattr(self, name).device for name in self._buffer_names]
        self._prepare(Lowered(title, single, names_out, roots, make_tape(roots, inputs)))
        for name, value, device in zip(self._buffer_names, self._constants, devices, strict=True):
            setattr(self, name, tensor(value, device))


def _held_as(name: str) -> str:
    """The attribute that holds a variable: `parameters` is a method of every module."""
    return f"{name}_" if hasattr(ADModule, name) else name
