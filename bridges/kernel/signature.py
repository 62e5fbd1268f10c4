"""`Signature`: names and sizes of what a kernel takes and gives, and those of its derivatives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias


@dataclass(frozen=True)
class Signature:
    """Inputs and outputs, vectors each, and what the whole is called in messages."""

    title: str
    names_in: tuple[str, ...]
    sizes_in: tuple[int, ...]
    names_out: tuple[str, ...]
    sizes_out: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.names_in) != len(self.sizes_in) or len(self.names_out) != len(self.sizes_out):
            raise ValueError("a signature needs a name for each size")


def vjp_signature(f: Signature, wrt: Sequence[int]) -> Signature:
    """Inputs and cotangents -> a gradient for each input of `wrt`."""
    given = [f"cot_{name}" for name in f.names_out]
    names = [f"grad_{f.names_in[i]}" for i in wrt]
    return _extended("vjp", f, (given, f.sizes_out), (names, [f.sizes_in[i] for i in wrt]))


def jvp_signature(f: Signature, wrt: Sequence[int]) -> Signature:
    """Inputs and a tangent for each input of `wrt` -> a tangent for each output."""
    given = [f"tan_{f.names_in[i]}" for i in wrt]
    names = [f"tan_{name}" for name in f.names_out]
    return _extended("jvp", f, (given, [f.sizes_in[i] for i in wrt]), (names, f.sizes_out))


def hessian_vp_signature(f: Signature, wrt: Sequence[int]) -> Signature:
    """Inputs, cotangents and tangents -> a vector for each input."""
    back = replace(vjp_signature(f, wrt), title=f.title)
    given = [f"tan_{name}" for name in f.names_in]
    names = [f"hess_{name}" for name in f.names_in]
    return _extended("hessian_vp", back, (given, f.sizes_in), (names, f.sizes_in))


def jacobian_signature(f: Signature, wrt: Sequence[int]) -> Signature:
    """Inputs -> a matrix for each output and then input of `wrt`, row by row."""
    names = [f"jac_{name}_{f.names_in[i]}" for name in f.names_out for i in wrt]
    sizes = [m * f.sizes_in[i] for m in f.sizes_out for i in wrt]
    return _extended("jacobian", f, ((), ()), (names, sizes))


def values_signature(f: Signature, wrt: Sequence[int], counts: Sequence[int]) -> Signature:
    """Inputs -> the structural nonzeros of each such matrix, as many as `counts` says."""
    names = jacobian_signature(f, wrt).names_out
    return _extended("jacobian_values", f, ((), ()), (names, counts))


SIGNATURES: dict[str, Callable[[Signature, Sequence[int]], Signature]] = {
    "vjp": vjp_signature,
    "jvp": jvp_signature,
    "hessian_vp": hessian_vp_signature,
    "jacobian": jacobian_signature,
}
"""Kinds of derivative whose sizes follow from those of the function."""


def _extended(kind: str, f: Signature, more: _Named, results: _Named) -> Signature:
    """What takes more inputs than `f`, with `_` behind names that are taken, and gives these."""
    taken = set(f.names_in)
    names = list(f.names_in)
    for name in more[0]:
        while name in taken:
            name += "_"
        taken.add(name)
        names.append(name)
    sizes = (*f.sizes_in, *more[1])
    title = f"{kind} of {f.title}"
    return Signature(title, tuple(names), sizes, tuple(results[0]), tuple(results[1]))


_Named: TypeAlias = "tuple[Sequence[str], Sequence[int]]"
"""Names, and a size for each."""
