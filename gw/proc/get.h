/* One GET over plain HTTP, for the fetcher: look-up, SSRF guard, dial, request, answer, redirects. URLs come
 * out of strangers' certificates, so each one, and each that a redirect leads to, is looked at afresh: its
 * port, and after the look-up every address. Nothing is sent but the request line, Host and Connection. */
#ifndef GW_PROC_GET_H
#define GW_PROC_GET_H

#include "gw/net/fence.h"
#include "gw/net/resolve.h"

enum get_why {
#define G(id, name) GET_##id,
#include "gw/proc/get_why.tbl"
#undef G
    GET_WHY_N
};
const char *get_why_name(enum get_why why);

/* What all fetches of a process share. */
struct get_env {
    struct ev *ev;
    struct resolver *resolver;
    struct fence_rules fence; /* its networks are the owner's */
    size_t held, held_most;   /* bytes of all answers that are under way */
};

struct get {
    struct get_env *env; /* these five are set by the asker */
    size_t most;         /* bytes of the answer */
    int64_t timeout_ms;  /* everything included */
    void *data;
    /* The body is borrowed; empty unless DONE. The get may be started again from inside. */
    void (*done)(struct get *g, enum get_why why, span body);
    struct get_state *state; /* NULL: nothing runs */
};

/* done() comes later, never from inside. NOMEM: it does not come. */
enum rc get_start(struct get *g, span url) MUST_USE;
/* Ends without a callback; safe when nothing runs. */
void get_cancel(struct get *g);

/* The parts of an http URL; false: it is none, or not one that we would follow. Spans into `url`. */
struct get_url {
    span host; /* name or address, without brackets */
    uint16_t port;
    span target; /* path and query, at least "/" */
};
bool get_url_split(span url, struct get_url *out);

#endif
