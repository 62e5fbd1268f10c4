/* erf: x + x P(x^2) for |x| < 1; beyond, 1 - e^(-Q(|x| - 1)), Q(t) = -log erfc(1 + t).

   P is interpolated at Chebyshev nodes of x^2 in [0, 1]. Q is the polynomial of least greatest error
   for |x| in [1, 6] under the weight erfc, by Remez' exchange: an error of the exponent counts the
   less the smaller erfc is. Beyond 6, erf rounds to 1. */

static const double erf_p[] = {
    0.12837916709551256, -0.37612638903183543, 0.11283791670945006, -0.02686617064323777,
    0.0052239776071164225, -0.0008548325975389692, 0.00012055294904839707, -1.492473690741966e-05,
    1.6447424703317362e-06, -1.6208483801871705e-07, 1.3720064546777686e-08, -7.795898827002142e-10
};
static const double erf_q[] = {
    1.8496055099332482, 2.6389675142347757, 0.8431072563594132, 0.041561098025063706,
    -0.01003382517894151, 0.0019779012147081013, -0.0002373164305222873, -2.6296338345450392e-05,
    2.719899488589113e-05, -9.671408782316261e-06, 2.1319734809848977e-06, -2.048381225552429e-07,
    -5.799673624143423e-08, 3.338521688135606e-08, -8.517063344200121e-09, 1.3187846030859177e-09,
    -1.192908510168805e-10, 4.863298661724401e-12
};

static NOINLINE dvec d_erf(dvec x)
{
    const dvec a = d_abs(x), near = x + x * SERIES(x * x, erf_p);
    const dvec t = d_choose((lvec)(a > 6), d_splat(6), a) - 1; /* a nan stays */
    const dvec far = 1 - scaled_exp(-SERIES(t, erf_q), 0);
    return d_choose((lvec)(a < 1), near, d_copysign(far, x));
}
WIDE_1(erf)
