/* Event loop; see ev.h.
 * The wheel has 1,024 slots of 16 ms. A timer sits in the slot of its deadline as it was when it was
 * (re)inserted; a later deadline only changes due_ms and is honoured when the slot comes by. That makes the
 * idle timer of a busy flow free: it is touched once per 16 s, not once per packet. */
#include "gw/base/ev.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "gw/base/clock.h"
#include "gw/base/obj.h"

enum { TICK_MS = 16, SLOTS = 1024, BATCH = 256 };

struct ev {
    int epfd;
    bool stopping;
    int64_t now_ms, tick; /* tick: the last slot number that was served */
    struct list wheel[SLOTS];
    uint64_t busy[SLOTS / 64]; /* slots that may hold a timer */
    size_t n_timers;
    struct ev_later *later, **later_end;
    struct epoll_event batch[BATCH];
    int n_batch, at_batch;
};

enum rc ev_new(struct ev **out)
{
    struct ev *ev = calloc(1, sizeof *ev);
    if (!ev)
        return RC_NOMEM;
    ev->epfd = epoll_create1(EPOLL_CLOEXEC);
    if (ev->epfd < 0) {
        free(ev);
        return RC_IO;
    }
    for (size_t i = 0; i < SLOTS; i++)
        list_init(&ev->wheel[i]);
    ev->now_ms = clock_mono_ms();
    ev->tick = ev->now_ms / TICK_MS;
    ev->later_end = &ev->later;
    *out = ev;
    return RC_OK;
}

void ev_free(struct ev *ev)
{
    if (!ev)
        return;
    close(ev->epfd);
    free(ev);
}

enum rc ev_watch(struct ev *ev, struct ev_io *io, uint32_t events)
{
    struct epoll_event e = {.events = events, .data.ptr = io};
    if (events == 0)
        ev_unwatch(ev, io);
    if (io->events == events)
        return RC_OK;
    if (epoll_ctl(ev->epfd, io->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, io->fd, &e) < 0)
        return RC_IO;
    io->events = events;
    return RC_OK;
}

void ev_forget(struct ev *ev, struct ev_io *io)
{
    for (int i = ev->at_batch; i < ev->n_batch; i++) { /* an event of this turn must not find it any more */
        if (ev->batch[i].data.ptr == io)
            ev->batch[i].data.ptr = NULL;
    }
    io->events = 0;
}

void ev_unwatch(struct ev *ev, struct ev_io *io)
{
    if (!io->events)
        return;
    epoll_ctl(ev->epfd, EPOLL_CTL_DEL, io->fd, NULL);
    ev_forget(ev, io);
}

void ev_timer_init(struct ev_timer *t, void (*cb)(struct ev_timer *))
{
    *t = (struct ev_timer){.cb = cb};
    list_init(&t->link);
}

static void wheel_insert(struct ev *ev, struct ev_timer *t)
{
    int64_t tick = (t->due_ms + TICK_MS - 1) / TICK_MS;
    if (tick <= ev->tick)
        tick = ev->tick + 1;
    t->slot_ms = tick * TICK_MS;
    list_push(&ev->wheel[tick % SLOTS], &t->link);
    ev->busy[tick % SLOTS / 64] |= UINT64_C(1) << (tick % 64);
}

void ev_timer_set(struct ev *ev, struct ev_timer *t, int64_t delay_ms)
{
    int64_t due = ev->now_ms + (delay_ms > 0 ? delay_ms : 1);
    bool running = t->due_ms != 0;
    t->due_ms = due;
    if (running && t->slot_ms <= due)
        return; /* its slot comes by first and moves it on */
    if (!running)
        ev->n_timers++;
    list_drop(&t->link);
    wheel_insert(ev, t);
}

void ev_timer_stop(struct ev *ev, struct ev_timer *t)
{
    if (t->due_ms == 0)
        return;
    list_drop(&t->link);
    t->due_ms = 0;
    ev->n_timers--;
}

