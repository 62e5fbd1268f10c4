"""Rigid transforms as expressions: 12-vectors [R, t] with p' = R p + t.

    se3 element = [R (9, column-major, see `so3`), t (3)]

Twists are [angular; linear], wrenches [moment; force]. Matrices of 6 x 6 are given row by row.
Every function is a composition of primitives; special points are those of the `so3` function in it.
Called with arrays, functions give arrays, as those of `so3` do; `to_klampt` and `from_klampt` take
and give numbers alone.
"""

from robotics_ad.se3.algebra import (
    SIZE,
    adjoint,
    apply,
    apply_adjoint,
    apply_coadjoint,
    apply_rotation,
    coadjoint,
    from_homogeneous,
    from_rotation,
    from_translation,
    homogeneous,
    identity,
    inv,
    join,
    mul,
    rotation,
    translation,
)
from robotics_ad.se3.exponential import (
    exp,
    left_jacobian,
    left_jacobian_inv,
    log,
    right_jacobian,
    right_jacobian_inv,
    screw_interpolate,
)
from robotics_ad.se3.klampt import from_klampt, to_klampt
from robotics_ad.se3.metric import distance, error, interpolate

__all__ = [
    "SIZE",
    "adjoint",
    "apply",
    "apply_adjoint",
    "apply_coadjoint",
    "apply_rotation",
    "coadjoint",
    "distance",
    "error",
    "exp",
    "from_homogeneous",
    "from_klampt",
    "from_rotation",
    "from_translation",
    "homogeneous",
    "identity",
    "interpolate",
    "inv",
    "join",
    "left_jacobian",
    "left_jacobian_inv",
    "log",
    "mul",
    "right_jacobian",
    "right_jacobian_inv",
    "rotation",
    "screw_interpolate",
    "to_klampt",
    "translation",
]
