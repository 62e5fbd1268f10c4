/* What the text of a kernel is made of, as CUDA and, where no CUDA compiler reads it, as C++.

   A warp computes 32 samples, a tile, and warps know nothing of each other. A tile goes through phases
   that a barrier of the warp parts: rows come into shared memory, each lane computes its sample, rows
   go out. Shared memory is laid out so that both the rows and the lanes find 32 banks: the pitch of a
   row is an odd multiple of the width of a lane's accesses. Values live in one phase only, so on the
   host a phase is a loop over the lanes. */
typedef long long i64;
typedef unsigned long long u64;
#ifdef __CUDACC__
#define HERE __device__ __forceinline__
#define NOINLINE __device__ __noinline__
#define TABLE static __constant__ const
#define STORED static __device__ const
#define READ(from) __ldg(from)
#ifndef BLOCKS
#define BLOCKS 1
#endif
#define ENTRY extern "C" __global__ void __launch_bounds__(32 * WARPS, BLOCKS)
#define SHARED(name, size) __shared__ __align__(16) real name##_of[WARPS][size]; \
    real *const name = name##_of[threadIdx.x / 32]
#define LANES { const int lane = threadIdx.x % 32; {
#define BARRIER } __syncwarp(); {
#define END_LANES }}
#define FIRST_TILE ((i64)blockIdx.x * WARPS + threadIdx.x / 32)
#define NEXT_TILE ((i64)gridDim.x * WARPS)
#define UNROLL _Pragma("unroll")
#define ROLLED _Pragma("unroll 1") /* seldom run: short text is worth more */
#define high_product __umul64hi
#define leading_zeros __clzll
#define GLOBAL(bytes)
#if __CUDA_ARCH__ >= 800
#define COPY(to, from) asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" \
    :: "r"((unsigned)__cvta_generic_to_shared(to)), "l"(from) : "memory")
#define ARRIVED asm volatile("cp.async.wait_all;" ::: "memory");
#endif
#endif
#ifndef COPY
#define COPY(to, from) put(to, get<WHOLE>(from))
#define ARRIVED
#endif
#define USUAL(x) __builtin_expect(!!(x), 1)
#define R(x) ((real)(x))
#define INLINE HERE
#define APART static NOINLINE
#define restrict __restrict__
#define ROUNDS_ONCE 1
typedef real vec; /* of the parts of loops, which are those of C */
typedef i64 integer;
HERE vec splat(real x) { return x; }
HERE bool any_above(vec x, vec limit) { return x > limit; }

/* 1 where true, else 0. */
HERE real truth(bool mask) { return mask ? R(1) : R(0); }
/* x where the mask is set, else 0. */
HERE real when(bool mask, real x) { return mask ? x : R(0); }
/* -1 or 1; zeros (with their sign) and nan pass through. */
HERE real sign_of(real x) { return x < 0 ? R(-1) : x > 0 ? R(1) : x; }
/* The smaller, the larger: a nan gives way to the other argument, equals give the first. */
HERE real smaller(real x, real y) { return y < x || x != x ? y : x; }
HERE real larger(real x, real y) { return y > x || x != x ? y : x; }

/* Entry floor(x) of a table; its first or last one beyond; nan where x is. */
HERE real lookup(const real *table, int last, real x)
{
    GLOBAL(sizeof(real));
    const real read = READ(table + (int)smaller(larger(x, R(0)), R(last)));
    return x != x ? x : read;
}

/* So many numbers in one access. */
template <int width> struct alignas(width * sizeof(real)) Pack { real at[width]; };
#define WHOLE ((int)(16 / sizeof(real)))
template <int width> HERE Pack<width> get(const real *from)
{
    return *reinterpret_cast<const Pack<width> *>(from);
}
template <int width> HERE void put(real *to, Pack<width> value)
{
    *reinterpret_cast<Pack<width> *>(to) = value;
}
/* The same from and to global memory. */
template <int width> HERE Pack<width> fetch(const real *from)
{
    GLOBAL(width * sizeof(real));
    return get<width>(from);
}
template <int width> HERE void give(real *to, Pack<width> value)
{
    GLOBAL(width * sizeof(real));
    put(to, value);
}
/* 16 bytes from global to shared memory; they are there behind ARRIVED. */
HERE void bring(real *to, const real *from)
{
    GLOBAL(16);
    COPY(to, from);
}
HERE bool is_aligned(const real *x) { return (reinterpret_cast<u64>(x) & 15) == 0; }

