/* The keeper: when the master is gone, however it went, its policy routing is removed (the kernel itself
 * removes the table that diverts, gw/net/nft.h). It has CAP_NET_ADMIN, its channel and the descriptor by
 * which the gateway holds its place; a successor gets that place only when the keeper has done its work and
 * is gone.
 *
 * It leads a session of its own, so that a signal to the master's terminal or process group does not take it
 * along. Without a PLAN it removes nothing: the gateway never diverted. */
#include <errno.h>
#include <unistd.h>

#include "gw/base/log.h"
#include "gw/net/route.h"
#include "gw/proc/role.h"

struct keeper {
    bool diverts;
    int place;
};

static struct keeper keeper = {.place = -1};

static enum rc start(struct role_ctx *ctx)
{
    ctx->state = &keeper;
    if (setsid() < 0 && errno != EPERM) /* EPERM: it leads one already */
        log_warn("keeper: a session of its own: errno %d", errno);
    return role_ready(ctx);
}

static void take_plan(struct keeper *k, span payload, int *fds, size_t n_fds)
{
    struct rd r = rd_of(payload);
    k->diverts = rd_u8(&r) == 1;
    if (n_fds == 0)
        return;
    if (k->place >= 0)
        close(k->place);
    k->place = fds[0];
    fds[0] = -1;
}

static void on_msg(struct role_ctx *ctx, enum msg_type t, span payload, int *fds, size_t n_fds)
{
    if (t == MSG_PLAN)
        take_plan(ctx->state, payload, fds, n_fds);
    for (size_t i = 0; i < n_fds; i++) {
        if (fds[i] >= 0)
            close(fds[i]);
    }
}

static void on_stop(struct role_ctx *ctx, uint32_t grace_ms)
{
    const struct route_divert ours = ROUTE_DIVERT_OURS;
    struct keeper *k = ctx->state;
    (void)grace_ms;
    if (k->diverts && route_divert_remove(&ours) != RC_OK)
        log_error("keeper: our policy routing could not be removed: errno %d", errno);
    if (k->place >= 0)
        close(k->place);
    k->place = -1;
    ev_stop(ctx->ev);
}

const struct role_ops keeper_ops = {
    .role = ROLE_KEEPER, .start = start, .on_msg = on_msg, .on_stop = on_stop};
