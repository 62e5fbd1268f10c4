/* CasADi calls functions of one signature; here each is a list of block functions run over stages.

   An argument holds one row of numbers per stage, one stage after the other: what CasADi calls a matrix
   with a column per stage, or the nonzeros of a block-diagonal matrix. STAGES is defined before. */
#include <string.h>

typedef void (*block_function)(const real *const *x, real *const *y, vec *workspace);

/* x[i] is the argument arguments[i], with rows of input_sizes[i]; y[o] likewise. Where there are orders,
   those of all outputs one after the other, entry j of a row of a result is entry order[j] of y[o]. */
typedef struct {
    block_function block;
    int n_in, n_out;
    const int *arguments, *input_sizes, *results, *output_sizes, *orders;
    int workspace; /* vectors */
    int scratch;   /* numbers in one row of every input and output */
} program;

/* Numbers that a program needs of CasADi's work vector, with room to align it. */
#define ROOM(p) (LANES * ((p).workspace + (p).scratch) + VECTOR_BYTES / (int)sizeof(real))

static void run_program(const program *p, integer stages, const real **arg, real **res, real *room)
{
    int wanted = 0;
    for (int o = 0; o < p->n_out; o++) wanted |= res[p->results[o]] != 0;
    if (!wanted) return;
    room += (VECTOR_BYTES - (size_t)room % VECTOR_BYTES) % VECTOR_BYTES / sizeof(real);
    vec *const workspace = (vec *)room;
    real *const scratch = room + LANES * p->workspace;
    const real *x[MOST_IN];
    real *y[MOST_OUT];
    for (integer at = 0; at < stages; at += LANES) {
        const integer count = stages - at < LANES ? stages - at : LANES;
        real *copy = scratch;
        for (int i = 0; i < p->n_in; i++) {
            const integer n = p->input_sizes[i];
            const real *const from = arg[p->arguments[i]];
            x[i] = from && count == LANES ? from + at * n : copy;
            for (integer k = 0; k < LANES && x[i] == copy; k++) {
                const integer stage = at + (k < count ? k : count - 1);
                for (integer j = 0; j < n; j++) copy[k * n + j] = from ? from[stage * n + j] : 0;
            }
            copy += LANES * n;
        }
        for (int o = 0; o < p->n_out; o++) {
            real *const to = res[p->results[o]];
            y[o] = to && count == LANES && !p->orders ? to + at * p->output_sizes[o] : copy;
            copy += LANES * p->output_sizes[o];
        }
        p->block(x, y, workspace);
        const int *order = p->orders;
        for (int o = 0; o < p->n_out; order += order ? p->output_sizes[o] : 0, o++) {
            const integer n = p->output_sizes[o];
            real *const to = res[p->results[o]];
            if (!to) continue;
            for (integer k = 0; k < count && order; k++)
                for (integer j = 0; j < n; j++) to[(at + k) * n + j] = y[o][k * n + order[j]];
            if (!order && count < LANES) memcpy(to + at * n, y[o], count * n * sizeof(real));
        }
    }
}

/* The structure over all stages of a block-diagonal matrix, of that of one block: numbers of rows and
   columns, where each column starts and ends, the row of each entry. */
static const integer *diagonal_structure(const integer *one, integer *room)
{
    const integer rows = one[0], columns = one[1], *const ends = one + 2, *const row = ends + columns + 1;
    integer *to_ends = room + 2, *to_row = to_ends + columns * STAGES + 1;
    room[0] = rows * STAGES;
    room[1] = columns * STAGES;
    for (integer s = 0; s < STAGES; s++) {
        for (integer c = 1; c <= columns; c++) *++to_ends = s * ends[columns] + ends[c];
        for (integer e = 0; e < ends[columns]; e++) *to_row++ = s * rows + row[e];
    }
    return room; /* the same numbers each time: threads may fill it together */
}
