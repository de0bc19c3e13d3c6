/* A policy into force: its parts are completed from what is there, opened, kept in the state directory (so
 * that no record can name what is not kept), and only when sockets and rules of it are there too does every
 * worker get it. A part that workers have already is not mapped or checked again. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "gw/base/log.h"
#include "gw/base/obj.h"
#include "gw/proc/master_int.h"

void policy_init(struct policy *p)
{
    *p = (struct policy){0};
    for (size_t i = 0; i < SNAP_PARTS; i++)
        p->fd[i] = -1;
}

void policy_drop(struct policy *p)
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

void force_last_over(struct master *m)
{
    for (size_t i = 0; i < SNAP_PARTS && m->last.there; i++) {
        if (m->last.fd[i] >= 0)
            close(m->last.fd[i]);
    }
    m->last = (struct last_lists){0};
}

void force_last(struct master *m)
{
    static struct kept_snapshot s;
    struct buf err = {0};
    struct last_lists *l = &m->last;
    if (kept_latest(&m->kept, &s) != RC_OK)
        return;
    *l = (struct last_lists){.there = true, .manifest = s.manifest};
    for (size_t i = 0; i < SNAP_PARTS; i++)
        l->fd[i] = -1;
    for (unsigned i = PART_LISTS; i <= PART_LISTS_TEXT; i++) {
        if (kept_part(&m->kept, i, &s.manifest.part[i], &l->fd[i], &err) != RC_OK) {
            log_debug("lists of before: %.*s", (int)buf_len(&err), (const char *)buf_span(&err).p);
            force_last_over(m);
            break;
        }
    }
    buf_fini(&err);
}

static enum rc share_part(const struct master *m, struct policy *new, const struct manifest *manifest,
                          enum snap_part p)
{
    const struct policy *now = &m->policy;
    const struct manifest *there = now->snap       ? snapshot_manifest(now->snap)
                                   : m->last.there ? &m->last.manifest
                                                   : NULL;
    int fd = now->snap ? now->fd[p] : m->last.there ? m->last.fd[p] : -1;
    if (!there || fd < 0 || !part_same(&there->part[p], &manifest->part[p]))
        return RC_BAD;
    new->fd[p] = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    return new->fd[p] < 0 ? RC_IO : RC_OK;
}

enum rc force_complete(struct master *m, struct policy *new, struct manifest *manifest)
{
    for (unsigned i = 0; i < PART_GRANTS; i++) {
        if (new->fd[i] < 0)
            TRY(share_part(m, new, manifest, i));
    }
    if (new->fd[PART_GRANTS] < 0)
        new->fd[PART_GRANTS] = fcntl(m->grants.fd, F_DUPFD_CLOEXEC, 0);
    if (new->fd[PART_GRANTS] < 0)
        return RC_IO;
    manifest->part[PART_GRANTS] = m->grants.id;
    return snapshot_open_as(manifest, new->fd, m->policy.snap, &new->snap);
}

/* A policy that cannot be kept goes into force all the same: who repairs a gateway with a full disk needs
 * that. It is tried again for as long as it is in force.
 */
static void keep(struct master *m, const struct policy *new, const struct kept_snapshot *from)
{
    struct kept_snapshot s = *from;
    struct buf err = {0};
    s.manifest = *snapshot_manifest(new->snap);
    if (kept_put(&m->kept, &s, new->fd, &err) != RC_OK) {
        span why = span_cut(buf_span(&err), 0, buf_len(&err) ? buf_len(&err) - 1 : 0); /* no newline */
        log_error("alarm: decisions under policy %s cannot be repeated later: %.*s",
                  snapshot_short(new->snap), (int)why.n, (const char *)why.p);
        m->unkept = s;
        m->is_unkept = true;
        m->unkept_ms = ev_now_ms(m->ev);
    }
    buf_fini(&err);
}

/* The directories may have gone: they are made again. */
void force_keep_again(struct master *m)
{
    struct buf err = {0};
    struct kept again;
    if (!m->is_unkept || ev_now_ms(m->ev) - m->unkept_ms < LIM_KEEP_AGAIN_MS)
        return;
    m->unkept_ms = ev_now_ms(m->ev);
    m->is_unkept = memcmp(m->unkept.name, snapshot_hash(m->policy.snap), SNAP_HASH) == 0;
    if (m->is_unkept && kept_open(&again, m->state.dir, &err) != RC_OK) {
        kept_close(&again);
    } else if (m->is_unkept) {
        kept_close(&m->kept);
        m->kept = again;
        m->is_unkept = kept_put(&m->kept, &m->unkept, m->policy.fd, &err) != RC_OK;
        if (!m->is_unkept)
            log_warn("policy %s is kept now: decisions under it can be repeated",
                     snapshot_short(m->policy.snap));
    }
    buf_fini(&err);
}

