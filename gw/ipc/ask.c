/* Questions and who waits for them; see ask.h. */
#include "gw/ipc/ask.h"

#include <unistd.h>

#include "gw/base/obj.h"

void ask_init(struct ask *a, const struct ask_kind *kind)
{
    *a = (struct ask){.kind = kind};
    list_init(&a->waiting);
}

void ask_drop(struct ask_wait *w)
{
    list_drop(&w->link);
}

/* Out of the list, or NULL. */
static struct ask_wait *take(struct ask *a, uint64_t id)
{
    for (struct list *l = a->waiting.next; l != &a->waiting; l = l->next) {
        struct ask_wait *w = CONTAINER_OF(l, struct ask_wait, link);
        if (w->id == id) {
            ask_drop(w);
            return w;
        }
    }
    return NULL;
}

static void on_msg(struct peer *p, enum msg_type type, span payload, int *fds, size_t n_fds)
{
    struct ask *a = peer_data(p);
    struct rd r = rd_of(payload);
    uint64_t id = rd_u64(&r);
    if (type == a->kind->answer && !r.bad && n_fds <= 1) {
        a->kind->answered(a, take(a, id), &r, n_fds == 1 ? fds[0] : -1);
        return;
    }
    for (size_t i = 0; i < n_fds; i++)
        close(fds[i]);
}

static void fail_all(struct ask *a)
{
    while (!list_empty(&a->waiting)) {
        struct ask_wait *w = CONTAINER_OF(a->waiting.next, struct ask_wait, link);
        ask_drop(w);
        a->kind->failed(w);
    }
}

static void on_end(struct peer *p, enum rc rc)
{
    struct ask *a = peer_data(p);
    (void)rc;
    a->peer = NULL;
    fail_all(a);
}

enum rc ask_attach(struct ask *a, struct ev *ev, int fd)
{
    ask_detach(a);
    return peer_new(ev, fd, a->kind->me, a->kind->them, on_msg, on_end, a, &a->peer);
}

void ask_detach(struct ask *a)
{
    peer_free(a->peer);
    a->peer = NULL;
    fail_all(a);
}

enum rc ask_send(struct ask *a, struct ask_wait *w, enum msg_type type, span question)
{
    struct buf b = {0};
    if (!a->peer)
        return RC_GONE;
    w->id = ++a->last;
    enum rc rc = buf_put_u64(&b, w->id);
    if (rc == RC_OK)
        rc = buf_put(&b, question);
    if (rc == RC_OK)
        rc = peer_send(a->peer, type, buf_span(&b), NULL, 0);
    buf_fini(&b);
    if (rc == RC_OK)
        list_push(&a->waiting, &w->link);
    return rc;
}
