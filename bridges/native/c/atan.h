/* atan and atan2: odd series on |t| <= 1/2, and tan(a - b) = (tan a - tan b) / (1 + tan a tan b) with
   b = pi/4 or pi/2 beyond. */

static const double atan_p[] = {
    -0.3333333333333333, 0.19999999999999485, -0.1428571428559874, 0.11111111100881761,
    -0.09090908618865388, 0.07692294677482635, -0.06666435144143137, 0.05879573107799684,
    -0.052400641544110685, 0.04627870086418654, -0.03806224794996687, 0.024999689507521367,
    -0.009211063504627926
};

/* atan(y / x) for 0 <= y, 0 < x <= infinity, not both infinite. */
INLINE dvec atan_ratio(dvec y, dvec x)
{
    const lvec middle = (lvec)(y > 0.5 * x), large = (lvec)(y > 2 * x);
    const dvec above = d_choose(large, -x, d_choose(middle, y - x, y));
    const dvec below = d_choose(large, y, d_choose(middle, y + x, x));
    const dvec t = above / below, z = t * t;
    const dvec part = d_choose(large, d_splat(1), d_choose(middle, d_splat(0.5), d_splat(0)));
    return part * PI_2_HIGH + (t + (t * z * SERIES(z, atan_p) + part * PI_2_LOW));
}
static NOINLINE dvec d_atan(dvec x)
{
    const dvec y = atan_ratio(d_abs(x), d_splat(1));
    return d_copysign(d_choose((lvec)(x == 0), x, y), x);
}
/* The angle of (x, y): first in the right half plane, then mirrored where x < 0 or x = -0. */
static NOINLINE dvec d_atan2(dvec y, dvec x)
{
    dvec a = d_abs(y), b = d_abs(x);
    const lvec infinite = (lvec)(a == (double)INFINITY) & (lvec)(b == (double)INFINITY);
    const lvec flat = (lvec)(a == 0);
    /* keeps sums and products of both below infinity and above the subnormal numbers */
    const lvec huge = (lvec)(a > 0x1p1000) | (lvec)(b > 0x1p1000);
    const lvec tiny = (lvec)(a < 0x1p-900) & (lvec)(b < 0x1p-900);
    const dvec scale = d_choose(huge, d_splat(0x1p-100), d_choose(tiny, d_splat(0x1p120), d_splat(1)));
    a = d_choose(infinite, d_splat(1), a * scale);
    b = d_choose(infinite, d_splat(1), b * scale);
    dvec angle = d_choose(flat, d_splat(0), atan_ratio(a, b));
    const lvec left = (lvec)x >> 63;
    angle = d_choose(left, 2 * PI_2_HIGH - (angle - 2 * PI_2_LOW), angle);
    const dvec result = d_copysign(angle, y);
    return d_choose((lvec)(x != x) | (lvec)(y != y), x + y, result);
}
WIDE_1(atan)
WIDE_2(atan2)
