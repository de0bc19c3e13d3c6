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
#include "gw/proc/parts.h"
#include "gw/siem/event.h"

enum { COMPILE_MS = 600000, SPREAD_MS = 10000 };

/* ---- the event ---- */

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
    char who[32], before[MANIFEST_TEXT], after[MANIFEST_TEXT];
    snprintf(who, sizeof who, "uid %u", (unsigned)uid);
    if (old)
        hash_text(old, before);
    if (loaded)
        hash_text(snapshot_hash(m->policy.snap), after);
    const struct reload *r = &m->reload;
    struct event_policy e = {
        .wall_us = clock_wall_us(),
        .who = span_str(who),
        .file = span_str(path),
        .outcome = loaded ? SPAN("loaded") : SPAN("refused"),
        .old_hash = old ? before : NULL,
        .new_hash = loaded ? after : NULL,
        .perron = {.reason = loaded ? "policy-loaded" : "policy-refused",
                   .detail = !loaded         ? SPAN_NONE
                             : r->lists_held ? SPAN("lists-held-back")
                             : r->rollback   ? SPAN("rolled-back")
                                             : SPAN_NONE,
                   .snapshot = m->policy.snap ? snapshot_short(m->policy.snap) : NULL,
                   .node = span_str(m->config.node_name),
                   .worker = LIM_WORKERS,
                   .boot = m->config.boot,
                   .seq = ring_next_seq(m->own_ring)},
    };
    if (write_event(m, &e) != RC_OK)
        log_error("the log has no room for the event of this load");
}

void reload_write_grant(struct master *m, const struct grant_change *c)
{
    char now[MANIFEST_TEXT];
    hash_text(snapshot_hash(m->policy.snap), now);
    struct event_policy e = {
        .wall_us = clock_wall_us(),
        .message = c->message,
        .who = c->by,
        .outcome = span_str(c->outcome),
        .new_hash = now,
        .perron = {.reason = "grants-changed",
                   .detail = c->reason,
                   .rule = c->what,
                   .grant = c->id,
                   .snapshot = snapshot_short(m->policy.snap),
                   .node = span_str(m->config.node_name),
                   .worker = LIM_WORKERS,
                   .boot = m->config.boot,
                   .seq = ring_next_seq(m->own_ring)},
    };
    if (write_event(m, &e) != RC_OK)
        log_error("the log has no room for the event of a grant");
}

void reload_write_start(struct master *m)
{
    write_load(m, getuid(), m->o->policy, NULL, true);
}

