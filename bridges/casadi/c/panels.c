/* D = beta C + alpha A B^T for A and B of 4 rows and k columns, D and C of 4 by 4: a kernel of
   BLASFEO under its own name, on vectors of this processor. Each column of a panel is 4 numbers.
   Where beta is 0, C is not read. */

typedef double column __attribute__((vector_size(4 * sizeof(double)), aligned(sizeof(double))));

__attribute__((visibility("default"))) void kernel_dgemm_nt_4x4_lib4(
    int k, const double *alpha, const double *a, const double *b, const double *beta,
    const double *c, double *d)
{
    column s0 = {0}, s1 = {0}, s2 = {0}, s3 = {0};
    for (; k > 0; k--, a += 4, b += 4) {
        const column from = *(const column *)a;
        s0 += from * b[0], s1 += from * b[1], s2 += from * b[2], s3 += from * b[3];
    }
    const column sum[4] = {s0, s1, s2, s3};
    for (int j = 0; j < 4; j++) {
        column result = *alpha * sum[j];
        if (*beta != 0) result += *beta * *(const column *)(c + 4 * j);
        *(column *)(d + 4 * j) = result;
    }
}
