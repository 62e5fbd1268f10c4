/* Entry floor(x) of a table; its first or last one beyond; nan where x is. */
MATH vec v_lookup(const real *table, int last, vec x)
{
    const vec places = v_fmin(v_fmax(x, splat(0)), splat(R(last)));
    const ivec whole = __builtin_convertvector(places, ivec);
    vec read;
    for (int k = 0; k < LANES; k++) read[k] = table[whole[k]];
    return choose((ivec)(x != x), x, read);
}
