/* Sessions of origins; see sessions.h. */
#include "gw/flow/sessions.h"

#include <stdlib.h>

#include "gw/base/lru.h"
#include "gw/base/obj.h"

enum { KEPT = 2 };

struct entry {
    struct lru_item item;
    struct origin_facts facts;
    SSL_SESSION *kept[KEPT]; /* the newest first */
};

struct sessions {
    struct lru lru;
};

static struct entry *entry_of(struct lru_item *item)
{
    return item ? CONTAINER_OF(item, struct entry, item) : NULL;
}

static void gone(struct lru_item *item)
{
    struct entry *e = entry_of(item);
    for (size_t i = 0; i < KEPT; i++)
        SSL_SESSION_free(e->kept[i]);
    facts_free(&e->facts);
    free(e);
}

enum rc sessions_new(size_t max, struct sessions **out)
{
    struct sessions *s = calloc(1, sizeof *s);
    *out = s;
    if (!s)
        return RC_NOMEM;
    lru_init(&s->lru, max, gone);
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
    SSL_SESSION *session = e->kept[0];
    if (!session)
        return NULL;
    if (SSL_SESSION_get_protocol_version(session) >= TLS1_3_VERSION) {
        e->kept[0] = e->kept[1];
        e->kept[1] = NULL;
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
    if (!e || facts_copy(&e->facts, facts) != RC_OK) {
        free(e);
        return NULL;
    }
    if (lru_put(&s->lru, span_of(place, PLACE_KEY), &e->item) == RC_OK)
        return e;
    gone(&e->item);
    return NULL;
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
    SSL_SESSION_free(e->kept[KEPT - 1]);
    e->kept[1] = e->kept[0];
    e->kept[0] = session;
    lru_used(&s->lru, &e->item);
    return true;
}
