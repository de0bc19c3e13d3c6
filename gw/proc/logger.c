/* The logger: the only process that writes log and journal, and the names seen lately. It has the rings of
 * all workers and the three directories, and the register of leaves to sync, nothing else. The work is in
 * gw/siem/drain, spool, journal and seen; here are its messages, its sleep and its end, and which decisions
 * let a name through.
 *
 * Sleep: it looks, finds nothing, says "sleeping" in every ring, looks once more, and waits for the eventfd.
 * While there is work it does not say so but looks every drain_gather_ms(): under load no worker spends a
 * system call on waking it, and one sync serves many lines. A worker killed between its line and its wake-up
 * call is found by the slow tick. End: told to stop it empties the rings first; with the master gone it waits
 * until the workers are silent. */
#include "gw/proc/role.h"

#include <errno.h>
#include <string.h>

#include "gw/base/clock.h"
#include "gw/base/limits.h"
#include "gw/base/log.h"
#include "gw/base/obj.h"
#include "gw/proc/synced.h"
#include "gw/siem/drain.h"
#include "gw/siem/seen.h"
#include "policy/record.h"

enum { DAY_S = 86400 };
enum { LOGGER_WAKES = LIM_WORKERS + 8, LOGGER_BATCHES = 8, LOGGER_TICK_MS = 1000 };

struct logger {
    struct role_ctx *ctx;
    struct drain *drain;
    struct seen *seen;
    struct synced leaves; /* the signer's register */
    int leaves_errno;     /* said of it last */
    struct record record; /* the one that is looked at */
    struct ev_io wake[LOGGER_WAKES];
    size_t n_wakes;
    struct ev_timer again, tick, names;
    int64_t turn_us; /* what a turn took lately, at most */
    uint32_t today;  /* days since 1970, of the turn that is under way */
    bool idle_once;  /* the last look found nothing; the next such look goes to sleep */
    bool ready, stopping, orphan;
    bool warned;     /* of what the end loses */
    int64_t busy_ms; /* when a line was last there */
    int told_errno;
    uint64_t told_lines;
};
static struct logger logger;

static void tell_master(void)
{
    const struct drain_counts *n = drain_counts(logger.drain);
    int err = drain_errno(logger.drain);
    struct buf b = {0};
    if (!logger.ctx->master || (err == logger.told_errno && n->lines == logger.told_lines))
        return;
    if (err != logger.told_errno) {
        if (err)
            log_error("%s cannot be written (%s); lines and records wait in the rings",
                      drain_failing(logger.drain), strerrorname_np(err));
        else
            log_info("log and journal are written again");
    }
    if (buf_put_u64(&b, n->lines) == RC_OK && buf_put_u64(&b, n->bytes) == RC_OK &&
        buf_put_u32(&b, (uint32_t)err) == RC_OK &&
        peer_send(logger.ctx->master, MSG_LOG_STATE, buf_span(&b), NULL, 0) == RC_OK) {
        logger.told_errno = err;
        logger.told_lines = n->lines;
    }
    buf_fini(&b);
}

static uint32_t today(void)
{
    int64_t s = clock_wall_s();
    return s < 0 ? 0 : (uint32_t)(s / DAY_S);
}

/* The slowest turn counts for long: one in eight of what it took beyond the others goes with each. */
static enum rc turn(void)
{
    int64_t from_us = clock_mono_us();
    logger.today = today();
    enum rc rc = drain_turn(logger.drain);
    int64_t took_us = clock_mono_us() - from_us, less_us = logger.turn_us - logger.turn_us / 8;
    if (rc == RC_OK)
        logger.turn_us = took_us > less_us ? took_us : less_us;
    return rc;
}

static int64_t gather_ms(void)
{
    return drain_gather_ms((logger.turn_us + 999) / 1000);
}

static void look_again_in(int64_t ms)
{
    ev_timer_set(logger.ctx->ev, &logger.again, ms);
}

