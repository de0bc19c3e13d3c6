/* Growing arrays; see array.h. */
#include "gw/base/array.h"

#include <stdlib.h>

void *array_room(void *v, size_t n, size_t *cap, size_t least, size_t size)
{
    if (n < *cap)
        return v;
    size_t more = *cap ? *cap * 2 : least;
    void *grown = reallocarray(v, more, size);
    if (grown)
        *cap = more;
    return grown;
}
