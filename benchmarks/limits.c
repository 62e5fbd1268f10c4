/* What bounds every implementation: moving the bytes, and doing the arithmetic. */

typedef double v8 __attribute__((vector_size(64)));
typedef float v16 __attribute__((vector_size(64)));

/* `groups` groups of 16 multiply-adds on vectors of 64 bytes. The sixteen chains do not depend on each
   other, so that the units for multiply-adds are always busy. */
#define MULTIPLY_ADDS(name, vec, real)                                                             \
    real name(long groups, real factor)                                                           \
    {                                                                                              \
        vec x[16], m = (vec){0} + factor;                                                         \
        for (int k = 0; k < 16; k++) x[k] = (vec){0} + (real)k;                                   \
        for (long g = 0; g < groups; g++) {                                                       \
            _Pragma("GCC unroll 16") for (int k = 0; k < 16; k++) x[k] = x[k] * m + m;            \
        }                                                                                          \
        for (int k = 1; k < 16; k++) x[0] += x[k];                                                \
        return x[0][0];                                                                            \
    }

MULTIPLY_ADDS(multiply_adds_float64, v8, double)
MULTIPLY_ADDS(multiply_adds_float32, v16, float)

/* For each block, reads `n_in` vectors and writes `n_out`: the traffic of a workload and nothing else. */
void traffic(const v8 *in, long n_in, v8 *out, long n_out, long blocks)
{
    for (long b = 0; b < blocks; b++, in += n_in, out += n_out) {
        v8 sum = {0};
        for (long i = 0; i < n_in; i++) sum += in[i];
        for (long o = 0; o < n_out; o++) out[o] = sum;
    }
}
