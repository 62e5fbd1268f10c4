/* Entry floor(x) of a table; its first or last one beyond; nan where x is. */
MATH vec v_lookup(const real *table, int last, vec x)
{
    const vec low = when((ivec)(x > R(0)), x), end = splat(R(last));
    const ivec places = __builtin_convertvector(choose((ivec)(low < end), low, end), ivec);
    vec read;
    for (int k = 0; k < LANES; k++) read[k] = table[places[k]];
    return choose((ivec)(x != x), x, read);
}