static void tell(struct master *m, bool loaded)
{
    struct reload *r = &m->reload;
    if (loaded && r->lists_held)
        log_error("alarm: new category lists were held back, the last good ones stay in force (%s): %s",
                  r->path, "perronctl reload says why");
    if (!r->had_old)
        return; /* the start: said when the rings are there, or by the end of everything */
    if (loaded)
        log_info("policy %s is in force (%s)%s", snapshot_short(m->policy.snap), r->path,
                 r->rollback ? ", rolled back to" : "");
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

/* Over when the outcome is known, the compiler is gone, and every worker has what it was given. */
static void maybe_over(struct master *m)
{
    struct reload *r = &m->reload;
    if (r->settled && m->single[ROLE_COMPILER].state == CHILD_DOWN && (r->rc != RC_OK || force_everywhere(m)))
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
    grants_confirmed(worker->m);
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
    if (r->settled)
        force_late(m);
    ev_timer_set(m->ev, t, SPREAD_MS);
}

/* ---- the compiler's answer ---- */

static void close_all(const int *fds, size_t n)
{
    for (size_t i = 0; i < n; i++)
        close(fds[i]);
}

static struct kept_snapshot source_of(const struct reload *r)
{
    struct kept_snapshot from = {.loaded_s = clock_wall_s()};
    snprintf(from.who, sizeof from.who, "uid %u", (unsigned)r->who);
    snprintf(from.file, sizeof from.file, "%s", r->path);
    return from;
}

static void bring(struct master *m, struct policy *new, struct manifest *manifest)
{
    struct kept_snapshot from = source_of(&m->reload);
    if (force_complete(m, new, manifest) != RC_OK) {
        policy_drop(new);
        refuse(m, "the compiled policy is damaged; please report it");
        return;
    }
    enum rc rc = force_take(m, new, &from, &m->reload.diag);
    if (rc == RC_OK)
        ev_timer_set(m->ev, &m->reload.late, SPREAD_MS);
    settle(m, rc);
}

/* The part that records will name is hashed here, once, by the one who keeps it. */
static bool as_named(const struct policy *p, const struct manifest *m)
{
    struct part_id id;
    return p->fd[PART_POLICY] >= 0 && part_identify(p->fd[PART_POLICY], &id) == RC_OK &&
           part_same(&id, &m->part[PART_POLICY]);
}

static void on_compiled(struct master *m, span payload, int *fds, size_t n_fds)
{
    struct parts_answer a;
    struct policy new;
    size_t n = 0;
    policy_init(&new);
    bool good = parts_answer_get(payload, &a) == RC_OK;
    if (!good || a.rc != RC_OK || (size_t)__builtin_popcount(a.made) != n_fds) {
        close_all(fds, n_fds);
        settle(m, RC_CONFIG);
        return;
    }
    for (unsigned i = 0; i < SNAP_PARTS; i++) {
        if (a.made >> i & 1)
            new.fd[i] = fds[n++];
    }
    if (!as_named(&new, &a.manifest)) {
        policy_drop(&new);
        refuse(m, "the compiled policy is damaged; please report it");
        return;
    }
    m->reload.lists_held = a.outcome == LISTS_HELD || a.outcome == LISTS_KEPT;
    bring(m, &new, &a.manifest);
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
    const struct policy *p = &m->policy;
    AUTO_CLOSE int ca = state_ca_dir(&m->state);
    const struct last_lists *last = &m->last;
    struct parts_ask ask = {.prev = p->snap || last->there, .ca = ca >= 0, .path = span_str(path)};
    const int *lists = p->snap ? p->fd : last->fd;
    int fds[3];
    size_t n = 0;
    if (ask.prev) {
        ask.manifest = p->snap ? *snapshot_manifest(p->snap) : last->manifest;
        fds[n++] = lists[PART_LISTS];
        fds[n++] = lists[PART_LISTS_TEXT];
    }
    if (ask.ca)
        fds[n++] = ca;
    if (parts_ask_put(&b, &ask) == RC_OK)
        child_send(&m->single[ROLE_COMPILER], MSG_COMPILE, buf_span(&b), fds, n);
    buf_fini(&b);
}

static enum rc prepare(struct master *m, const char *path, uid_t who, reload_done done, uint64_t token)
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
    return RC_OK;
}

enum rc reload_begin(struct master *m, const char *path, uid_t who, reload_done done, uint64_t token)
{
    TRY(prepare(m, path, who, done, token));
    child_start(&m->single[ROLE_COMPILER]);
    ask_compiler(m, path);
    ev_timer_set(m->ev, &m->reload.late, COMPILE_MS);
    return RC_OK;
}

/* ---- back to a snapshot that is kept ---- */

/* The asker is told later, never from inside. */
static void on_soon(struct ev_timer *t)
{
    struct reload *r = CONTAINER_OF(t, struct reload, soon);
    struct master *m = CONTAINER_OF(r, struct master, reload);
    struct policy new = r->restored;
    struct manifest manifest = r->restored_as;
    bring(m, &new, &manifest);
}

static enum rc fetch(struct master *m, const struct kept_snapshot *s, struct policy *new, struct buf *err)
{
    for (unsigned i = 0; i < PART_GRANTS; i++) {
        if (m->policy.snap && part_same(&s->manifest.part[i], &snapshot_manifest(m->policy.snap)->part[i]))
            continue; /* it is in force */
        TRY(kept_part(&m->kept, i, &s->manifest.part[i], &new->fd[i], err));
    }
    return RC_OK;
}

/* Grants are no part of what is rolled back: one that was revoked stays revoked. */
enum rc reload_to(struct master *m, span prefix, uid_t who, reload_done done, uint64_t token, struct buf *err)
{
    static struct kept_snapshot s;
    struct policy new;
    if (m->reload.running)
        return RC_AGAIN;
    policy_init(&new);
    enum rc rc = kept_find(&m->kept, prefix, &s, err);
    if (rc == RC_OK)
        rc = fetch(m, &s, &new, err);
    if (rc == RC_OK)
        rc = prepare(m, s.file, who, done, token);
    if (rc != RC_OK) {
        policy_drop(&new);
        return rc;
    }
    m->reload.rollback = true;
    m->reload.settled = false;
    ev_timer_set(m->ev, &m->reload.late, SPREAD_MS);
    m->reload.restored = new;
    m->reload.restored_as = s.manifest;
    ev_timer_init(&m->reload.soon, on_soon);
    ev_timer_set(m->ev, &m->reload.soon, 1);
    return RC_OK;
}
