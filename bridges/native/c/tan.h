/* tan = sin / cos of the reduced angle r (see sincos.h), with the rounding error of r carried on. */

static const double tan_s[] = {
    -0.16666666666666666, 0.008333333333330936, -0.00019841269836740532, 2.7557316093198404e-06,
    -2.5051129896450185e-08, 1.5917988979397435e-10
};
static const double tan_c[] = {
    0.041666666666666664, -0.0013888888888887389, 2.48015872987544e-05, -2.755731726587808e-07,
    2.087614504941318e-09, -1.138254464534925e-11
};

#define TAN_PI_1 0x1.921fb54400000p+0
#define TAN_PI_2 0x1.0b4611a600000p-34
#define TAN_PI_3 0x1.3198a2e037073p-69

static NOINLINE dvec d_tan(dvec x)
{
    const dvec shifted = x * 0x1.45f306dc9c883p-1 + D_SHIFT, q = shifted - D_SHIFT;
    /* q times the first and the second piece of pi/2 are exact */
    const dvec rest = x - q * TAN_PI_1, next = rest - q * TAN_PI_2, r = next - q * TAN_PI_3;
    const dvec lost = ((rest - next) - q * TAN_PI_2) + ((next - r) - q * TAN_PI_3);
    const dvec error = d_choose((lvec)(d_abs(r) < 0x1p-44), d_splat(0), lost);
    const dvec z = r * r;
    /* sine and cosine, each with what its last addition loses */
    const dvec s_rest = r * z * SERIES(z, tan_s) + error;
    const dvec c_rest = z * (-0.5 + z * SERIES(z, tan_c)) - r * error;
    const dvec s = r + s_rest, s_lost = s_rest - (s - r);
    const dvec c = 1 + c_rest, c_lost = c_rest - (c - 1);
    const lvec odd = -((lvec)shifted & 1);
    const dvec above = d_choose(odd, -c, s), above_lost = d_choose(odd, -c_lost, s_lost);
    const dvec below = d_choose(odd, s, c), below_lost = d_choose(odd, s_lost, c_lost);
    const dvec inverse = 1 / below, ratio = above * inverse;
    dvec y = ratio + ((above - ratio * below) + (above_lost - ratio * below_lost)) * inverse;
    y = d_choose((lvec)(x == 0), x, y);
    const lvec far = (lvec)(d_abs(x) > 1e6);
    for (int k = 0; k < D_LANES; k++)
        if (UNLIKELY(far[k])) y[k] = __builtin_tan(x[k]);
    return y;
}
WIDE_1(tan)
