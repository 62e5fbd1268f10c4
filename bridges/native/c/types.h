/* Number and vector types. DOUBLE, VECTOR_BYTES, SHARED_MATH and SHARED_MOVES are defined before. */
/* No headers: they take the compiler as long as a small kernel. */
#ifndef INFINITY
#define INFINITY __builtin_inff()
#define NAN __builtin_nanf("")
#endif

typedef long long integer;
typedef real vec __attribute__((vector_size(VECTOR_BYTES), may_alias));
typedef word ivec __attribute__((vector_size(VECTOR_BYTES), may_alias));

#define LANES ((int)(VECTOR_BYTES / sizeof(real)))
#define SIGN_BIT ((word)(1ULL << (WORD_BITS - 1)))
#define R(x) ((real)(x))
#define INLINE static inline __attribute__((always_inline, unused))
#define NOINLINE __attribute__((noinline, unused))
/* Short functions: copied where they are used, or one copy for a program that uses them often. */
#if SHARED_MATH
#define MATH static NOINLINE
#else
#define MATH INLINE
#endif
/* The same for what brings columns in and out of vectors. */
#if SHARED_MOVES
#define MOVE static NOINLINE
#else
#define MOVE INLINE
#endif
#define UNUSED __attribute__((unused))
#define STORED static const
#define EXPORT __attribute__((visibility("default")))
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#ifdef __has_builtin
#if __has_builtin(__builtin_shufflevector)
#define HAVE_SHUFFLE 1
#endif
#endif
