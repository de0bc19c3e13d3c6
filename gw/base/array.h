/* Arrays that grow by doubling: pointer, count and room belong to the caller. For what is built once, as the
 * compiler's tables are; its caps stand in limits.h and are the caller's to check. */
#ifndef GW_BASE_ARRAY_H
#define GW_BASE_ARRAY_H

#include <stddef.h>

/* The array with room for one element beyond n: v itself, or a larger copy of it (then *cap is larger too;
 * `least` elements at first). NULL without memory: v and *cap are as before. */
void *array_room(void *v, size_t n, size_t *cap, size_t least, size_t size);

#endif
