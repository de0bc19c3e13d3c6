/* Where a connection leads, and what its certificate said; see place.h. */
#include "gw/flow/place.h"

#include <stdlib.h>

#include "gw/base/obj.h"
#include "gw/base/sha256.h"
#include "gw/flow/flow.h"
#include "gw/tls/ctx.h"
#include "gw/tls/offer.h"

enum rc place_key(const struct place *p, uint8_t key[PLACE_KEY])
{
    uint8_t head[48] = {p->addr.family,
                        p->named,
                        p->tls,
                        p->h2,
                        p->profile,
                        (uint8_t)(p->port >> 8),
                        (uint8_t)p->port,
                        (uint8_t)(p->version >> 8),
                        (uint8_t)p->version};
    memcpy(head + 16, p->addr.b, p->addr.family == 4 ? 4 : 16);
    memcpy(head + 32, &p->trust, sizeof p->trust);
    const span parts[] = {span_of(head, sizeof head), p->name}; /* the first is of one length */
    return sha256(parts, N_ELEMS(parts), key);
}

enum rc place_of(const struct flow *f, const struct addr *addr, uint8_t key[PLACE_KEY])
{
    const struct place p = {.addr = *addr,
                            .port = f->tls ? f->dst_port : f->tx->port,
                            .name = f->tls ? f->name : f->tx->host,
                            .named = f->name.n > 0 || f->connected_by_connect,
                            .tls = f->tls,
                            .h2 = f->hello && f->hello->alpn_h2,
                            .profile = f->tls && offer_lacks_128(f->hello),
                            .version = f->tls ? ctx_min_version(f->hello) : 0,
                            .trust = engine_trust_generation(f->e)};
    return place_key(&p, key);
}

/* ---- facts ---- */

enum rc facts_copy(struct origin_facts *to, const struct origin_facts *from)
{
    size_t n = from->subject.n, m = from->issuer.n;
    uint8_t *text = malloc(n + m + 1);
    if (!text)
        return RC_NOMEM;
    if (n)
        memcpy(text, from->subject.p, n);
    if (m)
        memcpy(text + n, from->issuer.p, m);
    *to = *from;
    to->subject = span_of(text, n);
    to->issuer = span_of(text + n, m);
    return RC_OK;
}

void facts_free(struct origin_facts *o)
{
    free((void *)(uintptr_t)o->subject.p); /* one piece, of which it is the beginning */
    *o = (struct origin_facts){0};
}

bool facts_hold(const struct origin_facts *o, int64_t now_s)
{
    return o->cert.defects == 0 && now_s >= o->since_s && now_s < o->until_s;
}

void facts_of(const struct flow *f, struct origin_facts *out)
{
    *out = (struct origin_facts){.cert = f->cert,
                                 .since_s = f->via.since_s,
                                 .until_s = f->via.until_s,
                                 .subject = f->subject,
                                 .issuer = f->issuer};
}

enum rc facts_give(struct flow *f, const struct origin_facts *o)
{
    span subject = arena_dup(&f->arena, o->subject), issuer = arena_dup(&f->arena, o->issuer);
    if (subject.n != o->subject.n || issuer.n != o->issuer.n)
        return RC_NOMEM;
    f->cert = o->cert;
    f->via.since_s = o->since_s;
    f->via.until_s = o->until_s;
    f->subject = subject;
    f->issuer = issuer;
    return RC_OK;
}
