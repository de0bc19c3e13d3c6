/* The life of every child: channel on descriptor 3, HELLO, CONFIG, drop of privileges, start of the role,
 * heartbeats, STOP; see role.h. The end of the master's channel is a stop without grace: no child outlives
 * its master for longer than it takes to finish what it alone can finish (logger: the rings; keeper: rules
 * and routes). The context is this process's one global state and lives here. */
#include "gw/proc/role.h"

#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>

#include "gw/base/clock.h"
#include "gw/base/limits.h"
#include "gw/base/log.h"
#include "gw/base/obj.h"
#include "gw/base/panic.h"

struct life {
    struct role_ctx ctx;
    const struct role_ops *ops;
    struct ev_timer overdue; /* a role that does not come to its end by itself */
    bool configured, failed;
};
static struct life life;

static void give_up(const char *what, enum rc rc)
{
    log_error("%s: %s", what, rc_text(rc));
    life.failed = true;
    ev_stop(life.ctx.ev);
}

static void on_overdue(struct ev_timer *t)
{
    (void)t;
    ev_stop(life.ctx.ev);
}

static void stop(uint32_t grace_ms)
{
    if (!life.configured || !life.ops->on_stop) {
        ev_stop(life.ctx.ev);
        return;
    }
    ev_timer_set(life.ctx.ev, &life.overdue, (int64_t)grace_ms + LIM_STOP_OVERDUE_MS);
    life.ops->on_stop(&life.ctx, grace_ms);
}

/* "worker 2" in log lines, "perron:worker2" in ps. */
static void take_name(void)
{
    char who[32], comm[16];
    const char *role = role_name(life.ctx.role);
    if (life.ctx.role == ROLE_WORKER) {
        snprintf(who, sizeof who, "%s %u", role, (unsigned)life.ctx.config.index);
        snprintf(comm, sizeof comm, "perron:%s%u", role, (unsigned)life.ctx.config.index);
    } else {
        snprintf(who, sizeof who, "%s", role);
        snprintf(comm, sizeof comm, "perron:%s", role);
    }
    log_setup(who, (enum log_level)life.ctx.config.log_level);
    if (!life.configured) /* later the sandbox would not let it */
        prctl(PR_SET_NAME, comm);
}

static void configure(span payload)
{
    struct role_config config;
    enum rc rc = role_config_get(payload, &config);
    if (rc != RC_OK) {
        give_up("configuration from the master", rc);
        return;
    }
    life.ctx.config = config;
    clock_set_offset(config.clock_offset_us);
    take_name();
    if (life.configured)
        return; /* a later CONFIG moves clock and log level only */
    life.configured = true;
    rc = sandbox_drop(life.ctx.role, config.index);
    if (rc != RC_OK) {
        give_up("dropping privileges", rc);
        return;
    }
    rc = life.ops->start(&life.ctx);
    if (rc != RC_OK)
        give_up("start", rc);
}

static void pong(span number)
{
    if (peer_send(life.ctx.master, MSG_PONG, number, NULL, 0) != RC_OK)
        log_debug("heartbeat not answered");
}

static uint32_t grace_of(span payload)
{
    struct rd r = rd_of(payload);
    uint32_t ms = rd_u32(&r);
    return r.bad || ms > LIM_DRAIN_MS ? 0 : ms;
}

/* The sandbox needs to know the directories that the logger may write to. */
static void remember_dir(int *dir, const int *fds, size_t n_fds)
{
    if (n_fds == 1 && *dir < 0)
        *dir = dup(fds[0]);
}

static void on_msg(struct peer *p, enum msg_type type, span payload, int *fds, size_t n_fds)
{
    (void)p;
    switch (type) {
    case MSG_PING: pong(payload); return;
    case MSG_STOP: stop(grace_of(payload)); return;
    case MSG_CONFIG: configure(payload); return;
    case MSG_LOGFILE: remember_dir(&life.ctx.sandbox_dirs[0], fds, n_fds); break;
    case MSG_JOURNAL: remember_dir(&life.ctx.sandbox_dirs[1], fds, n_fds); break;
    case MSG_SEEN: remember_dir(&life.ctx.sandbox_dirs[2], fds, n_fds); break;
    default: break;
    }
    if (life.configured && !life.failed) {
        life.ops->on_msg(&life.ctx, type, payload, fds, n_fds);
        return;
    }
    log_warn("message %s before the configuration: ignored", msg_name(type));
    for (size_t i = 0; i < n_fds; i++)
        close(fds[i]);
}

static void on_end(struct peer *p, enum rc rc)
{
    (void)p;
    life.ctx.master = NULL;
    if (rc == RC_BAD)
        life.failed = true;
    stop(0);
}

enum rc role_ready(struct role_ctx *ctx)
{
    TRY(sandbox_close(ctx->role, ctx->sandbox_dirs));
    return ctx->master ? peer_send(ctx->master, MSG_READY, SPAN_NONE, NULL, 0) : RC_CLOSED;
}

static enum rc say_hello(void)
{
    struct buf b = {0};
    enum rc rc = buf_put_u32(&b, (uint32_t)getpid());
    if (rc == RC_OK)
        rc = peer_send(life.ctx.master, MSG_HELLO, buf_span(&b), NULL, 0);
    buf_fini(&b);
    return rc;
}

/* The master alone decides when a child ends: a Ctrl-C or a service manager's signal to the whole group must
 * not cut flows that it wants to drain. */
static void settle_signals(void)
{
    static const int ignored[] = {SIGPIPE, SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    sigset_t none;
    for (size_t i = 0; i < N_ELEMS(ignored); i++)
        signal(ignored[i], SIG_IGN);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL); /* the master blocks what it reads from a signalfd */
    panic_catch_signals();
}

int role_run(const struct role_ops *ops)
{
    life = (struct life){.ctx = {.role = ops->role, .sandbox_dirs = {-1, -1, -1}}, .ops = ops};
    ev_timer_init(&life.overdue, on_overdue);
    log_setup(role_name(ops->role), LOG_INFO);
    settle_signals();
    enum rc rc = ev_new(&life.ctx.ev);
    if (rc == RC_OK)
        rc = peer_new(life.ctx.ev, ROLE_FD, ops->role, ROLE_MASTER, on_msg, on_end, NULL, &life.ctx.master);
    if (rc == RC_OK)
        rc = say_hello();
    if (rc == RC_OK)
        rc = ev_run(life.ctx.ev);
    if (rc != RC_OK)
        log_error("%s", rc_text(rc));
    if (life.ctx.state && ops->end)
        ops->end(&life.ctx);
    return rc == RC_OK && !life.failed ? 0 : 1;
}
