/* Makes the text of a CUDA kernel C++: the emulator of `cuda_emulator.py` compiles the very text that
   NVRTC gets behind these lines. Phases between barriers are loops over the lanes of a warp; shared
   memory is full of nan before a warp starts; accesses to global memory are counted by their width. */
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>
#include <utility>
#include <vector>
using namespace std;

static thread_local long long emulated_grid, emulated_block, emulated_warp;
static thread_local int emulated_lane;
static thread_local long long counted[2]; /* accesses to global memory of 16 bytes, and others */

#define __restrict__
#define HERE static inline __attribute__((unused))
#define NOINLINE __attribute__((noinline, unused))
#define TABLE static const
#define STORED static const
#define READ(from) (*(from))
#define ENTRY static void
#define SHARED(name, size) \
    alignas(16) real name##_of[size]; real *const name = name##_of; poison(name, size)
#ifndef LANE
#define LANE(k) (k) /* the order of the lanes within a phase */
#endif
#define LANES for (int k = 0; k < 32; k++) { const int lane = emulated_lane = LANE(k);
#define BARRIER } LANES
#define END_LANES }
#define FIRST_TILE (emulated_block * WARPS + emulated_warp)
#define NEXT_TILE (emulated_grid * WARPS)
#define UNROLL
#define ROLLED
#define GLOBAL(bytes) counted[(bytes) == 16 ? 0 : 1]++
/* Copies that a lane has begun; what they bring is there once the same lane has waited for it. */
static thread_local vector<pair<void *, const void *>> begun[32];
#define COPY(to, from) begun[emulated_lane].push_back({to, from})
#define ARRIVED \
    for (auto copy : begun[lane]) memcpy(copy.first, copy.second, 16); \
    begun[lane].clear();

template <class T> static void poison(T *x, int size)
{
    for (int k = 0; k < size; k++) x[k] = numeric_limits<T>::quiet_NaN();
}
static inline unsigned long long high_product(unsigned long long x, unsigned long long y)
{
    return (unsigned __int128)x * y >> 64;
}
static inline int leading_zeros(unsigned long long x) { return __builtin_clzll(x); }
static double erfinv(double x) /* which C has not: Newton's steps, in the tail on erfc */
{
    const double a = fabs(x);
    if (!(a < 1)) return a == 1 ? x * INFINITY : NAN;
    double y = 0;
    for (int k = 0; k < 60; k++)
        y -= (a < 0.5 ? erf(y) - a : 1 - a - erfc(y)) * 0.886226925452758 * exp(y * y);
    return copysign(y, x);
}
