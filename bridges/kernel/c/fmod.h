/* fmod and remainder, exact: a - q b with a = |x|, b = |y| and q the integer nearest to a / b.

   The quotient is rounded, but where it is below QUOTIENT_LIMIT, q is off by one at most, and a - q b
   is a number: a multiple of the unit in the last place of the smaller of a and b, and not above b.
   One more b brings it to the range of either function. A tie of a / b is exact, and the rounding
   takes the even q, as remainder does. Lanes with larger quotients, and those where the result is
   nan, go to the C library. */

#if defined(__FMA__) || defined(__aarch64__)
#define QUOTIENT_LIMIT (DOUBLE ? R(0x1p50) : R(0x1p20))
INLINE vec less_multiple(vec a, vec q, vec b)
{
    vec r;
    for (int k = 0; k < LANES; k++) r[k] = FN(__builtin_fma)(-q[k], b[k], a[k]);
    return r;
}
#else
/* b is cut in two halves, so that their products with q, of at most half the digits, are exact. */
#define QUOTIENT_LIMIT (DOUBLE ? R(0x1p25) : R(0x1p11))
INLINE vec less_multiple(vec a, vec q, vec b)
{
    const vec high = (vec)((ivec)b & -((word)1 << (DOUBLE ? 27 : 12)));
    return (a - q * high) - q * (b - high);
}
#endif

/* a - q b, and the lanes where it is right. */
typedef struct { vec rest; ivec good; } divided;

INLINE divided divide(vec a, vec b)
{
    const vec ratio = a / b, q = (ratio + ROUND_SHIFT) - ROUND_SHIFT;
    const vec rest = choose((ivec)(q == R(0)), a, less_multiple(a, q, b)); /* b may be infinite */
    const ivec bounded = (ivec)(a < (DOUBLE ? R(0x1p1022) : R(0x1p126))); /* so q b is finite */
    return (divided){rest, (ivec)(ratio < QUOTIENT_LIMIT) & bounded};
}
/* `size` with its sign changed where x is negative. */
INLINE vec as_signed(vec size, vec x) { return (vec)((ivec)size ^ ((ivec)x & SIGN_BIT)); }

static NOINLINE vec v_fmod(vec x, vec y)
{
    const vec b = v_fabs(y);
    const divided d = divide(v_fabs(x), b);
    vec r = as_signed(choose((ivec)(d.rest < R(0)), d.rest + b, d.rest), x);
    if (UNLIKELY(any(~d.good)))
        for (int k = 0; k < LANES; k++)
            if (!d.good[k]) r[k] = FN(fmod)(x[k], y[k]);
    return r;
}
/* Where y is subnormal, some C libraries' remainder is wrong: it is found from that by 2 y, whose
   multiples are the even ones. */
static NOINLINE real far_remainder(real x, real y)
{
    const real b = FN(fabs)(y);
    if (!(b < (DOUBLE ? R(0x1p-1022) : R(0x1p-126)))) return FN(remainder)(x, y);
    real r = FN(fmod)(FN(fabs)(x), b + b);
    if (r + r > b) {
        r -= b;
        if (r + r >= b) r -= b;
    }
    return signbit(x) ? -r : r;
}
static NOINLINE vec v_remainder(vec x, vec y)
{
    const vec b = v_fabs(y);
    const divided d = divide(v_fabs(x), b);
    const ivec beyond = (ivec)(v_fabs(d.rest) + v_fabs(d.rest) > b);
    vec r = as_signed(choose(beyond, d.rest - v_copysign(b, d.rest), d.rest), x);
    if (UNLIKELY(any(~d.good)))
        for (int k = 0; k < LANES; k++)
            if (!d.good[k]) r[k] = far_remainder(x[k], y[k]);
    return r;
}
