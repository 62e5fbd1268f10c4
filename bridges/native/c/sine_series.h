/* Constants of the range reduction of sines and cosines, and their series between -pi/4 and pi/4; what
   they are for stands in sincos.h and cuda_sincos.cuh. */

/* GCC makes no multiply-adds of products and sums where it is to follow the standard. */
#ifndef ROUNDS_ONCE
#if (defined(__FMA__) || defined(__aarch64__)) && !defined(__STRICT_ANSI__)
#define ROUNDS_ONCE 1
#else
#define ROUNDS_ONCE 0
#endif
#endif

#if DOUBLE
#define FAR_ANGLE 1e6
#define TWO_OVER_PI 0x1.45f306dc9c883p-1
#define HALF_PI_1 0x1.921fb54400000p+0
#if ROUNDS_ONCE
#define HALF_PI_2 0x1.0b4611a626331p-34
#define HALF_PI_3 0x1.1701b839a2520p-88
#else
#define HALF_PI_2 0x1.0b4611a600000p-34
#define HALF_PI_3 0x1.3198a2e037073p-69
#endif
INLINE vec sine_series(vec z)
{
    return -0.16666666666666666
           + z * (0.008333333333330936
           + z * (-0.00019841269836740532
           + z * (2.7557316093198404e-06
           + z * (-2.5051129896450185e-08
           + z * 1.5917988979397435e-10))));
}
INLINE vec cosine_series(vec z)
{
    return 0.041666666666666664
           + z * (-0.0013888888888887389
           + z * (2.48015872987544e-05
           + z * (-2.755731726587808e-07
           + z * (2.087614504941318e-09
           + z * -1.138254464534925e-11))));
}
#else
#define FAR_ANGLE 5e3f
#define TWO_OVER_PI 0x1.45f306p-1f
#define HALF_PI_1 0x1.92p+0f
#if ROUNDS_ONCE
#define HALF_PI_2 0x1.fb5444p-12f
#else
#define HALF_PI_1_END 0x1.fb4p-12f
#define HALF_PI_2 0x1.444p-24f
#endif
#define HALF_PI_3 0x1.68c234p-39f
INLINE vec sine_series(vec z)
{
    return -0.16666666663844049f
           + z * (0.008333331870341349f
           + z * (-0.00019840084376422702f
           + z * 2.724962008007533e-06f));
}
INLINE vec cosine_series(vec z)
{
    return 0.04166666465348879f + z * (-0.001388830186756237f + z * 2.454768977246003e-05f);
}
#endif
