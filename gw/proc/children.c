/* One child's life, seen from the master: start, heartbeat, end, and the start after the end. A child that
 * ends is replaced at once; one that keeps ending right after its start is replaced more and more slowly. A
 * child whose channel closes (it sent what it may not send, or closed it) is killed: there is no child
 * without a channel. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sched.h>
#include <stdio.h>
#include <sys/wait.h>

#include "gw/base/log.h"
#include "gw/base/obj.h"
#include "gw/proc/control.h"
#include "gw/proc/master_int.h"
#include "gw/proc/role.h"
#include "gw/proc/sandbox.h"
#include "gw/proc/spawn.h"

enum {
    QUICK_MS = 500,
    CODES_MS = 1000,
    AGAIN_FIRST_MS = 50,
    AGAIN_MOST_MS = 5000,
    AGAIN_READY_MS = 100,
    START_MS = 10000
};

static const char *child_name(const struct child *c, char out[24])
{
    if (c->role == ROLE_WORKER)
        snprintf(out, 24, "worker %u", (unsigned)c->index);
    else
        snprintf(out, 24, "%s", role_name(c->role));
    return out;
}

struct child *children_next(struct master *m, size_t *it)
{
    while (*it < ROLE_N) {
        struct child *c = &m->single[(*it)++];
        if (c->role != ROLE_MASTER && c->role != ROLE_WORKER)
            return c;
    }
    size_t w = *it - ROLE_N;
    if (w >= m->n_workers)
        return NULL;
    (*it)++;
    return &m->worker[w];
}

bool children_all_ready(struct master *m)
{
    struct child *c;
    for (size_t it = 0; (c = children_next(m, &it));) {
        if (c->wanted && c->state != CHILD_READY)
            return false;
    }
    return true;
}

/* ---- messages ---- */

void child_send(struct child *c, enum msg_type t, span payload, const int *fds, size_t n_fds)
{
    char name[24];
    enum rc rc = c->peer ? peer_send(c->peer, t, payload, fds, n_fds) : RC_CLOSED;
    if (rc != RC_OK && rc != RC_CLOSED)
        log_warn("%s to %s: %s", msg_name(t), child_name(c, name), rc_text(rc));
}

/* Workers ask another `on` line when their ring is full because nobody empties it. */
static void tell_of_logger(struct child *worker)
{
    uint8_t there = worker->m->single[ROLE_LOGGER].state == CHILD_READY;
    if (worker->peer)
        child_send(worker, MSG_LOGGER, span_of(&there, 1), NULL, 0);
}

static void logger_changed(struct master *m)
{
    for (uint32_t w = 0; w < m->n_workers; w++)
        tell_of_logger(&m->worker[w]);
}

static void on_ready(struct child *c)
{
    char name[24];
    if (c->state != CHILD_STARTING)
        return;
    c->state = CHILD_READY;
    c->ready_ms = ev_now_ms(c->m->ev);
    log_debug("%s (pid %d) ready after %lld ms", child_name(c, name), (int)c->pid,
              (long long)(c->ready_ms - c->spawned_ms));
    if (c->role == ROLE_LOGGER) {
        logger_changed(c->m);
        leaves_logger_ready(c->m);
    }
    if (c->role == ROLE_WORKER)
        tell_of_logger(c);
    if (c->role == ROLE_SIGNER)
        child_send(c, MSG_CRL_REQ, SPAN_NONE, NULL, 0);
    master_step(c->m);
}

static void on_log_state(struct master *m, span payload)
{
    struct rd r = rd_of(payload);
    m->log_events = rd_u64(&r);
    m->log_bytes = rd_u64(&r);
    uint32_t failed = rd_u32(&r);
    if (failed && failed != m->log_errno)
        log_error("the logger cannot write: errno %u", (unsigned)failed);
    m->log_errno = failed;
}

/* A range lasts a worker for a million decisions. One that asks at once again is not believed: numbers would
 * run out. */
static void on_codes_req(struct child *c)
{
    int64_t now = ev_now_ms(c->m->ev);
    char name[24];
    if (c->codes_ms && now - c->codes_ms < CODES_MS) {
        log_error("%s (pid %d) asks for decision codes too often and is ended", child_name(c, name),
                  (int)c->pid);
        child_kill(c);
        return;
    }
    c->codes_ms = now;
    feed_codes(c);
}

