"""C text around the block function: types before it, the walk over a batch after it.

The walk cuts the batch into blocks of LANES samples. A whole block of row-major data is computed
in place. Other blocks go through a scratch copy: strided and broadcast inputs, and the last block,
whose missing samples repeat the last one, so that every sample runs through the same instructions
whatever the batch and however it is split.
"""

from __future__ import annotations

from collections.abc import Sequence

from bridges.kernel.target import Target


def types_text(target: Target) -> str:
    """C text of the number and vector types and of the macros that the other parts use."""
    double = target.dtype == "float64"
    return _TYPES.format(
        real="double" if double else "float",
        word="long long" if double else "int",
        function="name" if double else "name##f",
        bits=8 * target.itemsize,
        lanes=target.lanes,
        bytes=target.vector_bytes,
        round_shift="0x1.8p52" if double else "0x1.8p23",
        one="1LL" if double else "1U",
    )


def driver_text(input_sizes: Sequence[int], output_sizes: Sequence[int], n_ops: int) -> str:
    """C text of `run`, `run_rows` and `run_buffers`, the entry points of the library."""
    n_in, n_out = len(input_sizes), len(output_sizes)
    inputs = [f"x[{i}]" for i in range(n_in)]
    outputs = [f"y[{o}]" for o in range(n_out)]
    row_parameters = [f"const real *x{i}" for i in range(n_in)]
    row_parameters += [f"real *y{o}" for o in range(n_out)]
    objects = [f"a{k}" for k in range(n_in + n_out)]
    return _DRIVER.format(
        n_ops=n_ops,
        n_in=n_in,
        n_out=n_out,
        input_sizes=", ".join(map(str, [*input_sizes, 0])),
        output_sizes=", ".join(map(str, [*output_sizes, 0])),
        scratch=sum(input_sizes) + sum(output_sizes),
        arguments=", ".join([*inputs, *outputs]),
        row_parameters=", ".join(["integer samples", *row_parameters]),
        row_inputs=", ".join([*(f"x{i}" for i in range(n_in)), "0"]),
        row_outputs=", ".join([*(f"y{o}" for o in range(n_out)), "0"]),
        row_strides=", ".join([*(f"{n}, 1" for n in input_sizes), "0"]),
        object_parameters=", ".join(["integer most", *(f"void *{a}" for a in objects)]),
        objects=", ".join([*objects, "0"]),
    )


_TYPES = """\
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

typedef {real} real;
typedef {word} word;
typedef long long integer;
typedef real vec __attribute__((vector_size({bytes}), may_alias));
typedef word ivec __attribute__((vector_size({bytes}), may_alias));

#define LANES {lanes}
#define WORD_BITS {bits}
#define SIGN_BIT ((word)({one} << (WORD_BITS - 1)))
#define ROUND_SHIFT R({round_shift}) /* adding it rounds to an integer, held in the low bits */
#define R(x) ((real)(x))
#define FN(name) {function}
#define INLINE static inline __attribute__((always_inline, unused))
#define NOINLINE __attribute__((noinline, unused))
#define EXPORT __attribute__((visibility("default")))
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#ifdef __has_builtin
#if __has_builtin(__builtin_shufflevector)
#define HAVE_SHUFFLE 1
#endif
#endif
"""

