/* The state directory; see state.h. What must survive a power cut (numbers of decision codes) is written
 * beside the old file, synced, renamed, and the directory synced, so that either the old or the new file is
 * there. */
#include "gw/proc/state.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gw/base/limits.h"
#include "gw/base/obj.h"
#include "gw/siem/code.h"

/* A worker gets a million numbers at a time; a start of the gateway writes down 16 such ranges at once, so
 * that replacing a worker never waits for the disk. A code is unique within the retention of the log, not for
 * ever: after 2^40 decisions, or 65,536 starts, the numbers begin anew. */
#define CODE_RANGE (UINT64_C(1) << 20)
#define CODE_BATCH (16 * CODE_RANGE)
#define CODE_END   (UINT64_C(1) << CODE_NUMBER_BITS)

/* One clear line. */
static enum rc refuse(struct buf *err, const char *what, const char *path, const char *remedy)
{
    int why = errno;
    if (buf_printf(err, "%s: %s: %s%s%s\n", path, what, strerror(why), *remedy ? "; " : "", remedy) != RC_OK)
        return RC_NOMEM;
    return RC_CONFIG;
}

static enum rc complain(struct buf *err, const char *path, const char *sentence)
{
    return buf_printf(err, "%s: %s\n", path, sentence) == RC_OK ? RC_CONFIG : RC_NOMEM;
}

