/* The walk over a batch: cuts it into blocks of LANES samples and calls `block` for BLOCKS at a time.

   The emitter defines before: OPERATIONS; N_IN, N_OUT; INPUT_SIZES, OUTPUT_SIZES, ROW_STRIDES (lists
   that end with an extra 0); SCRATCH (numbers in one row of every input and output); WORKSPACE (vectors
   that the parts of `block` leave for each other in one block); and BLOCK(x, y, w, n), the call of
   `block` for n blocks with arrays of pointers and the workspace. */

#define SPAN (LANES * BLOCKS)
#define ROOM (SPAN * (SCRATCH + WORKSPACE) + LANES * (N_OUT + 1))
#define ON_STACK 8192
#define MAX_AXES 64
/* Bytes of an output row beyond which a block is computed in the scratch and copied out as one stream:
   the short pieces of `store` in many rows at once would each wait for memory. */
#define LONG_ROW 128
/* Bytes of all inputs, or of all outputs, beyond which they do not stay in the caches until they are
   used again: inputs are fetched before they are needed, outputs written past the caches. */
#define LARGE (1 << 23)
/* Calls of `block` between the one made and the one whose inputs are fetched, and operations for every
   number read from which on there is so much to do that a processor fetches in time by itself. */
#define FETCHED_AHEAD 4
#define MUCH_WORK 24

EXPORT const integer operations = OPERATIONS, lanes = LANES, number_bytes = sizeof(real);
static const integer input_size[] = {INPUT_SIZES};
static const integer output_size[] = {OUTPUT_SIZES};

/* Copies `count` samples of one input from `first` on; the last of them fills its block. */
static void gather(real *rows, integer n, const real *x, integer axes, const integer *shape,
                   const integer *stride, integer first, integer count)
{
    integer at[MAX_AXES], offset = 0;
    for (integer a = axes - 1; a >= 0; a--) {
        at[a] = first % shape[a];
        first /= shape[a];
        offset += at[a] * stride[a];
    }
    const integer whole = (count + LANES - 1) / LANES * LANES;
    for (integer k = 0; k < whole; k++, rows += n) {
        for (integer j = 0; j < n; j++) rows[j] = x[offset + j * stride[axes]];
        if (k + 1 >= count) continue;
        for (integer a = axes - 1; a >= 0; a--) {
            offset += stride[a];
            if (++at[a] < shape[a]) break;
            offset -= shape[a] * stride[a];
            at[a] = 0;
        }
    }
}

static int is_row_major(integer n, integer axes, const integer *stride)
{
    return axes == 1 && stride[0] == n && (stride[1] == 1 || n == 1);
}

static int is_constant(integer axes, const integer *stride)
{
    for (integer a = 0; a < axes; a++) if (stride[a]) return 0;
    return 1;
}

/* Samples begin..end-1 of a batch. Input i: data x0[i], strides stride[i * (axes + 1)...] in
   numbers, batch axes first, then the axis of the vector. Outputs are row-major.
   Returns 0, or 1 when memory ran out. */
EXPORT int run(integer begin, integer end, integer axes, const integer *shape,
               const real *const *x0, const integer *stride, real *const *y0)
{
    real stack[ROOM <= ON_STACK ? ROOM : 1] __attribute__((aligned(64)));
    real *room = stack, *copy[N_IN + N_OUT + 1], *y[N_OUT + 1];
    const real *x[N_IN + 1];
    int plain[N_IN + 1], filled[N_IN + 1];
    integer samples = 1, read = 0, written = 0, ahead[N_OUT + 1];
    for (integer a = 0; a < axes; a++) samples *= shape[a];
    for (integer o = 0; o < N_OUT; o++) written += output_size[o];
    const int past = samples * written * (integer)sizeof(real) > LARGE;
    for (integer o = 0; o < N_OUT; o++)
        ahead[o] = past && output_size[o] ? ahead_of(y0[o] + begin * output_size[o]) : 0;
    if (ROOM > ON_STACK) room = aligned_alloc(64, (ROOM * sizeof(real) + 63) / 64 * 64);
    if (!room) return 1;
    for (integer i = 0, used = 0; i < N_IN + N_OUT; i++) {
        copy[i] = room + SPAN * WORKSPACE + used;
        used += i < N_IN ? SPAN * input_size[i] : SPAN * output_size[i - N_IN] + LANES;
    }
    for (integer i = 0; i < N_IN; i++) {
        plain[i] = is_row_major(input_size[i], axes, stride + i * (axes + 1));
        filled[i] = 0;
        if (plain[i]) read += input_size[i];
    }
    const int fetches =
        samples * read * (integer)sizeof(real) > LARGE && OPERATIONS < MUCH_WORK * read;
    for (integer at = begin; at < end; at += SPAN) {
        const integer count = end - at < SPAN ? end - at : SPAN;
        const int whole = count % LANES == 0;
        for (integer i = 0; i < N_IN; i++) {
            const integer *const steps = stride + i * (axes + 1);
            x[i] = plain[i] && whole ? x0[i] + at * input_size[i] : copy[i];
            if (x[i] != copy[i] || filled[i]) continue;
            gather(copy[i], input_size[i], x0[i], axes, shape, steps, at, count);
            filled[i] = is_constant(axes, steps);
        }
        for (integer o = 0; o < N_OUT; o++) {
            const integer n = output_size[o];
            const int in_place = whole && !past && n * sizeof(real) <= LONG_ROW;
            y[o] = in_place ? y0[o] + at * n : copy[N_IN + o] + ahead[o];
        }
        if (fetches && samples - at > (FETCHED_AHEAD + 1) * SPAN)
            for (integer i = 0; i < N_IN; i++)
                if (plain[i])
                    fetch(x0[i] + (at + FETCHED_AHEAD * SPAN) * input_size[i],
                          SPAN * input_size[i]);
        BLOCK(x, y, (vec *)room, (int)((count + LANES - 1) / LANES));
        for (integer o = 0; o < N_OUT; o++) {
            const integer n = output_size[o];
            if (past && n)
                write_past(y0[o], at * n, copy[N_IN + o], count * n, at == begin,
                           end - at <= SPAN);
            else if (y[o] == copy[N_IN + o])
                memcpy(y0[o] + at * n, y[o], count * n * sizeof(real));
        }
    }
    if (past) __sync_synchronize();
    if (ROOM > ON_STACK) free(room);
    return 0;
}

static const integer row_strides[] = {ROW_STRIDES};
