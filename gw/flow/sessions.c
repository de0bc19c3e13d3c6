/* Sessions of origins; see sessions.h. */
#include "gw/flow/sessions.h"

#include <stdlib.h>

#include "gw/base/limits.h"
#include "gw/base/lru.h"
#include "gw/base/obj.h"

struct entry {
    struct lru_item item;
    struct origin_facts facts;
    struct sessions *all;
    size_t n, cap;
    SSL_SESSION **kept; /* the newest last */
};

struct sessions {
    struct lru lru;
    size_t n, max;
};

static struct entry *entry_of(struct lru_item *item)
{
    return item ? CONTAINER_OF(item, struct entry, item) : NULL;
}

static void gone(struct lru_item *item)
{
    struct entry *e = entry_of(item);
    for (size_t i = 0; i < e->n; i++)
        SSL_SESSION_free(e->kept[i]);
    e->all->n -= e->n;
    free(e->kept);
    facts_free(&e->facts);
    free(e);
}

enum rc sessions_new(size_t max_places, size_t max_sessions, struct sessions **out)
{
    struct sessions *s = calloc(1, sizeof *s);
    *out = s;
    if (!s)
        return RC_NOMEM;
    s->max = max_sessions;
    lru_init(&s->lru, max_places, gone);
    return RC_OK;
}

void sessions_free(struct sessions *s)
{
    if (!s)
        return;
    lru_fini(&s->lru);
    free(s);
}

void sessions_clear(struct sessions *s)
{
    lru_clear(&s->lru);
}

size_t sessions_count(const struct sessions *s)
{
    return s->lru.map.n;
}

size_t sessions_kept(const struct sessions *s)
{
    return s->n;
}

static struct entry *find(struct sessions *s, const uint8_t place[PLACE_KEY])
{
    return entry_of(lru_find(&s->lru, span_of(place, PLACE_KEY)));
}

void sessions_drop(struct sessions *s, const uint8_t place[PLACE_KEY])
{
    struct entry *e = find(s, place);
    if (e)
        lru_drop(&s->lru, &e->item);
}

SSL_SESSION *sessions_take(struct sessions *s, const uint8_t place[PLACE_KEY], int64_t now_s,
                           struct origin_facts *facts)
{
    struct entry *e = find(s, place);
    if (!e)
        return NULL;
    if (!facts_hold(&e->facts, now_s)) {
        lru_drop(&s->lru, &e->item);
        return NULL;
    }
    if (e->n == 0)
        return NULL;
    SSL_SESSION *session = e->kept[e->n - 1];
    if (SSL_SESSION_get_protocol_version(session) >= TLS1_3_VERSION) {
        e->n--;
        s->n--;
    } else if (SSL_SESSION_up_ref(session) != 1) {
        return NULL;
    }
    lru_used(&s->lru, &e->item);
    *facts = e->facts;
    return session;
}

static struct entry *new_entry(struct sessions *s, const uint8_t place[PLACE_KEY],
                               const struct origin_facts *facts)
{
    struct entry *e = calloc(1, sizeof *e);
    if (e)
        e->all = s;
    if (!e || facts_copy(&e->facts, facts) != RC_OK) {
        free(e);
        return NULL;
    }
    if (lru_put(&s->lru, span_of(place, PLACE_KEY), &e->item) == RC_OK)
        return e;
    gone(&e->item);
    return NULL;
}

/* One more on top; the oldest of the place goes where it has enough. */
static bool keep(struct sessions *s, struct entry *e, SSL_SESSION *session)
{
    if (e->n == LIM_ORIGIN_TICKETS) {
        SSL_SESSION_free(e->kept[0]);
        memmove(e->kept, e->kept + 1, --e->n * sizeof(SSL_SESSION *));
        s->n--;
    }
    if (e->n == e->cap) {
        size_t cap = e->cap ? e->cap * 2 : 2;
        SSL_SESSION **more = reallocarray(e->kept, cap, sizeof(SSL_SESSION *));
        if (!more)
            return false;
        e->kept = more;
        e->cap = cap;
    }
    e->kept[e->n++] = session;
    s->n++;
    return true;
}

/* The chain may have been verified again meanwhile: what holds longer counts. */
static bool same_certificate(const struct entry *e, const struct origin_facts *facts)
{
    return memcmp(e->facts.cert.leaf_sha256, facts->cert.leaf_sha256, sizeof facts->cert.leaf_sha256) == 0;
}

bool sessions_put(struct sessions *s, const uint8_t place[PLACE_KEY], int64_t now_s, SSL_SESSION *session,
                  const struct origin_facts *facts)
{
    struct entry *e = find(s, place);
    if (!facts_hold(facts, now_s))
        e = NULL;
    else if (!e || !same_certificate(e, facts)) /* a new entry takes the place of the old one */
        e = new_entry(s, place, facts);
    if (!e) {
        SSL_SESSION_free(session);
        return false;
    }
    if (facts->since_s > e->facts.since_s) {
        e->facts.cert = facts->cert;
        e->facts.since_s = facts->since_s;
        e->facts.until_s = facts->until_s;
    }
    lru_used(&s->lru, &e->item);
    if (!keep(s, e, session)) {
        SSL_SESSION_free(session);
        return false;
    }
    while (s->n > s->max && s->lru.order.next != &e->item.link)
        lru_drop(&s->lru, CONTAINER_OF(s->lru.order.next, struct lru_item, link));
    return true;
}
