/* Functions that take each lane to the C library. */
#define LANEWISE_2(name, function) \
    static NOINLINE vec name(vec x, vec y) \
    { \
        vec r; \
        for (int k = 0; k < LANES; k++) r[k] = function(x[k], y[k]); \
        return r; \
    }
