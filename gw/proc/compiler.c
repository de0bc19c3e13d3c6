/* The compiler: one process per load of a policy. It reads the policy and what it names with the right to
 * read and nothing else (gw/proc/sandbox.c), and answers with what there is to say and, where there was no
 * error, the sealed parts. A policy that could make it misbehave would harm this process alone. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gw/base/clock.h"
#include "gw/base/log.h"
#include "gw/base/obj.h"
#include "gw/proc/progress.h"
#include "gw/proc/role.h"
#include "policy/compile.h"

enum { DIAG_PIECE = 60000 };

static progress_fn progress;

static enum rc say(struct role_ctx *ctx, span diag)
{
    for (size_t at = 0; at < diag.n; at += DIAG_PIECE)
        TRY(peer_send(ctx->master, MSG_DIAG, span_cut(diag, at, at + DIAG_PIECE), NULL, 0));
    return RC_OK;
}

/* u32 rc, u32 parts, hash. */
static enum rc answer(struct role_ctx *ctx, enum rc result, const uint8_t hash[SNAP_HASH],
                      const int fds[SNAP_PARTS])
{
    struct buf b = {0};
    size_t parts = result == RC_OK ? SNAP_PARTS : 0;
    enum rc rc = buf_put_u32(&b, (uint32_t)result);
    if (rc == RC_OK)
        rc = buf_put_u32(&b, (uint32_t)parts);
    if (rc == RC_OK)
        rc = buf_put(&b, span_of(hash, SNAP_HASH));
    if (rc == RC_OK)
        rc = peer_send(ctx->master, MSG_COMPILED, buf_span(&b), fds, parts);
    buf_fini(&b);
    return rc;
}

static enum rc compile(struct role_ctx *ctx, span path)
{
    int fds[SNAP_PARTS] = {-1, -1, -1};
    uint8_t hash[SNAP_HASH] = {0};
    struct buf diag = {0};
    const struct compile_opts opts = {.time_s = clock_wall_s(), .progress = progress};
    AUTO_FREE char *name = strndup((const char *)path.p, path.n);
    if (!name)
        return RC_NOMEM;
    enum rc result = policy_compile(name, &opts, fds, hash, &diag);
    progress_over();
    enum rc rc = say(ctx, buf_span(&diag));
    if (rc == RC_OK)
        rc = answer(ctx, result, hash, fds);
    for (size_t i = 0; i < SNAP_PARTS; i++) {
        if (fds[i] >= 0)
            close(fds[i]);
    }
    buf_fini(&diag);
    return rc;
}

static void on_msg(struct role_ctx *ctx, enum msg_type t, span payload, int *fds, size_t n_fds)
{
    enum rc rc = RC_OK;
    if (t == MSG_COMPILE && payload.n > 1) {
        ctx->sandbox_dir = n_fds ? fds[0] : -1;
        rc = role_ready(ctx);
        if (rc == RC_OK)
            rc = compile(ctx, span_cut(payload, 1, payload.n));
    }
    for (size_t i = 0; i < n_fds; i++)
        close(fds[i]);
    if (rc == RC_OK)
        return; /* the master ends us when it has everything */
    log_error("compiling: %s", rc_text(rc));
    ev_stop(ctx->ev);
}

static enum rc start(struct role_ctx *ctx)
{
    (void)ctx;
    progress = progress_shown(); /* asks the terminal, which the sandbox does not let it do */
    return RC_OK;
}

const struct role_ops compiler_ops = {.role = ROLE_COMPILER, .start = start, .on_msg = on_msg};
