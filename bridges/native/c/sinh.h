/* sinh, cosh, tanh from h = e^|x| / 2, and from odd series where that would cancel. */

static const double sinh_p[] = {
    0.16666666666666666, 0.008333333333333333, 0.00019841269841269773, 2.755731922404061e-06,
    2.5052108363972185e-08, 1.6059048410081293e-10, 7.646624280324513e-13, 2.8445596736423237e-15
};
static const double tanh_p[] = {
    -0.3333333333333333, 0.13333333333332714, -0.05396825396743174, 0.021869488493563037,
    -0.008863234395418095, 0.003592110347096177, -0.0014556615775702365, 0.0005889348072447028,
    -0.00023463104528300406, 8.510707927354112e-05, -2.0598556673275166e-05
};

static NOINLINE dvec d_sinh(dvec x)
{
    const dvec a = d_abs(x), z = a * a, h = scaled_exp(a, -1);
    const dvec near = a + a * z * SERIES(z, sinh_p);
    return d_copysign(d_choose((lvec)(a < 1), near, h - 0.25 / h), x);
}
static NOINLINE dvec d_cosh(dvec x)
{
    const dvec h = scaled_exp(d_abs(x), -1);
    return h + 0.25 / h;
}
static NOINLINE dvec d_tanh(dvec x)
{
    const dvec a = d_abs(x), z = a * a;
    const dvec near = a + a * z * SERIES(z, tanh_p);
    const dvec far = 1 - 1 / (scaled_exp(2 * a, -1) + 0.5);
    return d_copysign(d_choose((lvec)(a < 0.55), near, far), x);
}
WIDE_1(sinh)
WIDE_1(cosh)
WIDE_1(tanh)
