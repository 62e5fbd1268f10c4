/* Calls from Python without ctypes in between, for small batches: functions of Python's, made from C.
   Python's and numpy's functions come as pointers, so that the library links to nothing. Arrays are
   read where numpy's C API says that they are (`PyArrayObject_fields`, the same in every numpy 2);
   `library.py` asks an array whether that is so, and makes none of these functions where it is not.

   A function's `self` is an array of objects. The first is an array of integers: a form of
   outputs (`call_arrays`), or a plan (`call_pointers`, `call_bound`). The others are kept alive. */

typedef struct {
    char *data;
    int axes;
    ptrdiff_t *shape, *strides;
    void *base, *type;
    int flags;
} array;

typedef struct {
    const char *name;
    void *call;
    int flags;
    const char *doc;
} method;

#define FAST_CALL 0x80 /* METH_FASTCALL */
#define NO_ARGUMENTS 0x04 /* METH_NOARGS */
#define ROW_MAJOR 0x001 /* NPY_ARRAY_C_CONTIGUOUS */
#define ALIGNED 0x100
#define WRITEABLE 0x400
#define NUMBER (DOUBLE ? 12 : 11) /* NPY_DOUBLE, NPY_FLOAT */

/* Batch axes up to which arrays are read here. */
#define FEW_AXES 6
/* Whether every output is compared with all other arrays, for memory that they share. */
#define TELLS_OVERLAP ((n_in + n_out) * n_out <= 1024)

static struct {
    void *(*to_pointer)(void *);
    double (*to_double)(void *);
    void *(*new_function)(method *, void *, void *);
    void *(*new_tuple)(ptrdiff_t);
    int (*put)(void *, ptrdiff_t, void *);
    void *(*no_memory)(void);
    void (*hold)(void *);
    void (*release)(void *);
    void *(*new_array)(void *, int, const ptrdiff_t *, int, const ptrdiff_t *, void *, int, int, void *);
    void *array_type, *number_type, *float_type, *none;
    size_t header; /* bytes of an object before what is its own; the last of them point to its type */
} python;

static array *array_of(void *object) { return (array *)((char *)object + python.header); }

static void *type_of(void *object)
{
    return *(void **)((char *)object + python.header - sizeof(void *));
}

static void *kept(void *self, int which) { return ((void **)array_of(self)->data)[which]; }
static const integer *words(void *self) { return (integer *)array_of(kept(self, 0))->data; }

static void *held(void *object)
{
    python.hold(object);
    return object;
}

/* Whether `object` is exactly an array (a subclass may hide what it holds) of numbers of ours. */
static int is_ours(void *object)
{
    return type_of(object) == python.array_type && array_of(object)->type == python.number_type
           && array_of(object)->flags & ALIGNED;
}

/* The bytes from the first number of an array to behind the last. */
static void extent(void *object, const char **low, const char **high)
{
    const array *const a = array_of(object);
    *low = a->data;
    *high = a->data + sizeof(real);
    for (int k = 0; k < a->axes; k++) {
        const ptrdiff_t way = (a->shape[k] - 1) * a->strides[k];
        *(way < 0 ? low : high) += way;
    }
}

/* Whether an output shares memory with an input or another output. */
static int overlap(void *const *given)
{
    const char *low[n_in + n_out + 1], *high[n_in + n_out + 1];
    for (int a = 0; a < n_in + n_out; a++) {
        low[a] = high[a] = 0;
        if (type_of(given[a]) == python.array_type) extent(given[a], low + a, high + a);
        for (int b = 0; a >= n_in && b < a; b++)
            if (low[a] < high[b] && low[b] < high[a]) return 1;
    }
    return 0;
}

/* The batch of some inputs: how their axes broadcast, and where each input begins. */
typedef struct {
    int axes, plain; /* plain: every input has one row for each sample, one after the other */
    integer samples;
    ptrdiff_t shape[FEW_AXES + 4]; /* room for the axes of an output behind those of the batch */
    const real **x; /* of n_in inputs, as is number, where those are that come as Python's floats */
    real *number;
} batch;

