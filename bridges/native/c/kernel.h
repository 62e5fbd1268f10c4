/* What the driver, which all kernels share, knows of one of them. */
#define OURS __attribute__((visibility("hidden")))

/* Operations a sample; samples a block. */
extern EXPORT const integer operations, lanes;
/* Numbers in a row of each input and output; steps of a row-major batch of each input, in pairs. */
extern OURS const integer n_in, n_out, input_size[], output_size[], row_strides[];
/* Numbers in one row of every input and output, and in the longest row of an output. */
extern OURS const integer scratch, longest;
/* Vectors in the workspace of a block; blocks that go through the kernel together; samples whose rows
   are copied at a time, where they are. */
extern OURS const integer workspace, most_blocks, most_copied;
/* Computes n blocks, with pointers to every input and output and a workspace. */
OURS void run_blocks(const real *const *x, real *const *y, vec *w, integer n);