/* Nothing was there. */
static void rest(void)
{
    int64_t silent_ms = ev_now_ms(logger.ctx->ev) - logger.busy_ms;
    if (logger.stopping && (!logger.orphan || silent_ms >= LIM_LOG_LINGER_MS)) {
        tell_master();
        ev_stop(logger.ctx->ev);
        return;
    }
    if (!logger.idle_once || logger.stopping) {
        logger.idle_once = true;
        look_again_in(LIM_LOG_GATHER_MS);
        return;
    }
    drain_sleeping(logger.drain, true);
    if (turn() != RC_MORE) { /* something came while we said so */
        drain_sleeping(logger.drain, false);
        logger.idle_once = false;
        look_again_in(1);
    }
}

/* The rings die with the gateway. */
static void warn_of_loss(void)
{
    if (logger.stopping && !logger.warned)
        log_error("alarm: the gateway ends and %s cannot be written: what waits in the rings is lost",
                  drain_failing(logger.drain));
    logger.warned = logger.stopping;
}

static void work(void)
{
    enum rc rc = RC_OK;
    bool more = true;
    for (int i = 0; i < LOGGER_BATCHES && more; i++) {
        rc = turn();
        more = rc == RC_OK && drain_full(logger.drain);
        if (rc == RC_OK) {
            logger.busy_ms = ev_now_ms(logger.ctx->ev);
            logger.idle_once = !more; /* the next look comes late enough to be trusted */
        }
    }
    if (rc == RC_OK) { /* heartbeats are answered in between */
        look_again_in(more || logger.stopping ? 1 : gather_ms());
    } else if (rc == RC_MORE) {
        rest();
    } else if (rc == RC_NOTFOUND && logger.stopping) {
        ev_stop(logger.ctx->ev); /* never had a file */
    } else {
        tell_master();
        warn_of_loss();
        look_again_in(LIM_LOG_RETRY_MS);
    }
}

static void on_again(struct ev_timer *t)
{
    (void)t;
    work();
}

/* Edge-triggered and never read: a captured worker shares the descriptor and could make a read block. */
static void on_wake(struct ev_io *io, uint32_t events)
{
    (void)io;
    (void)events;
    drain_sleeping(logger.drain, false);
    logger.idle_once = false;
    if (drain_errno(logger.drain) == 0)
        work();
}

static void say_of_leaves(enum rc synced)
{
    int err = synced == RC_OK ? 0 : errno;
    if (err && err != logger.leaves_errno)
        log_error("alarm: the register of leaves is not on disk: %s", strerrorname_np(err));
    logger.leaves_errno = err;
}

static void on_tick(struct ev_timer *t)
{
    drain_check_file(logger.drain);
    say_of_leaves(synced_turn(&logger.leaves)); /* a power cut may take what came since the last tick */
    tell_master();
    ev_timer_set(logger.ctx->ev, t, LOGGER_TICK_MS);
    if (logger.again.due_ms == 0)
        work();
}

/* ---- names seen lately ---- */

/* What is blocked anyway is no news to the guard of lists; where a warning stood nobody has been yet. */
static bool let_through(const struct record *r)
{
    enum action a = r->verdict.action;
    return (r->facts.step == STEP_CONNECT || r->facts.step == STEP_REQUEST) &&
           (a == ACT_ALLOW || a == ACT_EXEMPT || a == ACT_INSPECT);
}

/* The name is the only thing that is taken out of a record. */
static void on_record(const struct journal_frame *f, void *arg)
{
    (void)arg;
    struct record *r = &logger.record;
    if (record_decode(f->record, r) == RC_OK && let_through(r) && r->facts.name.n)
        seen_ask(logger.seen, r->facts.name, r->flow, logger.today);
}

static void write_names(void)
{
    enum rc rc = seen_write(logger.seen, today());
    if (rc != RC_OK && rc != RC_NOTFOUND)
        log_warn("names seen lately cannot be written: %s; the file of before stands",
                 strerrorname_np(errno));
}

static void on_names(struct ev_timer *t)
{
    write_names();
    ev_timer_set(logger.ctx->ev, t, LIM_SEEN_WRITE_MS);
}

/* ---- messages ---- */

