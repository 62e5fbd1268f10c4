/* exp and expm1: x = n ln 2 + r with |r| <= ln 2 / 2, e^r = 1 + r + r^2 P(r), P interpolated at
   Chebyshev nodes. */

static const double exp_p[] = {
    0.5, 0.1666666666666667, 0.04166666666666667, 0.008333333333325544, 0.0013888888888883327,
    0.00019841269876864356, 2.4801587327007187e-05, 2.755725283351691e-06, 2.75572718102198e-07,
    2.5106274733573296e-08, 2.0915442297780116e-09
};

/* 2^shift e^x, rounded once: 2^n is split in two factors of which each is a normal number. */
INLINE dvec scaled_exp(dvec x, long long shift)
{
    x = d_choose((lvec)(x > 800), d_splat(800), x);
    x = d_choose((lvec)(x < -800), d_splat(-800), x);
    const dvec shifted = x * 0x1.71547652b82fep+0 + D_SHIFT, n = shifted - D_SHIFT;
    const dvec r = (x - n * LN2_1) - n * LN2_2;
    const lvec k = (lvec)shifted - (lvec)d_splat(D_SHIFT) + shift, half = k >> 1;
    const dvec y = 1 + (r + r * r * SERIES(r, exp_p));
    return y * d_power_of_2(half) * d_power_of_2(k - half);
}
static NOINLINE dvec d_exp(dvec x) { return scaled_exp(x, 0); }

/* 2^n e^r - 1 = 2 (2^(n-1) (e^r - 1) + (2^(n-1) - 1/2)), with the rounding error of r carried on. */
static NOINLINE dvec d_expm1(dvec x)
{
    const dvec given = x;
    x = d_choose((lvec)(x > 709.9), d_splat(709.9), x);
    x = d_choose((lvec)(x < -50), d_splat(-50), x);
    const dvec shifted = x * 0x1.71547652b82fep+0 + D_SHIFT, n = shifted - D_SHIFT;
    const dvec reduced = x - n * LN2_1, r = reduced - n * LN2_2;
    const dvec error = (reduced - r) - n * LN2_2;
    const dvec q = r + (r * r * SERIES(r, exp_p) + error);
    const dvec scale = d_power_of_2((lvec)shifted - (lvec)d_splat(D_SHIFT) - 1);
    const dvec y = d_copysign((q * scale + (scale - 0.5)) * 2, given);
    return d_choose((lvec)(d_abs(given) < 0x1p-60), given, y);
}
WIDE_1(exp)
WIDE_1(expm1)
