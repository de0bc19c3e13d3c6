/* Memory of libnghttp2. A session of it keeps a buffer of 16 KiB for the frame that is being written, which
 * is most of what an idle connection costs. We take each frame out as soon as it is written, before another
 * session writes one, so all sessions of a worker have the same buffer: the one that is asked for while a
 * session is made. What they ask for later (a head of several frames) is their own. */
#include <stdlib.h>

#include "gw/http/h2_int.h"

enum {
    FRAME_BYTES = 16384 + 9 + 1
}; /* another number in another version: then each session has its own again */

static void *take(size_t n, void *arg)
{
    struct h2 *s = arg;
    struct h2_pool *p = s->pool;
    if (!s->making || s->shares || n != FRAME_BYTES)
        return malloc(n);
    if (!p->frame)
        p->frame = malloc(FRAME_BYTES);
    s->shares = p->frame != NULL;
    return p->frame;
}

static void *take_many(size_t n, size_t each, void *arg)
{
    (void)arg;
    return calloc(n, each);
}

static void give(void *at, void *arg)
{
    const struct h2 *s = arg;
    if (at != s->pool->frame)
        free(at);
}

static void *change(void *at, size_t n, void *arg)
{
    const struct h2 *s = arg;
    if (!at)
        return take(n, arg);
    if (at != s->pool->frame)
        return realloc(at, n);
    void *own = malloc(n > FRAME_BYTES ? n : FRAME_BYTES);
    if (own)
        memcpy(own, at, FRAME_BYTES);
    return own;
}

nghttp2_mem h2_mem(struct h2 *s)
{
    return (nghttp2_mem){s, take, give, take_many, change};
}
