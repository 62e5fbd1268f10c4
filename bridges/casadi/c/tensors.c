/* The Jacobian of a Jacobian, which is block-diagonal: its rows are those of the vector of all its
   entries, column by column. A column holds, for each entry of that column of the curvature, the
   outputs that depend on the entry's row. */
#include <string.h>

/* d2 y_o / dx_i dx_j: the numbers of output o, of the result, of dy_o/dx_i among the slopes, of the
   curvature by i and j among the bends, and of what the program gives for that. */
typedef struct {
    int output, result, slope, bend, place;
    integer entries; /* in one stage */
} tensor_block;

typedef struct {
    const program *curvature; /* of all x and a cotangent of each output */
    int n_x, n_blocks;
    const tensor_block *blocks;
    const integer *const *slopes, *const *bends; /* structures of one stage */
} tensor;

static const integer *tensor_structure(const integer *slope, const integer *bend, integer *room)
{
    const integer rows = slope[0], inner = slope[1], columns = bend[1];
    const integer *const ends = bend + 2, *const row = ends + columns + 1;
    const integer *const slope_ends = slope + 2, *const output = slope_ends + inner + 1;
    integer *to_ends = room + 2, *const to_row = to_ends + columns * STAGES + 1, n = 0;
    room[0] = rows * STAGES * inner * STAGES;
    room[1] = columns * STAGES;
    for (integer s = 0; s < STAGES; s++)
        for (integer c = 0; c < columns; c++) {
            for (integer e = ends[c]; e < ends[c + 1]; e++)
                for (integer k = slope_ends[row[e]]; k < slope_ends[row[e] + 1]; k++)
                    to_row[n++] = ((s * inner + row[e]) * STAGES + s) * rows + output[k];
            *++to_ends = n;
        }
    return room; /* the same numbers each time: threads may fill it together */
}

static void place_block(const tensor *t, const tensor_block *b, const real *from, real *to)
{
    const integer *const slope = t->slopes[b->slope], *const bend = t->bends[b->bend];
    const integer *const row = bend + 2 + bend[1] + 1, count = bend[2 + bend[1]];
    const integer *const ends = slope + 2, *const output = ends + slope[1] + 1;
    for (integer e = 0; e < count; e++)
        for (integer k = ends[row[e]]; k < ends[row[e] + 1]; k++)
            *to++ = from[output[k] * count + e];
}

static void run_tensor(const tensor *t, integer stages, const real **arg, real **res, real *room)
{
    program p = *t->curvature; /* from and to arrays of its own */
    int numbers[MOST_IN + MOST_OUT];
    for (int k = 0; k < MOST_IN + MOST_OUT; k++) numbers[k] = k;
    p.arguments = p.results = numbers;
    const tensor_block *const end = t->blocks + t->n_blocks;
    for (integer s = 0; s < stages; s++) {
        for (int o = 0; o < p.n_in - t->n_x; o++) {
            int wanted = 0;
            for (const tensor_block *b = t->blocks; b < end; b++)
                wanted |= b->output == o && res[b->result];
            if (!wanted) continue;
            const int m = p.input_sizes[t->n_x + o];
            const real *x[MOST_IN] = {0};
            real *y[MOST_OUT], *to = room;
            for (int i = 0; i < t->n_x; i++) {
                const int n = p.input_sizes[i];
                if (!arg[i]) continue;
                x[i] = to;
                for (int k = 0; k < m; k++, to += n) memcpy(to, arg[i] + s * n, n * sizeof(real));
            }
            x[t->n_x + o] = to;
            for (int k = 0; k < m * m; k++) *to++ = k / m == k % m;
            for (int k = 0; k < p.n_out; to += m * p.output_sizes[k++]) y[k] = to;
            run_program(&p, m, x, y, to);
            for (const tensor_block *b = t->blocks; b < end; b++)
                if (b->output == o && res[b->result])
                    place_block(t, b, y[b->place], res[b->result] + s * b->entries);
        }
    }
}
