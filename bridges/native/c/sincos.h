/* Sine and cosine with one range reduction.

   x = q pi/2 + r with |r| <= pi/4, pi/2 in three pieces of which q times the first is exact (Cody and
   Waite, "Software manual for the elementary functions", 1980). Then sin r = r + r^3 S(r^2) and
   cos r = 1 - r^2/2 + r^4 C(r^2), S and C interpolated at Chebyshev nodes. Lanes beyond FAR_ANGLE go
   to the C library, which reduces them exactly. Where multiply-adds round twice, the pieces are
   shorter, so that q times all but the last is exact, and r carries its rounding error. */

/* sin and cos of r, and q in the low bits of `quarter`. */
typedef struct { vec sine, cosine; ivec quarter; } turned;

INLINE turned reduce_angle(vec x)
{
    const vec shifted = x * TWO_OVER_PI + ROUND_SHIFT;
    const vec q = shifted - ROUND_SHIFT;
#if ROUNDS_ONCE
    const vec r = ((x - q * HALF_PI_1) - q * HALF_PI_2) - q * HALF_PI_3;
    const vec z = r * r;
    const vec s = r + r * (z * sine_series(z) + R(0)); /* + 0: so that sin(-0) is -0 */
    const vec c = R(1) + z * (R(-0.5) + z * cosine_series(z));
#else
#if DOUBLE
    const vec rest = x - q * HALF_PI_1;
#else
    const vec rest = (x - q * HALF_PI_1) - q * HALF_PI_1_END;
#endif
    const vec next = rest - q * HALF_PI_2, r = next - q * HALF_PI_3, z = r * r;
    const vec lost = ((rest - next) - q * HALF_PI_2) + ((next - r) - q * HALF_PI_3);
    const vec sine = r + (r * z * sine_series(z) + lost);
    const vec s = (vec)((ivec)sine | ((ivec)r & SIGN_BIT)); /* so that sin(-0) is -0 */
    const vec c = R(1) + (z * (R(-0.5) + z * cosine_series(z)) - r * lost);
#endif
    return (turned){s, c, (ivec)shifted};
}

/* What an xor with it makes of the sine the cosine, and the other way, in lanes of odd quarters. */
INLINE ivec exchange(turned a)
{
    const ivec odd = (a.quarter << (WORD_BITS - 1)) >> (WORD_BITS - 1);
    return ((ivec)a.sine ^ (ivec)a.cosine) & odd;
}
/* Sine is negative in quarters 2 and 3, where bit 1 is set; cosine in 1 and 2, where the bits differ. */
INLINE vec sine_of(turned a)
{
    const ivec sign = (a.quarter << (WORD_BITS - 2)) & SIGN_BIT;
    return (vec)((ivec)a.sine ^ exchange(a) ^ sign);
}
INLINE vec cosine_of(turned a)
{
    const ivec sign = ((a.quarter << (WORD_BITS - 1)) ^ (a.quarter << (WORD_BITS - 2))) & SIGN_BIT;
    return (vec)((ivec)a.cosine ^ exchange(a) ^ sign);
}

#define FAR(name) \
    static NOINLINE vec far_##name(vec x, vec y) \
    { \
        for (int k = 0; k < LANES; k++) \
            if (FN(__builtin_fabs)(x[k]) > FAR_ANGLE) y[k] = FN(__builtin_##name)(x[k]); \
        return y; \
    }
FAR(sin)
FAR(cos)
INLINE int is_far(vec x) { return any_above(v_fabs(x), splat(FAR_ANGLE)); }

MATH vec v_sin(vec x)
{
    const vec y = sine_of(reduce_angle(x));
    return UNLIKELY(is_far(x)) ? far_sin(x, y) : y;
}
MATH vec v_cos(vec x)
{
    const vec y = cosine_of(reduce_angle(x));
    return UNLIKELY(is_far(x)) ? far_cos(x, y) : y;
}
MATH void v_sincos(vec x, vec *sine, vec *cosine)
{
    const turned a = reduce_angle(x);
    *sine = sine_of(a), *cosine = cosine_of(a);
    if (UNLIKELY(is_far(x))) *sine = far_sin(x, *sine), *cosine = far_cos(x, *cosine);
}
