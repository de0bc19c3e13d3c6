/* The compiler: one process per load of a policy. It reads the policy and what it names with the right to
 * read and nothing else (gw/proc/sandbox.c), and answers with what there is to say and, where there was no
 * error, the sealed parts. A policy that could make it misbehave would harm this process alone. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gw/base/clock.h"
#include "gw/base/log.h"
#include "gw/base/obj.h"
#include "gw/proc/parts.h"
#include "gw/proc/progress.h"
#include "gw/proc/role.h"

enum { DIAG_PIECE = 60000, COMPILER_NICE = 10 };

static progress_fn progress;

static enum rc say(struct role_ctx *ctx, span diag)
{
    for (size_t at = 0; at < diag.n; at += DIAG_PIECE)
        TRY(peer_send(ctx->master, MSG_DIAG, span_cut(diag, at, at + DIAG_PIECE), NULL, 0));
    return RC_OK;
}

/* Grants are not the compiler's; lists that it took from what is in force are there already. */
static enum rc answer(struct role_ctx *ctx, enum rc result, const struct compile_made *made,
                      const int fds[SNAP_PARTS])
{
    struct buf b = {0};
    struct parts_answer a = {.rc = result, .outcome = made->outcome, .manifest = made->manifest};
    int send[SNAP_PARTS];
    size_t n = 0;
    for (unsigned i = 0; result == RC_OK && i < PART_GRANTS; i++) {
        if (i != PART_POLICY && made->outcome != LISTS_BUILT && made->outcome != LISTS_KEPT)
            continue;
        a.made |= 1u << i;
        send[n++] = fds[i];
    }
    enum rc rc = parts_answer_put(&b, &a);
    if (rc == RC_OK)
        rc = peer_send(ctx->master, MSG_COMPILED, buf_span(&b), send, n);
    buf_fini(&b);
    return rc;
}

static enum rc compile(struct role_ctx *ctx, const struct parts_ask *ask, const int lists[2])
{
    int fds[SNAP_PARTS];
    uint8_t hash[SNAP_HASH] = {0};
    struct buf diag = {0};
    struct compile_made made = {0};
    struct compile_prev prev = {.manifest = ask->manifest};
    struct compile_opts opts = {.time_s = clock_wall_s(), .progress = progress, .made = &made};
    prev.fds[PART_LISTS] = lists[0];
    prev.fds[PART_LISTS_TEXT] = lists[1];
    opts.prev = ask->prev ? &prev : NULL;
    AUTO_FREE char *name = strndup((const char *)ask->path.p, ask->path.n);
    if (!name)
        return RC_NOMEM;
    enum rc result = policy_compile(name, &opts, fds, hash, &diag);
    progress_over();
    enum rc rc = say(ctx, buf_span(&diag));
    if (rc == RC_OK)
        rc = answer(ctx, result, &made, fds);
    for (size_t i = 0; i < SNAP_PARTS; i++) {
        if (fds[i] >= 0)
            close(fds[i]);
    }
    buf_fini(&diag);
    return rc;
}

static enum rc take(struct role_ctx *ctx, span payload, const int *fds, size_t n_fds)
{
    struct parts_ask ask;
    TRY(parts_ask_get(payload, &ask));
    size_t n_lists = ask.prev ? 2 : 0;
    int lists[2] = {-1, -1};
    if (n_fds != n_lists + ask.ca)
        return RC_BAD;
    memcpy(lists, fds, n_lists * sizeof *fds);
    ctx->sandbox_dirs[0] = ask.ca ? fds[n_lists] : -1;
    TRY(role_ready(ctx));
    return compile(ctx, &ask, lists);
}

static void on_msg(struct role_ctx *ctx, enum msg_type t, span payload, int *fds, size_t n_fds)
{
    enum rc rc = t == MSG_COMPILE ? take(ctx, payload, fds, n_fds) : RC_OK;
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
    if (nice(COMPILER_NICE) < 0)
        log_debug("compiling goes on at the ordinary priority"); /* traffic comes first */
    return RC_OK;
}

const struct role_ops compiler_ops = {.role = ROLE_COMPILER, .start = start, .on_msg = on_msg};