/* Whether the inputs are what can be read here: row-major or not, axes that broadcast, numbers. */
static int read_inputs(batch *b, void *const *given)
{
    b->axes = 0;
    b->plain = 1;
    b->samples = 1;
    for (int i = 0; i < n_in; i++) {
        if (type_of(given[i]) == python.float_type && input_size[i] == 1) continue;
        if (!is_ours(given[i])) return 0;
        const int axes = array_of(given[i])->axes - 1;
        if (axes < 0 || axes > FEW_AXES) return 0;
        if (array_of(given[i])->shape[axes] != input_size[i]) return 0;
        if (axes > b->axes) b->axes = axes;
    }
    for (int a = 0; a < b->axes; a++) b->shape[a] = 1;
    for (int i = 0; i < n_in; i++) {
        if (type_of(given[i]) == python.float_type) {
            b->number[i] = (real)python.to_double(given[i]);
            b->x[i] = b->number + i;
            continue;
        }
        const array *const x = array_of(given[i]);
        const int missing = b->axes - (x->axes - 1);
        b->x[i] = (const real *)x->data;
        if (!(x->flags & ROW_MAJOR)) b->plain = 0;
        for (int a = missing; a < b->axes; a++) {
            const ptrdiff_t length = x->shape[a - missing];
            if (length == 1 || length == b->shape[a]) continue;
            if (b->shape[a] != 1) return 0;
            b->shape[a] = length;
        }
    }
    for (int a = 0; a < b->axes; a++) b->samples *= b->shape[a];
    for (int i = 0; i < n_in && b->plain; i++) {
        integer rows = 1;
        if (type_of(given[i]) == python.array_type)
            for (int a = 0; a + 1 < array_of(given[i])->axes; a++)
                rows *= array_of(given[i])->shape[a];
        b->plain = rows == b->samples;
    }
    return 1;
}

/* Numbers from one entry of an input to the next along an axis of the batch; 0 where it repeats. */
static integer step(const batch *b, void *given, int axis)
{
    if (type_of(given) != python.array_type) return 0;
    const array *const x = array_of(given);
    const int own = axis - (b->axes - (x->axes - 1));
    return own < 0 || x->shape[own] == 1 ? 0 : x->strides[own] / (ptrdiff_t)sizeof(real);
}

/* Runs a batch whose inputs have strides; neighbouring axes that walk memory as one are merged. */
static int run_strided(const batch *b, void *const *given, real *const *y)
{
    integer shape[FEW_AXES + 1], stride[(n_in + 1) * (FEW_AXES + 1)];
    int first[FEW_AXES + 1], axes = 0; /* first: of the axes of the batch, the last one merged */
    for (int a = 0; a < b->axes; a++) {
        if (b->shape[a] == 1) continue;
        int merges = axes > 0;
        for (int i = 0; i < n_in && merges; i++)
            merges = step(b, given[i], first[axes - 1]) == step(b, given[i], a) * b->shape[a];
        if (!merges) shape[axes++] = 1;
        shape[axes - 1] *= b->shape[a];
        first[axes - 1] = a;
    }
    if (!axes) {
        shape[axes] = 1;
        first[axes++] = -1;
    }
    for (int i = 0; i < n_in; i++) {
        integer *const steps = stride + i * (axes + 1);
        const int is_array = type_of(given[i]) == python.array_type;
        for (int a = 0; a < axes; a++)
            steps[a] = first[a] < 0 ? input_size[i] : step(b, given[i], first[a]);
        const array *const x = array_of(given[i]);
        steps[axes] = is_array ? x->strides[x->axes - 1] / (ptrdiff_t)sizeof(real) : 1;
    }
    return run(0, b->samples, axes, shape, b->x, stride, y);
}

static int run_batch(const batch *b, void *const *given, real *const *y)
{
    if (b->plain) return run_rows(b->samples, b->x, y);
    return run_strided(b, given, y);
}

/* One object, or a tuple of all; takes them over. */
static void *result_of(void **made, int is_tuple)
{
    if (!is_tuple) return made[0];
    void *const all = python.new_tuple(n_out);
    for (int o = 0; o < n_out; o++)
        if (all) python.put(all, o, made[o]);
        else python.release(made[o]);
    return all;
}

/* arrays(every input): new arrays, or None, with nothing done, for what needs more care: more than
   `most` samples, other dtypes, nested lists, errors. Form: most, whether the result is a tuple, and
   for each output the number of its axes and their lengths. */
