"""What a function computes, as bytes: equal for equal functions, different for different ones.

It is what a built library is found by, so it has to be quick for large functions too: CasADi writes
a function as a script in a quarter of the time that it takes to serialise it.
"""

from __future__ import annotations

import casadi as ca


def fingerprint(function: ca.Function) -> bytes:
    """Bytes of sizes, operations, constants to the last bit, and their order; names do not count.

    function: of dense columns.
    """
    sizes_in = [function.numel_in(i) for i in range(function.n_in())]
    sizes_out = [function.numel_out(o) for o in range(function.n_out())]
    return f"{sizes_in} {sizes_out} {_text(function)}".encode()


def _text(function: ca.Function) -> str:
    """The function as a script, where that is all there is to it; else its serialisation."""
    if function.is_a("SXFunction") and not function.find_functions():
        try:
            return "script" + function.export_code("matlab").split("\n", 1)[1]
        except RuntimeError:  # an operation that such a script cannot say
            pass
    return "serial" + function.serialize()