static void on_msg(struct peer *p, enum msg_type t, span payload, int *fds, size_t n_fds)
{
    struct child *c = peer_data(p);
    c->asked_ms = 0;
    switch (t) {
    case MSG_READY: on_ready(c); break;
    case MSG_SNAPSHOT_OK: reload_confirmed(c, payload); break;
    case MSG_LOG_STATE: on_log_state(c->m, payload); break;
    case MSG_CRL_REP: feed_crl(c->m, payload); break;
    case MSG_REVOKED:
        if (n_fds == 1)
            revocations_take(c->m, fds[0]);
        break;
    case MSG_SIGNER_STATE: leaves_said(c->m, payload); break;
    case MSG_CODES_REQ: on_codes_req(c); break;
    case MSG_SHOWN: control_shown(c->m->control, c->index, payload); break;
    case MSG_DIAG:
    case MSG_COMPILED: reload_on_msg(c, t, payload, fds, n_fds); return; /* takes the descriptors */
    case MSG_GRANT_SAID:
    case MSG_GRANTED: grants_on_msg(c, t, payload, fds, n_fds); return; /* so does this */
    default: break; /* HELLO, PONG: it was heard, that is all */
    }
    for (size_t i = 0; i < n_fds; i++)
        close(fds[i]);
}

static void on_end(struct peer *p, enum rc rc)
{
    struct child *c = peer_data(p);
    char name[24];
    c->peer = NULL;
    if (rc == RC_BAD)
        log_error("%s (pid %d) said what it may not say and is ended", child_name(c, name), (int)c->pid);
    if (c->state != CHILD_ENDING && c->pid > 0)
        kill(c->pid, SIGKILL);
}

/* ---- start ---- */

/* The n-th processor that we may use, -1 for roles that go where there is room. */
static int processor_for(const struct child *c)
{
    cpu_set_t set;
    if (c->role != ROLE_WORKER || sched_getaffinity(0, sizeof set, &set) < 0 || CPU_COUNT(&set) == 0)
        return -1;
    unsigned skip = c->index % (unsigned)CPU_COUNT(&set);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET((size_t)cpu, &set) && skip-- == 0)
            return cpu;
    }
    return -1;
}

/* One that was ready can work: it is only kept from spinning. One that never was is tried more and more
 * seldom. */
static int64_t pause_before(const struct child *c)
{
    if (c->quick_ends < 2)
        return 0;
    int64_t most = c->ready_ms ? AGAIN_READY_MS : AGAIN_MOST_MS;
    int64_t delay = c->quick_ends > 8 ? most : AGAIN_FIRST_MS << (c->quick_ends - 2);
    return delay < most ? delay : most;
}

static void later(struct child *c)
{
    int64_t delay = pause_before(c);
    int64_t hold = c->held_until_ms - ev_now_ms(c->m->ev); /* perronctl simulate */
    delay = hold > delay ? hold : delay;
    if (delay == 0)
        child_start(c);
    else
        ev_timer_set(c->m->ev, &c->again, delay);
}

void child_start(struct child *c)
{
    struct spawned new;
    if (c->role == ROLE_SIGNER && feed_pin_held(c->m)) {
        ev_timer_set(c->m->ev, &c->again, AGAIN_MOST_MS);
        return;
    }
    enum rc rc = spawn_role(c->role, c->index, processor_for(c), &new);
    if (rc == RC_OK) {
        c->pid = new.pid;
        c->state = CHILD_STARTING;
        c->spawned_ms = ev_now_ms(c->m->ev);
        c->ready_ms = c->asked_ms = c->codes_ms = 0;
        memset(c->snapshot, 0, sizeof c->snapshot);
        rc = peer_new(c->m->ev, new.fd, ROLE_MASTER, c->role, on_msg, on_end, c, &c->peer);
    }
    if (rc == RC_OK)
        rc = feed_child(c);
    if (rc == RC_OK)
        return;
    char name[24];
    log_error("%s could not be started: %s", child_name(c, name), rc_text(rc));
    if (c->pid > 0) {
        child_kill(c); /* its end starts the next attempt */
        return;
    }
    c->quick_ends++;
    if (c->m->phase == PHASE_STARTING)
        master_fail(c->m);
    else
        later(c);
}

static void on_again(struct ev_timer *t)
{
    struct child *c = CONTAINER_OF(t, struct child, again);
    if (c->wanted && c->state == CHILD_DOWN)
        child_start(c);
}

static void init_child(struct master *m, struct child *c, enum role r, uint32_t index)
{
    *c = (struct child){.m = m, .role = r, .index = index};
    ev_timer_init(&c->again, on_again);
}

void children_init(struct master *m)
{
    for (unsigned r = 0; r < ROLE_N; r++)
        init_child(m, &m->single[r], (enum role)r, 0);
    for (uint32_t w = 0; w < LIM_WORKERS; w++)
        init_child(m, &m->worker[w], ROLE_WORKER, w);
}

