/* The walk over a batch: cuts it into blocks of LANES samples and has `run_blocks` compute them.

   It is the same for all kernels, and knows from each what kernel.h declares. */
#include <stdlib.h>
#include <string.h>

#define ON_STACK 8192
#define MAX_AXES 64
/* Bytes of an output row beyond which a block is computed in the scratch and copied out as one stream:
   the short pieces of `store` in many rows at once would each wait for memory. */
#define LONG_ROW 128
/* Bytes of all inputs, or of all outputs, beyond which they do not stay in the caches until they are
   used again: inputs are fetched before they are needed, outputs written past the caches. */
#define LARGE (1 << 23)
/* Spans of blocks between the one computed and the one whose inputs are fetched, and operations for
   every number read from which on there is so much to do that a processor fetches in time by itself. */
#define FETCHED_AHEAD 4
#define MUCH_WORK 24

EXPORT const integer number_bytes = sizeof(real);

/* Makes the rows of a block from `count` on equal to those before: no lane gets what nobody gave. */
static void fill(real *rows, integer n, integer count)
{
    for (integer k = count * n; k < LANES * n; k++) rows[k] = rows[k - n];
}

/* Copies `count` samples of one input from `first` on; the last of them fills its block. */
static void gather(real *rows, integer n, const real *x, integer axes, const integer *shape,
                   const integer *stride, integer first, integer count)
{
    const integer last = axes - 1, step = stride[axes];
    integer at[MAX_AXES], offset = 0, done = 0;
    for (integer a = last; a >= 0; a--) {
        at[a] = a ? first % shape[a] : first;
        if (a) first /= shape[a];
        offset += at[a] * stride[a];
    }
    while (done < count) {
        const integer left = axes ? shape[last] - at[last] : 1, along = axes ? stride[last] : 0;
        const integer piece = left < count - done ? left : count - done;
        for (integer j = 0; j < n; j++)
            for (integer k = 0; k < piece; k++)
                rows[(done + k) * n + j] = x[offset + j * step + k * along];
        done += piece;
        if (axes) at[last] += piece;
        offset += piece * along;
        for (integer a = last; a > 0 && at[a] == shape[a]; a--) {
            offset += stride[a - 1] - shape[a] * stride[a];
            at[a] = 0;
            at[a - 1]++;
        }
    }
    if (count % LANES) fill(rows + count / LANES * LANES * n, n, count % LANES);
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
    int plain[n_in + 1], filled[n_in + 1], in_place[n_out + 1], direct = 1;
    integer samples = 1, read = 0, written = 0, ahead[n_out + 1];
    for (integer a = 0; a < axes; a++) samples *= shape[a];
    for (integer i = 0; i < n_in; i++) {
        plain[i] = is_row_major(input_size[i], axes, stride + i * (axes + 1));
        filled[i] = 0;
        direct = direct && plain[i];
        if (plain[i]) read += input_size[i];
    }
    for (integer o = 0; o < n_out; o++) written += output_size[o];
    const int fetches =
        samples * read * (integer)sizeof(real) > LARGE && operations < MUCH_WORK * read;
    direct = direct && !fetches;
    const int past = samples * written * (integer)sizeof(real) > LARGE;
    for (integer o = 0; o < n_out; o++) {
        in_place[o] = !past && output_size[o] * (integer)sizeof(real) <= LONG_ROW;
        direct = direct && in_place[o];
        ahead[o] = past && output_size[o] ? ahead_of(y0[o] + begin * output_size[o]) : 0;
    }
    const integer step = LANES * most_blocks;
    const integer span = fetches || end - begin <= step ? step : most_copied;
    const integer needed = step * workspace + span * scratch + LANES * (n_out + 1);
    const int on_stack = needed <= ON_STACK;
    real stack[on_stack ? needed : 1] __attribute__((aligned(64)));
    real *room = stack, *copy[n_in + n_out + 1], *y[n_out + 1];
    const real *x[n_in + 1];
    if (!on_stack) room = aligned_alloc(64, (needed * sizeof(real) + 63) / 64 * 64);
    if (!room) return 1;
    for (integer i = 0, used = step * workspace; i < n_in + n_out; i++) {
        copy[i] = room + used;
        used += i < n_in ? span * input_size[i] : span * output_size[i - n_in] + LANES;
    }
    for (integer at = begin, count; at < end; at += count) {
        const integer left = end - at, most_now = direct && left >= LANES ? left / LANES * LANES : span;
        count = left < most_now ? left : most_now;
        const int whole = count % LANES == 0;
        for (integer i = 0; i < n_in; i++) {
            const integer *const steps = stride + i * (axes + 1);
            x[i] = plain[i] && whole ? x0[i] + at * input_size[i] : copy[i];
            if (x[i] != copy[i] || filled[i]) continue;
            gather(copy[i], input_size[i], x0[i], axes, shape, steps, at, count);
            filled[i] = is_constant(axes, steps);
        }
        for (integer o = 0; o < n_out; o++)
            y[o] = in_place[o] && whole ? y0[o] + at * output_size[o] : copy[n_in + o] + ahead[o];
        if (fetches && samples - at > (FETCHED_AHEAD + 1) * span)
            for (integer i = 0; i < n_in; i++)
                if (plain[i])
                    fetch(x0[i] + (at + FETCHED_AHEAD * span) * input_size[i],
                          span * input_size[i]);
        run_blocks(x, y, (vec *)room, (count + LANES - 1) / LANES);
        for (integer o = 0; o < n_out; o++) {
            const integer n = output_size[o];
            if (past && n)
                write_past(y0[o], at * n, copy[n_in + o], count * n, at == begin, count == left);
            else if (!(in_place[o] && whole))
                memcpy(y0[o] + at * n, y[o], count * n * sizeof(real));
        }
    }
    if (past) __sync_synchronize();
    if (!on_stack) free(room);
    return 0;
}

/* A row-major batch, one row a sample. A small one starts at once, with no more than it needs. */
static int run_rows(integer samples, const real *const *x0, real *const *y0)
{
    const integer step = LANES * most_blocks, needed = step * (workspace + scratch);
    if (samples * scratch * (integer)sizeof(real) > LARGE || needed >= ON_STACK)
        return run(0, samples, 1, &samples, x0, row_strides, y0);
    real room[needed + 1] __attribute__((aligned(64))), *y[n_out + 1];
    const real *x[n_in + 1];
    const int is_short = longest * (integer)sizeof(real) <= LONG_ROW;
    for (integer at = 0, count; at < samples; at += count) {
        const integer left = samples - at, full = left / LANES * LANES;
        const int in_place = full && is_short;
        real *copy = room + step * workspace;
        count = in_place || (full && full < step) ? full : left < step ? left : step;
        for (integer i = 0; i < n_in; i++) {
            const integer n = input_size[i];
            x[i] = x0[i] + at * n;
            if (full) continue;
            memcpy(copy, x[i], count * n * sizeof(real));
            fill(copy, n, count);
            x[i] = copy;
            copy += LANES * n;
        }
        for (integer o = 0; o < n_out; o++) {
            y[o] = in_place ? y0[o] + at * output_size[o] : copy;
            copy += step * output_size[o];
        }
        run_blocks(x, y, (vec *)room, (count + LANES - 1) / LANES);
        for (integer o = 0; o < n_out && !in_place; o++)
            memcpy(y0[o] + at * output_size[o], y[o], count * output_size[o] * sizeof(real));
    }
    return 0;
}
