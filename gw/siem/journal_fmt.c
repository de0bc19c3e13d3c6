/* Heads, frames and names of the journal's files; see journal_fmt.h. Nothing that is read is trusted. */
#include "gw/siem/journal_fmt.h"

#include <errno.h>

#include "gw/base/dir.h"
#include "gw/base/obj.h"
#include "gw/siem/code.h"

uint64_t journal_code(unsigned node, uint64_t number)
{
    return (uint64_t)(node & 31) << CODE_NUMBER_BITS | (number & ((UINT64_C(1) << CODE_NUMBER_BITS) - 1));
}

/* ---- segments ---- */

enum rc jnl_head_write(uint64_t segment, int64_t wall_us, const uint8_t prev[JOURNAL_HASH],
                       uint8_t out[JNL_HEAD])
{
    span hashed = span_of(out, JNL_HEAD_HASHED);
    jnl_put(out, JNL_MAGIC, 8);
    jnl_put(out + 8, JNL_VERSION, 4);
    jnl_put(out + 12, JNL_HEAD, 4);
    jnl_put(out + 16, segment, 8);
    jnl_put(out + 24, (uint64_t)wall_us, 8);
    memcpy(out + 32, prev, JOURNAL_HASH);
    return sha256(&hashed, 1, out + JNL_HEAD_HASHED);
}

enum rc jnl_head_read(span bytes, uint64_t *segment, uint8_t prev[JOURNAL_HASH], uint8_t hash[JOURNAL_HASH])
{
    uint8_t want[JOURNAL_HASH];
    span hashed = span_cut(bytes, 0, JNL_HEAD_HASHED);
    if (bytes.n < JNL_HEAD || jnl_get(bytes.p, 8) != JNL_MAGIC || jnl_get(bytes.p + 8, 4) != JNL_VERSION ||
        jnl_get(bytes.p + 12, 4) != JNL_HEAD)
        return RC_BAD;
    TRY(sha256(&hashed, 1, want));
    *segment = jnl_get(bytes.p + 16, 8);
    memcpy(prev, bytes.p + 32, JOURNAL_HASH);
    memcpy(hash, bytes.p + JNL_HEAD_HASHED, JOURNAL_HASH);
    return memcmp(want, hash, JOURNAL_HASH) == 0 ? RC_OK : RC_BAD;
}

enum rc jnl_frame_read(span bytes, size_t at, struct journal_frame *out, size_t *next)
{
    if (at > bytes.n || bytes.n - at < JNL_FRAME)
        return RC_MORE;
    const uint8_t *p = bytes.p + at;
    size_t n = (size_t)jnl_get(p + 4, 4);
    if (jnl_get(p, 4) != JNL_MARK || n < JNL_RECORD_MIN || n > LIM_RECORD_BYTES || jnl_get(p + 20, 4) != 0)
        return RC_BAD;
    size_t whole = jnl_frame_bytes(n);
    if (bytes.n - at < whole)
        return RC_MORE;
    *out = (struct journal_frame){.boot = jnl_get(p + 8, 8),
                                  .worker = (uint32_t)jnl_get(p + 16, 4),
                                  .seq = jnl_get(p + 24, 8),
                                  .code = jnl_get(p + JNL_FRAME, 8),
                                  .record = span_of(p + JNL_FRAME, n),
                                  .hash = p + whole - JOURNAL_HASH,
                                  .at = at};
    *next = at + whole;
    return RC_OK;
}

enum rc jnl_frame_hash(struct sha256_ctx *c, span frame, const uint8_t prev[JOURNAL_HASH],
                       uint8_t out[JOURNAL_HASH])
{
    const span parts[2] = {span_of(prev, JOURNAL_HASH), span_cut(frame, 0, frame.n - JOURNAL_HASH)};
    return sha256_with(c, parts, 2, out);
}

/* ---- indexes ---- */

void jnx_head_write(const struct jnx_head *h, uint8_t out[JNX_HEAD])
{
    memset(out, 0, JNX_HEAD);
    jnl_put(out, JNX_MAGIC, 8);
    jnl_put(out + 8, JNL_VERSION, 4);
    jnl_put(out + 12, h->sorted, 4);
    jnl_put(out + 16, h->segment, 8);
    jnl_put(out + 24, h->n, 8);
    jnl_put(out + 32, h->covered, 8);
    jnl_put(out + 40, h->min, 8);
    jnl_put(out + 48, h->max, 8);
}

enum rc jnx_head_read(span bytes, struct jnx_head *out)
{
    if (bytes.n < JNX_HEAD || jnl_get(bytes.p, 8) != JNX_MAGIC || jnl_get(bytes.p + 8, 4) != JNL_VERSION)
        return RC_BAD;
    *out = (struct jnx_head){.sorted = jnl_get(bytes.p + 12, 4) == 1,
                             .segment = jnl_get(bytes.p + 16, 8),
                             .n = jnl_get(bytes.p + 24, 8),
                             .covered = jnl_get(bytes.p + 32, 8),
                             .min = jnl_get(bytes.p + 40, 8),
                             .max = jnl_get(bytes.p + 48, 8)};
    return RC_OK;
}

/* ---- the directory ---- */

static bool segment_name(const char *name, uint64_t *out)
{
    span s = span_str(name);
    return s.n == 16 && span_has_suffix(s, SPAN(".seg")) && span_to_u64(span_cut(s, 0, 12), UINT64_MAX, out);
}

enum rc jnl_list(int dir, uint64_t **out, size_t *n)
{
    return dir_numbers(dir, segment_name, out, n);
}

enum rc jnl_pread(int fd, void *out, size_t n, uint64_t at)
{
    for (size_t got = 0; got < n;) {
        ssize_t k = pread(fd, (uint8_t *)out + got, n - got, (off_t)(at + got));
        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0)
            return RC_IO;
        got += (size_t)k;
    }
    return RC_OK;
}

enum rc jnl_pwrite(int fd, const void *p, size_t n, uint64_t at)
{
    for (size_t done = 0; done < n;) {
        ssize_t k = pwrite(fd, (const uint8_t *)p + done, n - done, (off_t)(at + done));
        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0)
            return RC_IO;
        done += (size_t)k;
    }
    return RC_OK;
}
