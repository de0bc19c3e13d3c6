/* The listening sockets: bound by the master, one per worker and address (SO_REUSEPORT), kept open by it, so
 * that a replaced worker takes over the very queue of its predecessor and no client is refused meanwhile. */
#ifndef GW_PROC_DOORS_H
#define GW_PROC_DOORS_H

#include "gw/base/limits.h"
#include "policy/snapshot.h"

enum { DOORS = 2 * 16, DOOR_BACKLOG = 4096 };

struct door {
    struct set_listen at; /* one address family each: "all addresses" become two doors */
    int fd[LIM_WORKERS];
};
struct doors {
    size_t n;
    uint32_t n_workers;
    struct door door[DOORS];
};

/* Opens what `want` asks for. Doors that `old` (may be NULL) has already are shared: their descriptors are
 * duplicated. CONFIG with one line in `err`, and nothing is open then. */
enum rc doors_open(struct doors *d, const struct settings *want, uint32_t n_workers, const struct doors *old,
                   struct buf *err) MUST_USE;
void doors_close(struct doors *d);
/* Is this door in the set? */
const struct door *doors_find(const struct doors *d, const struct set_listen *at);

#endif
