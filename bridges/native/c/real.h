/* The number type; DOUBLE is defined before. */
#if DOUBLE
typedef double real;
typedef long long word;
#define FN(name) name
#define WORD_BITS 64
#define ROUND_SHIFT 0x1.8p52 /* adding it rounds to an integer, which the low bits then hold */
#else
typedef float real;
typedef int word;
#define FN(name) name##f
#define WORD_BITS 32
#define ROUND_SHIFT 0x1.8p23f
#endif
