"""CasADi functions that know what they were made of: they pickle as the graph.

`HostedFunction` calls users' Python functions, `CompiledFunction` a library in the cache.
"""

# casadi's stubs leave most functions of symbols untyped; the public signatures are still checked.
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false
# pyright: reportCallIssue=false, reportArgumentType=false

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import casadi

from ad_core.lowering import Lowered, guarded
from ad_core.ops import Op
from bridges.casadi.compiled import c_source, compiled_function, vector_bytes_for
from bridges.casadi.errors import raise_callback_errors
from bridges.casadi.host import Hosts
from bridges.casadi.lowering import input_symbols, lower_tape

Self = TypeVar("Self", bound="MadeFunction")


@dataclass(frozen=True)
class Made:
    """What a function is made of; `stages` is None where it is not mapped."""

    lowered: Lowered
    name: str
    stages: int | None
    options: Mapping[str, Any]


class MadeFunction(casadi.Function):
    """A `casadi.Function` that pickles as what it was made of."""

    made: Made

    @classmethod
    def around(cls: type[Self], function: casadi.Function, made: Made) -> Self:
        """`function` itself, with what it was made of."""
        result = cls(function)
        result.made = made
        return result

    def __copy__(self) -> MadeFunction:
        return self  # as nothing can change it

    def __deepcopy__(self, memo: object = None) -> MadeFunction:
        return self


def _refused(text: str) -> Callable[..., NoReturn]:
    """A method that raises NotImplementedError: CasADi cannot do it, and tells too late."""

    def method(self: HostedFunction, *_: Any, **__: Any) -> NoReturn:
        raise _refusal(self.made, text)

    return method


class HostedFunction(MadeFunction):
    """It calls Python, and raises what Python raised when it is called itself."""

    def __reduce__(self) -> Any:
        return hosted_function, (self.made,)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """As `casadi.Function` is called."""
        with raise_callback_errors():
            return super().__call__(*args, **kwargs)

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """As `casadi.Function.call`."""
        with raise_callback_errors():
            return super().call(*args, **kwargs)

    serialize = _refused("serialize it: pickle it instead (pickle.dumps)")
    save = _refused("save it: pickle it instead (pickle.dump)")
    generate = _refused("write C for it: write them as graphs of primitives")
    generate_dependencies = generate


class CompiledFunction(MadeFunction):
    """It runs as native code; CasADi knows where the library is, and what its functions are."""

    def __reduce__(self) -> Any:
        return native_function, (self.made,)

    def generate(self, *args: Any, **kwargs: Any) -> str:
        """Write the C text, with derivatives, to the file named, by default `name.c`.

        It has CasADi's C interface and what `ad_to_c` says. Returns the file's name.

        Raises NotImplementedError for options of CasADi's.
        """
        given = [*args, *kwargs.values()]
        for option in [o for options in given if isinstance(options, Mapping) for o in options]:
            raise NotImplementedError(
                f"{self.name()}: the C text of a compiled function takes no options, got {option}"
            )
        fname = next((a for a in given if isinstance(a, str)), "")
        made, stages = self.made, self.made.stages or 1
        text = c_source(made.lowered, made.name, stages, vector_bytes_for(stages))
        path = Path(fname or f"{self.name()}.c")
        path.write_text(text, encoding="ascii")
        return str(path)


def native_function(made: Made) -> CompiledFunction:
    """A function of a library in the cache, or CasADi's own after a warning."""
    function = compiled_function(made.lowered, made.name, made.stages or 1, made.options)
    return CompiledFunction.around(function, made)


def hosted_function(made: Made) -> HostedFunction:
    """An MX function with callbacks.

    The callbacks are in an inner function that CasADi calls as a whole: whatever is made from the
    outer one, even from its expressions, holds the inner one, and so its callbacks live on.
    """
    if made.options.get("jit"):
        raise _refusal(made, "compile it (option jit): write them as graphs of primitives")
    hosts = Hosts()
    lowered = guarded(made.lowered)
    inputs, names = input_symbols(lowered.tape, casadi.MX)
    values = lower_tape(lowered.tape, inputs, casadi.MX, hosts)
    outputs = lowered.names_out
    inner = casadi.Function(made.name, inputs, values, names, outputs, {"never_inline": True})
    hosts.live_with(inner)
    options = dict(made.options)
    outer = casadi.Function(made.name, inputs, inner.call(inputs), names, outputs, options)
    return HostedFunction.around(outer if made.stages is None else outer.map(made.stages), made)


def _refusal(made: Made, text: str) -> NotImplementedError:
    steps = made.lowered.tape.steps
    names = dict.fromkeys(str(step.func) for step in steps if not isinstance(step.func, Op))
    return NotImplementedError(
        f"{made.name} calls Python functions ({', '.join(names)}), so CasADi cannot {text}"
    )
