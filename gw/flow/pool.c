/* Idle connections with origins; see pool.h. A shelf is one key's connections, newest last. */
#include "gw/flow/pool.h"

#include <openssl/ssl.h>
#include <stdlib.h>

#include "gw/base/limits.h"
#include "gw/base/lru.h"
#include "gw/base/obj.h"

struct shelf {
    struct lru_item item;
    struct pool *pool;
    struct list idle;
    size_t n;
};

struct idle {
    struct stream s; /* first: its callback gets from the io to here */
    struct list link;
    struct shelf *shelf;
    struct origin_facts facts;
    struct ev_timer over;
    struct ev_later reap;
};

struct pool {
    struct ev *ev;
    struct lru lru;
    size_t n;
    bool ending;
};

/* ---- ends ---- */

static void on_reap(struct ev_later *l)
{
    free(CONTAINER_OF(l, struct idle, reap));
}

/* Out of its shelf; the memory goes at the end of the turn, for an event of the turn may still name it. */
static void let_go(struct idle *i)
{
    struct pool *p = i->shelf->pool;
    list_drop(&i->link);
    i->shelf->n--;
    p->n--;
    ev_timer_stop(p->ev, &i->over);
    stream_fini(&i->s);
    facts_free(&i->facts);
    if (p->ending)
        free(i);
    else
        ev_defer(p->ev, &i->reap);
}

static void shelf_gone(struct lru_item *item)
{
    struct shelf *h = CONTAINER_OF(item, struct shelf, item);
    while (!list_empty(&h->idle))
        let_go(CONTAINER_OF(h->idle.next, struct idle, link));
    free(h);
}

static void close_idle(struct idle *i)
{
    struct shelf *h = i->shelf;
    let_go(i);
    if (h->n == 0)
        lru_drop(&h->pool->lru, &h->item);
}

/* In order, as far as the socket takes it now. */
static void close_in_order(struct idle *i)
{
    stream_bye(&i->s);
    close_idle(i);
}

static void on_over(struct ev_timer *t)
{
    close_in_order(CONTAINER_OF(t, struct idle, over));
}

/* Is there nothing to be read? TLS may have messages of its own (tickets) that are nothing. */
static bool is_quiet(struct stream *s)
{
    uint8_t byte;
    size_t got;
    s->ready = true;
    return stream_read(s, &byte, 1, &got) == RC_AGAIN && !s->in_eof;
}

static void on_event(struct ev_io *io, uint32_t events)
{
    struct idle *i = CONTAINER_OF(CONTAINER_OF(io, struct stream, io), struct idle, s);
    stream_event(&i->s, events);
    if ((events & (EPOLLERR | EPOLLHUP)) || !is_quiet(&i->s) || stream_watch(&i->s) != RC_OK)
        close_idle(i);
}

/* ---- life ---- */

enum rc pool_new(struct ev *ev, size_t max_places, struct pool **out)
{
    struct pool *p = calloc(1, sizeof *p);
    *out = p;
    if (!p)
        return RC_NOMEM;
    p->ev = ev;
    lru_init(&p->lru, max_places, shelf_gone);
    return RC_OK;
}

void pool_clear(struct pool *p)
{
    lru_clear(&p->lru);
}

void pool_free(struct pool *p)
{
    if (!p)
        return;
    p->ending = true;
    lru_fini(&p->lru);
    free(p);
}

size_t pool_count(const struct pool *p)
{
    return p->n;
}

/* ---- in and out ---- */

static struct shelf *shelf_of(struct pool *p, const uint8_t key[PLACE_KEY], bool make)
{
    struct lru_item *found = lru_find(&p->lru, span_of(key, PLACE_KEY));
    if (found || !make)
        return found ? CONTAINER_OF(found, struct shelf, item) : NULL;
    struct shelf *h = calloc(1, sizeof *h);
    if (!h)
        return NULL;
    h->pool = p;
    list_init(&h->idle);
    if (lru_put(&p->lru, span_of(key, PLACE_KEY), &h->item) == RC_OK)
        return h;
    free(h);
    return NULL;
}

static struct idle *idle_new(const struct origin_facts *facts)
{
    struct idle *i = calloc(1, sizeof *i);
    if (i && facts && facts_copy(&i->facts, facts) != RC_OK) {
        free(i);
        return NULL;
    }
    return i;
}

bool pool_put(struct pool *p, const uint8_t key[PLACE_KEY], struct stream *s,
              const struct origin_facts *facts)
{
    struct idle *i = is_quiet(s) ? idle_new(facts) : NULL;
    struct shelf *h = i ? shelf_of(p, key, true) : NULL;
    if (!h) {
        if (i)
            facts_free(&i->facts);
        free(i);
        return false;
    }
    stream_init(&i->s, p->ev, -1, on_event);
    i->shelf = h;
    i->reap.cb = on_reap;
    ev_timer_init(&i->over, on_over);
    stream_move(&i->s, s);
    if (i->s.ssl)
        SSL_set_app_data(i->s.ssl, NULL);
    list_push(&h->idle, &i->link);
    h->n++;
    p->n++;
    lru_used(&p->lru, &h->item);
    stream_trim(&i->s);
    ev_timer_set(p->ev, &i->over, LIM_POOL_IDLE_MS);
    if (stream_watch(&i->s) != RC_OK) {
        close_idle(i);
        return true;
    }
    if (h->n > LIM_POOL_EACH)
        close_in_order(CONTAINER_OF(h->idle.next, struct idle, link));
    return true;
}

bool pool_take(struct pool *p, const uint8_t key[PLACE_KEY], struct stream *s, struct origin_facts *facts)
{
    struct shelf *h;
    *facts = (struct origin_facts){0};
    while ((h = shelf_of(p, key, false)) != NULL) {
        struct idle *i = CONTAINER_OF(h->idle.prev, struct idle, link);
        if (!is_quiet(&i->s)) { /* it ended in this very turn */
            close_idle(i);
            continue;
        }
        stream_move(s, &i->s);
        *facts = i->facts;
        i->facts = (struct origin_facts){0};
        close_idle(i);
        return true;
    }
    return false;
}
