/* The walk over a batch: cuts it into blocks of LANES samples and calls `block` for each.

   The emitter defines before: OPERATIONS; N_IN, N_OUT; INPUT_SIZES, OUTPUT_SIZES, ROW_STRIDES (lists
   that end with an extra 0); SCRATCH (numbers in one row of every input and output); BLOCK(x, y), the
   call of `block` with arrays of pointers; and the parameters and arguments of run_rows and
   run_buffers, which take one pointer for each input and output. */

#define ROOM (LANES * SCRATCH + 1)
#define ON_STACK 8192
#define MAX_AXES 64

EXPORT const integer operations = OPERATIONS, lanes = LANES;
static const integer input_size[] = {INPUT_SIZES};
static const integer output_size[] = {OUTPUT_SIZES};

/* Copies `count` samples of one input from `first` on; the last of them fills the block. */
static void gather(real *rows, integer n, const real *x, integer axes, const integer *shape,
                   const integer *stride, integer first, integer count)
{
    integer at[MAX_AXES], offset = 0;
    for (integer a = axes - 1; a >= 0; a--) {
        at[a] = first % shape[a];
        first /= shape[a];
        offset += at[a] * stride[a];
    }
    for (integer k = 0; k < LANES; k++, rows += n) {
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
    real *scratch = stack, *copy[N_IN + N_OUT + 1], *y[N_OUT + 1];
    const real *x[N_IN + 1];
    int plain[N_IN + 1], filled[N_IN + 1];
    if (ROOM > ON_STACK && !(scratch = malloc(ROOM * sizeof(real)))) return 1;
    for (integer i = 0, used = 0; i < N_IN + N_OUT; i++) {
        copy[i] = scratch + used;
        used += LANES * (i < N_IN ? input_size[i] : output_size[i - N_IN]);
    }
    for (integer i = 0; i < N_IN; i++) {
        plain[i] = is_row_major(input_size[i], axes, stride + i * (axes + 1));
        filled[i] = 0;
    }
    for (integer at = begin; at < end; at += LANES) {
        const integer count = end - at < LANES ? end - at : LANES;
        for (integer i = 0; i < N_IN; i++) {
            const integer *const steps = stride + i * (axes + 1);
            x[i] = plain[i] && count == LANES ? x0[i] + at * input_size[i] : copy[i];
            if (x[i] != copy[i] || filled[i]) continue;
            gather(copy[i], input_size[i], x0[i], axes, shape, steps, at, count);
            filled[i] = is_constant(axes, steps);
        }
        for (integer o = 0; o < N_OUT; o++)
            y[o] = count == LANES ? y0[o] + at * output_size[o] : copy[N_IN + o];
        BLOCK(x, y);
        if (count == LANES) continue;
        for (integer o = 0; o < N_OUT; o++)
            memcpy(y0[o] + at * output_size[o], y[o], count * output_size[o] * sizeof(real));
    }
    if (ROOM > ON_STACK) free(scratch);
    return 0;
}

/* The same for row-major inputs, one row a sample. */
EXPORT int run_rows(ROW_PARAMETERS)
{
    static const integer strides[] = {ROW_STRIDES};
    const real *const x[] = {ROW_INPUTS};
    real *const y[] = {ROW_OUTPUTS};
    return run(0, samples, 1, &samples, x, strides, y);
}

/* Python's buffer protocol, as its stable ABI lays it out (Python 3.11 C API reference). */
typedef struct {
    void *data, *owner;
    ptrdiff_t length, itemsize;
    int readonly, axes;
    char *format;
    ptrdiff_t *shape, *strides, *suboffsets;
    void *internal;
} buffer;
#define READ_FLAGS 0x3c   /* PyBUF_C_CONTIGUOUS | PyBUF_FORMAT */
#define WRITE_FLAGS 0x3d  /* and PyBUF_WRITABLE */

static int (*get_buffer)(void *, buffer *, int);
static void (*release_buffer)(buffer *);
static void (*clear_error)(void);

EXPORT void use_python(void *get, void *release, void *clear)
{
    get_buffer = (int (*)(void *, buffer *, int))get;
    release_buffer = (void (*)(buffer *))release;
    clear_error = (void (*)(void))clear;
}

/* The same for Python objects that are row-major arrays: inputs of equal batch shape, outputs of as
   many samples, at most `most`. Returns nonzero, with nothing done, for all others. */
EXPORT int run_buffers(OBJECT_PARAMETERS)
{
    void *const object[] = {OBJECTS};
    buffer view[N_IN + N_OUT + 1];
    const real *x[N_IN + 1];
    real *y[N_OUT + 1];
    integer samples = -1;
    int held = 0, fault = 0;
    for (; held < N_IN + N_OUT && !fault; held++) {
        const integer n = held < N_IN ? input_size[held] : output_size[held - N_IN];
        buffer *const b = view + held;
        if (get_buffer(object[held], b, held < N_IN ? READ_FLAGS : WRITE_FLAGS)) {
            clear_error();
            fault = 1;
            break;
        }
        fault = !b->format || b->format[0] != (sizeof(real) == 8 ? 'd' : 'f') || b->format[1]
                || (size_t)b->data % sizeof(real);
        if (held >= N_IN) {
            fault |= b->length != samples * n * (ptrdiff_t)sizeof(real);
            y[held - N_IN] = b->data;
            continue;
        }
        fault |= b->axes < 1 || b->axes != view[0].axes || b->shape[b->axes - 1] != n;
        integer rows = 1;
        for (int a = 0; a + 1 < b->axes && !fault; a++) {
            fault = b->shape[a] != view[0].shape[a];
            rows *= b->shape[a];
        }
        samples = rows;
        x[held] = b->data;
    }
    if (!fault) {
        static const integer strides[] = {ROW_STRIDES};
        fault = samples > most || run(0, samples, 1, &samples, x, strides, y);
    }
    while (held > 0) release_buffer(view + --held);
    return fault;
}
