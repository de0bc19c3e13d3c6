/* Client of the opener process; see source.h. */
#include "gw/flow/source.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "gw/base/obj.h"
#include "gw/ipc/peer.h"

struct source_channel {
    struct engine *e;
    struct peer *peer;
    struct list waiting;
    uint64_t next_id;
};

static void finish(struct source_wait *w, int fd, int err)
{
    list_drop(&w->link);
    w->done(w, fd, err);
}

static void on_msg(struct peer *p, enum msg_type t, span payload, int *fds, size_t n_fds)
{
    struct source_channel *c = peer_data(p);
    struct rd r = rd_of(payload);
    uint64_t id = rd_u64(&r);
    int err = (int)rd_u32(&r), fd = n_fds == 1 ? fds[0] : -1;
    for (struct list *l = c->waiting.next; t == MSG_SRCSOCK && !r.bad && l != &c->waiting; l = l->next) {
        struct source_wait *w = CONTAINER_OF(l, struct source_wait, link);
        if (w->id == id) {
            finish(w, fd, fd >= 0 ? 0 : err ? err : EIO);
            return;
        }
    }
    if (fd >= 0)
        close(fd); /* its flow has ended meanwhile */
}

static void fail_all(struct source_channel *c)
{
    while (!list_empty(&c->waiting))
        finish(CONTAINER_OF(c->waiting.next, struct source_wait, link), -1, ECONNRESET);
}

static void on_end(struct peer *p, enum rc rc)
{
    struct source_channel *c = peer_data(p);
    (void)rc;
    c->peer = NULL;
    fail_all(c);
}

enum rc source_attach(struct engine *e, int fd)
{
    struct source_channel *c = e->opener;
    if (!c) {
        c = calloc(1, sizeof *c);
        if (!c) {
            close(fd);
            return RC_NOMEM;
        }
        c->e = e;
        list_init(&c->waiting);
        e->opener = c;
    }
    peer_free(c->peer);
    c->peer = NULL;
    fail_all(c);
    return peer_new(e->ev, fd, ROLE_WORKER, ROLE_OPENER, on_msg, on_end, c, &c->peer);
}

void source_detach(struct engine *e)
{
    if (!e->opener)
        return;
    fail_all(e->opener);
    peer_free(e->opener->peer);
    free(e->opener);
    e->opener = NULL;
}

enum rc source_ask(struct engine *e, struct source_wait *w, const struct addr *src, uint16_t port)
{
    struct source_channel *c = e->opener;
    struct buf b = {0};
    if (!c || !c->peer)
        return RC_GONE;
    w->id = ++c->next_id;
    enum rc rc = buf_put_u64(&b, w->id);
    if (rc == RC_OK)
        rc = buf_put_u8(&b, src->family);
    if (rc == RC_OK)
        rc = buf_put_u16(&b, port);
    if (rc == RC_OK)
        rc = buf_put(&b, span_of(src->b, sizeof src->b));
    if (rc == RC_OK)
        rc = peer_send(c->peer, MSG_SRCSOCK_REQ, buf_span(&b), NULL, 0);
    buf_fini(&b);
    if (rc == RC_OK)
        list_push(&c->waiting, &w->link);
    return rc;
}

void source_cancel(struct source_wait *w)
{
    list_drop(&w->link);
}
