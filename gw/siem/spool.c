/* The log file; spool.h says what it promises. Order of things in a rotation: what was written is synced (by
 * the caller), rename, new file, sync of the directory. A kill between any two leaves either no file of that
 * name, and the next start makes one, or an empty one. */
#include "gw/siem/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#include "gw/base/clock.h"
#include "gw/base/limits.h"
#include "gw/base/obj.h"
#include "gw/siem/event.h"

enum { SPOOL_SAME_SECOND = 1000, SPOOL_QUOTED = 256 };

static int start_writing(int fd)
{
    return sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
}

void spool_init(struct spool *s, uint64_t boot)
{
    *s = (struct spool){.dir = -1,
                        .fd = -1,
                        .max_bytes = LIM_LOG_FILE_BYTES,
                        .boot = boot,
                        .write = write,
                        .start = start_writing,
                        .sync = fdatasync,
                        .sync_dir = fsync};
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

void spool_fini(struct spool *s)
{
    close_fd(&s->fd);
    close_fd(&s->dir);
}

static enum rc failed(struct spool *s)
{
    s->last_errno = errno ? errno : EIO;
    return RC_IO;
}

/* Letters, digits, '.', '-', '_'; no leading dot: the name comes from the policy file and leads nowhere else.
 */
static bool plain_name(span name)
{
    for (size_t i = 0; i < name.n; i++) {
        uint8_t c = name.p[i], l = ascii_lower(c);
        if (!((l >= 'a' && l <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
              (c == '.' && i > 0)))
            return false;
    }
    return name.n > 0 && name.n <= SPOOL_NAME;
}

enum rc spool_target(struct spool *s, int dir, span name)
{
    if (dir < 0 || !plain_name(name)) {
        close_fd(&dir);
        return RC_BAD;
    }
    close_fd(&s->fd);
    close_fd(&s->dir);
    s->suspect = false;
    s->dir = dir;
    memcpy(s->name, name.p, name.n);
    s->name[name.n] = '\0';
    return RC_OK;
}

/* ---- mending ---- */

static enum rc read_at(const struct spool *s, uint64_t at, size_t n, struct buf *out)
{
    AUTO_CLOSE int fd = openat(s->dir, s->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    TRY(buf_reserve(out, n));
    for (size_t got = 0; got < n;) {
        ssize_t k = pread(fd, out->p + out->w, n - got, (off_t)(at + got));
        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0)
            return RC_IO;
        out->w += (size_t)k;
        got += (size_t)k;
    }
    return RC_OK;
}

static size_t last_newline(span s)
{
    for (size_t i = s.n; i > 0; i--) {
        if (s.p[i - 1] == '\n')
            return i - 1;
    }
    return SIZE_MAX;
}

/* Bytes after the last newline, at most a few lines' worth: no line of ours is longer. */
static enum rc torn_piece(const struct spool *s, struct buf *piece)
{
    size_t look = s->size < 4 * LIM_EVENT_BYTES ? (size_t)s->size : 4 * LIM_EVENT_BYTES;
    TRY(read_at(s, s->size - look, look, piece));
    size_t nl = last_newline(buf_span(piece));
    if (nl == SIZE_MAX && look < s->size)
        return RC_BAD; /* no log of ours */
    buf_consume(piece, nl == SIZE_MAX ? 0 : nl + 1);
    return RC_OK;
}

/* One line about the torn piece, at least as long as it (blanks before the newline are no part of the JSON).
 */
static enum rc torn_report(const struct spool *s, span piece, struct buf *line)
{
    struct event_note note = {
        .wall_us = clock_wall_us(),
        .message = "the log ended within a line; if its gateway still runs, the whole line follows",
        .process = "logger",
        .perron = {.reason = "log-torn", .detail = span_cut(piece, 0, SPOOL_QUOTED), .boot = s->boot},
    };
    TRY(event_note_json(line, &note));
    while (buf_len(line) < piece.n)
        TRY(buf_put_u8(line, ' '));
    return buf_put_u8(line, '\n');
}

/* Not through the appending descriptor: for that one pwrite appends too. */
static enum rc overwrite(struct spool *s, uint64_t at, span bytes)
{
    AUTO_CLOSE int fd = openat(s->dir, s->name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    for (size_t done = 0; done < bytes.n;) {
        ssize_t k = pwrite(fd, bytes.p + done, bytes.n - done, (off_t)(at + done));
        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0)
            return failed(s);
        done += (size_t)k;
    }
    return fdatasync(fd) == 0 ? RC_OK : failed(s);
}

static enum rc mend(struct spool *s)
{
    struct buf piece = {0}, line = {0};
    enum rc rc = s->size ? torn_piece(s, &piece) : RC_OK;
    uint64_t at = s->size - buf_len(&piece);
    if (rc == RC_OK && buf_len(&piece)) {
        rc = torn_report(s, buf_span(&piece), &line);
        if (rc == RC_OK)
            rc = overwrite(s, at, buf_span(&line));
        if (rc == RC_OK) {
            s->size = at + buf_len(&line);
            s->torn++;
        }
    }
    buf_fini(&piece);
    buf_fini(&line);
    return rc;
}

/* ---- opening ---- */

/* What stands under a name; false with errno. (By descriptor: the logger may not look at paths otherwise.) */
static bool stat_named(const struct spool *s, const char *name, struct stat *st)
{
    AUTO_CLOSE int fd = openat(s->dir, name, O_PATH | O_CLOEXEC | O_NOFOLLOW);
    return fd >= 0 && fstat(fd, st) == 0;
}

/* Is the open file still the one of that name? */
static bool is_named(const struct spool *s, int fd)
{
    struct stat mine, named;
    return fstat(fd, &mine) == 0 && stat_named(s, s->name, &named) && mine.st_ino == named.st_ino &&
           mine.st_dev == named.st_dev;
}

static enum rc open_file(struct spool *s, int more_flags)
{
    struct stat st;
    AUTO_CLOSE int fd =
        openat(s->dir, s->name,
               O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | more_flags, 0640);
    if (fd < 0 || fstat(fd, &st) != 0)
        return failed(s);
    if (!S_ISREG(st.st_mode)) {
        errno = EINVAL;
        return failed(s);
    }
    s->fd = fd;
    s->size = (uint64_t)st.st_size;
    fd = -1;
    return RC_OK;
}

/* The file is under its name after a power cut too. */
static enum rc sync_name(struct spool *s)
{
    return s->sync_dir(s->dir) == 0 || errno == EINVAL ? RC_OK : failed(s);
}

/* The kernel has dropped the dirty pages: a second sync would claim success. */
static enum rc sync_failed(struct spool *s)
{
    s->suspect = true;
    return failed(s);
}

/* As it stands, mended. BAD: it cannot be gone on with, for it is someone else's under our name, or the sync
 * when it was opened before has failed. */
static enum rc take_up(struct spool *s)
{
    if (s->suspect && s->size)
        return RC_BAD;
    TRY(mend(s));
    return s->sync(s->fd) == 0 ? RC_OK : sync_failed(s);
}

enum rc spool_ready(struct spool *s)
{
    if (s->fd >= 0)
        return RC_OK;
    if (s->dir < 0)
        return RC_NOTFOUND;
    TRY(open_file(s, 0));
    errno = 0;
    enum rc rc = take_up(s);
    if (rc == RC_BAD) /* put aside unread */
        rc = spool_rotate(s);
    if (rc == RC_OK)
        rc = sync_name(s);
    if (rc != RC_OK) {
        enum rc why = rc == RC_IO ? failed(s) : rc;
        close_fd(&s->fd);
        return why;
    }
    s->suspect = false;
    s->last_errno = 0;
    return RC_OK;
}

enum rc spool_last(const struct spool *s, size_t bytes, struct buf *out)
{
    size_t look = s->size < bytes ? (size_t)s->size : bytes;
    buf_clear(out);
    TRY(read_at(s, s->size - look, look, out));
    if (look == s->size)
        return RC_OK;
    size_t nl = span_find(buf_span(out), '\n', 0);
    buf_consume(out, nl == SIZE_MAX ? buf_len(out) : nl + 1);
    return RC_OK;
}

/* ---- writing ---- */

enum rc spool_write(struct spool *s, span lines, size_t *done)
{
    while (*done < lines.n) {
        ssize_t k = s->write(s->fd, lines.p + *done, lines.n - *done);
        if (k < 0 && errno == EINTR)
            continue;
        if (k == 0)
            errno = ENOSPC;
        if (k <= 0)
            return failed(s);
        *done += (size_t)k;
        s->size += (uint64_t)k;
    }
    return RC_OK;
}

enum rc spool_start(struct spool *s)
{
    if (s->start(s->fd) == 0 || errno == ENOSYS || errno == EINVAL || errno == ESPIPE)
        return RC_OK;
    return sync_failed(s);
}

enum rc spool_sync(struct spool *s)
{
    if (s->sync(s->fd) != 0)
        return sync_failed(s);
    s->last_errno = 0;
    return RC_OK;
}

bool spool_wants_rotation(const struct spool *s, size_t more)
{
    return s->suspect || (s->size > 0 && s->size + more > s->max_bytes);
}

/* "NAME.20261124-100000", then "NAME.20261124-100000.1" ... The first that is free: there is one writer. */
static enum rc rename_away(struct spool *s)
{
    char to[SPOOL_NAME + 32], stamp[20];
    time_t now = (time_t)clock_wall_s();
    struct tm tm;
    struct stat st;
    if (!gmtime_r(&now, &tm) || strftime(stamp, sizeof stamp, "%Y%m%d-%H%M%S", &tm) == 0)
        return RC_BUG;
    for (int i = 0; i < SPOOL_SAME_SECOND; i++) {
        if (i == 0)
            snprintf(to, sizeof to, "%s.%s", s->name, stamp);
        else
            snprintf(to, sizeof to, "%s.%s.%d", s->name, stamp, i);
        if (stat_named(s, to, &st))
            continue;
        if (errno != ENOENT || renameat(s->dir, s->name, s->dir, to) != 0)
            return failed(s);
        return RC_OK;
    }
    errno = EEXIST;
    return failed(s);
}

enum rc spool_rotate(struct spool *s)
{
    if (s->fd >= 0 && is_named(s, s->fd))
        TRY(rename_away(s));
    close_fd(&s->fd);
    TRY(open_file(s, O_EXCL));
    s->suspect = false;
    enum rc rc = sync_name(s);
    if (rc != RC_OK)
        close_fd(&s->fd); /* it is empty; spool_ready opens it again */
    return rc;
}

void spool_check_name(struct spool *s)
{
    if (s->fd >= 0 && !is_named(s, s->fd))
        close_fd(&s->fd);
}
