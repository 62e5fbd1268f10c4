/* log and log1p: x = 2^e (1 + f) with 1 + f in [sqrt(1/2), sqrt(2)); with s = f / (2 + f),
   log(1 + f) = 2 atanh s = f - s (f - R(s^2)), R interpolated at Chebyshev nodes. */

static const double log_p[] = {
    0.666666666666667, 0.3999999999989889, 0.28571428626253836, 0.22222211089379496,
    0.1818289243253687, 0.15331611722055008, 0.14617807153417325
};

/* The bits of x less others, modulo 2^64: those of a negative x would overflow. */
INLINE lvec bits_less(dvec x, lvec bits) { return (lvec)((ulvec)x - (ulvec)bits); }
/* 2^e (1 + f): the exponent that brings a normal x into [sqrt(1/2), sqrt(2)). */
INLINE lvec exponent_of(dvec x) { return bits_less(x, (lvec){0} + 0x3fe6a09e667f3bcd) >> 52; }

/* The part of e ln 2 that is a multiple of 2^-42, and the rest of e ln 2 + log(1 + f). */
INLINE pair log_parts(lvec exponent, dvec f)
{
    const dvec e = (dvec)(exponent + (lvec)d_splat(D_SHIFT)) - D_SHIFT;
    const dvec s = f / (2 + f), z = s * s;
    return (pair){e * LN2_1, f - (s * (f - z * SERIES(z, log_p)) - e * LN2_2)};
}
/* e ln 2 + log(1 + f) */
INLINE dvec sum_log(lvec exponent, dvec f)
{
    const pair parts = log_parts(exponent, f);
    return parts.high + parts.low;
}
/* The limits of log at 0 and infinity, nan below 0, and y elsewhere. */
INLINE dvec log_limits(dvec x, dvec y)
{
    const dvec outside = d_choose((lvec)(x == 0), d_splat(-INFINITY), d_splat(NAN));
    y = d_choose((lvec)(x == (double)INFINITY), x, y);
    return d_choose((lvec)(x > 0), y, outside);
}
static NOINLINE dvec d_log(dvec x)
{
    const lvec small = (lvec)(x < 0x1p-1022); /* subnormal numbers are made normal first */
    const dvec normal = d_choose(small, x * 0x1p54, x);
    const lvec e = exponent_of(normal);
    return log_limits(x, sum_log(e - (small & 54), (dvec)bits_less(normal, e << 52) - 1));
}
/* log(high + low), where low is below a few units of high; `doublings` is added to the exponent.
   That of the largest numbers is 1024, whose inverse is no normal power of 2. */
INLINE dvec log_of_pair(dvec high, dvec low, lvec doublings)
{
    const lvec e = exponent_of(high);
    const dvec f = ((dvec)bits_less(high, e << 52) - 1) + low * d_power_of_2(2 - e) * 0.25;
    return sum_log(e + doublings, f);
}
/* log(1 + x + x_low), with what is lost in 1 + x carried on. */
INLINE dvec log1p_of_pair(dvec x, dvec x_low)
{
    const dvec u = 1 + x;
    const dvec lost = d_choose((lvec)(x < 1), x - (u - 1), 1 - (u - x));
    return log_of_pair(u, lost + x_low, (lvec){0});
}
static NOINLINE dvec d_log1p(dvec x)
{
    return d_choose((lvec)(x == 0), x, log_limits(1 + x, log1p_of_pair(x, d_splat(0))));
}
WIDE_1(log)
WIDE_1(log1p)
