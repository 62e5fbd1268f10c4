/* x^y = e^(y log |x|), with the sign that an odd y gives.

   In double precision the logarithm is a sum of two numbers, since y may magnify its error 700 times:
   log x = e ln 2 + 2 s + (2/3) s^3 + s^5 P(s^2), as in log.h; the first terms keep what they lose.
   `head` cuts a product to 26 bits, so that the rest of it is a number too. Where multiply-adds round
   twice, all lanes go to the C library. For results in float, one number in double does. */

#if !DOUBLE || defined(__FMA__) || defined(__aarch64__)

#if DOUBLE
static const double pow_p[] = {
    0.4000000000000003, 0.2857142857133801, 0.22222222271326808, 0.18181808210921882,
    0.15385577463308145, 0.13285868837545742, 0.1291471218393509
};

/* x y + z, rounded once. */
INLINE dvec d_fma(dvec x, dvec y, dvec z)
{
    dvec r;
    for (int k = 0; k < D_LANES; k++) r[k] = __builtin_fma(x[k], y[k], z[k]);
    return r;
}

/* e ln 2 + log(1 + f) */
INLINE pair pair_log(lvec e, dvec f)
{
    const dvec n = (dvec)(e + (lvec)d_splat(D_SHIFT)) - D_SHIFT;
    /* s + s_low = f / (2 + f) */
    const dvec below = 2 + f, below_low = f - (below - 2), inverse = 1 / below, s = f * inverse;
    const dvec s_low = (d_fma(-s, below, f) - s * below_low) * inverse;
    /* u + u_low = s^3, t + t_low = 2/3 s^3 */
    const dvec z = s * s, z_low = d_fma(s, s, -z) + 2 * s * s_low;
    const dvec u = s * z, u_low = d_fma(s, z, -u) + (s * z_low + z * s_low);
    const dvec third = d_splat(0x1.5555555555555p-1), t = head(third * u);
    const dvec t_low = d_fma(third, u, -t) + (third * u_low + 0x1.5555555555555p-55 * u);
    const dvec a = n * LN2_1, b = 2 * s, ab = a + b, ab_low = (a - ab) + b;
    const dvec sum = ab + t, sum_low = (ab - sum) + t;
    const dvec tail = n * LN2_2 + (2 * s_low + u * z * SERIES(z, pow_p));
    const dvec rest = sum_low + (t_low + (ab_low + tail));
    const dvec high = sum + rest;
    return (pair){high, rest - (high - sum)};
}
/* y x */
INLINE pair pair_times(dvec y, pair x)
{
    const dvec p = head(y * x.high);
    return (pair){p, d_fma(y, x.high, -p) + y * x.low};
}
#else
INLINE pair pair_log(lvec e, dvec f) { return (pair){sum_log(e, f), d_splat(0)}; }
INLINE pair pair_times(dvec y, pair x) { return (pair){y * x.high, d_splat(0)}; }
#endif

/* e^(high + low), 0 or infinity where it leaves the range of numbers. */
INLINE dvec pair_exp(pair x)
{
    const lvec large = (lvec)(d_abs(x.high) > 800);
    const dvec p = d_choose(large, d_copysign(d_splat(800), x.high), x.high);
    const dvec p_low = d_choose(large, d_splat(0), x.low);
    const dvec shifted = p * 0x1.71547652b82fep+0 + D_SHIFT, m = shifted - D_SHIFT;
    const dvec r = (p - m * LN2_1) + (p_low - m * LN2_2);
    const lvec k = (lvec)shifted - (lvec)d_splat(D_SHIFT), half = k >> 1;
    return (1 + (r + r * r * SERIES(r, exp_p))) * d_power_of_2(half) * d_power_of_2(k - half);
}

/* The power for any x and y, from that of ordinary ones. */
static NOINLINE dvec unusual_power(dvec x, dvec y, dvec power)
{
    const dvec a = d_abs(x), b = d_abs(y);
    const lvec infinite = (lvec)(a == (double)INFINITY), end = infinite | (lvec)(a == 0);
    const dvec limit = d_choose(infinite ^ (lvec)(y < 0), d_splat(INFINITY), d_splat(0));
    power = d_choose(end, limit, power);
    power = d_choose((lvec)(a == 1), d_splat(1), power); /* for infinite y too */
    /* an odd y is below 2^53; from 2^52 on its last bit tells, below the last bit of y + 2^52 */
    const dvec shifted = b + 0x1p52;
    const lvec large = (lvec)(b >= 0x1p52), whole = large | (lvec)(shifted - 0x1p52 == b);
    const lvec last = (large & (lvec)b) | (~large & (lvec)shifted);
    const lvec odd = -(last & 1) & whole & (lvec)(b < 0x1p53);
    power = (dvec)((lvec)power ^ (odd & (lvec)x & D_SIGN));
    power = d_choose((lvec)(x < 0) & ~whole & ~infinite, d_splat(NAN), power);
    power = d_choose((lvec)(x != x) | (lvec)(y != y), x + y, power);
    return d_choose((lvec)(y == 0) | (lvec)(x == 1), d_splat(1), power);
}
static NOINLINE dvec d_pow(dvec x, dvec y)
{
    const dvec given = d_abs(x);
    const lvec small = (lvec)(given < 0x1p-1022); /* subnormal numbers are made normal first */
    const dvec a = d_choose(small, given * 0x1p54, given);
    const lvec e = exponent_of(a);
    const pair logarithm = pair_log(e - (small & 54), (dvec)((lvec)a - (e << 52)) - 1);
    const dvec power = pair_exp(pair_times(y, logarithm));
    const lvec usual = (lvec)(x > 0) & (lvec)(x < (double)INFINITY) & (lvec)(d_abs(y) < 0x1p1000);
    return UNLIKELY(any((ivec)~usual)) ? unusual_power(x, y, power) : power;
}
WIDE_2(pow)

#else
static NOINLINE vec v_pow(vec x, vec y)
{
    for (int k = 0; k < LANES; k++) x[k] = FN(__builtin_pow)(x[k], y[k]);
    return x;
}
#endif
