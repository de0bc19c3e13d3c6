/* Kernel relay; see splice.h. */
#include "gw/net/splice.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gw/base/limits.h"
#include "gw/base/obj.h"

enum { MOVE_BYTES = 65536, ROUNDS = 8 };

/* ---- pool ---- */

enum rc pipe_pool_init(struct pipe_pool *p, size_t max)
{
    *p = (struct pipe_pool){.max = max, .free = calloc(max, sizeof *p->free)};
    return p->free ? RC_OK : RC_NOMEM;
}

void pipe_pool_fini(struct pipe_pool *p)
{
    while (p->n > 0) {
        p->n--;
        close(p->free[p->n][0]);
        close(p->free[p->n][1]);
    }
    free(p->free);
    p->free = NULL;
}

static bool pipe_take(struct pipe_pool *p, int out[2])
{
    if (p->n > 0) {
        p->n--;
        out[0] = p->free[p->n][0];
        out[1] = p->free[p->n][1];
        return true;
    }
    if (pipe2(out, O_NONBLOCK | O_CLOEXEC) < 0) {
        out[0] = out[1] = -1;
        p->n_refused++;
        return false;
    }
    p->n_made++;
    return true;
}

/* Only an empty pipe may go back to the pool: what is in it belongs to one flow. */
static void pipe_give(struct pipe_pool *p, struct splice_way *w)
{
    if (w->pipe[0] < 0)
        return;
    if (w->in_pipe == 0 && p->n < p->max) {
        p->free[p->n][0] = w->pipe[0];
        p->free[p->n][1] = w->pipe[1];
        p->n++;
    } else {
        close(w->pipe[0]);
        close(w->pipe[1]);
    }
    w->pipe[0] = w->pipe[1] = -1;
    w->in_pipe = 0;
}

/* ---- moving ---- */

static bool would_block(void)
{
    return errno == EAGAIN || errno == EINTR;
}

static size_t waiting(const struct splice_way *w)
{
    return w->in_pipe + buf_len(&w->copy);
}

/* Writes what waits. OK: nothing waits; AGAIN; IO. */
static enum rc drain(struct splice *s, struct splice_way *w, int to)
{
    while (buf_len(&w->copy) > 0) {
        ssize_t n = send(to, w->copy.p + w->copy.r, buf_len(&w->copy), MSG_NOSIGNAL);
        if (n < 0)
            return would_block() ? RC_AGAIN : RC_IO;
        buf_consume(&w->copy, (size_t)n);
        w->bytes += (uint64_t)n;
    }
    buf_fini(&w->copy);
    while (w->in_pipe > 0) {
        ssize_t n = splice(w->pipe[0], NULL, to, NULL, w->in_pipe, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
        if (n <= 0)
            return n < 0 && would_block() ? RC_AGAIN : RC_IO;
        w->in_pipe -= (size_t)n;
        w->bytes += (uint64_t)n;
    }
    pipe_give(s->pool, w);
    return RC_OK;
}

/* Reads into a pipe, or into memory where there is none. OK: bytes wait; CLOSED; AGAIN; IO. */
static enum rc fill(struct splice *s, struct splice_way *w, int from)
{
    ssize_t n;
    if (w->pipe[0] >= 0 || pipe_take(s->pool, w->pipe)) {
        n = splice(from, NULL, w->pipe[1], NULL, MOVE_BYTES, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
        if (n > 0)
            w->in_pipe += (size_t)n;
        else
            pipe_give(s->pool, w);
    } else {
        TRY(buf_reserve(&w->copy, LIM_IO_BYTES));
        n = recv(from, w->copy.p + w->copy.w, LIM_IO_BYTES, 0);
        if (n > 0)
            w->copy.w += (size_t)n;
        s->pool->n_copied += n > 0 ? (uint64_t)n : 0;
    }
    if (n < 0)
        return would_block() ? RC_AGAIN : RC_IO;
    if (n == 0)
        w->eof = true;
    return n == 0 ? RC_CLOSED : RC_OK;
}

/* One direction as far as it goes now. */
static enum rc move(struct splice *s, struct splice_way *w, int from, int to)
{
    for (int i = 0; i < ROUNDS; i++) {
        enum rc rc = drain(s, w, to);
        if (rc != RC_OK)
            return rc == RC_AGAIN ? RC_OK : rc;
        if (w->eof)
            break;
        rc = fill(s, w, from);
        if (rc == RC_AGAIN)
            return RC_OK;
        if (rc != RC_OK && rc != RC_CLOSED)
            return rc;
        s->last_ms = ev_now_ms(s->ev);
    }
    if (w->eof && waiting(w) == 0 && !w->shut) {
        w->shut = true;
        shutdown(to, SHUT_WR);
    }
    return RC_OK;
}

static enum rc watch_side(struct splice *s, int i)
{
    const struct splice_way *from = &s->way[i], *to = &s->way[!i];
    uint32_t want = 0;
    if (!from->eof && waiting(from) == 0)
        want |= EPOLLIN;
    if (waiting(to) > 0)
        want |= EPOLLOUT;
    if (want == 0 && from->eof) {
        ev_unwatch(s->ev, &s->side[i]);
        return RC_OK;
    }
    return ev_watch(s->ev, &s->side[i], want ? want : (uint32_t)EPOLLET);
}

void splice_stop(struct splice *s, bool with_reset)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    for (int i = 0; i < 2; i++) {
        pipe_give(s->pool, &s->way[i]);
        buf_fini(&s->way[i].copy);
        if (s->side[i].fd < 0)
            continue;
        if (with_reset)
            setsockopt(s->side[i].fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        ev_unwatch(s->ev, &s->side[i]);
        close(s->side[i].fd);
        s->side[i].fd = -1;
    }
}

static void run(struct splice *s)
{
    enum rc rc = move(s, &s->way[0], s->side[0].fd, s->side[1].fd);
    if (rc == RC_OK)
        rc = move(s, &s->way[1], s->side[1].fd, s->side[0].fd);
    bool over = s->way[0].shut && s->way[1].shut;
    if (rc == RC_OK && !over && watch_side(s, 0) == RC_OK && watch_side(s, 1) == RC_OK)
        return;
    if (!over) {
        s->err = errno;
        s->aborted = true;
    }
    splice_stop(s, s->aborted);
    s->on_end(s);
}

static void on_client(struct ev_io *io, uint32_t events)
{
    (void)events;
    run(CONTAINER_OF(io, struct splice, side[0]));
}

static void on_origin(struct ev_io *io, uint32_t events)
{
    (void)events;
    run(CONTAINER_OF(io, struct splice, side[1]));
}

enum rc splice_start(struct splice *s, struct ev *ev, struct pipe_pool *pool, int client, int origin,
                     struct buf *first)
{
    *s = (struct splice){
        .ev = ev, .pool = pool, .on_end = s->on_end, .data = s->data, .last_ms = ev_now_ms(ev)};
    s->side[0] = (struct ev_io){.fd = client, .cb = on_client};
    s->side[1] = (struct ev_io){.fd = origin, .cb = on_origin};
    for (int i = 0; i < 2; i++)
        s->way[i].pipe[0] = s->way[i].pipe[1] = -1;
    s->way[0].copy = *first;
    *first = (struct buf){.max = first->max};
    /* the origin is writable: the first turn sends what was kept and settles what to wait for */
    TRY(ev_watch(ev, &s->side[0], EPOLLRDHUP));
    return ev_watch(ev, &s->side[1], EPOLLOUT);
}