_DRIVER = """\
#define N_IN {n_in}
#define N_OUT {n_out}
#define SCRATCH (LANES * {scratch} + 1)
#define ON_STACK 8192
#define MAX_AXES 64

EXPORT const integer operations = {n_ops}, lanes = LANES;
static const integer input_size[] = {{{input_sizes}}};
static const integer output_size[] = {{{output_sizes}}};

/* Copies `count` samples of one input from `first` on; the last of them fills the block. */
static void gather(real *rows, integer n, const real *x, integer axes, const integer *shape,
                   const integer *stride, integer first, integer count)
{{
    integer at[MAX_AXES], offset = 0;
    for (integer a = axes - 1; a >= 0; a--) {{
        at[a] = first % shape[a];
        first /= shape[a];
        offset += at[a] * stride[a];
    }}
    for (integer k = 0; k < LANES; k++, rows += n) {{
        for (integer j = 0; j < n; j++) rows[j] = x[offset + j * stride[axes]];
        if (k + 1 >= count) continue;
        for (integer a = axes - 1; a >= 0; a--) {{
            offset += stride[a];
            if (++at[a] < shape[a]) break;
            offset -= shape[a] * stride[a];
            at[a] = 0;
        }}
    }}
}}

static int is_row_major(integer n, integer axes, const integer *stride)
{{
    return axes == 1 && stride[0] == n && (stride[1] == 1 || n == 1);
}}

static int is_constant(integer axes, const integer *stride)
{{
    for (integer a = 0; a < axes; a++) if (stride[a]) return 0;
    return 1;
}}

/* Samples begin..end-1 of a batch. Input i: data x0[i], strides stride[i * (axes + 1)...] in
   numbers, batch axes first, then the axis of the vector. Outputs are row-major.
   Returns 0, or 1 when memory ran out. */
EXPORT int run(integer begin, integer end, integer axes, const integer *shape, const real *const *x0,
        const integer *stride, real *const *y0)
{{
    real stack[SCRATCH <= ON_STACK ? SCRATCH : 1] __attribute__((aligned(64)));
    real *scratch = stack, *copy[N_IN + N_OUT + 1], *y[N_OUT + 1];
    const real *x[N_IN + 1];
    int plain[N_IN + 1], filled[N_IN + 1];
    if (SCRATCH > ON_STACK && !(scratch = malloc(SCRATCH * sizeof(real)))) return 1;
    for (integer i = 0, used = 0; i < N_IN + N_OUT; i++) {{
        copy[i] = scratch + used;
        used += LANES * (i < N_IN ? input_size[i] : output_size[i - N_IN]);
    }}
    for (integer i = 0; i < N_IN; i++) {{
        plain[i] = is_row_major(input_size[i], axes, stride + i * (axes + 1));
        filled[i] = 0;
    }}
    for (integer at = begin; at < end; at += LANES) {{
        const integer count = end - at < LANES ? end - at : LANES;
        for (integer i = 0; i < N_IN; i++) {{
            const integer *const steps = stride + i * (axes + 1);
            x[i] = plain[i] && count == LANES ? x0[i] + at * input_size[i] : copy[i];
            if (x[i] != copy[i] || filled[i]) continue;
            gather(copy[i], input_size[i], x0[i], axes, shape, steps, at, count);
            filled[i] = is_constant(axes, steps);
        }}
        for (integer o = 0; o < N_OUT; o++)
            y[o] = count == LANES ? y0[o] + at * output_size[o] : copy[N_IN + o];
        block({arguments});
        if (count == LANES) continue;
        for (integer o = 0; o < N_OUT; o++)
            memcpy(y0[o] + at * output_size[o], y[o], count * output_size[o] * sizeof(real));
    }}
    if (SCRATCH > ON_STACK) free(scratch);
    return 0;
}}

/* The same for row-major inputs, one row a sample. */
EXPORT int run_rows({row_parameters})
{{
    static const integer strides[] = {{{row_strides}}};
    const real *const x[] = {{{row_inputs}}};
    real *const y[] = {{{row_outputs}}};
    return run(0, samples, 1, &samples, x, strides, y);
}}

/* Python's buffer protocol, as its stable ABI lays it out (Python 3.11 C API reference). */
typedef struct {{
    void *data, *owner;
    ptrdiff_t length, itemsize;
    int readonly, axes;
    char *format;
    ptrdiff_t *shape, *strides, *suboffsets;
    void *internal;
}} buffer;
#define READ_FLAGS 0x3c   /* PyBUF_C_CONTIGUOUS | PyBUF_FORMAT */
#define WRITE_FLAGS 0x3d  /* and PyBUF_WRITABLE */

static int (*get_buffer)(void *, buffer *, int);
static void (*release_buffer)(buffer *);
static void (*clear_error)(void);

EXPORT void use_python(void *get, void *release, void *clear)
{{
    get_buffer = (int (*)(void *, buffer *, int))get;
    release_buffer = (void (*)(buffer *))release;
    clear_error = (void (*)(void))clear;
}}

/* The same for Python objects that are row-major arrays, inputs of equal batch shape and outputs of
   as many samples, at most `most`. Returns nonzero, with nothing done, for all others; the caller then takes `run`. */
EXPORT int run_buffers({object_parameters})
{{
    void *const object[] = {{{objects}}};
    buffer view[N_IN + N_OUT + 1];
    const real *x[N_IN + 1];
    real *y[N_OUT + 1];
    integer samples = -1;
    int held = 0, fault = 0;
    for (; held < N_IN + N_OUT && !fault; held++) {{
        const integer n = held < N_IN ? input_size[held] : output_size[held - N_IN];
        buffer *const b = view + held;
        if (get_buffer(object[held], b, held < N_IN ? READ_FLAGS : WRITE_FLAGS)) {{
            clear_error();
            fault = 1;
            break;
        }}
        fault = b->format[0] != (sizeof(real) == 8 ? 'd' : 'f') || b->format[1]
                || (size_t)b->data % sizeof(real);
        if (held >= N_IN) {{
            fault |= b->length != samples * n * (ptrdiff_t)sizeof(real);
            y[held - N_IN] = b->data;
            continue;
        }}
        fault |= b->axes < 1 || b->axes != view[0].axes || b->shape[b->axes - 1] != n;
        integer rows = 1;
        for (int a = 0; a + 1 < b->axes && !fault; a++) {{
            fault = b->shape[a] != view[0].shape[a];
            rows *= b->shape[a];
        }}
        samples = rows;
        x[held] = b->data;
    }}
    if (!fault) {{
        static const integer strides[] = {{{row_strides}}};
        fault = samples > most || run(0, samples, 1, &samples, x, strides, y);
    }}
    while (held > 0) release_buffer(view + --held);
    return fault;
}}
"""
