/* What every process but the master begins with: `perrond --role NAME`, its channel to the master on
 * descriptor 3. role_run() sets up loop, log, panic and channel, waits for MSG_CONFIG, closes the sandbox of
 * the role when the role says that it has all it needs, and runs the loop until the master is gone or says
 * stop. */
#ifndef GW_PROC_ROLE_H
#define GW_PROC_ROLE_H

#include "gw/base/ev.h"
#include "gw/ipc/peer.h"
#include "gw/proc/sandbox.h"

enum { ROLE_FD = 3 };

struct role_ctx {
    enum role role;
    struct ev *ev;
    struct peer *master; /* NULL once the master is gone */
    struct role_config config;
    void *state; /* the role's own */
    /* The directories that the sandbox treats apart (sandbox_close), or -1. Those of MSG_LOGFILE, MSG_JOURNAL
     * and MSG_SEEN are kept by themselves. */
    int sandbox_dirs[SANDBOX_DIRS];
};

/* One per role; called by role_run. */
struct role_ops {
    enum role role;
    /* After MSG_CONFIG. */
    enum rc (*start)(struct role_ctx *ctx);
    /* Every message but HELLO, PING, CONFIG. Descriptors are the callee's. */
    void (*on_msg)(struct role_ctx *ctx, enum msg_type t, span payload, int *fds, size_t n_fds);
    /* MSG_STOP, or the master is gone (then grace_ms is 0 and ctx->master NULL): finish and ev_stop(). A role
     * that has not stopped LIM_STOP_OVERDUE_MS after its grace is stopped. The default (NULL) stops the loop
     * at once. */
    void (*on_stop)(struct role_ctx *ctx, uint32_t grace_ms);
    /* After the loop, if it was started: gives everything back, so that a leak check sees only what was lost.
     * May be NULL. */
    void (*end)(struct role_ctx *ctx);
};

/* Exit status of a signer whose token refused the PIN: trying it again may lock the token. */
enum { SIGNER_PIN_REFUSED = 3 };

int role_run(const struct role_ops *ops);
/* Closes the sandbox (gw/proc/sandbox.c) and sends READY. Called by the role once it has its descriptors. */
enum rc role_ready(struct role_ctx *ctx) MUST_USE;

extern const struct role_ops worker_ops, signer_ops, logger_ops, opener_ops, compiler_ops, keeper_ops,
    granter_ops, fetcher_ops;

#endif
