/* Scalar forms of the operations that CUDA's mathematical functions do not have, or define otherwise. */
#define R(x) ((real)(x))
#define HERE __device__ __forceinline__

/* 1 where true, else 0. */
HERE real truth(bool mask) { return mask ? R(1) : R(0); }
/* x where the mask is set, else 0. */
HERE real when(bool mask, real x) { return mask ? x : R(0); }
/* -1 or 1; zeros (with their sign) and nan pass through. */
HERE real sign_of(real x) { return x < 0 ? R(-1) : x > 0 ? R(1) : x; }
/* The smaller, the larger: a nan gives way to the other argument, equals give the first. */
HERE real smaller(real x, real y) { return y < x || x != x ? y : x; }
HERE real larger(real x, real y) { return y > x || x != x ? y : x; }

HERE void sincos_of(double x, double *sine, double *cosine) { sincos(x, sine, cosine); }
HERE void sincos_of(float x, float *sine, float *cosine) { sincosf(x, sine, cosine); }
