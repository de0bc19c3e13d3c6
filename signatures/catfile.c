/* Files of lists; see catfile.h. */
#include "signatures/catfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "gw/base/obj.h"
#include "gw/base/pages.h"

enum { CHECKSUM_BYTES = 4096 };

static int64_t ns(struct timespec t)
{
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static enum rc describe(int fd, struct catfile *out)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return RC_IO;
    if (!S_ISREG(st.st_mode))
        return RC_BAD;
    *out = (struct catfile){st.st_dev, st.st_ino, (uint64_t)st.st_size, ns(st.st_mtim), ns(st.st_ctim)};
    return RC_OK;
}

static enum rc open_file(const char *path, int *fd)
{
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (*fd >= 0)
        return RC_OK;
    return errno == ENOENT || errno == ENOTDIR ? RC_NOTFOUND : RC_IO;
}

enum rc catfile_stat(const char *path, struct catfile *out)
{
    AUTO_CLOSE int fd = -1;
    TRY(open_file(path, &fd));
    return describe(fd, out);
}

enum rc catfile_read(const char *path, struct buf *out, struct catfile *id)
{
    struct catfile is;
    AUTO_CLOSE int fd = -1;
    TRY(open_file(path, &fd));
    TRY(describe(fd, &is));
    if (id)
        *id = is;
    for (bool first = true;; first = false) {
        TRY(buf_reserve(out, first ? is.bytes + 1 : 1));
        if (first)
            pages_large(out->p, out->cap);
        ssize_t n = read(fd, out->p + out->w, out->cap - out->w);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return RC_IO;
        if (n == 0)
            return RC_OK;
        out->w += (size_t)n;
    }
}

bool catfile_checksum_ok(const char *path, const uint8_t digest[32])
{
    char side[4096], want[65];
    struct buf text;
    int n = snprintf(side, sizeof side, "%s.sha256", path);
    if (n < 0 || (size_t)n >= sizeof side)
        return true;
    for (unsigned i = 0; i < 32; i++)
        snprintf(want + 2 * i, 3, "%02x", digest[i]);
    buf_init(&text, CHECKSUM_BYTES);
    enum rc rc = catfile_read(side, &text, NULL);
    span is = span_cut(buf_span(&text), 0, 64);
    bool ok = rc == RC_NOTFOUND || (rc == RC_OK && span_ieq(is, span_str(want)));
    buf_fini(&text);
    return ok;
}
