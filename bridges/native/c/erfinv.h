/* erfinv: x + x P(-log(1 - x^2)) for |x| < 0.9; beyond, s + s Q(1 / (s + 2) - 3/16) with
   s = sqrt(-log(1 - |x|)), where 1 - |x| is exact.

   P and Q are interpolated at Chebyshev nodes of their arguments: of the logarithm from 0 to
   -log 0.19, and of the fraction for s from sqrt(-log 0.1) to 6.07, that of the largest |x| below 1. */

static const double erfinv_p[] = {
    -0.11377307454724198, 0.23201366653465108, 0.01154934203840451, -0.0023351016436705726,
    -0.00012804327769269013, 4.6611360615594635e-05, 2.020237633150639e-06, -1.0130803682201695e-06,
    -3.652185568479916e-08, 2.199564843469019e-08, 1.3274090150602747e-09, -8.017493117865907e-10,
    6.738130017697e-11, 6.309829960046506e-14
};
static const double erfinv_q[] = {
    -0.08157595612323007, -1.022005632550405, -4.531269968890176, -10.365269757327487,
    -15.908966027056156, 8.577758132074383, 139.50676056302876, 595.35177474935, 1440.5105561042233,
    2191.841271243903, -4225.371054230483, -32399.57121354436, -149982.67349589404,
    -301464.4185079701, -615343.4152165295, 1907545.7716705836, 6968763.265856577,
    77089413.95656028, -52632105.607466094
};

static NOINLINE dvec d_erfinv(dvec x)
{
    const dvec a = d_abs(x);
    const lvec inner = (lvec)(a < 0.9);
    const dvec rest = (1 - a) * d_choose(inner, 1 + a, d_splat(1));
    const lvec e = exponent_of(rest);
    const pair parts = log_parts(e, (dvec)bits_less(rest, e << 52) - 1);
    const dvec w = -parts.high - parts.low, w_lost = (-parts.high - w) - parts.low;
    const dvec near = a + a * SERIES(w, erfinv_p), s = d_sqrt(w), u = 1 / (s + 2);
    /* the loss of the root is that of its square over 2 s, here with an error of up to 8 % */
    const dvec lost = (less_square(w, s) + w_lost) * (u * (0.28 + 3.1 * u));
    dvec far = s + (s * SERIES(u - 0.1875, erfinv_q) + lost);
    far = d_choose((lvec)(a < 1), far, d_choose((lvec)(a == 1), d_splat(INFINITY), d_splat(NAN)));
    return d_copysign(d_choose(inner, near, far), x);
}
WIDE_1(erfinv)