static void *call_arrays(void *self, void *const *given, ptrdiff_t count)
{
    const integer *form = words(self);
    const int is_tuple = (int)form[1];
    const real *x[n_in + 1];
    real number[n_in + 1];
    batch b = {.x = x, .number = number};
    void *made[n_out + 1];
    real *y[n_out + 1];
    if (count != n_in || !read_inputs(&b, given) || b.samples > form[0]) return held(python.none);
    form += 2;
    for (int o = 0; o < n_out; o++) {
        const int own = (int)*form++;
        for (int a = 0; a < own; a++) b.shape[b.axes + a] = (ptrdiff_t)*form++;
        made[o] = python.new_array(python.array_type, b.axes + own, b.shape, NUMBER, 0, 0, 0, 0, 0);
        if (!made[o]) {
            while (o > 0) python.release(made[--o]);
            return 0;
        }
        y[o] = (real *)array_of(made[o])->data;
    }
    if (!run_batch(&b, given, y)) return result_of(made, is_tuple);
    for (int o = 0; o < n_out; o++) python.release(made[o]);
    return python.no_memory();
}

/* arrays_into(every input and output): the same into these arrays, row-major, none of them in
   another's memory. */
static void *call_arrays_into(void *self, void *const *given, ptrdiff_t count)
{
    const integer *form = words(self);
    const int is_tuple = (int)form[1];
    const real *x[n_in + 1];
    real number[n_in + 1];
    batch b = {.x = x, .number = number};
    void *made[n_out + 1];
    real *y[n_out + 1];
    if (!TELLS_OVERLAP || count != n_in + n_out || !read_inputs(&b, given) || b.samples > form[0])
        return held(python.none);
    form += 2;
    for (int o = 0; o < n_out; o++) {
        const array *const out = array_of(made[o] = given[n_in + o]);
        const int own = (int)*form++, needed = ROW_MAJOR | WRITEABLE;
        for (int a = 0; a < own; a++) b.shape[b.axes + a] = (ptrdiff_t)*form++;
        if (!is_ours(made[o]) || out->axes != b.axes + own || (out->flags & needed) != needed)
            return held(python.none);
        for (int a = 0; a < out->axes; a++)
            if (out->shape[a] != b.shape[a]) return held(python.none);
        y[o] = (real *)out->data;
    }
    if (overlap(given)) return held(python.none);
    if (run_batch(&b, given, y)) return python.no_memory();
    for (int o = 0; o < n_out; o++) python.hold(made[o]);
    return result_of(made, is_tuple);
}

/* Runs a plan: samples, axes, the lengths of these, and the strides of every input as in `run`. */
static int run_plan(const integer *plan, const real *const *x, real *const *y)
{
    const integer samples = plan[0], axes = plan[1], *const shape = plan + 2, *const stride = shape + axes;
    for (integer i = 0; i < n_in; i++)
        if (!is_row_major(input_size[i], axes, stride + i * (axes + 1)))
            return run(0, samples, axes, shape, x, stride, y);
    return run_rows(samples, x, y);
}

/* pointers(address of every input and output): runs the plan on them. */
static void *call_pointers(void *self, void *const *given, ptrdiff_t count)
{
    const real *x[n_in + 1];
    real *y[n_out + 1];
    if (count != n_in + n_out) return held(python.none);
    for (int i = 0; i < n_in; i++) x[i] = python.to_pointer(given[i]);
    for (int o = 0; o < n_out; o++) y[o] = python.to_pointer(given[n_in + o]);
    if (run_plan(words(self), x, y)) return python.no_memory();
    return held(python.none);
}

/* bound(): runs the plan on the addresses behind it; gives the second object of `self`. */
static void *call_bound(void *self, void *nothing)
{
    const integer *const plan = words(self);
    const integer *const at = plan + 2 + plan[1] + n_in * (plan[1] + 1);
    const real *x[n_in + 1];
    real *y[n_out + 1];
    for (int i = 0; i < n_in; i++) x[i] = (const real *)(ptrdiff_t)at[i];
    for (int o = 0; o < n_out; o++) y[o] = (real *)(ptrdiff_t)at[n_in + o];
    if (run_plan(plan, x, y)) return python.no_memory();
    return held(kept(self, 1));
}

/* Takes what is in `python`, in its order; call before `python_function`. */
EXPORT void use_python(void *const *addresses) { memcpy(&python, addresses, sizeof(python)); }

/* Python's function of this number, over `self`, which keeps this code in memory. */
EXPORT void *python_function(int which, void *self)
{
    static method methods[] = {{"arrays", (void *)call_arrays, FAST_CALL, 0},
                               {"arrays_into", (void *)call_arrays_into, FAST_CALL, 0},
                               {"pointers", (void *)call_pointers, FAST_CALL, 0},
                               {"bound", (void *)call_bound, NO_ARGUMENTS, 0}};
    return python.new_function(methods + which, self, 0);
}
