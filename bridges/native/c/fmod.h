/* fmod and remainder, exact: a - q b with a = |x|, b = |y| and q the integer nearest to a / b.

   The quotient is rounded, but where it is below 2^QUOTIENT_BITS, q is off by one at most, and a - q b
   is a number: a multiple of the unit in the last place of the smaller of a and b, and not above b.
   One more b brings it to the range of either function. A tie of a / b is exact, and the rounding
   takes the even q, as remainder does. Larger quotients are first cut by multiples of b 2^k, as long
   division does, which are even, and so change neither result. Lanes with infinite, nan and the
   largest numbers, or with y = 0, go to the C library. */

#if defined(__FMA__) || defined(__aarch64__)
#define QUOTIENT_BITS (DOUBLE ? 50 : 20)
INLINE vec less_multiple(vec a, vec q, vec b)
{
    vec r;
    for (int k = 0; k < LANES; k++) r[k] = FN(__builtin_fma)(-q[k], b[k], a[k]);
    return r;
}
#else
/* b is cut in two halves, so that their products with q, of at most half the digits, are exact. */
#define QUOTIENT_BITS (DOUBLE ? 25 : 11)
INLINE vec less_multiple(vec a, vec q, vec b)
{
    const vec high = (vec)((ivec)b & -((word)1 << (DOUBLE ? 27 : 12)));
    return (a - q * high) - q * (b - high);
}
#endif
#define QUOTIENT_LIMIT ((real)(1LL << QUOTIENT_BITS))
#define DIGITS (DOUBLE ? 52 : 23)
#define EXPONENT_OF_1 (DOUBLE ? 1023 : 127)
#define LEAST_NORMAL (DOUBLE ? R(0x1p-1022) : R(0x1p-126))
#define LARGEST_DIVIDED (DOUBLE ? R(0x1p1000) : R(0x1p120)) /* so that q b is finite */

INLINE vec power_of_2(ivec k) { return (vec)((k + EXPONENT_OF_1) << DIGITS); }
/* The exponent of x > 0 and EXPONENT_OF_1. */
INLINE ivec exponent_bits(vec x)
{
    const ivec small = (ivec)(x < LEAST_NORMAL); /* subnormal numbers are made normal first */
    const vec normal = choose(small, x * (DOUBLE ? R(0x1p54) : R(0x1p25)), x);
    return ((ivec)normal >> DIGITS) - (small & (DOUBLE ? 54 : 25));
}
/* The integer nearest to a number between 0 and 2^(DIGITS - 1). */
INLINE vec nearest(vec x) { return (x + ROUND_SHIFT) - ROUND_SHIFT; }

/* a less an even multiple of b, so that the quotient is below QUOTIENT_LIMIT. */
static NOINLINE vec shortened(vec a, vec b)
{
    const ivec ordinary = (ivec)(a < LARGEST_DIVIDED) & (ivec)(b > R(0));
    const ivec size = exponent_bits(b);
    for (;;) {
        const ivec is_long = ordinary & (ivec)(a >= QUOTIENT_LIMIT * b);
        if (!any(is_long)) return a;
        const ivec k = (exponent_bits(a) - size - (QUOTIENT_BITS - 3)) & is_long;
        const vec multiple = b * power_of_2(k >> 1) * power_of_2(k - (k >> 1));
        const vec rest = less_multiple(a, nearest(a / multiple), multiple);
        a = choose(is_long, choose((ivec)(rest < R(0)), rest + multiple, rest), a);
    }
}

/* a - q b, and the lanes where it is right. */
typedef struct { vec rest; ivec good; } divided;

INLINE divided divide(vec a, vec b)
{
    vec ratio = a / b;
    if (UNLIKELY(any_above(ratio, splat(QUOTIENT_LIMIT / 2)))) {
        a = shortened(a, b);
        ratio = a / b;
    }
    const vec q = nearest(ratio);
    const vec rest = choose((ivec)(q == R(0)), a, less_multiple(a, q, b)); /* b may be infinite */
    return (divided){rest, (ivec)(ratio <= QUOTIENT_LIMIT) & (ivec)(a < LARGEST_DIVIDED)};
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
            if (!d.good[k]) r[k] = FN(__builtin_fmod)(x[k], y[k]);
    return r;
}

/* Where y is subnormal, some C libraries' remainder is wrong: it is found from that by 2 y, whose
   multiples are the even ones. */
static NOINLINE real far_remainder(real x, real y)
{
    const real b = FN(__builtin_fabs)(y);
    if (!(b < LEAST_NORMAL)) return FN(__builtin_remainder)(x, y);
    real r = FN(__builtin_fmod)(FN(__builtin_fabs)(x), b + b);
    if (r + r > b) {
        r -= b;
        if (r + r >= b) r -= b;
    }
    return __builtin_signbit(x) ? -r : r;
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
