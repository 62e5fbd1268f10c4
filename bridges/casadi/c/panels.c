/* Kernels of BLASFEO under their own names, on vectors of this processor.

   A panel is 4 rows of a matrix, column after column, each of 4 numbers. Where beta is 0, what it
   is a factor of is not read. */

typedef double column __attribute__((vector_size(4 * sizeof(double)), aligned(sizeof(double))));

#define KERNEL __attribute__((visibility("default"))) void

static inline column load(const double *a) { return *(const column *)a; }

static inline void store(double *a, column x) { *(column *)a = x; }

static inline double sum(column x) { return (x[0] + x[1]) + (x[2] + x[3]); }

/* Rows `from ... to - 1` of a column. */
static inline void store_part(double *a, column x, int from, int to)
{
    for (int i = from; i < to; i++) a[i] = x[i];
}

/* beta C + alpha A B^T, by columns, of A and B of 4 rows and k columns. */
static inline void product(
    int k, const double *alpha, const double *a, const double *b, const double *beta,
    const double *c, column *d)
{
    column s0 = {0}, s1 = {0}, s2 = {0}, s3 = {0}, t0 = {0}, t1 = {0}, t2 = {0}, t3 = {0};
    for (; k > 1; k -= 2, a += 8, b += 8) { /* two sums each, which do not wait for each other */
        const column from = load(a), next = load(a + 4);
        s0 += from * b[0], s1 += from * b[1], s2 += from * b[2], s3 += from * b[3];
        t0 += next * b[4], t1 += next * b[5], t2 += next * b[6], t3 += next * b[7];
    }
    if (k > 0) {
        const column from = load(a);
        s0 += from * b[0], s1 += from * b[1], s2 += from * b[2], s3 += from * b[3];
    }
    s0 += t0, s1 += t1, s2 += t2, s3 += t3;
    d[0] = *alpha * s0, d[1] = *alpha * s1, d[2] = *alpha * s2, d[3] = *alpha * s3;
    if (*beta != 0)
        for (int j = 0; j < 4; j++) d[j] += *beta * load(c + 4 * j);
}

KERNEL kernel_dgemm_nt_4x4_lib4(
    int k, const double *alpha, const double *a, const double *b, const double *beta,
    const double *c, double *d)
{
    column found[4];
    product(k, alpha, a, b, beta, c, found);
    for (int j = 0; j < 4; j++) store(d + 4 * j, found[j]);
}

/* Of the result m rows and n columns. */
KERNEL kernel_dgemm_nt_4x4_vs_lib4(
    int k, const double *alpha, const double *a, const double *b, const double *beta,
    const double *c, double *d, int m, int n)
{
    column found[4];
    product(k, alpha, a, b, beta, c, found);
    for (int j = 0; j < 4 && j < n; j++) store_part(d + 4 * j, found[j], 0, m < 4 ? m : 4);
}

/* Of the result the lower triangle. */
KERNEL kernel_dsyrk_nt_l_4x4_lib4(
    int k, const double *alpha, const double *a, const double *b, const double *beta,
    const double *c, double *d)
{
    column found[4];
    product(k, alpha, a, b, beta, c, found);
    for (int j = 0; j < 4; j++) store_part(d + 4 * j, found[j], j, 4);
}

/* z = beta y + alpha A x for A of 4 rows and k columns. */
KERNEL kernel_dgemv_n_4_lib4(
    int k, const double *alpha, const double *a, const double *x, const double *beta,
    const double *y, double *z)
{
    column s0 = {0}, s1 = {0}, s2 = {0}, s3 = {0};
    for (; k > 3; k -= 4, a += 16, x += 4) {
        s0 += load(a) * x[0], s1 += load(a + 4) * x[1];
        s2 += load(a + 8) * x[2], s3 += load(a + 12) * x[3];
    }
    for (; k > 0; k--, a += 4, x++) s0 += load(a) * x[0];
    column found = *alpha * ((s0 + s1) + (s2 + s3));
    if (*beta != 0) found += *beta * load(y);
    store(z, found);
}

/* z = beta y + alpha A^T x for A of k rows and 4 columns, in panels of `width` columns; its first
   row is row `offset` of a panel. */
KERNEL kernel_dgemv_t_4_lib4(
    int k, const double *alpha, int offset, const double *a, int width, const double *x,
    const double *beta, const double *y, double *z)
{
    column s0 = {0}, s1 = {0}, s2 = {0}, s3 = {0};
    double r0 = 0, r1 = 0, r2 = 0, r3 = 0;
    if (offset > 0) {
        for (; k > 0 && offset < 4; k--, offset++, a++, x++)
            r0 += a[0] * x[0], r1 += a[4] * x[0], r2 += a[8] * x[0], r3 += a[12] * x[0];
        a += 4 * (width - 1);
    }
    for (; k > 3; k -= 4, a += 4 * width, x += 4) {
        const column by = load(x);
        s0 += load(a) * by, s1 += load(a + 4) * by;
        s2 += load(a + 8) * by, s3 += load(a + 12) * by;
    }
    for (; k > 0; k--, a++, x++)
        r0 += a[0] * x[0], r1 += a[4] * x[0], r2 += a[8] * x[0], r3 += a[12] * x[0];
    const double sums[4] = {r0 + sum(s0), r1 + sum(s1), r2 + sum(s2), r3 + sum(s3)};
    for (int j = 0; j < 4; j++) z[j] = *alpha * sums[j] + (*beta != 0 ? *beta * y[j] : 0);
}
