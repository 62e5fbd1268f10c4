/* Solves erf(y) = x: Winitzki's closed form ("A handy approximation for the error function and its
   inverse", 2008), then Newton steps, on erfc in the tail, where 1 - |x| is exact. */
static real erfinv_scalar(real given)
{
    const double x = given, a = fabs(x);
    if (!(a < 1)) return a == 1 ? given * (real)INFINITY : (real)NAN;
    if (a == 0) return given;
    const double l = log1p(-a * a), b = 4.3307467508 + l / 2;
    double y = sqrt(sqrt(b * b - l / 0.147) - b);
    for (int k = 0; k < 4; k++) {
        const double excess = a < 0.5 ? erf(y) - a : (1 - a) - erfc(y);
        y -= excess * 0.88622692545275801 * exp(y * y);
    }
    return (real)copysign(y, x);
}
LANEWISE_1(v_erfinv, erfinv_scalar)