static void serve_slot(struct ev *ev, struct list *slot)
{
    struct list due;
    if (list_empty(slot))
        return;
    due = *slot; /* take the whole slot: callbacks may insert into it again */
    due.next->prev = due.prev->next = &due;
    list_init(slot);
    while (!list_empty(&due)) {
        struct ev_timer *t = CONTAINER_OF(due.next, struct ev_timer, link);
        list_drop(&t->link);
        if (t->due_ms > ev->now_ms) {
            wheel_insert(ev, t);
            continue;
        }
        t->due_ms = 0;
        ev->n_timers--;
        t->cb(t);
    }
}

static void serve_timers(struct ev *ev)
{
    int64_t to = ev->now_ms / TICK_MS;
    if (to - ev->tick > SLOTS)
        ev->tick = to - SLOTS; /* the process slept: one round serves every slot */
    while (ev->tick < to) {
        ev->tick++;
        serve_slot(ev, &ev->wheel[ev->tick % SLOTS]);
    }
}

/* The first tick after `from` whose slot may hold a timer, at most one round on. */
static int64_t next_busy(const struct ev *ev, int64_t from)
{
    for (int64_t tick = from + 1; tick <= from + SLOTS;) {
        uint64_t word = ev->busy[tick % SLOTS / 64] >> (tick % 64);
        if (word)
            return tick + __builtin_ctzll(word);
        tick += 64 - tick % 64;
    }
    return from + SLOTS;
}

/* Milliseconds until the next slot that holds a timer; -1 when there is none. */
static int next_wait(struct ev *ev)
{
    if (ev->n_timers == 0)
        return -1;
    for (int64_t tick = next_busy(ev, ev->tick);; tick = next_busy(ev, tick)) {
        if (list_empty(&ev->wheel[tick % SLOTS]) && tick < ev->tick + SLOTS) {
            ev->busy[tick % SLOTS / 64] &=
                ~(UINT64_C(1) << (tick % 64)); /* its timers were stopped or moved */
            continue;
        }
        int64_t wait = tick * TICK_MS - clock_mono_ms();
        return wait < 0 ? 0 : (int)wait;
    }
}

void ev_defer(struct ev *ev, struct ev_later *l)
{
    if (l->queued)
        return;
    l->queued = true;
    l->next = NULL;
    *ev->later_end = l;
    ev->later_end = &l->next;
}

/* Those queued up to now; what they queue themselves is for the next turn, so that nobody starves the
 * sockets. */
static void serve_later(struct ev *ev)
{
    struct ev_later *l = ev->later;
    ev->later = NULL;
    ev->later_end = &ev->later;
    while (l) {
        struct ev_later *next = l->next;
        l->queued = false;
        l->cb(l);
        l = next;
    }
}

enum rc ev_turn(struct ev *ev, int wait_ms)
{
    int wait = next_wait(ev);
    if (wait_ms >= 0 && (wait < 0 || wait > wait_ms))
        wait = wait_ms;
    if (ev->later)
        wait = 0;
    int n = epoll_wait(ev->epfd, ev->batch, BATCH, wait);
    if (n < 0 && errno != EINTR)
        return RC_IO;
    ev->now_ms = clock_mono_ms();
    ev->n_batch = n < 0 ? 0 : n;
    for (ev->at_batch = 0; ev->at_batch < ev->n_batch;) {
        struct epoll_event *e = &ev->batch[ev->at_batch++];
        struct ev_io *io = e->data.ptr;
        if (io)
            io->cb(io, e->events);
    }
    ev->n_batch = ev->at_batch = 0;
    serve_timers(ev);
    serve_later(ev);
    return RC_OK;
}

enum rc ev_run(struct ev *ev)
{
    while (!ev->stopping)
        TRY(ev_turn(ev, -1));
    ev->stopping = false;
    return RC_OK;
}

void ev_stop(struct ev *ev)
{
    ev->stopping = true;
}

int64_t ev_now_ms(const struct ev *ev)
{
    return ev->now_ms;
}
