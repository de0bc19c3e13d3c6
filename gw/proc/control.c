/* The control socket's connections; see control.h. Only root can connect (mode of the socket and of its
 * directory), but a request is still read with bounds, and a client that does not read its answers is
 * dropped, not waited for. */
#include "gw/proc/control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "gw/base/log.h"
#include "gw/base/obj.h"
#include "gw/proc/control_int.h"

struct client *control_client(struct control *ctl, uint64_t id)
{
    for (size_t i = 0; ctl && id && i < LIM_CONTROL_CLIENTS; i++) {
        if (ctl->client[i] && ctl->client[i]->id == id)
            return ctl->client[i];
    }
    return NULL;
}

static void client_free(struct client *c)
{
    struct control *ctl = c->owner;
    for (size_t i = 0; i < LIM_CONTROL_CLIENTS; i++) {
        if (ctl->client[i] == c)
            ctl->client[i] = NULL;
    }
    ev_unwatch(ctl->m->ev, &c->io);
    ev_timer_stop(ctl->m->ev, &c->late);
    close(c->io.fd);
    buf_fini(&c->in);
    buf_fini(&c->out);
    for (size_t w = 0; w < LIM_WORKERS; w++)
        buf_fini(&c->part[w]);
    free(c);
}

/* ---- answers ---- */

static void want_write(struct client *c)
{
    if (ev_watch(c->owner->m->ev, &c->io, EPOLLIN | EPOLLOUT) != RC_OK)
        log_warn("control: epoll refused a change");
}

