/* Name look-ups by c-ares, asynchronous, with a bounded cache that obeys the answers' TTL (at least 1 s, at
 * most an hour; failures are remembered for 5 s) and one query in flight per name however many wait for it.
 * No file is read: servers come from the policy. */
#ifndef GW_NET_RESOLVE_H
#define GW_NET_RESOLVE_H

#include "gw/base/addr.h"
#include "gw/base/ev.h"

enum { RESOLVE_MAX = 8 };

struct resolver;

struct resolve_answer {
    struct addr addrs[RESOLVE_MAX]; /* IPv4 first */
    uint16_t n;
    const char *why; /* when n == 0: "no-such-name", "no-address", "dns-timeout", "dns-failed" */
};

/* Embedded in who asks. */
struct resolve_query {
    struct list link; /* in the list of those who wait for the name; initialised by resolve_start */
    bool waiting;
    void (*on_done)(struct resolve_query *q, const struct resolve_answer *a);
};

enum rc resolver_new(struct ev *ev, const struct addr *servers, size_t n, struct resolver **out) MUST_USE;
void resolver_free(struct resolver *r);
/* Other servers from now on (a reload); the cache stays. */
enum rc resolver_servers(struct resolver *r, const struct addr *servers, size_t n) MUST_USE;
/* The answer if it is in the cache: then the callback is not used and *now points at it until the next call.
 * Else NULL in *now and the callback comes later (never from inside). `name` is normalised. */
enum rc resolve_start(struct resolver *r, struct resolve_query *q, span name,
                      const struct resolve_answer **now) MUST_USE;
void resolve_cancel(struct resolve_query *q);

#endif
