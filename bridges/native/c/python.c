/* Calls from Python without ctypes in between, for small batches: two functions of Python's, made from
   C. Python's functions come as pointers, so that the library links to nothing. Structures and
   flags are those of the stable ABI (Python 3.11 C API reference, "Buffer protocol" and "Common
   object structures"). */
#include <stddef.h>

typedef struct {
    void *data, *owner;
    ptrdiff_t length, itemsize;
    int readonly, axes;
    char *format;
    ptrdiff_t *shape, *strides, *suboffsets;
    void *internal;
} buffer;

typedef struct {
    const char *name;
    void *call;
    int flags;
    const char *doc;
} method;

#define READ_FLAGS 0x3c  /* PyBUF_C_CONTIGUOUS | PyBUF_FORMAT */
#define WRITE_FLAGS 0x3d /* and PyBUF_WRITABLE */
#define FAST_CALL 0x80   /* METH_FASTCALL */

static struct {
    int (*get_buffer)(void *, buffer *, int);
    void (*release_buffer)(buffer *);
    void (*clear_error)(void);
    void *(*to_pointer)(void *);
    void *(*from_long)(long);
    void *(*new_function)(method *, void *, void *);
    void *(*type_of)(void *);
    void (*release)(void *);
} python;

/* rows(samples, pointer to every input and output): row-major data, one row a sample. */
static void *call_rows(void *self, void *const *given, ptrdiff_t count)
{
    const real *x[n_in + 1];
    real *y[n_out + 1];
    if (count != 1 + n_in + n_out) return python.from_long(-1);
    const integer samples = (integer)(ptrdiff_t)python.to_pointer(given[0]);
    for (int i = 0; i < n_in; i++) x[i] = python.to_pointer(given[1 + i]);
    for (int o = 0; o < n_out; o++) y[o] = python.to_pointer(given[1 + n_in + o]);
    return python.from_long(run_rows(samples, x, y));
}

/* Whether `b` is a row-major array of rows of `n` numbers, with the batch shape of `first`. */
static int has_rows(const buffer *b, integer n, const buffer *first)
{
    if (b->axes < 1 || b->axes != first->axes || b->shape[b->axes - 1] != n) return 0;
    for (int a = 0; a + 1 < b->axes; a++)
        if (b->shape[a] != first->shape[a]) return 0;
    return 1;
}

/* Whether an output shares memory with an input or another output. */
static int overlap(const buffer *view)
{
    if (!tells_overlap) return 0;
    for (int o = n_in; o < n_in + n_out; o++)
        for (int a = 0; a < o; a++) {
            const char *const x = view[a].data, *const y = view[o].data;
            if (x < y + view[o].length && y < x + view[a].length) return 1;
        }
    return 0;
}

/* Whether both are of exactly one type: one that only looks like an array may hide what it holds. */
static int same_type(void *a, void *b)
{
    void *const first = python.type_of(a), *const second = python.type_of(b);
    python.release(first);
    python.release(second);
    return first == second;
}

/* buffers(most, every input and output): for Python objects that are row-major arrays, inputs of one
   type and batch shape and outputs of as many samples, at most `most`, none of them in another's
   memory. Gives 0, or another number, with nothing done, for everything else. */
static void *call_buffers(void *self, void *const *given, ptrdiff_t count)
{
    buffer view[n_in + n_out + 1];
    const real *x[n_in + 1];
    real *y[n_out + 1];
    integer samples = 1;
    int held = 0, fault = count != 1 + n_in + n_out;
    while (!fault && held < n_in + n_out) {
        const int is_input = held < n_in;
        const integer n = is_input ? input_size[held] : output_size[held - n_in];
        buffer *const b = view + held;
        if (is_input && held && !same_type(given[1], given[1 + held])) {
            fault = 1;
            break;
        }
        if (python.get_buffer(given[1 + held], b, is_input ? READ_FLAGS : WRITE_FLAGS)) {
            python.clear_error();
            fault = 1;
            break;
        }
        held++;
        fault = !b->format || b->format[0] != (DOUBLE ? 'd' : 'f') || b->format[1]
                || (size_t)b->data % sizeof(real);
        if (is_input) {
            fault = fault || !has_rows(b, n, view);
            x[held - 1] = b->data;
        } else {
            fault = fault || b->length != samples * n * (ptrdiff_t)sizeof(real);
            y[held - 1 - n_in] = b->data;
        }
        if (held == 1 && !fault)
            for (int a = 0; a + 1 < b->axes; a++) samples *= b->shape[a];
    }
    fault = fault || overlap(view);
    if (!fault && samples > (integer)(ptrdiff_t)python.to_pointer(given[0])) fault = 1;
    if (!fault) fault = run_rows(samples, x, y);
    while (held > 0) python.release_buffer(view + --held);
    return python.from_long(fault);
}

/* Takes the addresses of Python's functions in the order of `python`; call before `python_function`. */
EXPORT void use_python(void *const *addresses) { memcpy(&python, addresses, sizeof(python)); }

/* Python's function `rows` (0) or `buffers` (1), which holds `library`, an object that
   keeps this code in memory. */
EXPORT void *python_function(int which, void *library)
{
    static method methods[] = {{"rows", (void *)call_rows, FAST_CALL, 0},
                               {"buffers", (void *)call_buffers, FAST_CALL, 0}};
    return python.new_function(methods + which, library, 0);
}
