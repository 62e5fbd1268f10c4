/* Sine and cosine with one range reduction, as in sincos.h. */
union Bits { real x; word bits; };
union DoubleBits { double x; u64 bits; };

/* 2 / pi behind 64 zeros: bit b weighs 2^(63 - b). */
TABLE unsigned two_over_pi[] = {
    0, 0,
    0xa2f9836e, 0x4e441529, 0xfc2757d1, 0xf534ddc0, 0xdb629599, 0x3c439041, 0xfe5163ab, 0xdebbc561,
    0xb7246e3a, 0x424dd2e0, 0x06492eea, 0x09d1921c, 0xfe1deb1c, 0xb129a73e, 0xe88235f5, 0x2ebb4484,
    0xe99c7026, 0xb45f7e41, 0x3991d639, 0x835339f4, 0x9c845f8b, 0xbdf9283b, 0x1ff897ff, 0xde05980f,
    0xef2f118b, 0x5a0a6d1f, 0x6d367ecf, 0x27cb09b7, 0x4f463f66, 0x9e5fea2d, 0x7527bac7, 0xebe5f17b,
    0x3d0739f7, 0x8a5292ea, 0x6bfb5fb1, 0x1f8d5d08, 0x56033046, 0xfc7b6bab, 0xf0cfbc20, 0x9af4361d};

HERE u64 two_over_pi_from(int b)
{
    const unsigned *const at = two_over_pi + b / 32;
    const u64 head = (u64)at[0] << 32 | at[1];
    return b % 32 ? head << b % 32 | at[2] >> (32 - b % 32) : head;
}

/* x = q pi/2 + r with |r| <= pi/4; the low bits of q. */
struct Turned { double r; int quarter; };

/* The same for any large x. The product of the 53 bits of x with those bits of 2 / pi that matter is
   exact (Payne and Hanek, "Radian reduction for trigonometric functions", 1983). A call, so that it
   takes no registers where it is not needed. */
APART Turned far_angle(double x)
{
    DoubleBits in;
    in.x = x;
    const int exponent = (int)(in.bits >> 52 & 0x7ff) - 1075;
    if (exponent == 972) return {x - x, 0}; /* infinite, or no number */
    const u64 m = (in.bits & 0xfffffffffffffull) | 0x10000000000000ull;
    const int b = exponent + 62; /* the first bit that counts: 2 in the product */
    const u64 w0 = two_over_pi_from(b), w1 = two_over_pi_from(b + 64), w2 = two_over_pi_from(b + 128);
    const u64 low = m * w1, middle = low + high_product(m, w2);
    const u64 top = m * w0 + high_product(m, w1) + (middle < low);
    const int q = (int)((top + (1ull << 61)) >> 62);
    u64 head = top << 2 | middle >> 62, tail = middle << 2; /* of q's fraction, from -1/2 to 1/2 */
    const bool below = head >> 63;
    if (below) head = ~head, tail = ~tail;
    const int shift = leading_zeros(head);
    if (shift) head = head << shift | tail >> (64 - shift);
    const double f = (double)(head >> 11), rest = (double)(head & 0x7ff) * 0x1p-11;
    const double product = f * 0x1.921fb54442d18p+0;
    const double lost = fma(f, 0x1.921fb54442d18p+0, -product);
    DoubleBits scale;
    scale.bits = (u64)(1023 - 53 - shift) << 52;
    const double r = (product + (lost + f * 0x1.1a62633145c07p-54 + rest * 0x1.921fb54442d18p+0)) * scale.x;
    return {(x < 0) != below ? -r : r, x < 0 ? -q : q};
}

/* Sine and cosine of r + quarter pi / 2. */
HERE void sincos_near(real r, int quarter, real *sine, real *cosine)
{
    Bits s, c;
    const real z = r * r;
    const real near_0 = r + r * (z * sine_series(z) + R(0)); /* + 0: so that sin(-0) is -0 */
    const real near_1 = R(1) + z * (R(-0.5) + z * cosine_series(z));
    s.x = quarter & 1 ? near_1 : near_0;
    c.x = quarter & 1 ? near_0 : near_1;
    s.bits ^= (word)(quarter & 2) << (sizeof(word) * 8 - 2);
    c.bits ^= (word)((quarter + 1) & 2) << (sizeof(word) * 8 - 2);
    *sine = s.x;
    *cosine = c.x;
}
/* Sine and cosine of x, if that is not large. */
HERE void sincos_of(real x, real *sine, real *cosine)
{
    Bits shifted;
    shifted.x = fma(x, TWO_OVER_PI, ROUND_SHIFT);
    const real q = shifted.x - ROUND_SHIFT;
    const real r = fma(-q, HALF_PI_3, fma(-q, HALF_PI_2, fma(-q, HALF_PI_1, x)));
    sincos_near(r, (int)shifted.bits, sine, cosine);
}
HERE bool is_far(real x) { return !(fabs(x) <= FAR_ANGLE); }
/* Sine and cosine of x, if that is large. */
HERE void sincos_far(real x, real *sine, real *cosine)
{
    if (!is_far(x)) return;
    const Turned far = far_angle((double)x);
    sincos_near((real)far.r, far.quarter, sine, cosine);
}
