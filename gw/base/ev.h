/* The event loop of every process: descriptors (epoll), timers (a wheel of 16 ms slots), and work put off to
 * the end of a turn. One thread. Callbacks may add, change and remove anything, themselves included; memory
 * that an event of the same turn may still name is freed from ev_defer(). */
#ifndef GW_BASE_EV_H
#define GW_BASE_EV_H

#include <stdint.h>
#include <sys/epoll.h>

#include "gw/base/err.h"
#include "gw/base/map.h"

struct ev;

/* Embedded in its owner. `fd` is borrowed: remove before closing. */
struct ev_io {
    int fd;
    uint32_t events; /* what epoll was asked for; 0: not registered */
    void (*cb)(struct ev_io *io, uint32_t events);
};

struct ev_timer {
    struct list link;
    int64_t due_ms; /* 0: not running */
    int64_t slot_ms;
    void (*cb)(struct ev_timer *t);
};

struct ev_later {
    struct ev_later *next;
    bool queued;
    void (*cb)(struct ev_later *l);
};

enum rc ev_new(struct ev **out) MUST_USE;
void ev_free(struct ev *ev);
/* Runs until ev_stop(), also one that came before; may be run again. IO when epoll fails. */
enum rc ev_run(struct ev *ev) MUST_USE;
/* One turn, waiting at most wait_ms for something to happen. For tests and for draining. */
enum rc ev_turn(struct ev *ev, int wait_ms) MUST_USE;
void ev_stop(struct ev *ev);

/* Watch io->fd; `events` are EPOLLIN, EPOLLOUT, EPOLLET ... Calling again changes them; 0: ev_unwatch(). */
enum rc ev_watch(struct ev *ev, struct ev_io *io, uint32_t events) MUST_USE;
void ev_unwatch(struct ev *ev, struct ev_io *io);
/* The same for a descriptor that is closed next and has no duplicate: the kernel forgets it by itself. */
void ev_forget(struct ev *ev, struct ev_io *io);

void ev_timer_init(struct ev_timer *t, void (*cb)(struct ev_timer *));
/* (Re)arms the timer to fire once, delay_ms from now (16 ms steps, never early). Moving a deadline later is
 * free. */
void ev_timer_set(struct ev *ev, struct ev_timer *t, int64_t delay_ms);
void ev_timer_stop(struct ev *ev, struct ev_timer *t);

/* Calls l->cb once at the end of this turn, after every event of the turn; when called from such a callback,
 * at the end of the next turn, which then does not wait. */
void ev_defer(struct ev *ev, struct ev_later *l);

/* Monotonic time of this turn. */
int64_t ev_now_ms(const struct ev *ev);

#endif
