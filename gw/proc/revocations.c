/* The revocation set in the master: handed on from the fetcher to the workers, written down for the next
 * start. The master looks into none of it: those who read it check it (certs/revoked). A file that is torn or
 * lost costs a few minutes in which revocation is unknown, so nothing waits for the disk. */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gw/base/log.h"
#include "gw/base/obj.h"
#include "gw/proc/kept_file.h"
#include "gw/proc/master_int.h"

enum { WRITE_MS = 60000, SEALS = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL };
static const char file_name[] = "revoked.set";

static uint64_t size_of(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
}

void revocations_open(struct master *m)
{
    AUTO_CLOSE int from = openat(m->state.dir, file_name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (from < 0)
        return;
    AUTO_CLOSE int to = memfd_create("perron-revoked", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (to < 0 || kept_file_bytes(from, to, size_of(from)) != RC_OK || fcntl(to, F_ADD_SEALS, SEALS) < 0) {
        log_warn("%s of the last run cannot be read: revocation lists are fetched anew", file_name);
        return;
    }
    m->revoked_fd = to;
    to = -1;
}

static void send_set(struct child *c)
{
    if (c->m->revoked_fd >= 0 && c->peer)
        child_send(c, MSG_REVOCATIONS, SPAN_NONE, &c->m->revoked_fd, 1);
}

void revocations_take(struct master *m, int fd)
{
    int seals = fcntl(fd, F_GET_SEALS), kept = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (seals < 0 || (seals & SEALS) != SEALS || kept < 0) {
        log_error("the fetcher's revocation set is not sealed: not taken");
        if (kept >= 0)
            close(kept);
        return;
    }
    if (m->revoked_fd >= 0)
        close(m->revoked_fd);
    m->revoked_fd = kept;
    m->revoked_dirty = true;
    for (uint32_t w = 0; w < m->n_workers; w++)
        send_set(&m->worker[w]);
}

void revocations_write(struct master *m, bool now)
{
    int64_t ms = m->ev ? ev_now_ms(m->ev) : 0;
    if (!m->revoked_dirty || (!now && m->revoked_ms && ms - m->revoked_ms < WRITE_MS))
        return;
    m->revoked_ms = ms;
    enum rc rc = kept_file_copy(m->state.dir, file_name, m->revoked_fd, size_of(m->revoked_fd), false);
    int err = rc == RC_OK ? 0 : errno;
    m->revoked_dirty = rc != RC_OK;
    if (err && err != m->revoked_errno)
        log_warn("%s cannot be written: errno %d; it is tried again", file_name, err);
    m->revoked_errno = err;
}

/* ---- what fetcher and workers are given */

void feed_revocations(struct child *c)
{
    send_set(c);
}

void feed_fetch_rules(struct master *m)
{
    struct child *c = &m->single[ROLE_FETCHER];
    const struct settings *s = m->policy.snap ? snapshot_settings(m->policy.snap) : NULL;
    struct fetch_rules rules = {.private_block = true};
    struct buf b = {0};
    if (!s || !c->peer)
        return;
    bool named = s->n_resolvers > 0;
    const struct addr *resolver = named ? s->resolver : m->config.resolver;
    size_t n = named ? s->n_resolvers : m->config.n_resolvers;
    rules.private_block = s->private_block;
    rules.n_open = (uint8_t)s->n_open;
    rules.n_management = (uint8_t)s->n_management;
    memcpy(rules.open, s->open, s->n_open * sizeof *s->open);
    memcpy(rules.management, s->management, s->n_management * sizeof *s->management);
    rules.n_resolvers = (uint8_t)(n < FETCH_RESOLVERS ? n : FETCH_RESOLVERS);
    memcpy(rules.resolver, resolver, rules.n_resolvers * sizeof *resolver);
    if (fetch_rules_put(&b, &rules) == RC_OK)
        child_send(c, MSG_FETCH_RULES, buf_span(&b), NULL, 0);
    buf_fini(&b);
}