void client_say(struct client *c, json_t *line)
{
    AUTO_FREE char *text = line ? json_dumps(line, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;
    json_decref(line);
    if (!text || buf_put_str(&c->out, text) != RC_OK || buf_put_u8(&c->out, '\n') != RC_OK)
        log_warn("control: an answer did not fit");
    want_write(c);
}

void client_say_raw(struct client *c, const char *head, span text, const char *tail)
{
    size_t at = c->out.w + strlen(head);
    if (buf_reserve(&c->out, strlen(head) + text.n + strlen(tail) + 1) != RC_OK ||
        buf_put_str(&c->out, head) != RC_OK || buf_put(&c->out, text) != RC_OK)
        return;
    for (; at < c->out.w; at++) {
        if (c->out.p[at] < 0x20)
            c->out.p[at] = ' '; /* one answer stays one line */
    }
    if (buf_put_str(&c->out, tail) != RC_OK || buf_put_u8(&c->out, '\n') != RC_OK)
        log_warn("control: an answer did not fit");
    want_write(c);
}

static void over(struct client *c, json_t *line, const char *error)
{
    json_t *text = error ? json_string(error) : NULL;
    if (line && error)
        json_object_set_new(line, "error", text ? text : json_string("an error whose text is not UTF-8"));
    c->id = 0;
    c->close_when_empty = true;
    client_say(c, line);
}

void client_done(struct client *c, const char *error)
{
    over(c, json_pack("{s:b, s:b}", "done", 1, "ok", error == NULL), error);
}

void client_busy(struct client *c, const char *error)
{
    over(c, json_pack("{s:b, s:b, s:b}", "done", 1, "ok", 0, "busy", 1), error);
}

/* ---- connections ---- */

/* One request a connection: the first line. */
static void on_line(struct client *c, span line)
{
    json_error_t where;
    json_t *request = json_loadb((const char *)line.p, line.n, JSON_REJECT_DUPLICATES, &where);
    c->id = ++c->owner->next_id;
    if (json_is_object(request))
        control_command(c, request);
    else
        client_done(c, "that is not a request");
    json_decref(request);
}

/* False: gone. */
static bool read_in(struct client *c)
{
    uint8_t bytes[4096];
    for (;;) {
        ssize_t n = recv(c->io.fd, bytes, sizeof bytes, MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            break;
        if (n <= 0 || c->id || buf_put(&c->in, span_of(bytes, (size_t)n)) != RC_OK)
            return false; /* left, or says more than one line */
    }
    size_t end = span_find(buf_span(&c->in), '\n', 0);
    if (end == SIZE_MAX || c->id || c->close_when_empty)
        return true;
    on_line(c, span_cut(buf_span(&c->in), 0, end));
    return true;
}

static bool write_out(struct client *c)
{
    while (buf_len(&c->out)) {
        span out = buf_span(&c->out);
        ssize_t n = send(c->io.fd, out.p, out.n, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0)
            return errno == EAGAIN || errno == EINTR;
        buf_consume(&c->out, (size_t)n);
    }
    if (c->close_when_empty)
        return false;
    return ev_watch(c->owner->m->ev, &c->io, EPOLLIN) == RC_OK;
}

static void on_client(struct ev_io *io, uint32_t events)
{
    struct client *c = CONTAINER_OF(io, struct client, io);
    bool stays = true;
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        stays = read_in(c);
    if (stays && (events & EPOLLOUT))
        stays = write_out(c);
    if (!stays)
        client_free(c);
}

static void admit(struct control *ctl, int fd)
{
    struct ucred who;
    socklen_t n = sizeof who;
    size_t i = 0;
    while (i < LIM_CONTROL_CLIENTS && ctl->client[i])
        i++;
    struct client *c = i < LIM_CONTROL_CLIENTS ? calloc(1, sizeof *c) : NULL;
    if (!c || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) < 0) {
        free(c);
        close(fd);
        return;
    }
    *c = (struct client){.owner = ctl, .io = {.fd = fd, .cb = on_client}, .uid = who.uid};
    buf_init(&c->in, LIM_CONTROL_BYTES);
    buf_init(&c->out, LIM_CONTROL_OUT_BYTES);
    for (size_t w = 0; w < LIM_WORKERS; w++)
        buf_init(&c->part[w], LIM_CONTROL_OUT_BYTES);
    ev_timer_init(&c->late, NULL);
    ctl->client[i] = c;
    if (ev_watch(ctl->m->ev, &c->io, EPOLLIN) != RC_OK)
        client_free(c);
}

static void on_connect(struct ev_io *io, uint32_t events)
{
    struct control *ctl = CONTAINER_OF(io, struct control, io);
    int fd;
    (void)events;
    while ((fd = accept4(io->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0)
        admit(ctl, fd);
}

static enum rc refuse(const struct master *m, struct buf *err)
{
    enum rc rc = buf_printf(err, "%s/control: control socket: %s\n", m->o->state, strerror(errno));
    return rc == RC_OK ? RC_CONFIG : rc;
}

/* The lock on the state directory is ours, so a socket that is there belongs to nobody any more. */
enum rc control_open(struct master *m, struct buf *err)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    struct control *ctl = calloc(1, sizeof *ctl);
    if (!ctl)
        return RC_NOMEM;
    m->control = ctl;
    ctl->m = m;
    ctl->io = (struct ev_io){.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0),
                             .cb = on_connect};
    if (ctl->io.fd < 0)
        return refuse(m, err);
    int n = snprintf(at.sun_path, sizeof at.sun_path, "%s/control", m->o->state);
    if (n < 0 || (size_t)n >= sizeof at.sun_path) {
        errno = ENAMETOOLONG;
        return refuse(m, err);
    }
    unlink(at.sun_path);
    if (bind(ctl->io.fd, (struct sockaddr *)&at, sizeof at) < 0 || chmod(at.sun_path, 0600) < 0 ||
        listen(ctl->io.fd, LIM_CONTROL_CLIENTS) < 0)
        return refuse(m, err);
    return ev_watch(m->ev, &ctl->io, EPOLLIN);
}

void control_close(struct control *ctl)
{
    if (!ctl)
        return;
    for (size_t i = 0; i < LIM_CONTROL_CLIENTS; i++) {
        if (ctl->client[i]) {
            (void)write_out(ctl->client[i]);
            client_free(ctl->client[i]);
        }
    }
    if (ctl->io.fd >= 0) {
        ev_unwatch(ctl->m->ev, &ctl->io);
        close(ctl->io.fd);
        unlinkat(ctl->m->state.dir, "control", 0);
    }
    free(ctl);
}
