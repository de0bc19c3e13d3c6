/* A policy's way into force, at start and at every reload: a fresh compiler process makes the parts, the
 * master maps them and looks whether it can open what they ask for, and only then every worker is handed the
 * new snapshot. Until that moment nothing has changed; a file with an error changes nothing at all. It is
 * over when every worker has confirmed. Each load and each refusal leaves an event in the log: who, when, old
 * and new hash. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gw/base/log.h"
#include "gw/base/obj.h"
#include "gw/proc/master_int.h"
#include "gw/siem/event.h"

enum { COMPILE_MS = 600000, SPREAD_MS = 10000, HASH_TEXT = 2 * SNAP_HASH + 1 };

/* ---- the event ---- */

static void hex(const uint8_t hash[SNAP_HASH], char out[HASH_TEXT])
{
    for (size_t i = 0; i < SNAP_HASH; i++)
        snprintf(out + 2 * i, 3, "%02x", hash[i]);
}

static enum rc write_event(struct master *m, const struct event_policy *e)
{
    struct buf line = {0};
    bool wake = false;
    TRY(ring_reserve(m->own_ring));
    enum rc rc = event_policy_json(&line, e);
    if (rc == RC_OK)
        ring_put(m->own_ring, RING_EVENT, buf_span(&line), &wake);
    else
        ring_release(m->own_ring);
    buf_fini(&line);
    if (wake && write(m->ring_wake[LIM_WORKERS], &(uint64_t){1}, 8) < 0)
        log_debug("the logger's wake-up is full");
    return rc;
}

/* `old`: the hash that was in force before, NULL at the start. */
static void write_load(struct master *m, uid_t uid, const char *path, const uint8_t *old, bool loaded)
{
    char who[32], before[HASH_TEXT], after[HASH_TEXT];
    snprintf(who, sizeof who, "uid %u", (unsigned)uid);
    if (old)
        hex(old, before);
    if (loaded)
        hex(snapshot_hash(m->policy.snap), after);
    struct event_policy e = {
        .wall_us = clock_wall_us(),
        .who = span_str(who),
        .file = span_str(path),
        .outcome = loaded ? SPAN("loaded") : SPAN("refused"),
        .old_hash = old ? before : NULL,
        .new_hash = loaded ? after : NULL,
        .perron = {.reason = loaded ? "policy-loaded" : "policy-refused",
                   .snapshot = m->policy.snap ? snapshot_short(m->policy.snap) : NULL,
                   .node = span_str(m->config.node_name),
                   .worker = LIM_WORKERS,
                   .boot = m->config.boot,
                   .seq = ring_next_seq(m->own_ring)},
    };
    if (write_event(m, &e) != RC_OK)
        log_error("the log has no room for the event of this load");
}

void reload_write_start(struct master *m)
{
    write_load(m, getuid(), m->o->policy, NULL, true);
}

static void tell(struct master *m, bool loaded)
{
    struct reload *r = &m->reload;
    if (!r->had_old)
        return; /* the start: said when the rings are there, or by the end of everything */
    if (loaded)
        log_info("policy %s is in force (%s)", snapshot_short(m->policy.snap), r->path);
    else
        log_warn("policy %s was refused; nothing has changed", r->path);
    write_load(m, r->who, r->path, r->old_hash, loaded);
}

/* ---- the end ---- */

static void finish(struct master *m)
{
    struct reload *r = &m->reload;
    struct reload was = *r;
    ev_timer_stop(m->ev, &r->late);
    tell(m, was.rc == RC_OK);
    *r = (struct reload){0};
    was.done(m, was.token, was.rc, buf_span(&was.diag));
    buf_fini(&was.diag);
    free(was.path);
}

static bool all_confirmed(const struct master *m)
{
    for (uint32_t w = 0; w < m->n_workers; w++) {
        const struct child *c = &m->worker[w];
        if (c->peer && memcmp(c->snapshot, snapshot_hash(m->policy.snap), SNAP_HASH) != 0)
            return false;
    }
    return true;
}

