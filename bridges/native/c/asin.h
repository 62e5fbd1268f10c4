/* asin and acos: odd series on |x| <= 1/2; beyond, asin x = pi/2 - 2 asin(sqrt((1 - x) / 2)). */

static const double asin_p[] = {
    0.16666666666666669, 0.07499999999998425, 0.04464285714637338, 0.030381944137085216,
    0.022372173002005596, 0.017352391265909227, 0.013971235301124539, 0.011478952690257387,
    0.010324318288744113, 0.00545087818772055, 0.017419357964884856, -0.014881409392818066,
    0.02877844261259304
};

static NOINLINE dvec d_asin(dvec x)
{
    const dvec a = d_abs(x), half = 0.5 * (1 - a), root = d_sqrt(half);
    const lvec outer = (lvec)(a > 0.5);
    const dvec z = d_choose(outer, half, a * a), t = d_choose(outer, root, a);
    const dvec bend = t * z * SERIES(z, asin_p);
    const dvec root_lost = (half - root * root) / (root + 0x1p-1000); /* twice the rounding of root */
    const dvec far = (PI_2_HIGH - 2 * root) - (2 * bend + (root_lost - PI_2_LOW));
    return d_copysign(d_choose(outer, far, a + bend), x);
}
static NOINLINE dvec d_acos(dvec x)
{
    const dvec a = d_abs(x), half = 0.5 * (1 - a), root = d_sqrt(half);
    const lvec outer = (lvec)(a > 0.5);
    const dvec z = d_choose(outer, half, x * x), t = d_choose(outer, root, x);
    const dvec bend = t * z * SERIES(z, asin_p);
    const dvec twice = 2 * (t + bend);
    const dvec left = 2 * PI_2_HIGH - (twice - 2 * PI_2_LOW);
    const dvec inner = PI_2_HIGH - (x + (bend - PI_2_LOW));
    return d_choose(outer, d_choose((lvec)(x < 0), left, twice), inner);
}
WIDE_1(asin)
WIDE_1(acos)
