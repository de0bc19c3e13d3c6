/* The register of leaves, seen from the master: opens its files for appending and hands them to the signer,
 * begins a new one when the newest is large enough, and remembers what the signer says of its work. The
 * master neither reads nor writes a line: their content came from strangers' names. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "certs/leaflog.h"
#include "gw/base/dir.h"
#include "gw/base/log.h"
#include "gw/base/obj.h"
#include "gw/proc/master_int.h"

static const char dir_name[] = "leaves";

static enum rc refuse(const struct master *m, struct buf *err)
{
    return buf_printf(err, "%s/%s: the register of leaves: %s\n", m->o->state, dir_name, strerror(errno)) ==
                   RC_OK
               ? RC_CONFIG
               : RC_NOMEM;
}

static enum rc find_newest(int dir, uint32_t *newest)
{
    AUTO_FREE uint64_t *numbers = NULL;
    size_t n;
    TRY(dir_numbers(dir, leaflog_file_number, &numbers, &n));
    *newest = n ? (uint32_t)numbers[n - 1] : 0;
    return RC_OK;
}

static int open_file(int dir, uint32_t number, int flags)
{
    char name[LEAFLOG_NAME];
    leaflog_file_name(number, name);
    return openat(dir, name, flags | O_CLOEXEC | O_NOFOLLOW, 0600);
}

static off_t size_of(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? st.st_size : -1;
}

/* The next file, its name on disk before it is used. */
static int begin_file(int dir, uint32_t number)
{
    int fd = open_file(dir, number, O_WRONLY | O_APPEND | O_CREAT | O_EXCL);
    if (fd >= 0 && fsync(dir) < 0)
        log_warn("the register of leaves: its folder is not synced: %s", strerror(errno));
    return fd;
}

enum rc leaves_open(struct master *m, struct buf *err)
{
    struct leaf_state *l = &m->leaves;
    if (mkdirat(m->state.dir, dir_name, 0700) < 0 && errno != EEXIST)
        return refuse(m, err);
    l->dir = openat(m->state.dir, dir_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (l->dir < 0 || find_newest(l->dir, &l->number) != RC_OK)
        return refuse(m, err);
    if (l->number > 0)
        l->fd = open_file(l->dir, l->number, O_WRONLY | O_APPEND);
    else
        l->fd = begin_file(l->dir, ++l->number);
    if (l->fd >= 0 && size_of(l->fd) < 0)
        errno = EINVAL;
    return l->fd < 0 || size_of(l->fd) < 0 ? refuse(m, err) : RC_OK;
}

/* The newest file with something in it. */
static int open_last(const struct leaf_state *l)
{
    uint32_t n = l->number > 1 && size_of(l->fd) == 0 ? l->number - 1 : l->number;
    return open_file(l->dir, n, O_RDONLY);
}

void leaves_feed(struct child *signer)
{
    struct leaf_state *l = &signer->m->leaves;
    AUTO_CLOSE int last = open_last(l);
    const int fds[2] = {l->fd, last};
    if (last < 0)
        log_error("alarm: the register of leaves cannot be read (%s): its chain begins anew",
                  strerror(errno));
    child_send(signer, MSG_LEAFLOG, SPAN_NONE, fds, last < 0 ? 1 : 2);
}

static void feed_to_sync(struct child *logger, uint32_t number)
{
    AUTO_CLOSE int fd = open_file(logger->m->leaves.dir, number, O_RDONLY);
    if (fd >= 0)
        child_send(logger, MSG_LEAVES, SPAN_NONE, &fd, 1);
    else if (number == logger->m->leaves.number || errno != ENOENT)
        log_error("alarm: the register of leaves cannot be synced: %s", strerror(errno));
}

/* The logger before had two files, whose last lines may not be on disk, and knows nothing of those that were
 * begun since. Of the time before the gateway's start the file before the newest is looked after. */
void leaves_feed_logger(struct child *logger)
{
    const struct leaf_state *l = &logger->m->leaves;
    uint32_t last = l->synced ? l->synced : l->number;
    for (uint32_t n = last > 1 ? last - 1 : 1; n <= l->number; n++)
        feed_to_sync(logger, n);
}

void leaves_logger_ready(struct master *m)
{
    m->leaves.synced = m->leaves.number;
}

void leaves_turn(struct master *m)
{
    struct leaf_state *l = &m->leaves;
    struct child *signer = &m->single[ROLE_SIGNER], *logger = &m->single[ROLE_LOGGER];
    if (size_of(l->fd) < LIM_LEAFLOG_FILE_BYTES)
        return;
    int fd = begin_file(l->dir, l->number + 1);
    if (fd < 0) {
        log_error("alarm: the register of leaves gets no new file: %s; the old one goes on", strerror(errno));
        return;
    }
    close(l->fd);
    l->fd = fd;
    l->number++;
    if (signer->peer)
        child_send(signer, MSG_LEAFLOG, SPAN_NONE, &fd, 1);
    if (logger->peer)
        feed_to_sync(logger, l->number);
    if (logger->state == CHILD_READY)
        leaves_logger_ready(m);
}

void leaves_said(struct master *m, span payload)
{
    struct leaf_state *l = &m->leaves;
    struct rd r = rd_of(payload);
    l->made = l->base_made + rd_u64(&r);
    l->put_off = l->base_put_off + rd_u64(&r);
    l->refused = l->base_refused + rd_u64(&r);
    l->log_errno = rd_u32(&r);
}

void leaves_signer_ended(struct master *m)
{
    struct leaf_state *l = &m->leaves;
    l->base_made = l->made;
    l->base_put_off = l->put_off;
    l->base_refused = l->refused;
}