static enum rc lock_dir(struct state *s, struct buf *err)
{
    char pid[16];
    s->lock = openat(s->dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (s->lock < 0)
        return refuse(err, "lock file", s->path, "");
    if (flock(s->lock, LOCK_EX | LOCK_NB) < 0) {
        ssize_t n = pread(s->lock, pid, sizeof pid - 1, 0);
        pid[n > 0 ? n : 0] = '\0';
        pid[strcspn(pid, "\n")] = '\0';
        if (buf_printf(
                err,
                "%s: another perrond (pid %s) runs on this state directory; give this one its own with -d\n",
                s->path, pid) != RC_OK)
            return RC_NOMEM;
        return RC_CONFIG;
    }
    int n = snprintf(pid, sizeof pid, "%d\n", (int)getpid());
    if (ftruncate(s->lock, 0) < 0 || pwrite(s->lock, pid, (size_t)n, 0) != n)
        return refuse(err, "lock file", s->path, "");
    return RC_OK;
}

enum rc state_open(struct state *s, const char *path, struct buf *err)
{
    struct stat st;
    *s = (struct state){.path = path, .dir = -1, .lock = -1};
    if (mkdir(path, 0711) < 0 && errno != EEXIST)
        return refuse(err, "state directory cannot be made", path,
                      "make its parent, or choose another with -d");
    s->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (s->dir < 0 || fstat(s->dir, &st) < 0)
        return refuse(err, "state directory", path, "");
    if (st.st_mode & (S_IWGRP | S_IWOTH))
        return complain(err, path, "the state directory is writable by others; chmod go-w it");
    return lock_dir(s, err);
}

void state_close(struct state *s)
{
    if (s->lock >= 0)
        close(s->lock);
    if (s->dir >= 0)
        close(s->dir);
    s->lock = s->dir = -1;
}

/* ---- numbers for decision codes ---- */

static enum rc write_whole(int dir, const char *name, mode_t mode, span bytes)
{
    char tmp[32];
    snprintf(tmp, sizeof tmp, "%s.new", name);
    AUTO_CLOSE int fd = openat(dir, tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd < 0 || write(fd, bytes.p, bytes.n) != (ssize_t)bytes.n || fsync(fd) < 0 ||
        renameat(dir, tmp, dir, name) < 0 || fsync(dir) < 0)
        return RC_IO;
    return RC_OK;
}

/* NOTFOUND where there is no file yet. */
static enum rc read_number(int dir, const char *name, uint64_t max, uint64_t *out)
{
    char text[32];
    AUTO_CLOSE int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errno == ENOENT ? RC_NOTFOUND : RC_IO;
    ssize_t n = read(fd, text, sizeof text);
    if (n <= 0 || text[n - 1] != '\n' || !span_to_u64(span_of(text, (size_t)n - 1), max, out))
        return RC_BAD;
    return RC_OK;
}

static enum rc take_batch(struct state *s, struct buf *err)
{
    char text[32];
    uint64_t used = 0;
    enum rc rc = read_number(s->dir, "codes", CODE_END, &used);
    if (rc != RC_OK && rc != RC_NOTFOUND)
        return complain(err, s->path,
                        "file `codes` is damaged: it must hold the first decision number that was never "
                        "used, and decision codes of the log must not be given out again");
    if (used > CODE_END - CODE_BATCH)
        used = 0;
    int n = snprintf(text, sizeof text, "%" PRIu64 "\n", used + CODE_BATCH);
    if (write_whole(s->dir, "codes", 0600, span_of(text, (size_t)n)) != RC_OK)
        return refuse(err, "decision numbers cannot be written down", s->path, "is the disk full?");
    s->code_next = used;
    s->code_taken = used + CODE_BATCH;
    return RC_OK;
}

enum rc state_codes(struct state *s, uint64_t *from, uint64_t *to, struct buf *err)
{
    if (s->code_next == s->code_taken)
        TRY(take_batch(s, err));
    *from = s->code_next;
    *to = s->code_next += CODE_RANGE;
    return RC_OK;
}

/* ---- pseudonyms ---- */

static enum rc make_secret(struct state *s, uint8_t secret[STATE_SECRET], struct buf *err)
{
    if (getrandom(secret, STATE_SECRET, 0) != STATE_SECRET ||
        write_whole(s->dir, "pseudonym.key", 0400, span_of(secret, STATE_SECRET)) != RC_OK)
        return refuse(err, "the pseudonyms' secret cannot be made", s->path, "is the disk full?");
    return RC_OK;
}

enum rc state_secret(struct state *s, uint8_t secret[STATE_SECRET], struct buf *err)
{
    struct stat st;
    uint8_t more;
    AUTO_CLOSE int fd = openat(s->dir, "pseudonym.key", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errno == ENOENT ? make_secret(s, secret, err) : refuse(err, "pseudonym.key", s->path, "");
    if (fstat(fd, &st) < 0 || (st.st_mode & 077) != 0)
        return complain(err, s->path, "file `pseudonym.key` is readable by others; chmod 0400 it");
    if (read(fd, secret, STATE_SECRET) != STATE_SECRET || read(fd, &more, 1) != 0)
        return complain(err, s->path,
                        "file `pseudonym.key` is damaged; put the old one back, or remove it (pseudonyms "
                        "of before and after will then differ)");
    return RC_OK;
}

/* ---- directories and files for the children ---- */

static enum rc give_dir(int dir, const char *shown, uid_t owner, mode_t mode, struct buf *err)
{
    if (fchown(dir, owner, (gid_t)-1) < 0 || fchmod(dir, mode) < 0)
        return refuse(err, "directory cannot be given to the logger", shown, "");
    return RC_OK;
}

enum rc state_log_dir(struct state *s, const char *path, uid_t owner, int *fd, struct buf *err)
{
    const char *shown = path ? path : "log";
    int at = path ? AT_FDCWD : s->dir;
    if (mkdirat(at, shown, 0750) < 0 && errno != EEXIST)
        return refuse(err, "log directory cannot be made", shown,
                      "make its parent, or choose another with --log-dir");
    AUTO_CLOSE int dir = openat(at, shown, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return refuse(err, "log directory", shown, "");
    TRY(give_dir(dir, shown, owner, 0750, err));
    *fd = dir;
    dir = -1;
    return RC_OK;
}

enum rc state_journal_dir(struct state *s, uid_t owner, int *fd, struct buf *err)
{
    if (mkdirat(s->dir, "journal", 0700) < 0 && errno != EEXIST)
        return refuse(err, "journal directory cannot be made", s->path, "");
    AUTO_CLOSE int dir = openat(s->dir, "journal", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (dir < 0)
        return refuse(err, "journal directory", s->path, "");
    TRY(give_dir(dir, s->path, owner, 0700, err));
    *fd = dir;
    dir = -1;
    return RC_OK;
}

enum rc state_seen_dir(struct state *s, uid_t owner, int *fd, struct buf *err)
{
    if (mkdirat(s->dir, "seen", 0750) < 0 && errno != EEXIST)
        return refuse(err, "directory of seen names cannot be made", s->path, "");
    AUTO_CLOSE int dir = openat(s->dir, "seen", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (dir < 0)
        return refuse(err, "directory of seen names", s->path, "");
    TRY(give_dir(dir, s->path, owner, 0750, err));
    *fd = dir;
    dir = -1;
    return RC_OK;
}

int state_ca_dir(const struct state *s)
{
    return openat(s->dir, "ca", O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static enum rc copy_file(int from, int to, size_t max)
{
    uint8_t chunk[16384];
    for (size_t sum = 0;;) {
        ssize_t n = read(from, chunk, sizeof chunk);
        if (n == 0)
            return RC_OK;
        sum += n > 0 ? (size_t)n : 0;
        if (n < 0 || sum > max || write(to, chunk, (size_t)n) != n)
            return RC_IO;
    }
}

enum rc state_file_memfd(const char *path, size_t max, int *fd, struct buf *err)
{
    AUTO_CLOSE int from = open(path, O_RDONLY | O_CLOEXEC);
    if (from < 0)
        return refuse(err, "cannot be read", path, "");
    AUTO_CLOSE int to = memfd_create("perron", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (to < 0 || copy_file(from, to, max) != RC_OK)
        return complain(err, path, "cannot be read whole, or is too large");
    if (lseek(to, 0, SEEK_SET) < 0 ||
        fcntl(to, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
        return refuse(err, "memory", path, "");
    *fd = to;
    to = -1;
    return RC_OK;
}

/* "nameserver ADDRESS", blanks between; anything else in the line is ignored as the C library does. */
static bool resolver_line(span line, struct addr *out)
{
    static const char word[] = "nameserver";
    if (!span_has_prefix(line, SPAN("nameserver")))
        return false;
    span rest = span_cut(line, sizeof word - 1, line.n);
    if (rest.n == 0 || (rest.p[0] != ' ' && rest.p[0] != '\t'))
        return false;
    rest = span_trim(rest);
    size_t end = 0;
    while (end < rest.n && rest.p[end] != ' ' && rest.p[end] != '\t' && rest.p[end] != '\r')
        end++;
    return addr_parse(span_cut(rest, 0, end), out);
}

unsigned state_resolvers(const char *path, struct addr out[STATE_RESOLVERS])
{
    uint8_t text[8192];
    unsigned found = 0;
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text);
    for (size_t at = 0; n > 0 && at < (size_t)n && found < STATE_RESOLVERS;) {
        span all = span_of(text, (size_t)n);
        size_t end = span_find(all, '\n', at);
        end = end == SIZE_MAX ? (size_t)n : end;
        found += resolver_line(span_cut(all, at, end), &out[found]);
        at = end + 1;
    }
    return found;
}
