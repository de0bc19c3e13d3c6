/* A region of memory that dies at once: what belongs to a flow or an exchange lives in its arena.
 * Capped; allocation returns NULL at the cap or when malloc fails. Pointers stay valid until
 * arena_reset/fini. */
#ifndef GW_BASE_ARENA_H
#define GW_BASE_ARENA_H

#include <stddef.h>

#include "gw/base/buf.h"

struct arena {
    struct arena_block *blocks; /* newest first */
    size_t used, cap, high;     /* bytes handed out now, at most, and the most ever */
};

void arena_init(struct arena *a, size_t cap);
void arena_reset(struct arena *a); /* frees everything handed out; usable again */
void arena_fini(struct arena *a);
void *arena_alloc(struct arena *a, size_t n); /* zeroed, aligned for any type */
/* A copy of s; SPAN_NONE with n == 0 when there is no room and s was not empty. */
span arena_dup(struct arena *a, span s);
/* A NUL-terminated copy of s, or NULL. */
char *arena_str(struct arena *a, span s);

#endif
