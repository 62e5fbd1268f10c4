/* Number and vector types. DOUBLE, VECTOR_BYTES, SHARED_MATH and SHARED_MOVES are defined before. */
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#if DOUBLE
typedef double real;
typedef long long word;
#define FN(name) name
#define WORD_BITS 64
#define ROUND_SHIFT 0x1.8p52 /* adding it rounds to an integer, which the low bits then hold */
#else
typedef float real;
typedef int word;
#define FN(name) name##f
#define WORD_BITS 32
#define ROUND_SHIFT 0x1.8p23f
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
#define EXPORT __attribute__((visibility("default")))
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#ifdef __has_builtin
#if __has_builtin(__builtin_shufflevector)
#define HAVE_SHUFFLE 1
#endif
#endif
