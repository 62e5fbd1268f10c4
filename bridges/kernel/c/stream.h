/* Writes that go past the caches: a large result would push everything else out of them, and each of
   its lines would be read from memory only to be overwritten. */

typedef real stream_vec __attribute__((vector_size(VECTOR_BYTES), may_alias));
typedef real any_vec __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(real)), may_alias));

#if defined(__clang__)
#define WRITE_PAST(to, value) __builtin_nontemporal_store(value, (stream_vec *)(to))
#elif defined(__SSE2__)
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

/* Copies n numbers; `__sync_synchronize` makes them visible to other threads. */
INLINE void copy_past(real *to, const real *from, integer n)
{
    while (n > 0 && (size_t)to % VECTOR_BYTES) *to++ = *from++, n--;
    for (; n >= LANES; n -= LANES, to += LANES, from += LANES)
        WRITE_PAST(to, *(const any_vec *)from);
    while (n-- > 0) *to++ = *from++;
}