/* How many samples there are in a tile. */
HERE int rows_of(i64 tile, i64 samples)
{
    const i64 rest = samples - tile * 32;
    return rest < 32 ? (int)rest : 32;
}

/* An input: sample k is at x + k / period * outer + k % period * inner, its entries are `entry` numbers
   apart. */
struct Input { const real *x; i64 period, outer, inner, entry; };

HERE const real *sample(Input in, i64 k)
{
    return in.x + (k < in.period ? k * in.inner : k / in.period * in.outer + k % in.period * in.inner);
}

/* Where in a tile the number stands that is number k of its rows. */
template <int size, int pitch> HERE int place(int k)
{
    return size == pitch ? k : k / size * pitch + k % size;
}

/* The rows of a tile, of which there are `rows`, into shared memory, however they lie. */
template <int size, int pitch> APART void load_slowly(real *tile, Input in, i64 first, int rows, int lane)
{
    const bool is_one_axis = first + rows <= in.period || in.outer == in.period * in.inner;
    if (in.entry != 1 || in.inner != size || !is_one_axis) {
        if (lane >= rows) return;
        const real *const from = sample(in, first + lane);
        for (int j = 0; j < size; j++) tile[lane * pitch + j] = fetch<1>(from + j * in.entry).at[0];
        return;
    }
    const real *const from = in.x + first * size;
    const int whole = is_aligned(in.x) ? rows * size / WHOLE * WHOLE : 0;
    ROLLED
    for (int k = lane * WHOLE; k < whole; k += 32 * WHOLE)
        put(tile + place<size, pitch>(k), fetch<WHOLE>(from + k));
    ROLLED
    for (int k = whole + lane; k < rows * size; k += 32)
        tile[place<size, pitch>(k)] = fetch<1>(from + k).at[0];
}
/* The same; a whole tile of rows one behind the other comes by copies that ARRIVED waits for. */
template <int size, int pitch> HERE void load_rows(real *tile, Input in, i64 first, int rows, int lane)
{
    const bool is_one_axis = first + 32 <= in.period || in.outer == in.period * in.inner;
    if (USUAL(rows == 32 && in.entry == 1 && in.inner == size && is_one_axis && is_aligned(in.x))) {
        const real *const from = in.x + first * size;
        UNROLL
        for (int k = 0; k < 32 * size; k += 32 * WHOLE)
            if (k + lane * WHOLE < 32 * size)
                bring(tile + place<size, pitch>(k + lane * WHOLE), from + k + lane * WHOLE);
    } else {
        load_slowly<size, pitch>(tile, in, first, rows, lane);
    }
}

/* The rows of a tile from shared memory to an output `(samples, size)`, wherever that begins. */
template <int size, int pitch>
APART void store_slowly(real *y, const real *tile, i64 first, int rows, int lane)
{
    real *const to = y + first * size;
    const int whole = is_aligned(y) ? rows * size / WHOLE * WHOLE : 0;
    ROLLED
    for (int k = lane * WHOLE; k < whole; k += 32 * WHOLE)
        give(to + k, get<WHOLE>(tile + place<size, pitch>(k)));
    ROLLED
    for (int k = whole + lane; k < rows * size; k += 32)
        give(to + k, get<1>(tile + place<size, pitch>(k)));
}
template <int size, int pitch>
HERE void store_rows(real *y, const real *tile, i64 first, int rows, int lane)
{
    if (USUAL(rows == 32 && is_aligned(y))) {
        real *const to = y + first * size;
        UNROLL
        for (int k = 0; k < 32 * size; k += 32 * WHOLE)
            if (k + lane * WHOLE < 32 * size)
                give(to + k + lane * WHOLE, get<WHOLE>(tile + place<size, pitch>(k + lane * WHOLE)));
    } else {
        store_slowly<size, pitch>(y, tile, first, rows, lane);
    }
}
