"""Rotations as expressions: 9-vectors that hold R column after column.

    so3 element = [r11, r21, r31, r12, r22, r32, r13, r23, r33]      (column-major, as in Klampt)

Matrices that are no rotations are given row by row: the `*_jacobian` functions, and `matrix`. Only
`cross_product` and `deskew` treat [w]x as an element, as Klampt does.

Called with arrays, functions give arrays, batch axes first; otherwise expressions.
Every function is a composition of primitives and so has exact derivatives of every order on every
engine. Where a formula has a removable singularity (no rotation, half a turn), the function is
guarded so that value and derivatives stay right there: to rounding up to second order, with fewer
digits beyond (see `exp`). Where it has a true one, its docstring says what is returned.

A function of R takes any nine numbers near a rotation and is then what its docstring's formula
gives; derivatives with respect to the entries are those of this formula. Along rotations they are
the same for every formula. Names and meaning follow Klampt's `klampt.math.so3`.
"""

from robotics_ad.so3.algebra import (
    SIZE,
    apply,
    apply_inv,
    cross_product,
    deskew,
    det,
    diag,
    from_matrix,
    identity,
    inv,
    matrix,
    mul,
    trace,
)
from robotics_ad.so3.angles import from_rpy, from_yaw_pitch_roll, rpy, yaw_pitch_roll
from robotics_ad.so3.directions import align, canonical, from_six, project, to_six
from robotics_ad.so3.exponential import (
    exp,
    from_axis_angle,
    from_rotation_vector,
    left_jacobian,
    left_jacobian_inv,
    right_jacobian,
    right_jacobian_inv,
)
from robotics_ad.so3.logarithm import (
    angle,
    axis,
    distance,
    error,
    geodesic_mean,
    interpolate,
    log,
    moment,
    rotation_vector,
)
from robotics_ad.so3.quaternions import from_quaternion, quaternion, slerp

__all__ = [
    "SIZE",
    "align",
    "angle",
    "apply",
    "apply_inv",
    "axis",
    "canonical",
    "cross_product",
    "deskew",
    "det",
    "diag",
    "distance",
    "error",
    "exp",
    "from_axis_angle",
    "from_matrix",
    "from_quaternion",
    "from_rotation_vector",
    "from_rpy",
    "from_six",
    "from_yaw_pitch_roll",
    "geodesic_mean",
    "identity",
    "interpolate",
    "inv",
    "left_jacobian",
    "left_jacobian_inv",
    "log",
    "matrix",
    "moment",
    "mul",
    "project",
    "quaternion",
    "right_jacobian",
    "right_jacobian_inv",
    "rotation_vector",
    "rpy",
    "slerp",
    "to_six",
    "trace",
    "yaw_pitch_roll",
]
