/* Buckets per client; see share.h. */
#include "gw/flow/share.h"

#include <stdlib.h>

#include "gw/base/limits.h"

struct bucket {
    int64_t milli; /* thousandths of a leaf */
    int64_t at_ms;
};

void share_init(struct share *s)
{
    map_init(&s->by_client, LIM_CLIENTS_SHARED);
}

void share_fini(struct share *s)
{
    size_t it = 0;
    span key;
    void *bucket;
    while (map_next(&s->by_client, &it, &key, &bucket))
        free(bucket);
    map_fini(&s->by_client);
}

static struct bucket *bucket_of(struct share *s, span key, int64_t now_ms)
{
    struct bucket *b = map_find(&s->by_client, key);
    if (b)
        return b;
    if (s->by_client.n >= LIM_CLIENTS_SHARED)
        share_fini(s);
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
    uint8_t key[9] = {client->family};
    size_t n = client->family == 4 ? 4 : 8;
    memcpy(key + 1, client->b, n);
    struct bucket *b = bucket_of(s, span_of(key, n + 1), now_ms);
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
