/* The definitions of kernel.h. Defined before: OPERATIONS; N_IN, N_OUT; INPUT_SIZES, OUTPUT_SIZES,
   ROW_STRIDES (lists that end with an extra 0); SCRATCH, LONGEST, WORKSPACE, MOST_BLOCKS; and
   BLOCK(x, y, w, n), the call of `block` for n blocks, MOST_BLOCKS at most. */
const integer operations = OPERATIONS, lanes = LANES, n_in = N_IN, n_out = N_OUT;
const integer input_size[] = {INPUT_SIZES}, output_size[] = {OUTPUT_SIZES};
const integer row_strides[] = {ROW_STRIDES}, scratch = SCRATCH, workspace = WORKSPACE;
/* As many as have NEAR numbers, in steps of LANES * MOST_BLOCKS, and one step at least. */
#define NEAR 1024
#define STEP (LANES * MOST_BLOCKS)
const integer most_copied = STEP * (NEAR / STEP <= SCRATCH ? 1 : NEAR / STEP / (SCRATCH + 1));
const integer longest = LONGEST, most_blocks = MOST_BLOCKS;

void run_blocks(const real *const *x, real *const *y, vec *w, integer n)
{
    const real *p[N_IN + 1];
    real *q[N_OUT + 1];
    for (int i = 0; i < N_IN; i++) p[i] = x[i];
    for (int o = 0; o < N_OUT; o++) q[o] = y[o];
    for (integer left = n; left > 0; left -= MOST_BLOCKS) {
        BLOCK(p, q, w, (int)(left < MOST_BLOCKS ? left : MOST_BLOCKS));
        for (int i = 0; i < N_IN; i++) p[i] += MOST_BLOCKS * LANES * input_size[i];
        for (int o = 0; o < N_OUT; o++) q[o] += MOST_BLOCKS * LANES * output_size[o];
    }
}