/* Over when the outcome is known, the compiler is gone, and every worker has what it was given. */
static void maybe_over(struct master *m)
{
    struct reload *r = &m->reload;
    if (r->settled && m->single[ROLE_COMPILER].state == CHILD_DOWN && (r->rc != RC_OK || all_confirmed(m)))
        finish(m);
}

static void settle(struct master *m, enum rc rc)
{
    m->reload.settled = true;
    m->reload.rc = rc;
    maybe_over(m);
}

static void refuse(struct master *m, const char *sentence)
{
    if (buf_printf(&m->reload.diag, "%s\n", sentence) != RC_OK)
        log_error("%s", sentence);
    settle(m, RC_CONFIG);
}

void reload_confirmed(struct child *worker, span hash)
{
    if (hash.n != SNAP_HASH)
        return;
    memcpy(worker->snapshot, hash.p, SNAP_HASH);
    maybe_over(worker->m);
}

/* Normally it has answered before it ends. */
void reload_compiler_ended(struct master *m)
{
    if (m->reload.running && !m->reload.settled)
        refuse(m, "the compiler ended without an answer; see the operator log");
    else
        maybe_over(m);
}

/* A compiler that hangs, or a worker that does not take the snapshot: the one is given up, the other is
 * replaced (its successor begins with the new snapshot). */
static void on_late(struct ev_timer *t)
{
    struct reload *r = CONTAINER_OF(t, struct reload, late);
    struct master *m = CONTAINER_OF(r, struct master, reload);
    child_kill(&m->single[ROLE_COMPILER]);
    for (uint32_t w = 0; r->settled && w < m->n_workers; w++) {
        struct child *c = &m->worker[w];
        if (c->peer && memcmp(c->snapshot, snapshot_hash(m->policy.snap), SNAP_HASH) != 0) {
            log_error("worker %u does not take the new policy and is replaced", (unsigned)w);
            child_kill(c);
        }
    }
    ev_timer_set(m->ev, t, SPREAD_MS);
}

/* ---- into force ---- */

static void policy_drop(struct policy *p)
{
    for (size_t i = 0; i < SNAP_PARTS; i++) {
        if (p->fd[i] >= 0)
            close(p->fd[i]);
        p->fd[i] = -1;
    }
    if (p->snap)
        snapshot_put(p->snap);
    p->snap = NULL;
}

/* What a reload cannot change in a running gateway is said, not silently left. */
static void warn_restart(struct master *m, const struct settings *old, const struct settings *new,
                         const struct doors *gone)
{
    struct buf *d = &m->reload.diag;
    enum rc rc = RC_OK;
    if (old->workers != new->workers)
        rc = buf_printf(d, "warning: `workers` needs a restart to change\n");
    if (rc == RC_OK && !span_eq(old->trust, new->trust))
        rc = buf_printf(d, "warning: `trust` needs a restart to change\n");
    for (size_t i = 0; rc == RC_OK && i < gone->n; i++) {
        if (!doors_find(&m->doors, &gone->door[i].at))
            rc = buf_printf(d, "warning: port %u stays open until a restart\n",
                            (unsigned)gone->door[i].at.port);
    }
    if (rc != RC_OK)
        log_warn("a warning was too long for the answer");
}

/* The new doors replace the old ones; descriptors that both have were duplicated. */
static void spread(struct master *m, struct policy *new, struct doors *doors)
{
    struct doors had = m->doors;
    struct policy old = m->policy;
    bool crl_moved = !span_eq(snapshot_settings(old.snap)->crl, snapshot_settings(new->snap)->crl);
    m->doors = *doors;
    m->policy = *new;
    warn_restart(m, snapshot_settings(old.snap), snapshot_settings(new->snap), &had);
    master_opener(m);
    for (uint32_t w = 0; w < m->n_workers; w++) {
        feed_snapshot(&m->worker[w]);
        feed_doors(&m->worker[w], &had);
    }
    if (crl_moved)
        child_kill(&m->single[ROLE_SIGNER]); /* it learns the address of the CRL when it starts */
    doors_close(&had);
    policy_drop(&old);
    ev_timer_set(m->ev, &m->reload.late, SPREAD_MS);
    settle(m, RC_OK);
}