/* ---- end ---- */

void child_stop(struct child *c, uint32_t grace_ms)
{
    struct buf b = {0};
    c->wanted = false;
    ev_timer_stop(c->m->ev, &c->again);
    if (c->state == CHILD_DOWN)
        return;
    c->state = CHILD_ENDING;
    if (buf_put_u32(&b, grace_ms) == RC_OK)
        child_send(c, MSG_STOP, buf_span(&b), NULL, 0);
    buf_fini(&b);
}

void child_kill(struct child *c)
{
    if (c->pid > 0)
        kill(c->pid, SIGKILL);
}

static void tell_end(const struct child *c, int status)
{
    char name[24];
    /* While starting, a child that ends by itself has said why: the one clear line stands alone. */
    bool expected =
        c->state == CHILD_ENDING || !c->wanted || (c->m->phase == PHASE_STARTING && WIFEXITED(status));
    enum log_level level = expected ? LOG_DEBUG : LOG_WARN;
    if (WIFSIGNALED(status))
        log_line(level, "%s (pid %d) was ended by signal %d", child_name(c, name), (int)c->pid,
                 WTERMSIG(status));
    else
        log_line(level, "%s (pid %d) ended with status %d", child_name(c, name), (int)c->pid,
                 WEXITSTATUS(status));
}

static void ended(struct child *c, int status)
{
    int64_t now = ev_now_ms(c->m->ev);
    bool quick = c->ready_ms == 0 || now - c->ready_ms < QUICK_MS;
    tell_end(c, status);
    peer_free(c->peer);
    c->peer = NULL;
    c->pid = 0;
    c->state = CHILD_DOWN;
    if (c->role == ROLE_LOGGER)
        logger_changed(c->m);
    c->quick_ends = quick ? c->quick_ends + 1 : 0;
    if (c->role == ROLE_COMPILER)
        reload_compiler_ended(c->m);
    if (c->role == ROLE_GRANTER)
        grants_granter_ended(c->m);
    if (c->role == ROLE_SIGNER)
        leaves_signer_ended(c->m);
    if (c->role == ROLE_SIGNER && WIFEXITED(status) && WEXITSTATUS(status) == SIGNER_PIN_REFUSED &&
        c->m->phase == PHASE_RUNNING) {
        memcpy(c->m->pin_refused, c->m->pin_given, sizeof c->m->pin_refused);
        log_error("alarm: the token's PIN is not tried again before the file with it is another one");
    }
    if (c->wanted && c->m->phase == PHASE_STARTING) {
        master_fail(c->m); /* it said why */
    } else if (c->wanted) {
        c->restarts++;
        later(c);
    }
    master_step(c->m);
}

void children_reap(struct master *m)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        struct child *c;
        for (size_t it = 0; (c = children_next(m, &it));) {
            if (c->pid == pid) {
                ended(c, status);
                break;
            }
        }
    }
}

/* ---- heartbeat ---- */

static int64_t silence_allowed(const struct child *c)
{
    if (c->role == ROLE_COMPILER)
        return INT64_MAX; /* long work without a loop; its own deadline is in reload.c */
    if (c->state == CHILD_STARTING)
        return START_MS;
    return c->role == ROLE_SIGNER ? LIM_SIGNER_SILENT_MS : LIM_WORKER_SILENT_MS;
}

/* Silence counts from a question that was not answered, so that a pause of the master itself harms nobody. */
static void beat(struct child *c, span number)
{
    char name[24];
    int64_t now = ev_now_ms(c->m->ev);
    bool stuck = c->state == CHILD_STARTING && c->role != ROLE_COMPILER && now - c->spawned_ms >= START_MS;
    if (stuck || (c->asked_ms && now - c->asked_ms >= silence_allowed(c))) {
        log_error("%s (pid %d) %s", child_name(c, name), (int)c->pid,
                  stuck ? "does not become ready" : "does not answer and is replaced");
        child_kill(c);
        return;
    }
    if (!c->asked_ms)
        c->asked_ms = now;
    child_send(c, MSG_PING, number, NULL, 0);
}

void children_beat(struct master *m)
{
    struct buf b = {0};
    struct child *c;
    if (buf_put_u64(&b, ++m->beat) == RC_OK) {
        for (size_t it = 0; (c = children_next(m, &it));) {
            if (c->peer && c->state != CHILD_ENDING)
                beat(c, buf_span(&b));
        }
    }
    buf_fini(&b);
}
