"""C text of the functions that a kernel calls on vectors.

`math_text(names, target)` is the text of those functions and of what they call, each once, in an
order that C accepts. Every function is lane-wise: no lane's result depends on the others.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from bridges.kernel.target import Target


class _Function(NamedTuple):
    text: str
    needs: tuple[str, ...] = ()


def math_text(names: Iterable[str], target: Target) -> str:
    """C text of the named functions and of everything that they need."""
    order: dict[str, None] = {}

    def visit(name: str) -> None:
        if name not in order:
            function = _function(name, target)
            for other in function.needs:
                visit(other)
            order[name] = None

    for name in names:
        visit(name)
    return "\n".join(_function(name, target).text for name in order)


def _function(name: str, target: Target) -> _Function:
    for table in (_COMMON, _TRIGONOMETRIC[target.dtype]):
        if name in table:
            return table[name]
    if name in _LIBM_1:
        return _Function(f"LANEWISE_1(v_{name}, FN({_LIBM_1[name]}))\n", ("LANEWISE_1",))
    if name in _LIBM_2:
        return _Function(f"LANEWISE_2(v_{name}, FN({_LIBM_2[name]}))\n", ("LANEWISE_2",))
    raise KeyError(name)


# Functions that go lane by lane to the C library: kernel name -> C name (FN adds f for float32).
_LIBM_1 = {n: n for n in "tan asin acos atan sinh cosh tanh asinh acosh atanh".split()} | {
    n: n for n in "exp log expm1 log1p erf".split()
}
_LIBM_2 = {n: n for n in "pow atan2 fmod remainder hypot".split()}

_COMMON = {
    "splat": _Function("INLINE vec splat(real x) { return x - (vec){0}; }\n"),
    "truth": _Function(
        "/* 1 where the mask is set, else 0. */\n"
        "INLINE vec truth(ivec mask) { return (vec)(mask & (ivec)splat(1)); }\n",
        ("splat",),
    ),
    "when": _Function(
        "/* x where the mask is set, else 0. */\n"
        "INLINE vec when(ivec mask, vec x) { return (vec)(mask & (ivec)x); }\n"
    ),
    "choose": _Function(
        "INLINE vec choose(ivec mask, vec x, vec y)\n"
        "{\n    return (vec)((mask & (ivec)x) | (~mask & (ivec)y));\n}\n"
    ),
    "any": _Function(
        "INLINE int any(ivec mask)\n"
        "{\n    word bits = 0;\n"
        "    for (int k = 0; k < LANES; k++) bits |= mask[k];\n"
        "    return bits != 0;\n}\n"
    ),
    "fabs": _Function("INLINE vec v_fabs(vec x) { return (vec)((ivec)x & ~SIGN_BIT); }\n"),
    "copysign": _Function(
        "INLINE vec v_copysign(vec x, vec y)\n"
        "{\n    return (vec)(((ivec)x & ~SIGN_BIT) | ((ivec)y & SIGN_BIT));\n}\n"
    ),
    "sign": _Function(
        "/* -1, 0 or 1; the sign of a zero and a nan pass through. */\n"
        "INLINE vec v_sign(vec x)\n"
        "{\n    return choose((ivec)(x < R(0)), splat(-1), choose((ivec)(x > R(0)), splat(1), x));\n}\n",
        ("choose", "splat"),
    ),
    "fmin": _Function(
        "/* The smaller; a nan gives way to the other argument; the first of equals. */\n"
        "INLINE vec v_fmin(vec x, vec y) { return choose((ivec)((y < x) | (x != x)), y, x); }\n",
        ("choose",),
    ),
    "fmax": _Function(
        "/* The larger; a nan gives way to the other argument; the first of equals. */\n"
        "INLINE vec v_fmax(vec x, vec y) { return choose((ivec)((y > x) | (x != x)), y, x); }\n",
        ("choose",),
    ),
    "sqrt": _Function(
        "INLINE vec v_sqrt(vec x)\n"
        "{\n    vec r;\n"
        "    for (int k = 0; k < LANES; k++) r[k] = FN(__builtin_sqrt)(x[k]);\n"
        "    return r;\n}\n"
    ),
    "floor": _Function(
        "INLINE vec v_floor(vec x)\n"
        "{\n    vec r;\n"
        "    for (int k = 0; k < LANES; k++) r[k] = FN(__builtin_floor)(x[k]);\n"
        "    return r;\n}\n"
    ),
    "ceil": _Function(
        "INLINE vec v_ceil(vec x)\n"
        "{\n    vec r;\n"
        "    for (int k = 0; k < LANES; k++) r[k] = FN(__builtin_ceil)(x[k]);\n"
        "    return r;\n}\n"
    ),
    "LANEWISE_1": _Function(
        "#define LANEWISE_1(name, function) \\\n"
        "    static NOINLINE vec name(vec x) \\\n"
        "    { \\\n        vec r; \\\n"
        "        for (int k = 0; k < LANES; k++) r[k] = function(x[k]); \\\n"
        "        return r; \\\n    }\n"
    ),
    "LANEWISE_2": _Function(
        "#define LANEWISE_2(name, function) \\\n"
        "    static NOINLINE vec name(vec x, vec y) \\\n"
        "    { \\\n        vec r; \\\n"
        "        for (int k = 0; k < LANES; k++) r[k] = function(x[k], y[k]); \\\n"
        "        return r; \\\n    }\n"
    ),
    "erfinv": _Function(
        "/* Solves erf(y) = x: Winitzki's closed form, then four Newton steps on erfc in the\n"
        "   tail, where 1 - |x| is exact. */\n"
        "static real erfinv_scalar(real given)\n"
        "{\n"
        "    double x = given, a = fabs(x);\n"
        "    if (!(a < 1)) return a == 1 ? given * (real)INFINITY : (real)NAN;\n"
        "    if (a == 0) return given;\n"
        "    double l = log1p(-a * a), b = 4.3307467508 + l / 2;\n"
        "    double y = sqrt(sqrt(b * b - l / 0.147) - b);\n"
        "    for (int k = 0; k < 4; k++) {\n"
        "        double error = a < 0.5 ? erf(y) - a : (1 - a) - erfc(y);\n"
        "        y -= error * 0.88622692545275801 * exp(y * y);\n"
        "    }\n"
        "    return (real)copysign(y, x);\n"
        "}\n"
        "LANEWISE_1(v_erfinv, erfinv_scalar)\n",
        ("LANEWISE_1",),
    ),
}

# Sine and cosine. x = q pi/2 + r with |r| <= pi/4 (Cody and Waite: pi/2 in three pieces, q * piece 1
# exact), then sin r = r + r^3 S(r^2), cos r = 1 - r^2/2 + r^4 C(r^2), with S and C interpolated at
# Chebyshev nodes. Beyond FAR_ANGLE the lane goes to the C library, which reduces exactly.
_REDUCE = """\
#define FAR_ANGLE R({far})
typedef struct {{ vec sine, cosine; ivec quadrant; }} reduced;
INLINE reduced reduce_angle(vec x)
{{
    const vec shifted = x * R({two_over_pi}) + ROUND_SHIFT;
    const vec q = shifted - ROUND_SHIFT;
    const vec r = ((x - q * R({p1})) - q * R({p2})) - q * R({p3});
    const vec z = r * r;
    const vec s = r + (r * z) * ({S});
    const vec c = R(1) + z * (R(-0.5) + z * ({C}));
    /* sin r has the sign of r, also at -0 */
    return (reduced){{(vec)((ivec)s | ((ivec)r & SIGN_BIT)), c, (ivec)shifted}};
}}
INLINE vec flip(vec size, ivec quadrant)
{{
    return (vec)((ivec)size ^ ((quadrant & 2) << (WORD_BITS - 2)));
}}
INLINE vec sine_of(reduced a)
{{
    return flip(choose(-(a.quadrant & 1), a.cosine, a.sine), a.quadrant);
}}
INLINE vec cosine_of(reduced a)
{{
    return flip(choose(-(a.quadrant & 1), a.sine, a.cosine), a.quadrant + 1);
}}
static NOINLINE vec far_sin(vec x, vec y)
{{
    for (int k = 0; k < LANES; k++)
        if (FN(fabs)(x[k]) > FAR_ANGLE) y[k] = FN(sin)(x[k]);
    return y;
}}
static NOINLINE vec far_cos(vec x, vec y)
{{
    for (int k = 0; k < LANES; k++)
        if (FN(fabs)(x[k]) > FAR_ANGLE) y[k] = FN(cos)(x[k]);
    return y;
}}
INLINE int is_far(vec x) {{ return any((ivec)(v_fabs(x) > FAR_ANGLE)); }}
"""

_SINCOS = {
    "sin": _Function(
        "INLINE vec v_sin(vec x)\n{\n"
        "    const vec y = sine_of(reduce_angle(x));\n"
        "    return UNLIKELY(is_far(x)) ? far_sin(x, y) : y;\n}\n",
        ("reduce_angle",),
    ),
    "cos": _Function(
        "INLINE vec v_cos(vec x)\n{\n"
        "    const vec y = cosine_of(reduce_angle(x));\n"
        "    return UNLIKELY(is_far(x)) ? far_cos(x, y) : y;\n}\n",
        ("reduce_angle",),
    ),
    "sincos": _Function(
        "INLINE void v_sincos(vec x, vec *sine, vec *cosine)\n{\n"
        "    const reduced a = reduce_angle(x);\n"
        "    *sine = sine_of(a), *cosine = cosine_of(a);\n"
        "    if (UNLIKELY(is_far(x))) *sine = far_sin(x, *sine), *cosine = far_cos(x, *cosine);\n"
        "}\n",
        ("reduce_angle",),
    ),
}


def _horner(coefficients: Iterable[str]) -> str:
    """Nested form in z, lowest power first in the argument."""
    *rest, last = coefficients
    text = f"R({last})"
    for value in reversed(rest):
        text = f"R({value}) + z * ({text})"
    return text


def _reduction(far: str, pi: tuple[str, str, str, str], s: str, c: str) -> _Function:
    two_over_pi, p1, p2, p3 = pi
    text = _REDUCE.format(
        far=far,
        two_over_pi=two_over_pi,
        p1=p1,
        p2=p2,
        p3=p3,
        S=_horner(s.split()),
        C=_horner(c.split()),
    )
    return _Function(text, ("choose", "any", "fabs"))


_TRIGONOMETRIC: dict[str, dict[str, _Function]] = {
    "float64": _SINCOS
    | {
        "reduce_angle": _reduction(
            "1e6",
            (
                "0x1.45f306dc9c883p-1",
                "0x1.921fb54400000p+0",
                "0x1.0b4611a626331p-34",
                "0x1.1701b839a2520p-88",
            ),
            "-0.16666666666666666 0.008333333333330936 -0.00019841269836740532 "
            "2.7557316093198404e-06 -2.5051129896450185e-08 1.5917988979397435e-10",
            "0.041666666666666664 -0.0013888888888887389 2.48015872987544e-05 "
            "-2.755731726587808e-07 2.087614504941318e-09 -1.138254464534925e-11",
        )
    },
    "float32": _SINCOS
    | {
        "reduce_angle": _reduction(
            "5e3",
            (
                "0x1.45f306p-1",
                "0x1.92p+0",
                "0x1.fb5444p-12",
                "0x1.68c234p-39",
            ),
            "-0.16666666663844049 0.008333331870341349 -0.00019840084376422702 "
            "2.724962008007533e-06",
            "0.04166666465348879 -0.001388830186756237 2.454768977246003e-05",
        )
    },
}
