/* What the last segment holds when a writer opens it, and the mending of its end; see journal.h. */
#include "gw/siem/journal_int.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "gw/base/log.h"
#include "gw/base/obj.h"

void jnl_saw(struct journal *j, const struct journal_frame *f)
{
    size_t i = 0;
    while (i < j->n_seen && (j->seen[i].boot != f->boot || j->seen[i].worker != f->worker))
        i++;
    if (i == JNL_SEEN) /* more sources than a segment's end can have of one gateway: the oldest goes */
        memmove(j->seen, j->seen + 1, (--i, --j->n_seen) * sizeof *j->seen);
    if (i == j->n_seen)
        j->seen[j->n_seen++] = (struct jnl_seen){f->boot, f->seq, f->worker};
    if (f->seq > j->seen[i].seq)
        j->seen[i].seq = f->seq;
}

uint64_t journal_seen(const struct journal *j, uint64_t boot, uint32_t worker)
{
    for (size_t i = 0; i < j->n_seen; i++) {
        if (j->seen[i].boot == boot && j->seen[i].worker == worker)
            return j->seen[i].seq;
    }
    return 0;
}

/* Is the frame what its hash says? Only the end is asked: what was synced before cannot be half there. */
static bool is_whole(const struct journal *j, span bytes, size_t at, size_t next)
{
    uint8_t hash[JOURNAL_HASH];
    if (bytes.n - at > JNL_END)
        return true;
    return jnl_frame_hash(j->sha, span_cut(bytes, at, next), j->tip, hash) == RC_OK &&
           memcmp(hash, bytes.p + next - JOURNAL_HASH, JOURNAL_HASH) == 0;
}

/* Goes over the frames; returns where the good ones end. */
static size_t scan(struct journal *j, span bytes)
{
    size_t at = JNL_HEAD, next;
    struct journal_frame f;
    j->n_pairs = j->n_told = 0;
    while (jnl_frame_read(bytes, at, &f, &next) == RC_OK && is_whole(j, bytes, at, next)) {
        memcpy(j->tip, f.hash, JOURNAL_HASH);
        jnl_pair(j, f.code, at);
        if (bytes.n - at <= JNL_END)
            jnl_saw(j, &f);
        at = next;
    }
    return at;
}

/* The end behind the last whole frame goes; a piece too long for that is damage, and stays for those who look
 * into it. */
static enum rc mend(struct journal *j, int fd, uint64_t size, uint64_t good)
{
    j->size = good;
    if (good == size)
        return RC_OK;
    if (size - good > JNL_END) {
        log_error("journal: segment %llu is damaged at byte %llu; it is left as it is",
                  (unsigned long long)j->segment, (unsigned long long)good);
        j->counts.damaged++;
        return RC_NOTFOUND;
    }
    log_warn("journal: segment %llu ended within a record and was cut back to byte %llu; if its gateway "
             "still runs, the whole record follows",
             (unsigned long long)j->segment, (unsigned long long)good);
    if (ftruncate(fd, (off_t)good) != 0)
        return RC_IO;
    j->counts.torn++;
    return RC_OK;
}

/* Its pages are dirty again, so that the next sync tells what becomes of them. */
static enum rc rewrite_end(const struct journal *j, int fd, span good)
{
    uint8_t piece[JNL_PIECE];
    for (size_t at = good.n > JNL_END ? good.n - JNL_END : 0; at < good.n;) {
        span s = span_cut(good, at, at + sizeof piece);
        memcpy(piece, s.p, s.n);
        TRY(jnl_write_all(j, fd, span_of(piece, s.n), at));
        at += s.n;
    }
    return RC_OK;
}

/* A logger that was killed between write and sync leaves frames here that nobody has synced, and that count
 * as written from now on. After a sync that failed the kernel has dropped those pages, and the next sync
 * would claim success. */
static enum rc sync_opened(struct journal *j, int fd, span bytes)
{
    if (j->unsure)
        TRY(rewrite_end(j, fd, span_cut(bytes, 0, (size_t)j->size)));
    j->unsure = j->disk.sync(fd) != 0;
    return j->unsure ? RC_IO : RC_OK;
}

static enum rc open_mapped(struct journal *j, int fd, span bytes)
{
    uint8_t prev[JOURNAL_HASH];
    uint64_t number;
    if (jnl_head_read(bytes, &number, prev, j->tip) != RC_OK || number != j->segment) {
        log_error("journal: segment %llu has no head of ours; it is left as it is",
                  (unsigned long long)j->segment);
        memset(j->tip, 0, sizeof j->tip);
        j->counts.damaged++;
        return RC_NOTFOUND;
    }
    TRY(mend(j, fd, bytes.n, scan(j, bytes)));
    return sync_opened(j, fd, bytes);
}

static enum rc open_segment(struct journal *j)
{
    char name[JNL_NAME];
    struct stat st;
    jnl_name(j->segment, "seg", name);
    AUTO_CLOSE int fd = openat(j->dir, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || fstat(fd, &st) != 0)
        return RC_IO;
    if (st.st_size < JNL_HEAD) /* a kill while it was made: nothing can be in it */
        return unlinkat(j->dir, name, 0) == 0 ? RC_AGAIN : RC_IO;
    void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED)
        return RC_IO;
    enum rc rc = open_mapped(j, fd, span_of(p, (size_t)st.st_size));
    munmap(p, (size_t)st.st_size);
    if (rc == RC_OK) {
        j->fd = fd;
        fd = -1;
    }
    return rc;
}

enum rc jnl_open_last(struct journal *j)
{
    enum rc rc;
    do {
        uint64_t *list;
        size_t n;
        TRY(jnl_list(j->dir, &list, &n));
        j->segment = n ? list[n - 1] : 0;
        free(list);
        memset(j->tip, 0, sizeof j->tip);
        j->n_seen = 0;
        rc = n ? open_segment(j) : RC_NOTFOUND;
    } while (rc == RC_AGAIN);
    return rc;
}
