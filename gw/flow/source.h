/* `source keep`: sockets bound to a client's own address, from the opener process (the worker has no
 * capability to bind them). One request at a time per flow; an opener that is away means that the flow is
 * refused, never that it leaves under another address. */
#ifndef GW_FLOW_SOURCE_H
#define GW_FLOW_SOURCE_H

#include "gw/flow/engine.h"

struct source_wait {
    struct ask_wait ask;                                  /* its link initialised by the owner */
    void (*done)(struct source_wait *w, int fd, int err); /* fd: the callee's, -1 with err */
};

void source_init(struct engine *e);
/* Takes the channel; replaces an old one. */
enum rc source_attach(struct engine *e, int fd) MUST_USE;
void source_detach(struct engine *e);
/* OK: done() comes later. GONE: no opener. */
enum rc source_ask(struct engine *e, struct source_wait *w, const struct addr *src, uint16_t port) MUST_USE;
void source_cancel(struct source_wait *w);

#endif
