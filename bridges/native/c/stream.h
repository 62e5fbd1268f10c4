/* Moves between caches and memory.

   Large results are written past the caches: they would push everything else out of them, and each of
   their lines would be read from memory only to be overwritten. Only whole lines gain by it. */
#include <stddef.h>

typedef real stream_vec __attribute__((vector_size(VECTOR_BYTES), may_alias));

#if defined(__clang__)
#define WRITE_PAST(to, value) __builtin_nontemporal_store(value, (stream_vec *)(to))
#elif defined(__AVX512F__) || (defined(__AVX__) && VECTOR_BYTES < 64) \
    || (defined(__SSE2__) && VECTOR_BYTES < 32)
typedef double stream_bits __attribute__((vector_size(VECTOR_BYTES), may_alias));
#if VECTOR_BYTES == 64
#define WRITE_BITS __builtin_ia32_movntpd512
#elif VECTOR_BYTES == 32
#define WRITE_BITS __builtin_ia32_movntpd256
#else
#define WRITE_BITS __builtin_ia32_movntpd
#endif
#define WRITE_PAST(to, value) WRITE_BITS((double *)(to), (stream_bits)(value))
#else
#define WRITE_PAST(to, value) (*(stream_vec *)(to) = (value))
#endif

/* Numbers between the start of a whole vector in memory and `y`. */
INLINE integer ahead_of(const real *y) { return (integer)((size_t)y / sizeof(real) % LANES); }

/* Writes y[at] ... y[at + count - 1], whole vectors past the caches. `room` starts at a whole vector; from
   place ahead_of(y + at) on it holds these numbers, before them those that the last call left in it.
   So a line is written as a whole wherever rows and calls end. Numbers at either end that do not fill
   a vector are written as they are: at once if `first`, at the end if `last`, else they stay in
   `room`. `__sync_synchronize` makes all visible to other threads. */
INLINE void write_past(real *y, integer at, real *room, integer count, int first, int last)
{
    const integer ahead = ahead_of(y + at), end = ahead + count;
    integer k = 0;
    at -= ahead;
    if (first && ahead)
        for (k = ahead; k < LANES && k < end; k++) y[at + k] = room[k];
    for (; k + LANES <= end; k += LANES)
        WRITE_PAST(y + at + k, *(const stream_vec *)(room + k));
    if (last)
        for (; k < end; k++) y[at + k] = room[k];
    else if (k < end)
        *(stream_vec *)room = *(const stream_vec *)(room + k);
}

/* Asks for the memory of n numbers. */
INLINE void fetch(const real *x, integer n)
{
    for (integer k = 0; k < n; k += 64 / (integer)sizeof(real)) __builtin_prefetch(x + k);
}
