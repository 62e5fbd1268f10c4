/* Functions that are computed in double precision whatever `real` is. In float kernels a vec is split
   into two dvec, so that float results are right to half a unit in nearly all cases. */

typedef double dvec __attribute__((vector_size(VECTOR_BYTES), may_alias));
typedef long long lvec __attribute__((vector_size(VECTOR_BYTES), may_alias));
typedef unsigned long long ulvec __attribute__((vector_size(VECTOR_BYTES), may_alias));
#define D_LANES ((int)(VECTOR_BYTES / sizeof(double)))
#define D_SHIFT 0x1.8p52 /* adding it rounds to an integer, which the low bits then hold */
#define D_SIGN ((long long)(1ULL << 63))
#define LN2_1 0x1.62e42fefa3800p-1 /* 42 bits, so that integers of 11 bits times it are exact */
#define LN2_2 0x1.ef35793c76730p-45
#define PI_2_HIGH 0x1.921fb54442d18p+0
#define PI_2_LOW 0x1.1a62633145c07p-54

#if DOUBLE
#define WIDE_1(name) MATH vec v_##name(vec x) { return d_##name(x); }
#define WIDE_2(name) MATH vec v_##name(vec x, vec y) { return d_##name(x, y); }
#else
typedef float halfvec __attribute__((vector_size(VECTOR_BYTES / 2), may_alias));
typedef union { vec whole; halfvec half[2]; } halves;
INLINE dvec widen(halfvec x) { return __builtin_convertvector(x, dvec); }
INLINE halfvec narrow(dvec x) { return __builtin_convertvector(x, halfvec); }
#define WIDE_1(name) \
    MATH vec v_##name(vec x) \
    { \
        halves a = {x}; \
        for (int k = 0; k < 2; k++) a.half[k] = narrow(d_##name(widen(a.half[k]))); \
        return a.whole; \
    }
#define WIDE_2(name) \
    MATH vec v_##name(vec x, vec y) \
    { \
        halves a = {x}, b = {y}; \
        for (int k = 0; k < 2; k++) \
            a.half[k] = narrow(d_##name(widen(a.half[k]), widen(b.half[k]))); \
        return a.whole; \
    }
#endif

/* high + low */
typedef struct { dvec high, low; } pair;

INLINE dvec d_splat(double x) { return x - (dvec){0}; }
INLINE dvec d_choose(lvec mask, dvec yes, dvec no)
{
    return (dvec)((mask & (lvec)yes) | (~mask & (lvec)no));
}
INLINE dvec d_abs(dvec x) { return (dvec)((lvec)x & ~D_SIGN); }
INLINE dvec d_copysign(dvec size, dvec sign)
{
    return (dvec)(((lvec)size & ~D_SIGN) | ((lvec)sign & D_SIGN));
}
INLINE dvec d_sqrt(dvec x)
{
    dvec r;
    for (int k = 0; k < D_LANES; k++) r[k] = __builtin_sqrt(x[k]);
    return r;
}
/* The first 26 bits: products of such numbers are exact. */
INLINE dvec head(dvec x) { return (dvec)((lvec)x & ~0x7ffffffLL); }
/* x - s^2 where that is small: all steps are exact. */
INLINE dvec less_square(dvec x, dvec s)
{
    const dvec high = head(s), low = s - high;
    return ((x - high * high) - 2 * high * low) - low * low;
}
/* 2^k for -1022 <= k <= 1023. */
INLINE dvec d_power_of_2(lvec k) { return (dvec)((k + 1023) << 52); }

/* The sum of c[k] z^(k / step) for k = last, last - step, ... */
INLINE dvec every(int step, dvec z, const double *c, int last)
{
    dvec sum = d_splat(c[last]);
#pragma GCC unroll 16
    for (int k = last - step; k >= 0; k -= step) sum = c[k] + z * sum;
    return sum;
}
/* c[0] + c[1] z + ... + c[n - 1] z^(n - 1). Even and odd powers of a long series are summed apart:
   neither sum waits for the other. */
INLINE dvec series(dvec z, const double *c, int n)
{
    if (n < 8) return every(1, z, c, n - 1);
    const dvec square = z * z;
    return every(2, square, c, (n - 1) & ~1) + z * every(2, square, c, (n - 2) | 1);
}
#define SERIES(z, c) series(z, c, (int)(sizeof(c) / sizeof((c)[0])))
