/* Client of the opener process; see source.h. */
#include "gw/flow/source.h"

#include <errno.h>
#include <unistd.h>

#include "gw/base/obj.h"

static void answered(struct ask *a, struct ask_wait *w, struct rd *r, int fd)
{
    int err = (int)rd_u32(r);
    (void)a;
    if (w) {
        struct source_wait *s = CONTAINER_OF(w, struct source_wait, ask);
        s->done(s, fd, fd >= 0 ? 0 : err ? err : EIO);
    } else if (fd >= 0) {
        close(fd); /* its flow has ended meanwhile */
    }
}

static void failed(struct ask_wait *w)
{
    struct source_wait *s = CONTAINER_OF(w, struct source_wait, ask);
    s->done(s, -1, ECONNRESET);
}

static const struct ask_kind kind = {
    .me = ROLE_WORKER, .them = ROLE_OPENER, .answer = MSG_SRCSOCK, .answered = answered, .failed = failed};

void source_init(struct engine *e)
{
    ask_init(&e->opener, &kind);
}

enum rc source_attach(struct engine *e, int fd)
{
    return ask_attach(&e->opener, e->ev, fd);
}

void source_detach(struct engine *e)
{
    ask_detach(&e->opener);
}

enum rc source_ask(struct engine *e, struct source_wait *w, const struct addr *src, uint16_t port)
{
    struct buf b = {0};
    enum rc rc = buf_put_u8(&b, src->family);
    if (rc == RC_OK)
        rc = buf_put_u16(&b, port);
    if (rc == RC_OK)
        rc = buf_put(&b, span_of(src->b, sizeof src->b));
    if (rc == RC_OK)
        rc = ask_send(&e->opener, &w->ask, MSG_SRCSOCK_REQ, buf_span(&b));
    buf_fini(&b);
    return rc;
}

void source_cancel(struct source_wait *w)
{
    ask_drop(&w->ask);
}
