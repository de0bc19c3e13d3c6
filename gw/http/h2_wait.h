/* How much memory content of HTTP/2 holds while it waits for its readers, over all legs that count in one
 * place: those of one client, and, one up, those of a worker. Windows bound a stream and a connection; who
 * opens many connections and reads none is bounded here. */
#ifndef GW_HTTP_H2_WAIT_H
#define GW_HTTP_H2_WAIT_H

#include <stdbool.h>
#include <stddef.h>

struct h2_waiting {
    size_t bytes;
    size_t most;           /* no more streams are taken above it, and nothing at all above twice as much */
    struct h2_waiting *up; /* counts the same; NULL: none does */
};

/* A buffer that held `before` bytes holds `now`. NULL is not counted. */
static inline void h2_waiting_count(struct h2_waiting *w, size_t before, size_t now)
{
    for (; w; w = w->up)
        w->bytes += now - before;
}

/* Does it hold `times` its most, here or further up? */
static inline bool h2_waiting_full(const struct h2_waiting *w, size_t times)
{
    for (; w; w = w->up) {
        if (w->bytes >= times * w->most)
            return true;
    }
    return false;
}

#endif
