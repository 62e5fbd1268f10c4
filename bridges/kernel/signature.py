"""`Signature`: names and sizes of what a kernel takes and gives, and those of its derivatives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass


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
    cotangents = _beside(f.names_in, [f"cot_{name}" for name in f.names_out])
    return Signature(
        f"vjp of {f.title}",
        f.names_in + cotangents,
        f.sizes_in + f.sizes_out,
        tuple(f"grad_{f.names_in[i]}" for i in wrt),
        tuple(f.sizes_in[i] for i in wrt),
    )


def jvp_signature(f: Signature, wrt: Sequence[int]) -> Signature:
    """Inputs and a tangent for each input of `wrt` -> a tangent for each output."""
    tangents = _beside(f.names_in, [f"tan_{f.names_in[i]}" for i in wrt])
    return Signature(
        f"jvp of {f.title}",
        f.names_in + tangents,
        f.sizes_in + tuple(f.sizes_in[i] for i in wrt),
        tuple(f"tan_{name}" for name in f.names_out),
        f.sizes_out,
    )


def hessian_vp_signature(f: Signature, wrt: Sequence[int]) -> Signature:
    """Inputs, cotangents and tangents -> a vector for each input."""
    back = vjp_signature(f, wrt)
    tangents = _beside(back.names_in, [f"tan_{name}" for name in f.names_in])
    return Signature(
        f"hessian_vp of {f.title}",
        back.names_in + tangents,
        back.sizes_in + f.sizes_in,
        tuple(f"hess_{name}" for name in f.names_in),
        f.sizes_in,
    )


def jacobian_signature(f: Signature, wrt: Sequence[int]) -> Signature:
    """Inputs -> a matrix for each output and then input of `wrt`, row by row."""
    return Signature(
        f"jacobian of {f.title}",
        f.names_in,
        f.sizes_in,
        tuple(f"jac_{name}_{f.names_in[i]}" for name in f.names_out for i in wrt),
        tuple(m * f.sizes_in[i] for m in f.sizes_out for i in wrt),
    )


def values_signature(f: Signature, wrt: Sequence[int], counts: Sequence[int]) -> Signature:
    """Inputs -> the structural nonzeros of each such matrix, as many as `counts` says."""
    names_out = jacobian_signature(f, wrt).names_out
    title = f"jacobian_values of {f.title}"
    return Signature(title, f.names_in, f.sizes_in, names_out, tuple(counts))


SIGNATURES: dict[str, Callable[[Signature, Sequence[int]], Signature]] = {
    "vjp": vjp_signature,
    "jvp": jvp_signature,
    "hessian_vp": hessian_vp_signature,
    "jacobian": jacobian_signature,
}
"""Kinds of derivative whose sizes follow from those of the function."""


def _beside(taken: Sequence[str], names: Sequence[str]) -> tuple[str, ...]:
    """The names, with `_` behind those that are taken."""
    known = set(taken)
    fresh: list[str] = []
    for name in names:
        while name in known:
            name += "_"
        known.add(name)
        fresh.append(name)
    return tuple(fresh)