static void take(struct master *m, struct policy *new)
{
    static struct doors doors; /* 10 KiB */
    struct reload *r = &m->reload;
    if (!m->policy.snap) { /* the first one: nothing runs yet */
        m->policy = *new;
        settle(m, RC_OK);
        return;
    }
    enum rc rc = doors_open(&doors, snapshot_settings(new->snap), m->n_workers, &m->doors, &r->diag);
    if (rc == RC_OK)
        rc = gate_open(m, new->snap, &r->diag);
    if (rc != RC_OK) {
        doors_close(&doors);
        policy_drop(new);
        settle(m, RC_CONFIG);
        return;
    }
    spread(m, new, &doors);
}

static void on_compiled(struct master *m, span payload, int *fds, size_t n_fds)
{
    struct rd r = rd_of(payload);
    struct policy new = {.fd = {-1, -1, -1}};
    enum rc rc = (enum rc)rd_u32(&r);
    uint32_t parts = rd_u32(&r);
    span hash = rd_bytes(&r, SNAP_HASH);
    if (r.bad || rc != RC_OK || parts != SNAP_PARTS || n_fds != SNAP_PARTS) {
        for (size_t i = 0; i < n_fds; i++)
            close(fds[i]);
        settle(m, RC_CONFIG);
        return;
    }
    memcpy(new.fd, fds, sizeof new.fd);
    if (snapshot_open(new.fd, hash.p, &new.snap) != RC_OK) {
        policy_drop(&new);
        refuse(m, "the compiled policy is damaged; please report it");
        return;
    }
    take(m, &new);
}

void reload_on_msg(struct child *compiler, enum msg_type t, span payload, int *fds, size_t n_fds)
{
    struct master *m = compiler->m;
    if (m->reload.running && !m->reload.settled && t == MSG_COMPILED) {
        child_stop(compiler, 0);
        on_compiled(m, payload, fds, n_fds);
        return;
    }
    if (m->reload.running && buf_put(&m->reload.diag, payload) != RC_OK)
        log_warn("the compiler says more than fits");
    for (size_t i = 0; i < n_fds; i++)
        close(fds[i]);
}

/* ---- begin ---- */

static void ask_compiler(struct master *m, const char *path)
{
    struct buf b = {0};
    AUTO_CLOSE int ca = state_ca_dir(&m->state);
    if (buf_put_u8(&b, 0) == RC_OK && buf_put(&b, span_str(path)) == RC_OK)
        child_send(&m->single[ROLE_COMPILER], MSG_COMPILE, buf_span(&b), &ca, ca >= 0);
    buf_fini(&b);
}

enum rc reload_begin(struct master *m, const char *path, uid_t who, reload_done done, uint64_t token)
{
    struct reload *r = &m->reload;
    if (r->running)
        return RC_AGAIN;
    ev_timer_init(&r->late, on_late);
    r->path = strdup(path);
    if (!r->path)
        return RC_NOMEM;
    r->running = true;
    r->diag.max = LIM_DIAG_BYTES;
    r->who = who;
    r->done = done;
    r->token = token;
    if (m->policy.snap) {
        memcpy(r->old_hash, snapshot_hash(m->policy.snap), SNAP_HASH);
        r->had_old = true;
    }
    child_start(&m->single[ROLE_COMPILER]);
    ask_compiler(m, path);
    ev_timer_set(m->ev, &r->late, COMPILE_MS);
    return RC_OK;
}