/* What a reload cannot change in a running gateway is said, not silently left. */
static void warn_restart(const struct settings *old, const struct settings *new, struct buf *d)
{
    enum rc rc = RC_OK;
    if (old->workers != new->workers)
        rc = buf_printf(d, "warning: `workers` needs a restart to change\n");
    if (rc == RC_OK && !span_eq(old->trust, new->trust))
        rc = buf_printf(d, "warning: `trust` needs a restart to change\n");
    if (rc != RC_OK)
        log_warn("a warning was too long for the answer");
}

/* The new doors replace the old ones; descriptors that both have were duplicated. */
static void spread(struct master *m, struct policy *new, struct doors *doors, struct buf *diag)
{
    struct doors had = m->doors;
    struct policy old = m->policy;
    bool crl_moved = !span_eq(snapshot_settings(old.snap)->crl, snapshot_settings(new->snap)->crl);
    m->doors = *doors;
    m->policy = *new;
    warn_restart(snapshot_settings(old.snap), snapshot_settings(new->snap), diag);
    master_opener(m);
    feed_fetch_rules(m);
    for (uint32_t w = 0; w < m->n_workers; w++) {
        feed_snapshot(&m->worker[w]);
        feed_doors(&m->worker[w], &had);
    }
    if (crl_moved)
        child_kill(&m->single[ROLE_SIGNER]); /* it learns the address of the CRL when it starts */
    doors_close(&had);
    policy_drop(&old);
}

enum rc force_take(struct master *m, struct policy *new, const struct kept_snapshot *from, struct buf *diag)
{
    static struct doors doors; /* 10 KiB */
    if (m->policy.snap)
        kept_touch(&m->kept, snapshot_hash(m->policy.snap)); /* until now it was in force */
    keep(m, new, from);
    if (!m->policy.snap) { /* the first one: nothing runs yet */
        m->policy = *new;
        force_last_over(m);
        return RC_OK;
    }
    enum rc rc = doors_open(&doors, snapshot_settings(new->snap), m->n_workers, &m->doors, diag);
    if (rc == RC_OK)
        rc = gate_open(m, new->snap, diag);
    if (rc != RC_OK) {
        doors_close(&doors);
        policy_drop(new);
        return RC_CONFIG;
    }
    spread(m, new, &doors, diag);
    return RC_OK;
}

static bool has_it(const struct child *c)
{
    return !c->peer || memcmp(c->snapshot, snapshot_hash(c->m->policy.snap), SNAP_HASH) == 0;
}

bool force_everywhere(const struct master *m)
{
    for (uint32_t w = 0; w < m->n_workers; w++) {
        if (!has_it(&m->worker[w]))
            return false;
    }
    return true;
}

void force_late(struct master *m)
{
    for (uint32_t w = 0; w < m->n_workers; w++) {
        if (has_it(&m->worker[w]))
            continue;
        log_error("worker %u does not take the new policy and is replaced", (unsigned)w);
        child_kill(&m->worker[w]);
    }
}

/* Sockets and rules do not hang on grants: workers get the new snapshot, and map one small part. */
enum rc force_grants(struct master *m)
{
    struct policy new, old = m->policy;
    struct manifest manifest = *snapshot_manifest(old.snap);
    struct kept_snapshot from = {.loaded_s = clock_wall_s(), .who = "grants"};
    policy_init(&new);
    enum rc rc = force_complete(m, &new, &manifest);
    if (rc != RC_OK) {
        policy_drop(&new);
        return rc;
    }
    snprintf(from.file, sizeof from.file, "%s", m->o->policy);
    kept_touch(&m->kept, snapshot_hash(old.snap));
    keep(m, &new, &from);
    m->policy = new;
    for (uint32_t w = 0; w < m->n_workers; w++)
        feed_snapshot(&m->worker[w]);
    policy_drop(&old);
    return RC_OK;
}
