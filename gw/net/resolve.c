/* Asynchronous look-ups; see resolve.h. */
#include "gw/net/resolve.h"

#include <ares.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>

#include "gw/base/limits.h"
#include "gw/base/obj.h"

enum { TTL_MIN_S = 1, TTL_MAX_S = 3600, TTL_FAIL_S = 5, MAX_SOCKETS = 64 };

struct entry {
    struct list lru, waiting;
    struct resolver *r;
    char name[LIM_NAME_BYTES + 1];
    bool pending, inside; /* inside: c-ares may answer before ares_getaddrinfo returns */
    int64_t until_ms;
    struct resolve_answer a;
};

struct watch {
    struct ev_io io;
    struct resolver *r;
};

struct resolver {
    struct ev *ev;
    ares_channel chan;
    struct ev_timer timer;
    struct map by_name;
    struct list lru; /* oldest first */
    struct watch watches[MAX_SOCKETS];
    bool closing;
};

/* c-ares wants its time-outs served; ask it when. */
static void rearm(struct resolver *r)
{
    struct timeval tv, *next = ares_timeout(r->chan, NULL, &tv);
    if (next)
        ev_timer_set(r->ev, &r->timer, next->tv_sec * 1000 + next->tv_usec / 1000 + 1);
}

static void on_timer(struct ev_timer *t)
{
    struct resolver *r = CONTAINER_OF(t, struct resolver, timer);
    ares_process_fd(r->chan, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    rearm(r);
}

static void on_socket(struct ev_io *io, uint32_t events)
{
    struct watch *w = CONTAINER_OF(io, struct watch, io);
    struct resolver *r = w->r;
    int fd = io->fd;
    ares_process_fd(r->chan, events & ~(uint32_t)EPOLLOUT ? fd : ARES_SOCKET_BAD,
                    events & EPOLLOUT ? fd : ARES_SOCKET_BAD);
    rearm(r);
}

/* c-ares opens, wants and closes sockets: mirror that in the loop. */
static void on_sock_state(void *data, ares_socket_t fd, int readable, int writable)
{
    struct resolver *r = data;
    struct watch *found = NULL, *empty = NULL;
    uint32_t want = (readable ? (uint32_t)EPOLLIN : 0) | (writable ? (uint32_t)EPOLLOUT : 0);
    for (size_t i = 0; i < MAX_SOCKETS; i++) {
        if (r->watches[i].io.fd == fd)
            found = &r->watches[i];
        else if (r->watches[i].io.fd < 0)
            empty = &r->watches[i];
    }
    if (want == 0) {
        if (found) {
            ev_unwatch(r->ev, &found->io);
            found->io.fd = -1;
        }
        return;
    }
    if (!found && empty) {
        found = empty;
        found->io = (struct ev_io){.fd = fd, .cb = on_socket};
    }
    if (found && ev_watch(r->ev, &found->io, want) != RC_OK)
        found->io.fd = -1; /* the query ends by its time-out */
}

enum rc resolver_servers(struct resolver *r, const struct addr *servers, size_t n)
{
    struct ares_addr_node nodes[4] = {0};
    if (n > N_ELEMS(nodes))
        n = N_ELEMS(nodes);
    for (size_t i = 0; i < n; i++) {
        nodes[i].family = servers[i].family == 4 ? AF_INET : AF_INET6;
        memcpy(&nodes[i].addr, servers[i].b, servers[i].family == 4 ? 4 : 16);
        nodes[i].next = i + 1 < n ? &nodes[i + 1] : NULL;
    }
    return n == 0 || ares_set_servers(r->chan, nodes) == ARES_SUCCESS ? RC_OK : RC_IO;
}

enum rc resolver_new(struct ev *ev, const struct addr *servers, size_t n, struct resolver **out)
{
    struct resolver *r = calloc(1, sizeof *r);
    if (!r)
        return RC_NOMEM;
    struct ares_options opt = {.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES,
                               .timeout = 1500,
                               .tries = 3,
                               .sock_state_cb = on_sock_state,
                               .sock_state_cb_data = r,
                               .lookups = (char[]){"b"}};
    int mask =
        ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB | ARES_OPT_LOOKUPS;
    r->ev = ev;
    list_init(&r->lru);
    map_init(&r->by_name, 0);
    ev_timer_init(&r->timer, on_timer);
    for (size_t i = 0; i < MAX_SOCKETS; i++)
        r->watches[i] = (struct watch){.io = {.fd = -1}, .r = r};
    if (ares_init_options(&r->chan, &opt, mask) != ARES_SUCCESS) {
        free(r);
        return RC_IO;
    }
    if (resolver_servers(r, servers, n) != RC_OK) {
        resolver_free(r);
        return RC_IO;
    }
    *out = r;
    return RC_OK;
}

static void drop_entry(struct entry *e)
{
    list_drop(&e->lru);
    map_take(&e->r->by_name, span_str(e->name));
    free(e);
}

void resolver_free(struct resolver *r)
{
    if (!r)
        return;
    r->closing = true;
    ares_destroy(r->chan);
    ev_timer_stop(r->ev, &r->timer);
    while (!list_empty(&r->lru))
        drop_entry(CONTAINER_OF(r->lru.next, struct entry, lru));
    map_fini(&r->by_name);
    free(r);
}

static void tell_waiting(struct entry *e)
{
    struct resolve_answer a = e->a; /* callbacks may evict the entry */
    struct list waiting;
    if (list_empty(&e->waiting))
        return;
    waiting = e->waiting;
    waiting.next->prev = waiting.prev->next = &waiting;
    list_init(&e->waiting);
    while (!list_empty(&waiting)) {
        struct resolve_query *q = CONTAINER_OF(waiting.next, struct resolve_query, link);
        list_drop(&q->link);
        q->waiting = false;
        q->on_done(q, &a);
    }
}

static void take_addresses(struct entry *e, const struct ares_addrinfo *ai, int family, int *ttl)
{
    for (const struct ares_addrinfo_node *n = ai->nodes; n && e->a.n < RESOLVE_MAX; n = n->ai_next) {
        struct sockaddr_storage ss = {0};
        if (n->ai_family != family || n->ai_addrlen > sizeof ss)
            continue;
        memcpy(&ss, n->ai_addr, n->ai_addrlen);
        e->a.addrs[e->a.n++] = addr_from_sockaddr(&ss, NULL);
        if (n->ai_ttl < *ttl)
            *ttl = n->ai_ttl;
    }
}

static const char *failure(int status)
{
    switch (status) {
    case ARES_ENOTFOUND: return "no-such-name";
    case ARES_ENODATA: return "no-address";
    case ARES_SUCCESS: return "no-address";
    case ARES_ETIMEOUT: return "dns-timeout";
    default: return "dns-failed";
    }
}

static void on_answer(void *arg, int status, int timeouts, struct ares_addrinfo *ai)
{
    struct entry *e = arg;
    int ttl = TTL_MAX_S;
    (void)timeouts;
    e->pending = false;
    if (e->r->closing) {
        ares_freeaddrinfo(ai);
        return;
    }
    e->a = (struct resolve_answer){0};
    if (status == ARES_SUCCESS && ai) {
        take_addresses(e, ai, AF_INET, &ttl);
        take_addresses(e, ai, AF_INET6, &ttl);
    }
    ares_freeaddrinfo(ai);
    if (e->a.n == 0) {
        e->a.why = failure(status);
        ttl = TTL_FAIL_S;
    }
    e->until_ms = ev_now_ms(e->r->ev) + (ttl < TTL_MIN_S ? TTL_MIN_S : ttl) * 1000LL;
    if (!e->inside)
        tell_waiting(e);
}

/* Room for one more name: the least recently used that nobody waits for goes. */
static void make_room(struct resolver *r)
{
    struct list *l = r->lru.next;
    while (r->by_name.n >= LIM_NAMES_CACHED && l != &r->lru) {
        struct entry *e = CONTAINER_OF(l, struct entry, lru);
        l = l->next;
        if (!e->pending)
            drop_entry(e);
    }
}

static enum rc new_entry(struct resolver *r, span name, struct entry **out)
{
    make_room(r);
    if (r->by_name.n >= LIM_NAMES_CACHED)
        return RC_LIMIT;
    struct entry *e = calloc(1, sizeof *e);
    if (!e)
        return RC_NOMEM;
    e->r = r;
    memcpy(e->name, name.p, name.n);
    list_init(&e->lru);
    list_init(&e->waiting);
    enum rc rc = map_put(&r->by_name, name, e);
    if (rc != RC_OK) {
        free(e);
        return rc;
    }
    *out = e;
    return RC_OK;
}

enum rc resolve_start(struct resolver *r, struct resolve_query *q, span name,
                      const struct resolve_answer **now)
{
    struct ares_addrinfo_hints hints = {.ai_family = AF_UNSPEC, .ai_flags = ARES_AI_NOSORT};
    *now = NULL;
    list_init(&q->link);
    q->waiting = false;
    if (name.n == 0 || name.n > LIM_NAME_BYTES)
        return RC_BAD;
    struct entry *e = map_find(&r->by_name, name);
    if (!e)
        TRY(new_entry(r, name, &e));
    list_drop(&e->lru);
    list_push(&r->lru, &e->lru);
    if (!e->pending && e->until_ms <= ev_now_ms(r->ev)) {
        e->pending = e->inside = true;
        ares_getaddrinfo(r->chan, e->name, NULL, &hints, on_answer, e);
        e->inside = false;
        rearm(r);
    }
    if (!e->pending) {
        *now = &e->a;
        return RC_OK;
    }
    q->waiting = true;
    list_push(&e->waiting, &q->link);
    return RC_OK;
}

void resolve_cancel(struct resolve_query *q)
{
    if (!q->waiting)
        return;
    list_drop(&q->link);
    q->waiting = false;
}