static void on_logfile(span name, int dir)
{
    enum rc rc = drain_target(logger.drain, dir, name);
    if (rc != RC_OK)
        log_error("log file: %s", rc_text(rc));
    if (!logger.ready) {
        rc = role_ready(logger.ctx);
        if (rc != RC_OK) {
            log_error("sandbox: %s", rc_text(rc));
            ev_stop(logger.ctx->ev);
            return;
        }
        logger.ready = true;
    }
    look_again_in(1);
}

static void close_both(const int fds[2])
{
    close(fds[0]);
    close(fds[1]);
}

/* Several rings may share one eventfd: then each message brings a descriptor of its own, which does no harm.
 */
static void on_rings(span payload, const int fds[2])
{
    struct rd r = rd_of(payload);
    uint32_t worker = rd_u32(&r);
    uint64_t boot = rd_u64(&r);
    enum rc rc =
        r.bad || logger.n_wakes == LOGGER_WAKES ? RC_LIMIT : drain_add(logger.drain, fds[0], boot, worker);
    struct ev_io *io = &logger.wake[logger.n_wakes];
    if (rc == RC_OK) {
        *io = (struct ev_io){.fd = fds[1], .cb = on_wake};
        rc = ev_watch(logger.ctx->ev, io, EPOLLIN | EPOLLET);
    }
    if (rc != RC_OK) {
        log_error("ring of worker %u: %s", worker, rc_text(rc));
        close_both(fds);
        return;
    }
    close(fds[0]);
    logger.n_wakes++;
    look_again_in(1);
}

static void on_msg(struct role_ctx *ctx, enum msg_type t, span payload, int *fds, size_t n_fds)
{
    (void)ctx;
    if (t == MSG_LOGFILE && n_fds == 1) {
        on_logfile(payload, fds[0]);
        return;
    }
    if (t == MSG_JOURNAL && n_fds == 1) {
        drain_journal(logger.drain, fds[0]);
        return;
    }
    if (t == MSG_SEEN && n_fds == 1) {
        seen_target(logger.seen, fds[0]);
        return;
    }
    if (t == MSG_LEAVES && n_fds == 1) {
        say_of_leaves(synced_target(&logger.leaves, fds[0]));
        return;
    }
    if (t == MSG_RINGS && n_fds == 2) {
        on_rings(payload, fds);
        return;
    }
    for (size_t i = 0; i < n_fds; i++)
        close(fds[i]);
}

static enum rc start(struct role_ctx *ctx)
{
    logger = (struct logger){.ctx = ctx, .busy_ms = ev_now_ms(ctx->ev)};
    ctx->state = &logger;
    synced_init(&logger.leaves);
    TRY(drain_new(ctx->config.boot, span_str(ctx->config.node_name), &logger.drain));
    TRY(seen_new(&logger.seen));
    journal_watch(drain_journal_of(logger.drain), on_record, NULL);
    ev_timer_init(&logger.again, on_again);
    ev_timer_init(&logger.tick, on_tick);
    ev_timer_init(&logger.names, on_names);
    ev_timer_set(ctx->ev, &logger.tick, LOGGER_TICK_MS);
    ev_timer_set(ctx->ev, &logger.names, LIM_SEEN_WRITE_MS);
    return RC_OK;
}

static void on_stop(struct role_ctx *ctx, uint32_t grace_ms)
{
    (void)grace_ms;
    logger.stopping = true;
    logger.orphan = ctx->master == NULL;
    if (logger.orphan)
        logger.busy_ms = ev_now_ms(ctx->ev);
    drain_sleeping(logger.drain, false);
    look_again_in(1);
}

/* The rings are empty, or there is no more time for them. */
static void end(struct role_ctx *ctx)
{
    (void)ctx;
    if (!logger.seen)
        return;
    say_of_leaves(synced_fini(&logger.leaves));
    write_names();
    seen_free(logger.seen);
    logger.seen = NULL;
}

const struct role_ops logger_ops = {
    .role = ROLE_LOGGER, .start = start, .on_msg = on_msg, .on_stop = on_stop, .end = end};
