"""How far two rigid transforms are apart, and the straight way from one to the other."""

from __future__ import annotations

from types import MappingProxyType

import ad_core as ad
from ad_core import math as adm
from ad_core.graph import Expression
from robotics_ad import so3
from robotics_ad.se3.algebra import TRANSFORM
from robotics_ad.so3.function import GroupFunction, group_function


@group_function("se3.error", n_in=(12, 12), n_out=6, argnames=("T1", "T2"))
def error(T1: Expression, T2: Expression) -> Expression:
    """[so3.error(R1, R2); t1 - t2]: R1 = exp(first three) R2, which jump at half a turn."""
    return ad.stack(so3.error(T1[0:9], T2[0:9]), T1[9:12] - T2[9:12])


@group_function("se3.interpolate", n_in=(12, 12, 1), n_out=TRANSFORM, argnames=("Ta", "Tb", "u"))
def interpolate(Ta: Expression, Tb: Expression, u: Expression) -> Expression:
    """Geodesic in R and linear in t: [so3.interpolate(Ra, Rb, u), (1 - u) ta + u tb].

    See `so3.interpolate` for rotations half a turn apart.
    """
    t = Ta[9:12] + u * (Tb[9:12] - Ta[9:12])
    return ad.stack(so3.interpolate(Ta[0:9], Tb[0:9], u), t)


class _Distance(GroupFunction):
    """Rweight so3.distance(R1, R2) + tweight |t1 - t2|, with both weights 1 if not given.

    It has no derivative where R1 = R2 or t1 = t2; the derivative of that term is then taken as 0.
    """

    argnames = ("T1", "T2", "Rweight", "tweight")
    sizes_in = (12, 12, 1, 1)
    size_out = 1
    defaults = MappingProxyType({"Rweight": 1.0, "tweight": 1.0})

    def __str__(self) -> str:
        return "se3.distance"

    def __reduce__(self) -> str:
        return "distance"

    def expand(self, *args: Expression) -> Expression:
        first, second, R_weight, t_weight = args
        turned = so3.distance(first[0:9], second[0:9])
        return R_weight * turned + t_weight * adm.norm(first[9:12] - second[9:12])


distance = _Distance()
