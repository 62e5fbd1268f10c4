"""C text that moves samples between rows in memory and one vector per column.

Samples lie in memory as rows of `n` numbers. A kernel wants column `j` of all the samples of a
block in one vector. `load_w` takes `w` adjacent columns: it gathers row pieces of `w` numbers into
`w` vectors and transposes them in registers in log2(w) butterfly steps. `store_w` is the reverse
(the transposition is its own inverse). Every access stays inside the rows of the block.
"""

from __future__ import annotations

from bridges.native.target import Target


def chunk_widths(target: Target) -> tuple[int, ...]:
    """Column counts that have a `load_w` and `store_w`, widest first; the last is 1."""
    # Four are the fastest of 1, 2, 4 and 8 for float64 and float32 alike.
    return tuple(w for w in (4, 2, 1) if w <= target.lanes)


def split_columns(n: int, target: Target) -> list[tuple[int, int]]:
    """Chunks `(first column, width)` that cover columns `0..n-1`.

    The last chunk may overlap the one before it, so that it is as wide as the others.
    """
    chunks: list[tuple[int, int]] = []
    start = 0
    for width in chunk_widths(target):
        while n - start >= width:
            chunks.append((start, width))
            start += width
        if start < n and n >= width and n - start > width // 2:
            chunks.append((n - width, width))
            start = n
    return chunks


def suffix(width: int, n: int) -> str:
    """Which `load_` and `store_` moves `width` columns of rows of `n` numbers."""
    return "line" if n == 1 else str(width)


def transpose_text(target: Target) -> str:
    """C text of every `load_w` and `store_w`."""
    text = [_SCALAR]
    widths = [w for w in chunk_widths(target) if w > 1]
    if widths:
        text.append("#if HAVE_SHUFFLE")
        text.extend(_shuffled(w, target) for w in widths)
        text.append("#else")
        text.extend(_plain(w) for w in widths)
        text.append("#endif\n")
    return "\n".join(text)


def _shuffled(w: int, target: Target) -> str:
    lanes = target.lanes
    groups = lanes // w
    parameters = ", ".join(f"vec *c{i}" for i in range(w))
    load = [f"MOVE void load_{w}(const real *x, word n, {parameters})", "{"]
    store_parameters = ", ".join(f"vec c{i}" for i in range(w))
    store = [f"MOVE void store_{w}(real *y, word n, {store_parameters})", "{"]

    for i in range(w):
        load.append(f"    vec r{i} = pieces_{w}(x + {i} * n, n);")
        store.append(f"    vec r{i} = unknown(c{i});")
    butterflies = _butterflies(w, lanes)
    load.extend(butterflies)
    store.extend(butterflies)
    load.extend(f"    *c{i} = r{i};" for i in range(w))
    for i in range(w):
        for b in range(groups):
            store.append(
                f"    *(piece_{w} *)(y + {w * b + i} * n) = {_piece(f'r{i}', b, w, lanes)};"
            )
    load.append("}")
    store.append("}")
    bytes_ = w * target.itemsize
    piece = (
        f"typedef real piece_{w} "
        f"__attribute__((vector_size({bytes_}), aligned({target.itemsize}), may_alias));"
    )
    return "\n".join([piece, _pieces(w, target), *load, *store, ""])


def _pieces(w: int, target: Target) -> str:
    """C text that puts pieces of `w` numbers from every w-th row side by side into a vector."""
    count = target.lanes // w
    parts = [f"*(const piece_{w} *)(x + {w * b} * n)" for b in range(count)]
    plain, size = parts, w
    while len(plain) > 1:
        indices = ", ".join(map(str, range(2 * size)))
        plain = [
            f"__builtin_shufflevector({a}, {b}, {indices})"
            for a, b in zip(plain[::2], plain[1::2], strict=True)
        ]
        size *= 2
    lines = [f"    return {plain[0]};"]
    if count == 2 and target.vector_bytes == 64:
        lines = [
            "#if defined(__AVX512F__) && !defined(__clang__)",
            "    /* GCC 12 would load both and shuffle; this inserts the second while it loads. */",
            "    return (vec)__builtin_ia32_insertf64x4_mask(",
            f"        __builtin_ia32_pd512_256pd({parts[0]}), {parts[1]}, 1, (vec){{0}},",
            "        (unsigned char)-1);",
            "#else",
            *lines,
            "#endif",
        ]
    head = f"INLINE vec pieces_{w}(const real *x, word n)"
    return "\n".join([head, "{", *lines, "}"])


def _butterflies(w: int, lanes: int) -> list[str]:
    lines: list[str] = []
    step = 1
    while step < w:
        low = [k if not k & step else lanes + k - step for k in range(lanes)]
        high = [k + step if not k & step else lanes + k for k in range(lanes)]
        for i in range(w):
            if i & step:
                continue
            j = i | step
            a, b = f"t{step}_{i}", f"t{step}_{j}"
            lines.append(f"    const vec {a} = {_shuffle(f'r{i}', f'r{j}', low)};")
            lines.append(f"    const vec {b} = {_shuffle(f'r{i}', f'r{j}', high)};")
            lines.append(f"    r{i} = {a}, r{j} = {b};")
        step *= 2
    return lines


def _shuffle(a: str, b: str, indices: list[int]) -> str:
    return f"__builtin_shufflevector({a}, {b}, {', '.join(map(str, indices))})"


def _piece(vector: str, b: int, w: int, lanes: int) -> str:
    """Numbers `w*b ... w*b + w-1` of a vector, halved step by step."""
    size = lanes
    while size > w:
        size //= 2
        upper = (w * b) & size
        indices = range(upper, upper + size) if upper else range(size)
        vector = _shuffle(vector, vector, list(indices))
    return vector


def _plain(w: int) -> str:
    loads = " ".join(f"load_1(x + {i}, n, c{i});" for i in range(w))
    stores = " ".join(f"store_1(y + {i}, n, c{i});" for i in range(w))
    pointers = ", ".join(f"vec *c{i}" for i in range(w))
    values = ", ".join(f"vec c{i}" for i in range(w))
    return (
        f"MOVE void load_{w}(const real *x, word n, {pointers}) {{ {loads} }}\n"
        f"MOVE void store_{w}(real *y, word n, {values}) {{ {stores} }}"
    )


_SCALAR = """\
/* Columns of a block of rows, n numbers a row: one vector per column. */
MOVE void load_1(const real *x, word n, vec *c0)
{
    for (int k = 0; k < LANES; k++) (*c0)[k] = x[k * n];
}
MOVE void store_1(real *y, word n, vec c0)
{
    for (int k = 0; k < LANES; k++) y[k * n] = c0[k];
}
/* The same for rows of one number. */
typedef real line __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(real)), may_alias));
INLINE void load_line(const real *x, word n, vec *c0) { *c0 = *(const line *)x; }
INLINE void store_line(real *y, word n, vec c0) { *(line *)y = c0; }"""
