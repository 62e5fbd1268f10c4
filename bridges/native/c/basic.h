/* Lane-wise selection, rounding and the functions that are a few instructions on every processor.
   A mask is an ivec whose lanes have all bits set or none. */

INLINE vec splat(real x) { return x - (vec){0}; }

/* x, of which the compiler is told that it knows nothing. GCC 12 permutes a vector that it knows to be
   constant wrongly with AVX-512: lanes of the other operand take the place of the constant's. */
#if (defined(__AVX512F__) && VECTOR_BYTES == 64) || (defined(__AVX__) && VECTOR_BYTES == 32)
#define ANY_REGISTER "+v"
#elif defined(__SSE2__) && VECTOR_BYTES == 16
#define ANY_REGISTER "+x"
#elif defined(__aarch64__) && VECTOR_BYTES == 16
#define ANY_REGISTER "+w"
#else
#define ANY_REGISTER "+m"
#endif
INLINE vec unknown(vec x)
{
    __asm__("" : ANY_REGISTER(x));
    return x;
}

INLINE vec choose(ivec mask, vec yes, vec no)
{
    return (vec)((mask & (ivec)yes) | (~mask & (ivec)no));
}

/* x where the mask is set, else 0. */
INLINE vec when(ivec mask, vec x) { return (vec)(mask & (ivec)x); }

/* 1 where the mask is set, else 0. */
INLINE vec truth(ivec mask) { return when(mask, splat(1)); }

/* Whether any lane of the mask is set. GCC needs to be told of the instruction for it. */
INLINE int any(ivec mask)
{
#if defined(__AVX512F__) && !defined(__clang__) && VECTOR_BYTES == 64
    typedef long long quad __attribute__((vector_size(64), may_alias));
    return __builtin_ia32_ptestmq512((quad)mask, (quad)mask, (unsigned char)-1) != 0;
#elif defined(__AVX__) && !defined(__clang__) && VECTOR_BYTES == 32
    typedef long long quad __attribute__((vector_size(32), may_alias));
    return !__builtin_ia32_ptestz256((quad)mask, (quad)mask);
#else
    word bits = 0;
    for (int k = 0; k < LANES; k++) bits |= mask[k];
    return bits != 0;
#endif
}

/* Whether any lane of x is above its limit. */
INLINE int any_above(vec x, vec limit)
{
#if defined(__AVX512F__) && !defined(__clang__) && VECTOR_BYTES == 64
    typedef real bare __attribute__((vector_size(64)));
#if DOUBLE
    return __builtin_ia32_cmppd512_mask((bare)x, (bare)limit, 30, (unsigned char)-1, 4) != 0;
#else
    return __builtin_ia32_cmpps512_mask((bare)x, (bare)limit, 30, (unsigned short)-1, 4) != 0;
#endif
#else
    return any((ivec)(x > limit));
#endif
}

INLINE vec v_fabs(vec x) { return (vec)((ivec)x & ~SIGN_BIT); }

INLINE vec v_copysign(vec size, vec sign)
{
    return (vec)(((ivec)size & ~SIGN_BIT) | ((ivec)sign & SIGN_BIT));
}

/* -1 or 1; zeros (with their sign) and nan pass through. */
INLINE vec v_sign(vec x)
{
    return choose((ivec)(x < R(0)), splat(-1), choose((ivec)(x > R(0)), splat(1), x));
}

/* The smaller, the larger: a nan gives way to the other argument, equals give the first. */
INLINE vec v_fmin(vec x, vec y) { return choose((ivec)((y < x) | (x != x)), y, x); }
INLINE vec v_fmax(vec x, vec y) { return choose((ivec)((y > x) | (x != x)), y, x); }

/* One instruction each, once the compiler has unrolled the lanes. */
#define EACH_LANE(name) \
    MATH vec v_##name(vec x) \
    { \
        for (int k = 0; k < LANES; k++) x[k] = FN(__builtin_##name)(x[k]); \
        return x; \
    }
EACH_LANE(sqrt)
EACH_LANE(floor)
EACH_LANE(ceil)
