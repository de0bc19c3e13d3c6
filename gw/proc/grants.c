/* Grants in the master: it opens the store's directory, starts the granter with a question, and brings the
 * new part into force: no other part is made or mapped anew. One question at a time. The answer is given when
 * every worker has the new snapshot. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gw/base/log.h"
#include "gw/base/obj.h"
#include "gw/proc/master_int.h"
#include "gw/proc/sandbox.h"
#include "policy/grants_ask.h"

enum { GRANTS_MS = 10000, ANSWER_HEAD = 8 };

/* ---- the end ---- */

static void finish(struct master *m)
{
    struct question was = m->asking;
    ev_timer_stop(m->ev, &m->asking.late);
    m->asking = (struct question){.id = was.id};
    was.done(m, was.token, was.rc, buf_span(&was.text));
    buf_fini(&was.text);
}

static void maybe_over(struct master *m)
{
    struct question *a = &m->asking;
    bool spread = a->rc != RC_OK || !a->changed || m->phase != PHASE_RUNNING || force_everywhere(m);
    if (a->running && a->settled && m->single[ROLE_GRANTER].state == CHILD_DOWN && spread)
        finish(m);
}

void grants_confirmed(struct master *m)
{
    maybe_over(m);
}

static void settle(struct master *m, enum rc rc, const char *sentence)
{
    struct question *a = &m->asking;
    a->settled = true;
    a->rc = rc;
    if (sentence && buf_put_str(&a->text, sentence) != RC_OK)
        log_error("%s", sentence);
    maybe_over(m);
}

void grants_granter_ended(struct master *m)
{
    if (m->asking.running && !m->asking.settled)
        settle(m, RC_GONE, "the granter ended without an answer; see the operator log");
    else
        maybe_over(m);
}

static void on_late(struct ev_timer *t)
{
    struct question *a = CONTAINER_OF(t, struct question, late);
    struct master *m = CONTAINER_OF(a, struct master, asking);
    child_kill(&m->single[ROLE_GRANTER]);
    if (a->settled)
        force_late(m);
    ev_timer_set(m->ev, t, GRANTS_MS);
}

/* ---- the answer ---- */

static bool take_part(struct master *m, int fd)
{
    struct part_id id;
    if (part_identify(fd, &id) != RC_OK)
        return false;
    int keep = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (keep < 0)
        return false;
    close(m->grants.fd);
    m->grants = (struct grants_part){.fd = keep, .id = id};
    return !m->policy.snap || force_grants(m) == RC_OK;
}

static void on_granted(struct master *m, span payload, const int *fds, size_t n_fds)
{
    struct rd r = rd_of(payload);
    struct question *a = &m->asking;
    enum rc rc = (enum rc)rd_u32(&r);
    a->id = rd_u32(&r);
    span text = rd_bytes(&r, rd_left(&r));
    a->changed = rc == RC_OK && n_fds == 1;
    if (r.bad || buf_put(&a->text, text) != RC_OK)
        rc = RC_BAD;
    if (rc == RC_OK && a->changed && !take_part(m, fds[0])) {
        buf_clear(&a->text);
        settle(m, RC_BAD, "the new grants could not be brought into force; see the operator log");
        return;
    }
    settle(m, rc, rc != RC_OK && buf_len(&a->text) == 0 ? rc_text(rc) : NULL);
}

void grants_on_msg(struct child *granter, enum msg_type t, span payload, int *fds, size_t n_fds)
{
    struct master *m = granter->m;
    if (m->asking.running && !m->asking.settled) {
        if (t == MSG_GRANTED) {
            child_stop(granter, 0);
            on_granted(m, payload, fds, n_fds);
        } else if (m->asking.line) {
            m->asking.line(m, m->asking.token, payload);
        }
    }
    for (size_t i = 0; i < n_fds; i++)
        close(fds[i]);
}

/* ---- the question ---- */

static int store_dir(const struct master *m)
{
    uid_t owner = sandbox_uid(ROLE_GRANTER, 0);
    if (mkdirat(m->state.dir, "grants", 0700) < 0 && errno != EEXIST)
        return -1;
    int dir = openat(m->state.dir, "grants", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (dir >= 0 && (fchown(dir, owner, (gid_t)-1) < 0 || fchmod(dir, 0700) < 0)) {
        close(dir);
        return -1;
    }
    return dir;
}

static enum rc ask_granter(struct master *m, span words, int dir)
{
    struct buf b = {0};
    const struct manifest none = {0};
    const struct policy *p = &m->policy;
    const int fds[4] = {dir, p->fd[PART_POLICY], p->fd[PART_LISTS], p->fd[PART_LISTS_TEXT]};
    enum rc rc = manifest_put(&b, p->snap ? snapshot_manifest(p->snap) : &none);
    if (rc == RC_OK)
        rc = buf_put(&b, words);
    if (rc == RC_OK)
        child_send(&m->single[ROLE_GRANTER], MSG_GRANT_ASK, buf_span(&b), fds, p->snap ? 4 : 1);
    buf_fini(&b);
    return rc;
}

enum rc grants_ask(struct master *m, span words, const struct question *as)
{
    struct question *a = &m->asking;
    if (a->running)
        return RC_AGAIN;
    AUTO_CLOSE int dir = store_dir(m);
    if (dir < 0) {
        log_error("alarm: the folder `grants` of the state directory cannot be used: %s", strerror(errno));
        return RC_NOTFOUND;
    }
    *a = *as;
    a->running = true;
    buf_init(&a->text, LIM_DIAG_BYTES);
    ev_timer_init(&a->late, on_late);
    ev_timer_set(m->ev, &a->late, GRANTS_MS);
    child_start(&m->single[ROLE_GRANTER]);
    return ask_granter(m, words, dir);
}

bool grants_are_there(const struct master *m)
{
    struct stat st;
    return fstatat(m->state.dir, "grants/grants.sqlite", &st, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT;
}

/* ---- what is said of them ---- */

/* Exemptions that hold now. */
static unsigned exempt_now(const struct master *m, bool say)
{
    const struct grants *g = snapshot_all_grants(m->policy.snap);
    int64_t now = clock_wall_s();
    unsigned n = 0;
    for (uint32_t i = 0; i < g->n; i++) {
        struct grant one = grants_at(g, i);
        if (one.kind != GRANT_EXEMPT || one.until_s <= now)
            continue;
        n++;
        if (say)
            log_error("alarm: nothing is intercepted in zone %.*s for another %lld minutes (exemption %u by "
                      "%.*s: %.*s)",
                      (int)one.target.n, (const char *)one.target.p, (long long)(one.until_s - now + 59) / 60,
                      (unsigned)one.id, (int)one.by.n, (const char *)one.by.p, (int)one.reason.n,
                      (const char *)one.reason.p);
    }
    return n;
}

void grants_alarm(struct master *m)
{
    m->n_exempt = m->policy.snap ? exempt_now(m, true) : 0;
}

/* True: one has ended by itself since the last look. */
bool grants_ended(struct master *m)
{
    unsigned n = m->policy.snap ? exempt_now(m, false) : 0;
    bool ended = n < m->n_exempt;
    m->n_exempt = n;
    return ended;
}

unsigned grants_n_exempt(const struct master *m)
{
    return m->policy.snap ? exempt_now(m, false) : 0;
}
