/* The end of a channel that asks: every question bears a number, and whoever asked waits for the answer that
 * bears the same. Both kinds of message begin with it (u64). What the answers say, and what it means that
 * none will come, is the owner's. */
#ifndef GW_IPC_ASK_H
#define GW_IPC_ASK_H

#include "gw/base/map.h"
#include "gw/ipc/peer.h"

struct ask;

struct ask_wait {
    struct list link; /* initialised by the owner */
    uint64_t id;
};

struct ask_kind {
    enum role me, them;
    enum msg_type answer;
    /* The answer behind its number. w is no longer waiting; NULL: it has given up meanwhile. fd (-1: none) is
     * the callee's. */
    void (*answered)(struct ask *a, struct ask_wait *w, struct rd *r, int fd);
    /* No answer will come; the channel is closed or replaced. It may ask again only later. */
    void (*failed)(struct ask_wait *w);
};

struct ask {
    const struct ask_kind *kind;
    struct peer *peer; /* NULL: nobody is there */
    struct list waiting;
    uint64_t last;
};

void ask_init(struct ask *a, const struct ask_kind *kind);
/* Takes the channel. Whoever waits for an answer from an older one has failed. NOMEM, or what epoll says: the
 * descriptor is closed. */
enum rc ask_attach(struct ask *a, struct ev *ev, int fd) MUST_USE;
/* Closes; all who wait have failed. It can be attached again. */
void ask_detach(struct ask *a);
/* OK: answered() or failed() comes later, unless w is dropped before. GONE: nobody is there; FULL: its queue
 * is; NOMEM. */
enum rc ask_send(struct ask *a, struct ask_wait *w, enum msg_type type, span question) MUST_USE;
void ask_drop(struct ask_wait *w);

#endif
