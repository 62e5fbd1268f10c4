/* A control problem's functions: block functions run over stages, read from and written straight
   into the solver's arrays. A stage's unknowns, parameters, multipliers and entries of a matrix lie
   one behind the other, and those of the next stage behind them. */
#include <string.h>

typedef void (*block_function)(const real *const *x, real *const *y, vec *workspace);

/* Input i is a row of size[i] numbers of argument array[i] from start[i] on: one for each stage, or
   where it is shared the same for all; zeros where there is no argument. */
typedef struct {
    block_function block;
    integer stages;
    int n_in;
    const int *array, *size, *shared;
    const integer *start;
    int n_out;       /* numbers of a stage */
    integer to;      /* where those of the first stage go */
    int adds;        /* whether all stages add to the same numbers */
    int n_kept;      /* of the first stage, if it has fewer; else -1 */
    const int *kept; /* which */
    int workspace;   /* vectors */
    int scratch;     /* numbers in one row of every input and of the output */
} stage_program;

#define ROOM(p) (LANES * ((p).workspace + (p).scratch) + VECTOR_BYTES / (int)sizeof(real))

static void run_stages(const stage_program *p, const real **arg, real *result, real *room)
{
    if (!result) return;
    room += (VECTOR_BYTES - (size_t)room % VECTOR_BYTES) % VECTOR_BYTES / sizeof(real);
    vec *const workspace = (vec *)room;
    real *const scratch = room + LANES * p->workspace;
    const real *x[MOST_IN];
    real *copy = scratch, *to = result + p->to;
    for (int i = 0; i < p->n_in; i++) {
        const real *const from = p->array[i] < 0 ? 0 : arg[p->array[i]];
        if (from && !p->shared[i]) continue;
        for (int k = 0; k < LANES; k++)
            for (int j = 0; j < p->size[i]; j++)
                copy[k * p->size[i] + j] = from ? from[p->start[i] + j] : 0;
        x[i] = copy;
        copy += LANES * p->size[i];
    }
    real *const rest = copy;
    for (integer at = 0; at < p->stages;) {
        const int head = at == 0 && p->n_kept >= 0;
        const integer left = head ? 1 : p->stages - at, count = left < LANES ? left : LANES;
        copy = rest;
        for (int i = 0; i < p->n_in; i++) {
            const int n = p->size[i];
            if (p->array[i] < 0 || p->shared[i] || !arg[p->array[i]]) continue;
            const real *const from = arg[p->array[i]] + p->start[i] + at * n;
            x[i] = from;
            if (count == LANES) continue;
            for (int k = 0; k < LANES; k++)
                memcpy(copy + k * n, from + (k < count ? k : 0) * n, n * sizeof(real));
            x[i] = copy;
            copy += LANES * n;
        }
        real *const y = count == LANES && !p->adds ? to : copy;
        p->block(x, &y, workspace);
        if (p->adds) {
            for (integer k = 0; k < count; k++)
                for (int j = 0; j < p->n_out; j++) to[j] += y[k * p->n_out + j];
        } else if (head) {
            for (int k = 0; k < p->n_kept; k++) to[k] = y[p->kept[k]];
            to += p->n_kept;
        } else {
            if (count < LANES) memcpy(to, y, count * p->n_out * sizeof(real));
            to += count * p->n_out;
        }
        at += count;
    }
}

/* The columns of a stage: where each ends among its entries, and the row of each entry from the
   stage's first row on; row -1 - i stands for row i of the stage before. */
typedef struct {
    integer stages;
    int rows, columns;
    const int *ends, *row;
} stage_columns;

static const integer *all_columns(const stage_columns *s, int kinds, integer *room)
{
    integer rows = 0, columns = 0, previous = -1, entries = 0;
    for (int k = 0; k < kinds; k++) {
        rows += s[k].stages * s[k].rows;
        columns += s[k].stages * s[k].columns;
    }
    room[0] = rows;
    room[1] = columns;
    integer *ends = room + 2, *const row = ends + columns + 1, first = 0;
    *ends = 0;
    for (int k = 0; k < kinds; k++)
        for (integer at = 0; at < s[k].stages; at++) {
            int e = 0;
            for (int c = 0; c < s[k].columns; c++) {
                for (; e < s[k].ends[c]; e++)
                    if (s[k].row[e] >= 0)
                        row[entries++] = first + s[k].row[e];
                    else if (previous >= 0)
                        row[entries++] = previous - 1 - s[k].row[e];
                *++ends = entries;
            }
            previous = first;
            first += s[k].rows;
        }
    return room; /* the same numbers each time: threads may fill it together */
}

/* How many unknowns and rows a stage has, and how many states follow it: its first rows are the
   unknowns of the next stage less the values that it leads to. */
typedef struct {
    integer stages;
    int unknowns, rows, following;
} stage_sizes;

/* rows += unknowns of the next stages */
static void add_unknowns(const stage_sizes *s, int kinds, const real *x, real *rows)
{
    for (int k = 0; x && rows && k < kinds; k++)
        for (integer at = 0; at < s[k].stages; at++, rows += s[k].rows) {
            x += s[k].unknowns;
            for (int i = 0; i < s[k].following; i++) rows[i] += x[i];
        }
}

/* gradient by the unknowns += multipliers of those rows */
static void add_multipliers(const stage_sizes *s, int kinds, const real *multipliers, real *gradient)
{
    for (int k = 0; gradient && multipliers && k < kinds; k++)
        for (integer at = 0; at < s[k].stages; at++, multipliers += s[k].rows) {
            gradient += s[k].unknowns;
            for (int i = 0; i < s[k].following; i++) gradient[i] += multipliers[i];
        }
}
