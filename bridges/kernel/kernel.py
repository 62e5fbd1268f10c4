"""`Kernel`: a batched function of numpy arrays or torch tensors, and its derivatives."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias, cast

import numpy as np

from ad_core.graph import checked, html_table, listed, whole_number
from bridges.kernel.arrays import (
    Argument,
    Array,
    Shape,
    as_input,
    as_outputs,
    as_sequence,
    batch_shape,
    is_writable_in_place,
)
from bridges.kernel.bound import bind
from bridges.kernel.evaluator import Evaluator, NativeEvaluator, NumpyEvaluator, warn_slow
from bridges.kernel.file import Saved, Tree, read, write
from bridges.kernel.gpu import GpuCaller, call_on_gpu, gpu_caller, gpu_of
from bridges.kernel.names import Wrt, chosen_inputs, in_order
from bridges.kernel.results import LARGE_BYTES, empty
from bridges.kernel.source import Source, building
from bridges.kernel.tensors import TensorCaller
from bridges.native.build import vector_bytes
from bridges.native.emit_c import emit_c
from bridges.native.emit_cuda import emit_cuda
from bridges.native.errors import BuildError
from bridges.native.files import put_file
from bridges.native.load import load_library
from bridges.native.program import Program
from bridges.native.target import DType, Target

# Operations times samples up to which a call keeps the GIL: about a fifth of a millisecond.
_BRIEF = 5_000_000


Derivative: TypeAlias = "tuple[str, tuple[int, ...]]"
"""A kind of derivative and the numbers of the inputs that it is for."""

_Array = np.ndarray  # looked up at every call of a kernel

_KINDS = ("vjp", "jvp", "jacobian", "jacobian_values", "hessian_vp")


class Kernel:
    """`(y_0, y_1, ...) = f(x_0, x_1, ...)` for every sample of a batch, as native code.

    Inputs are `(*batch, n_i)` arrays of `dtype`: all numpy, all torch tensors on the CPU, or all on
    one GPU (torch's, or those of a library that has DLPack); batch axes broadcast against each
    other. Outputs are `(*batch, *output_shape)`: one array if the function
    has one output, else a tuple; always a tuple if `is_tuple`. Results are bit-identical for any
    batch, batch split and number of threads.

    Where there is no working C compiler, numpy runs the program instead, after one RuntimeWarning.
    Derivatives are those of the graph, and kernels again.
    """

    def __init__(
        self,
        source: Source,
        dtype: DType,
        *,
        output_shapes: Sequence[Shape] | None = None,
        is_tuple: bool = False,
    ) -> None:
        self.dtype: DType = dtype
        self.source = source
        signature = source.signature
        inputs = zip(signature.names_in, signature.sizes_in, strict=True)
        self.arguments: tuple[Argument, ...] = tuple(
            Argument(i, name, size) for i, (name, size) in enumerate(inputs)
        )
        self.output_shapes: tuple[Shape, ...] = tuple(
            output_shapes or ((n,) for n in signature.sizes_out)
        )
        self._numpy_dtype = np.dtype(self.dtype)
        self._wrt: tuple[int, ...] = ()  # of a derivative: the inputs that it is for
        self._derivatives: dict[Derivative, Kernel] = {}
        self._evaluator: Evaluator | None = None
        self._most = 1  # samples up to which a call keeps the GIL
        self.is_tuple: bool = is_tuple or len(self.output_shapes) != 1
        # Built-in functions for small batches of arrays; None: done by `run_arrays`.
        self._on_arrays: Any = _none
        self._into_arrays: Any = _none
        self._tensors: TensorCaller | None = None
        self._gpus: dict[int, GpuCaller] = {}
        self._tensor_type: Any = None  # torch.Tensor, once a tensor has come

    @property
    def input_sizes(self) -> tuple[int, ...]:
        """Length of the last axis of each input."""
        return tuple(argument.size for argument in self.arguments)

    @property
    def program(self) -> Program:
        """The scalar program."""
        with building():
            return self.source.program

    @property
    def n_ops(self) -> int:
        """Operations per sample."""
        evaluator = self._evaluator
        if isinstance(evaluator, NativeEvaluator):
            return evaluator.library.n_ops
        return self.program.n_ops

    @property
    def flops(self) -> int:
        """Floating point operations per sample, transcendental functions by their polynomials."""
        return self.program.flops

    @property
    def bytes(self) -> int:
        """Bytes read and written per sample."""
        numbers = sum(self.input_sizes) + sum(self.source.signature.sizes_out)
        return numbers * self._numpy_dtype.itemsize

    @property
    def c_source(self) -> str:
        """The C text, for this machine's vector width."""
        return emit_c(self.program, Target(self.dtype, vector_bytes()))

    @property
    def cuda_source(self) -> str:
        """The CUDA text, entry `robograd_kernel` (see `bridges.native.emit_cuda`)."""
        return emit_cuda(self.program, self.dtype)

    @property
    def is_native(self) -> bool:
        """Whether compiled code runs (builds it if that has not happened yet)."""
        return isinstance(self.build()._evaluator, NativeEvaluator)

    def build(self) -> Kernel:
        """Builds the library, or finds it in the cache, now instead of at the first call."""
        if self._evaluator is None:
            with building():
                if self._evaluator is None:
                    self._build()
        return self

    def _built(self) -> Evaluator:
        evaluator = self._evaluator or self.build()._evaluator
        assert evaluator is not None
        return evaluator

    def _build(self) -> None:
        source = self.source
        try:
            title = source.signature.title
            library = load_library(source.identity, self.dtype, lambda: source.program, title)
        except BuildError as error:
            warn_slow(source.signature.title, error)
            self._tensors = TensorCaller(self, None, 0)
            self._evaluator = NumpyEvaluator(source.program)
            return
        row_bytes = max(source.signature.sizes_out, default=0) * self._numpy_dtype.itemsize
        most = min(_BRIEF // max(library.n_ops, 1), LARGE_BYTES // max(row_bytes, 1))
        self._most = max(most, 1)
        self._tensors = TensorCaller(self, library, self._most)
        shapes = [n for shape in self.output_shapes for n in (len(shape), *shape)]
        form = (self._most, int(self.is_tuple), *shapes)
        self._on_arrays = library.function("arrays", form) or _none
        self._into_arrays = library.function("arrays_into", form) or _none
        self._evaluator = NativeEvaluator(library)

    def __call__(self, *inputs: Any, out: Any = None, **named: Any) -> Any:
        """`f(*inputs)` for every sample.

        inputs: `(*batch, n_i)` arrays of the kernel's dtype (numbers and lists are converted), by
            position or by name.
        out: array, or one per output, to write into; `(*batch, *output_shape)`.

        Raises ValueError for wrong counts, names, sizes and shapes, TypeError for wrong dtypes and
        kinds.
        """
        if named:
            inputs = in_order([a.name for a in self.arguments], inputs, named)
        if out is None:
            result = self._on_arrays(*inputs)
        elif len(inputs) == len(self.arguments):
            given = (out,) if type(out) is _Array else as_sequence(out)
            result = self._into_arrays(*inputs, *given)
        else:
            result = None
        if result is not None:
            return result
        if inputs and type(inputs[0]) is self._tensor_type and inputs[0].is_cpu:
            assert self._tensors is not None
            results = (
                self._tensors(inputs, True) if out is None else self._tensors.call_into(inputs, out)
            )
            return tuple(results) if self.is_tuple else results[0]
        return self._call_checked(inputs, out)

    def bind(self, *inputs: Any, out: Any = None, **named: Any) -> Callable[[], Any]:
        """`call()` is `f(*inputs)` for what the arrays hold at that moment, at the least cost.

        The arrays are checked and found once, so that a call is little more than the compiled code.
        It writes into the same results each time, and gives them.

        inputs: arrays or CPU tensors that are read where they are, by position or by name; batch
            axes broadcast. The call keeps them alive; their memory must not be replaced (by
            `ndarray.resize(..., refcheck=False)`), only what stands in it.
        out: row-major array or tensor, or one per output, to write into; new ones by default.

        Raises ValueError for wrong counts, names, sizes and shapes, for what would have to be
        copied and for outputs that share memory, TypeError for wrong dtypes and kinds.
        """
        if named:
            inputs = in_order([a.name for a in self.arguments], inputs, named)
        self._check_count(inputs)
        return bind(self, self._built(), self._most, inputs, out)

    @property
    def call_torch(self) -> TensorCaller:
        """`f(*tensors)` as a list of tensors, with the least overhead and outside of autograd.

        A function of a list of torch CPU tensors `(*batch, n_i)` of the kernel's dtype. Gradients
        do not flow: this is what a `torch.autograd.Function` calls. Errors as for a call.
        """
        caller = self._tensors or self.build()._tensors
        assert caller is not None
        return caller

    def on_gpu(self, number: int) -> GpuCaller:
        """`f(*tensors)` as a list of tensors of the CUDA device `number`, outside of autograd.

        Built, or found in the cache, when first asked for. Raises BuildError where that cannot be.
        """
        caller = self._gpus.get(whole_number(number, "on_gpu: number", -1))
        if caller is None:
            with building():
                caller = self._gpus[number] = gpu_caller(self, number)
        return caller

    def vjp(self, wrt: Wrt | None = None) -> Kernel:
        """`g_i = sum_o (d y_o / d x_i)^T w_o`: the vector-Jacobian product.

        The kernel takes `(x_0, ..., w_0, ...)`, a cotangent for every output, and gives a gradient
        for every input, or for those whose numbers or names are in `wrt`.
        """
        return self._derivative("vjp", wrt)

    def jvp(self, wrt: Wrt | None = None) -> Kernel:
        """`s_o = sum_i (d y_o / d x_i) t_i`: the Jacobian-vector product.

        The kernel takes `(x_0, ..., t_0, ...)`, a tangent for every input (of `wrt`), and gives a
        tangent for every output, in a tuple where this kernel gives one.
        """
        return self._derivative("jvp", wrt)

    def jacobian(self, wrt: Wrt | None = None) -> Kernel:
        """`J_oi = d y_o / d x_i`, of shape `(*batch, size of y_o, size of x_i)`.

        The kernel takes the inputs and gives `J_00, J_01, ..., J_10, ...`; matrix-shaped outputs
        are flattened row by row.
        """
        return self._derivative("jacobian", wrt)

    def jacobian_values(self, wrt: Wrt | None = None) -> Kernel:
        """The structural nonzeros of every Jacobian, in the order of `jacobian_pattern`."""
        return self._derivative("jacobian_values", wrt)

    def jacobian_pattern(self, wrt: Wrt | None = None) -> list[tuple[list[int], list[int]]]:
        """Rows and columns of the values of `jacobian_values`, one pair of lists per Jacobian."""
        with building():
            return self.source.patterns(self._chosen(wrt))

    def hessian_vp(self) -> Kernel:
        """`h_i = sum_j (d^2 L / d x_i d x_j) t_j` with `L = sum_o w_o . y_o`.

        The kernel takes `(x_0, ..., w_0, ..., t_0, ...)`: inputs, a cotangent for every output and
        a tangent for every input. It gives one vector for every input.
        """
        return self._derivative("hessian_vp", None)

    def __repr__(self) -> str:
        inputs = ", ".join(f"{a.name}[{a.size}]" for a in self.arguments)
        outputs = ", ".join(
            f"{name}{list(shape)}"
            for name, shape in zip(self.source.signature.names_out, self.output_shapes, strict=True)
        )
        return f"Kernel({inputs} -> {outputs}, {self.dtype})"

    def _repr_html_(self) -> str:
        names = self.source.signature.names_out
        results = zip(names, self.output_shapes, strict=True)
        rows = [("argument", a.name, f"(*batch, {a.size})") for a in self.arguments]
        rows += [("result", n, f"(*batch, {', '.join(map(str, s))})") for n, s in results]
        build = "not built yet"
        if isinstance(self._evaluator, NativeEvaluator):
            lanes = vector_bytes() // self._numpy_dtype.itemsize
            build = f"{self.n_ops:,} operations a sample, native code for {lanes} samples at a time"
        elif self._evaluator is not None:
            build = "run by numpy, since no compiler works"
        made = ", ".join(kind for kind, _ in self._derivatives) or "none yet"
        rows += [("memory", f"{self.bytes:,} bytes a sample", "read and written")]
        rows += [("build", build, ""), ("derivatives", made, "")]
        return html_table(f"Kernel, {self.dtype}", ("", "name", "shape"), rows)

    def save(self, path: str | bytes | os.PathLike[str], derivatives: Iterable[Any] = ()) -> None:
        """Writes the kernel into one file, for `bridges.kernel.load` on any machine.

        The file has names, sizes and the scalar program, and C and CUDA text for other uses. It
        needs neither the graph nor the functions in it.

        derivatives: those that the file shall have besides: a kind ("vjp", "jvp", "jacobian",
            "jacobian_values", "hessian_vp"), a kind with inputs `("vjp", (0,))`, or a list of
            these for a derivative of a derivative.

        Raises ValueError for an unknown kind or input, and for more than 256 MiB, as of many large
        tables (`ad.lookup`), OSError where the file cannot be written.
        """
        checked(path, (str, bytes, os.PathLike), "save", "path", "a path")
        tree: dict[Any, Any] = {}
        for path_of in listed(derivatives, "save: derivatives", "kinds"):
            kernel, below = self, tree
            steps: list[Any] = cast(
                "list[Any]", path_of if isinstance(path_of, list) else [path_of]
            )
            for step in steps:
                pair = isinstance(step, tuple) and len(cast("tuple[Any, ...]", step)) == 2
                kind, wrt = cast("tuple[Any, Any]", step if pair else (step, None))
                kernel = kernel._derivative(kind, wrt)
                below = below.setdefault((kind, kernel._wrt), {})
        put_file(path, self._as_bytes(tree))

    def _as_bytes(self, tree: Tree) -> bytes:
        saved = Saved(self.source, self.dtype, self.output_shapes, self.is_tuple)
        with building():
            return write(saved, tree, vector_bytes())

    def _made(self) -> Tree:
        """All derivatives that there are by now."""
        return {key: kernel._made() for key, kernel in self._derivatives.items()}

    def __reduce__(self) -> tuple[Any, ...]:
        """With the derivatives that there are by now."""
        return (_unpickled, (self._as_bytes(self._made()), self.source.content))

    def _call_checked(self, inputs: Sequence[Any], out: Any) -> Any:
        self._check_count(inputs)
        number = gpu_of(inputs)
        if number is not None:
            results = call_on_gpu(self, inputs, out, number)
            return tuple(results) if self.is_tuple else results[0]
        if self._evaluator is None:
            self.build()
        torch: Any = sys.modules.get("torch")
        if torch is not None and any(isinstance(x, torch.Tensor) for x in inputs):
            caller = self._tensors
            assert caller is not None
            self._tensor_type = torch.Tensor
            results = (
                caller(inputs, recorded=True) if out is None else caller.call_into(inputs, out)
            )
        else:
            results = self.run_arrays(inputs, out)
        return tuple(results) if self.is_tuple else results[0]

    def run_arrays(self, inputs: Sequence[Any], out: Any = None) -> list[Array]:
        """`f(*inputs)` for numpy arrays, all checks made: one array per output."""
        self._check_count(inputs)
        given = () if out is None else as_sequence(out)
        result = self._on_arrays(*inputs) if out is None else self._into_arrays(*inputs, *given)
        if result is not None:
            return list(result) if self.is_tuple else [result]
        dtype = self._numpy_dtype
        pairs = zip(inputs, self.arguments, strict=True)
        arrays = [as_input(x, argument, dtype) for x, argument in pairs]
        batch = batch_shape(arrays, self.arguments)
        shapes = [batch + shape for shape in self.output_shapes]
        given = None if out is None else as_outputs(out, shapes, dtype)
        if given is None:
            results = given = [empty(shape, dtype) for shape in shapes]
        else:
            results = [
                y
                if is_writable_in_place(y, [*arrays, *given[:o], *given[o + 1 :]])
                else np.empty_like(y, order="C")
                for o, y in enumerate(given)
            ]
        self._built().run(arrays, batch, results)
        for y, result in zip(given, results, strict=True):
            if result is not y:
                y[...] = result
        return given

    def _check_count(self, inputs: Sequence[Any]) -> None:
        if len(inputs) != len(self.arguments):
            names = ", ".join(a.name for a in self.arguments)
            raise ValueError(f"{len(inputs)} inputs, expected {len(self.arguments)} ({names})")

    def _chosen(self, wrt: Wrt | None) -> tuple[int, ...]:
        return chosen_inputs([a.name for a in self.arguments], wrt)

    def _derivative(self, kind: str, wrt: Wrt | None) -> Kernel:
        if not isinstance(kind, str) or kind not in _KINDS:  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ValueError(f"derivative {kind!r}, expected one of {', '.join(_KINDS)}")
        if kind == "hessian_vp" and wrt is not None:
            raise ValueError("hessian_vp is for all inputs; name none")
        chosen = self._chosen(wrt)
        if (kind, chosen) not in self._derivatives:
            with building():
                if (kind, chosen) not in self._derivatives:
                    self._derivatives[kind, chosen] = self._derived(kind, chosen)
        return self._derivatives[kind, chosen]

    def _derived(self, kind: str, wrt: tuple[int, ...]) -> Kernel:
        shapes = None
        if kind == "jacobian":
            sizes = self.source.signature.sizes_out
            shapes = [(m, self.arguments[i].size) for m in sizes for i in wrt]
        is_tuple = kind == "jvp" and self.is_tuple
        source = self.source.derived(kind, wrt)
        kernel = Kernel(source, self.dtype, output_shapes=shapes, is_tuple=is_tuple)
        kernel._wrt = wrt
        return kernel


def kernel_of(saved: Saved) -> Kernel:
    """The kernel that was saved, not yet built."""
    return Kernel(
        saved.source, saved.dtype, output_shapes=saved.output_shapes, is_tuple=saved.is_tuple
    )


def _none(*_: Any) -> None:
    """What stands for a built-in function that is not there."""


def _unpickled(data: bytes, content: bytes | None) -> Kernel:
    return kernel_of(read(data, content))
