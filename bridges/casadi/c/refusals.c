/* Derivatives that a library lacks. CasADi would say no more than that they "cannot be calculated":
   what is found in their place takes inputs of a shape that nothing has, and an input's name, which
   CasADi puts into its error, tells what to do. */

#define REFUSED(name, inputs, outputs, words)                                                  \
    EXPORT int name(const real **arg, real **res, integer *iw, real *w, int mem)               \
    {                                                                                          \
        (void)arg, (void)res, (void)iw, (void)w, (void)mem;                                    \
        return 1;                                                                              \
    }                                                                                          \
    EXPORT integer name##_n_in(void) { return inputs; }                                        \
    EXPORT integer name##_n_out(void) { return outputs; }                                      \
    EXPORT const char *name##_name_in(integer i) { return i < inputs ? words : 0; }            \
    EXPORT const integer *name##_sparsity_in(integer i)                                        \
    {                                                                                          \
        static const integer shape[] = {1LL << 40, 3, 0, 0, 0, 0};                             \
        return i < inputs ? shape : 0;                                                         \
    }
