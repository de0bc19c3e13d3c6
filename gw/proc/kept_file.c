/* Files that are whole or not there; see kept_file.h. What could not be written whole is removed; what a kill
 * leaves half-written is named NAME.new and is overwritten by the next attempt, or removed with what is old.
 */
#include "gw/proc/kept_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gw/base/dir.h"
#include "gw/base/obj.h"

enum { NAME_MOST = 96, PIECE = 1 << 20 };

static int begin(int dir, const char *name, char tmp[NAME_MOST])
{
    int n = snprintf(tmp, NAME_MOST, "%s.new", name);
    if (n < 0 || n >= NAME_MOST) {
        errno = ENAMETOOLONG;
        return -1;
    }
    return openat(dir, tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
}

/* `written`: how it went so far. After a failure nothing is left to take room on a full disk. */
static enum rc settle(int dir, int fd, const char *tmp, const char *name, enum rc written, bool sync)
{
    enum rc rc = written;
    if (rc == RC_OK && ((sync && fsync(fd) < 0) || renameat(dir, tmp, dir, name) < 0))
        rc = RC_IO;
    if (rc == RC_OK)
        return sync && fsync(dir) < 0 ? RC_IO : RC_OK;
    int why = errno;
    unlinkat(dir, tmp, 0);
    errno = why;
    return rc;
}

static enum rc write_all(int fd, span bytes)
{
    for (size_t at = 0; at < bytes.n;) {
        ssize_t n = write(fd, bytes.p + at, bytes.n - at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return RC_IO;
        at += (size_t)n;
    }
    return RC_OK;
}

enum rc kept_file_write(int dir, const char *name, span bytes)
{
    char tmp[NAME_MOST];
    AUTO_CLOSE int fd = begin(dir, name, tmp);
    if (fd < 0)
        return RC_IO;
    return settle(dir, fd, tmp, name, write_all(fd, bytes), true);
}

enum rc kept_file_bytes(int from, int to, uint64_t size)
{
    struct stat st;
    off_t at = 0;
    if (fstat(from, &st) < 0)
        return RC_IO;
    if ((uint64_t)st.st_size != size)
        return RC_BAD;
    while ((uint64_t)at < size) {
        uint64_t left = size - (uint64_t)at;
        ssize_t n = sendfile(to, from, &at, left < PIECE ? (size_t)left : PIECE);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n == 0 ? RC_BAD : RC_IO;
    }
    return RC_OK;
}

enum rc kept_file_copy(int dir, const char *name, int from, uint64_t size, bool sync)
{
    char tmp[NAME_MOST];
    AUTO_CLOSE int fd = begin(dir, name, tmp);
    if (fd < 0)
        return RC_IO;
    return settle(dir, fd, tmp, name, kept_file_bytes(from, fd, size), sync);
}

enum rc kept_file_read(int dir, const char *name, uint8_t *out, size_t cap, size_t *n)
{
    AUTO_CLOSE int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errno == ENOENT ? RC_NOTFOUND : RC_IO;
    for (*n = 0; *n < cap;) {
        ssize_t got = read(fd, out + *n, cap - *n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return RC_IO;
        if (got == 0)
            return RC_OK;
        *n += (size_t)got;
    }
    return RC_LIMIT;
}

unsigned kept_file_go(int dir, int64_t oldest_s, bool (*stays)(const char *name, void *arg), void *arg)
{
    unsigned gone = 0;
    DIR *d = dir_walk(dir);
    for (struct dirent *e; d && (e = readdir(d));) {
        struct stat st;
        if (e->d_name[0] == '.' || fstatat(dir, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
            !S_ISREG(st.st_mode) || st.st_mtim.tv_sec >= oldest_s || stays(e->d_name, arg))
            continue;
        gone += unlinkat(dir, e->d_name, 0) == 0;
    }
    if (d)
        closedir(d);
    return gone;
}

/* Name of the oldest file, and how many there are. */
static unsigned oldest(int dir, char name[NAME_MOST])
{
    struct timespec when = {0};
    unsigned n = 0;
    DIR *d = dir_walk(dir);
    for (struct dirent *e; d && (e = readdir(d));) {
        struct stat st;
        if (e->d_name[0] == '.' || fstatat(dir, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
            !S_ISREG(st.st_mode) || strlen(e->d_name) >= NAME_MOST)
            continue;
        bool older = st.st_mtim.tv_sec < when.tv_sec ||
                     (st.st_mtim.tv_sec == when.tv_sec && st.st_mtim.tv_nsec < when.tv_nsec);
        if (n++ == 0 || older) {
            when = st.st_mtim;
            memcpy(name, e->d_name, strlen(e->d_name) + 1);
        }
    }
    if (d)
        closedir(d);
    return n;
}

void kept_file_oldest_go(int dir, unsigned most)
{
    char name[NAME_MOST] = "";
    while (oldest(dir, name) > most) {
        if (unlinkat(dir, name, 0) < 0)
            return;
    }
}
