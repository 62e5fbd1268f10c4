/* sqrt(x^2 + y^2), both scaled by a power of two where a square would leave the range of numbers. */
static NOINLINE dvec d_hypot(dvec x, dvec y)
{
    const dvec a = d_abs(x), b = d_abs(y), larger = d_choose((lvec)(a > b), a, b);
    const lvec huge = (lvec)(larger > 0x1p500), tiny = (lvec)(larger < 0x1p-400);
    const dvec scale = d_choose(huge, d_splat(0x1p-600), d_choose(tiny, d_splat(0x1p600), d_splat(1)));
    const dvec back = d_choose(huge, d_splat(0x1p600), d_choose(tiny, d_splat(0x1p-600), d_splat(1)));
    const dvec u = a * scale, v = b * scale, size = d_sqrt(u * u + v * v) * back;
    /* infinite even beside a nan */
    const lvec infinite = (lvec)(a == (double)INFINITY) | (lvec)(b == (double)INFINITY);
    return d_choose(infinite, d_splat(INFINITY), size);
}
WIDE_2(hypot)
