/* Buckets and counts per client; see share.h. A count stands in the map itself, in the place of a pointer. */
#include "gw/flow/share.h"

#include <stdlib.h>

#include "gw/base/limits.h"
#include "gw/base/obj.h"

struct bucket {
    int64_t milli; /* thousandths of a leaf */
    int64_t at_ms;
};

struct client {
    struct h2_waiting waiting;
    size_t users;
};

void share_init(struct share *s)
{
    map_init(&s->waiting, 0); /* at most one entry a flow */
    s->all = (struct h2_waiting){.most = LIM_H2_WAITING_BYTES};
    map_init(&s->by_client, LIM_CLIENTS_SHARED);
    map_init(&s->open, 0); /* at most two entries a flow */
}

static void forget_buckets(struct share *s)
{
    size_t it = 0;
    span key;
    void *bucket;
    while (map_next(&s->by_client, &it, &key, &bucket))
        free(bucket);
    map_fini(&s->by_client);
}

void share_fini(struct share *s)
{
    forget_buckets(s);
    map_fini(&s->open);
    map_fini(&s->waiting); /* whoever had an entry has put it back */
}

/* An address, of IPv6 the /64 that it is in. */
static span client_key(const struct addr *client, uint8_t out[9])
{
    size_t n = client->family == 4 ? 4 : 8;
    out[0] = client->family;
    memcpy(out + 1, client->b, n);
    return span_of(out, n + 1);
}

static struct bucket *bucket_of(struct share *s, span key, int64_t now_ms)
{
    struct bucket *b = map_find(&s->by_client, key);
    if (b)
        return b;
    if (s->by_client.n >= LIM_CLIENTS_SHARED)
        forget_buckets(s);
    b = malloc(sizeof *b);
    if (!b)
        return NULL;
    *b = (struct bucket){LIM_CLIENT_MINT_BURST * 1000LL, now_ms};
    if (map_put(&s->by_client, key, b) == RC_OK)
        return b;
    free(b);
    return NULL;
}

bool share_take(struct share *s, const struct addr *client, int64_t now_ms)
{
    uint8_t key[9];
    struct bucket *b = bucket_of(s, client_key(client, key), now_ms);
    if (!b)
        return true;
    b->milli += (now_ms - b->at_ms) * LIM_CLIENT_MINT_RATE; /* per second = thousandths per millisecond */
    if (b->milli > LIM_CLIENT_MINT_BURST * 1000LL)
        b->milli = LIM_CLIENT_MINT_BURST * 1000LL;
    b->at_ms = now_ms;
    if (b->milli < 1000)
        return false;
    b->milli -= 1000;
    return true;
}

/* ---- open flows ---- */

enum { KEY_BYTES = 18, V4_NETWORK = 3, V6_NETWORK = 8 };

/* An address, or the network that it is in. */
static span key_of(const struct addr *client, bool network, uint8_t out[KEY_BYTES])
{
    bool v4 = client->family == 4;
    size_t whole = v4 ? 4 : 16, part = v4 ? V4_NETWORK : V6_NETWORK, n = network ? part : whole;
    out[0] = client->family;
    out[1] = network;
    memcpy(out + 2, client->b, n);
    return span_of(out, n + 2);
}

static uintptr_t count_of(const struct share *s, span key)
{
    return (uintptr_t)map_find(&s->open, key);
}

static bool set_count(struct share *s, span key, uintptr_t n)
{
    if (n > 0)
        return map_put(&s->open, key, (void *)n) == RC_OK; /* NOLINT(performance-no-int-to-ptr) */
    map_take(&s->open, key);
    return true;
}

static bool enter(struct share *s, span key, uintptr_t most)
{
    uintptr_t n = count_of(s, key);
    return n < most && set_count(s, key, n + 1);
}

static void leave(struct share *s, span key)
{
    uintptr_t n = count_of(s, key);
    gw_assert(n > 0);
    bool ok = set_count(s, key, n - 1);
    gw_assert(ok); /* a key that is there needs no memory */
}

bool share_enter(struct share *s, const struct addr *client)
{
    uint8_t host[KEY_BYTES], network[KEY_BYTES];
    span a = key_of(client, false, host);
    if (!enter(s, a, LIM_CLIENT_FLOWS))
        return false;
    if (enter(s, key_of(client, true, network), LIM_NETWORK_FLOWS))
        return true;
    leave(s, a);
    return false;
}

void share_leave(struct share *s, const struct addr *client)
{
    uint8_t key[KEY_BYTES];
    leave(s, key_of(client, false, key));
    leave(s, key_of(client, true, key));
}

/* ---- memory of HTTP/2 ---- */

struct h2_waiting *share_waiting_get(struct share *s, const struct addr *client)
{
    uint8_t bytes[9];
    span key = client_key(client, bytes);
    struct client *c = map_find(&s->waiting, key);
    if (!c) {
        c = calloc(1, sizeof *c);
        if (!c || map_put(&s->waiting, key, c) != RC_OK) {
            free(c);
            return NULL;
        }
        c->waiting = (struct h2_waiting){.most = LIM_H2_CLIENT_WAITING_BYTES, .up = &s->all};
    }
    c->users++;
    return &c->waiting;
}

void share_waiting_put(struct share *s, const struct addr *client)
{
    uint8_t bytes[9];
    span key = client_key(client, bytes);
    struct client *c = map_find(&s->waiting, key);
    gw_assert(c && c->users > 0);
    if (--c->users > 0)
        return;
    gw_assert(c->waiting.bytes == 0);
    map_take(&s->waiting, key);
    free(c);
}
