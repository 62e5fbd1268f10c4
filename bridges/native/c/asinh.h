/* asinh, acosh, atanh as log(1 + f), f and what its last addition loses. Beyond HUGE_ARGUMENT, where a
   square could overflow, asinh a = acosh a = log(2 a). */

#define HUGE_ARGUMENT 0x1p500

INLINE dvec log_of_twice(dvec a)
{
    return d_choose((lvec)(a == (double)INFINITY), a, log_of_pair(a, d_splat(0), (lvec){0} + 1));
}
static NOINLINE dvec d_asinh(dvec x)
{
    const dvec a = d_abs(x), rest = a * a / (1 + d_sqrt(1 + a * a));
    const dvec f = a + rest, lost = d_choose((lvec)(a > rest), (a - f) + rest, (rest - f) + a);
    const lvec huge = (lvec)(a > HUGE_ARGUMENT);
    const dvec y = d_choose(huge, log_of_twice(a), log1p_of_pair(f, lost));
    return d_copysign(d_choose((lvec)(a < 0x1p-60), a, y), x);
}
static NOINLINE dvec d_acosh(dvec x)
{
    const dvec t = x - 1, square = t * t + 2 * t, root = d_sqrt(square);
    const dvec square_lost = t * t - (square - 2 * t);
    const dvec root_lost = ((square - root * root) + square_lost) / (2 * root + 0x1p-1000);
    const dvec f = t + root;
    const dvec lost = d_choose((lvec)(t > root), (t - f) + root, (root - f) + t) + root_lost;
    const lvec huge = (lvec)(x > HUGE_ARGUMENT);
    const dvec y = d_choose(huge, log_of_twice(x), log1p_of_pair(f, lost));
    return d_choose((lvec)(x >= 1), y, d_splat(NAN));
}
/* log((1 + a) / (1 - a)) / 2; the series of log is that of atanh for small a. */
static NOINLINE dvec d_atanh(dvec x)
{
    const dvec a = d_abs(x), z = a * a, near = a + 0.5 * a * z * SERIES(z, log_p);
    const dvec below = 1 - a, f = 2 * a / below;
    const dvec lost = ((2 * a - f * below) - f * ((1 - below) - a)) / below;
    dvec y = 0.5 * log1p_of_pair(f, lost);
    y = d_choose((lvec)(a < 0.17), near, y);
    y = d_choose((lvec)(a < 1), y, d_choose((lvec)(a == 1), d_splat(INFINITY), d_splat(NAN)));
    return d_copysign(y, x);
}
WIDE_1(asinh)
WIDE_1(acosh)
WIDE_1(atanh)
