/* x^y = e^(y log x), with the logarithm as a sum of two numbers: y may magnify its error 700 times.

   log x = e ln 2 + 2 s + (2/3) s^3 + s^5 P(s^2), as in log.h; the first terms keep what they lose.
   `head` cuts a product to 26 bits, so that the rest of it is a number too. Lanes that are no ordinary
   power of a positive number go to the C library, and all of them where multiply-adds round twice. */

#if defined(__FMA__) || defined(__aarch64__)

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
INLINE dvec head(dvec x) { return (dvec)((lvec)x & ~0x7ffffffLL); }

static NOINLINE dvec d_pow(dvec x, dvec y)
{
    const lvec e = exponent_of(x);
    const dvec f = (dvec)((lvec)x - (e << 52)) - 1;
    const dvec n = (dvec)(e + (lvec)d_splat(D_SHIFT)) - D_SHIFT;
    /* s + s_low = f / (2 + f) */
    const dvec below = 2 + f, below_low = f - (below - 2), inverse = 1 / below, s = f * inverse;
    const dvec s_low = (d_fma(-s, below, f) - s * below_low) * inverse;
    /* u + u_low = s^3, t + t_low = 2/3 s^3 */
    const dvec z = s * s, z_low = d_fma(s, s, -z) + 2 * s * s_low;
    const dvec u = s * z, u_low = d_fma(s, z, -u) + (s * z_low + z * s_low);
    const dvec third = d_splat(0x1.5555555555555p-1), t = head(third * u);
    const dvec t_low = d_fma(third, u, -t) + (third * u_low + 0x1.5555555555555p-55 * u);
    /* high + low = log x */
    const dvec a = n * LN2_1, b = 2 * s, ab = a + b, ab_low = (a - ab) + b;
    const dvec sum = ab + t, sum_low = (ab - sum) + t;
    const dvec tail = n * LN2_2 + (2 * s_low + u * z * SERIES(z, pow_p));
    const dvec rest = sum_low + (t_low + (ab_low + tail));
    const dvec high = sum + rest, low = rest - (high - sum);
    /* p + p_low = y log x */
    const dvec p = head(y * high), p_low = d_fma(y, high, -p) + y * low;
    const dvec shifted = p * 0x1.71547652b82fep+0 + D_SHIFT, m = shifted - D_SHIFT;
    const dvec r = (p - m * LN2_1) + (p_low - m * LN2_2);
    const lvec k = (lvec)shifted - (lvec)d_splat(D_SHIFT), half = k >> 1;
    dvec power = 1 + (r + r * r * SERIES(r, exp_p));
    power = power * d_power_of_2(half) * d_power_of_2(k - half);
    const lvec positive = (lvec)(x >= 0x1p-1022) & (lvec)(x < (double)INFINITY);
    const lvec plain = positive & (lvec)(d_abs(p) < 800);
    for (int i = 0; i < D_LANES; i++)
        if (UNLIKELY(!plain[i])) power[i] = pow(x[i], y[i]);
    return power;
}
WIDE_2(pow)

#else
LANEWISE_2(v_pow, FN(pow))
#endif
