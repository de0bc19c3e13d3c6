/* Writing the journal: batches, their chain of hashes, segments; journal.h says what it promises. `size` and
 * `tip` move only when a batch is on the disk; whatever a failure leaves behind is taken back or left aside.
 */
#include "gw/siem/journal_int.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "gw/base/clock.h"
#include "gw/base/obj.h"

enum rc journal_new(struct journal **out)
{
    struct journal *j = calloc(1, sizeof *j);
    if (!j)
        return RC_NOMEM;
    *j = (struct journal){
        .dir = -1, .fd = -1, .index = -1, .disk = {LIM_JOURNAL_SEGMENT_BYTES, pwrite, fdatasync}};
    buf_init(&j->batch, JNL_BATCH);
    /* All memory now: within a batch there is no way back. */
    if (sha256_new(&j->sha) != RC_OK || buf_reserve(&j->batch, JNL_BATCH) != RC_OK) {
        journal_free(j);
        return RC_NOMEM;
    }
    *out = j;
    return RC_OK;
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

void journal_free(struct journal *j)
{
    if (!j)
        return;
    close_fd(&j->fd);
    close_fd(&j->index);
    close_fd(&j->dir);
    sha256_free(j->sha);
    buf_fini(&j->batch);
    free(j->pairs);
    free(j);
}

void journal_watch(struct journal *j, void (*each)(const struct journal_frame *f, void *arg), void *arg)
{
    j->each = each;
    j->each_arg = arg;
}

void journal_target(struct journal *j, int dir)
{
    close_fd(&j->fd);
    close_fd(&j->index);
    close_fd(&j->dir);
    j->dir = dir;
    j->chained = j->suspect = j->put = j->unsure = false;
}

bool journal_has_target(const struct journal *j)
{
    return j->dir >= 0;
}

struct journal_disk *journal_disk(struct journal *j)
{
    return &j->disk;
}

int journal_errno(const struct journal *j)
{
    return j->last_errno;
}

const struct journal_counts *journal_counts(const struct journal *j)
{
    return &j->counts;
}

size_t journal_batch(const struct journal *j)
{
    return buf_len(&j->batch);
}

static enum rc failed(struct journal *j)
{
    j->last_errno = errno ? errno : EIO;
    return RC_IO;
}

/* ---- segments ---- */

enum rc jnl_write_all(const struct journal *j, int fd, span s, uint64_t at)
{
    for (size_t done = 0; done < s.n;) {
        ssize_t k = j->disk.write(fd, s.p + done, s.n - done, (off_t)(at + done));
        if (k < 0 && errno == EINTR)
            continue;
        if (k == 0)
            errno = ENOSPC;
        if (k <= 0)
            return RC_IO;
        done += (size_t)k;
    }
    return RC_OK;
}

/* Before a head goes on from the tip of the current segment, that one is on the disk as it stands: with what
 * was taken back of it gone, for after a power cut its end would be no end of a chain. One that is suspect is
 * left aside whatever the disk says of it. */
static enum rc sync_old(struct journal *j)
{
    if (j->fd < 0 || j->disk.sync(j->fd) == 0 || j->suspect)
        return RC_OK;
    j->suspect = true;
    return failed(j);
}

/* The one after j->segment, going on from j->tip. */
static enum rc begin_segment(struct journal *j)
{
    uint8_t head[JNL_HEAD];
    char name[JNL_NAME];
    uint64_t number = j->segment + 1;
    TRY(sync_old(j));
    TRY(jnl_head_write(number, clock_wall_us(), j->tip, head));
    jnl_name(number, "seg", name);
    errno = 0;
    AUTO_CLOSE int fd = openat(j->dir, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return failed(j);
    if (jnl_write_all(j, fd, span_of(head, sizeof head), 0) != RC_OK || fdatasync(fd) != 0 ||
        fsync(j->dir) != 0) {
        enum rc rc = failed(j);
        unlinkat(j->dir, name, 0);
        return rc;
    }
    if (j->fd >= 0)
        jnl_index_close(j);
    close_fd(&j->fd);
    j->n_pairs = j->n_told = 0;
    j->fd = fd;
    fd = -1;
    j->segment = number;
    j->size = JNL_HEAD;
    memcpy(j->tip, head + JNL_HEAD_HASHED, JOURNAL_HASH);
    j->chained = j->suspect = false;
    return RC_OK;
}

enum rc journal_ready(struct journal *j)
{
    if (j->fd >= 0)
        return RC_OK;
    if (j->dir < 0)
        return RC_NOTFOUND;
    errno = 0;
    enum rc rc = jnl_open_last(j);
    if (rc == RC_NOTFOUND)
        return begin_segment(j);
    if (rc == RC_IO)
        return failed(j);
    TRY(rc);
    jnl_index_tell(j);
    j->chained = false;
    j->last_errno = 0;
    return RC_OK;
}

/* ---- batches ---- */

enum rc journal_add(struct journal *j, uint64_t boot, uint32_t worker, uint64_t seq, span record)
{
    gw_assert(!j->put);
    if (record.n < JNL_RECORD_MIN || record.n > LIM_RECORD_BYTES)
        return RC_BAD;
    size_t whole = jnl_frame_bytes(record.n);
    if (buf_reserve(&j->batch, whole) != RC_OK)
        return RC_LIMIT;
    uint8_t *p = j->batch.p + j->batch.w;
    jnl_put(p, JNL_MARK, 4);
    jnl_put(p + 4, record.n, 4);
    jnl_put(p + 8, boot, 8);
    jnl_put(p + 16, worker, 8);
    jnl_put(p + 24, seq, 8);
    memset(p + whole - JOURNAL_HASH - 8, 0, 8); /* what fills up to a multiple of 8, before its record */
    memcpy(p + JNL_FRAME, record.p, record.n);
    j->batch.w += whole;
    j->chained = false;
    return RC_OK;
}

/* Hashes of the whole batch, from the tip on. */
static enum rc chain(struct journal *j)
{
    span bytes = buf_span(&j->batch);
    const uint8_t *prev = j->tip;
    struct journal_frame f;
    for (size_t at = 0, next; at < bytes.n; at = next) {
        gw_assert(jnl_frame_read(bytes, at, &f, &next) == RC_OK);
        uint8_t *hash = j->batch.p + j->batch.r + next - JOURNAL_HASH;
        TRY(jnl_frame_hash(j->sha, span_of(bytes.p + at, next - at), prev, hash));
        prev = hash;
    }
    j->chained = true;
    return RC_OK;
}

static void commit(struct journal *j)
{
    span bytes = buf_span(&j->batch);
    struct journal_frame f;
    for (size_t at = 0, next; at < bytes.n; at = next) {
        gw_assert(jnl_frame_read(bytes, at, &f, &next) == RC_OK);
        jnl_pair(j, f.code, j->size + at);
        j->counts.records++;
        if (j->each)
            j->each(&f, j->each_arg);
    }
    memcpy(j->tip, bytes.p + bytes.n - JOURNAL_HASH, JOURNAL_HASH);
    j->size += bytes.n;
    j->counts.bytes += bytes.n;
    j->chained = false;
    j->last_errno = 0;
    buf_clear(&j->batch);
    jnl_index_tell(j);
}

/* What a failed attempt left in the file goes, or the file is not used any more. After a sync that failed the
 * kernel has dropped pages whose fate nobody knows: a second sync would claim success. */
static enum rc take_back(struct journal *j, bool synced)
{
    enum rc rc = failed(j);
    bool back = ftruncate(j->fd, (off_t)j->size) == 0;
    j->suspect |= !synced || !back;
    return rc;
}

enum rc journal_put(struct journal *j, bool may_rotate)
{
    TRY(journal_ready(j));
    size_t n = buf_len(&j->batch);
    gw_assert(!j->put);
    if (n == 0)
        return RC_OK;
    bool full = j->size > JNL_HEAD && j->size + n > j->disk.max_bytes;
    if (j->suspect || (may_rotate && full))
        TRY(begin_segment(j));
    if (!j->chained)
        TRY(chain(j));
    errno = 0;
    if (jnl_write_all(j, j->fd, buf_span(&j->batch), j->size) != RC_OK)
        return take_back(j, true);
    j->put = true;
    return RC_OK;
}

enum rc journal_sync(struct journal *j)
{
    if (!j->put)
        return RC_OK;
    j->put = false;
    if (j->disk.sync(j->fd) != 0)
        return take_back(j, false);
    commit(j);
    return RC_OK;
}

enum rc journal_write(struct journal *j, bool may_rotate)
{
    TRY(journal_put(j, may_rotate));
    return journal_sync(j);
}
