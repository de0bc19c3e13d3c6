/* Names of parts and snapshots; see manifest.h. */
#include "policy/manifest.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "gw/base/sha256.h"

enum { MANIFEST_VERSION = 1, MANIFEST_MAGIC = 0x50504d31 }; /* "PPM1" */
enum { SEALS = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL };

static const struct {
    const char *name;
    bool kept;
} parts[SNAP_PARTS] = {
#define P(id, name, kept, may_be_empty, text) {name, kept},
#include "policy/part.tbl"
#undef P
};

const char *part_name(enum snap_part p)
{
    return (unsigned)p < SNAP_PARTS ? parts[p].name : "?";
}

bool part_is_kept(enum snap_part p)
{
    return (unsigned)p < SNAP_PARTS && parts[p].kept;
}

enum rc manifest_put(struct buf *b, const struct manifest *m)
{
    TRY(buf_put_u32(b, MANIFEST_MAGIC));
    TRY(buf_put_u16(b, MANIFEST_VERSION));
    TRY(buf_put_u16(b, SNAP_PARTS));
    for (unsigned i = 0; i < SNAP_PARTS; i++) {
        TRY(buf_put(b, span_of(m->part[i].hash, SNAP_HASH)));
        TRY(buf_put_u64(b, m->part[i].size));
    }
    return RC_OK;
}

enum rc manifest_get(span in, struct manifest *m)
{
    struct rd r = rd_of(in);
    *m = (struct manifest){0};
    if (rd_u32(&r) != MANIFEST_MAGIC || rd_u16(&r) != MANIFEST_VERSION || rd_u16(&r) != SNAP_PARTS)
        return RC_BAD;
    for (unsigned i = 0; i < SNAP_PARTS; i++) {
        span hash = rd_bytes(&r, SNAP_HASH);
        if (hash.n == SNAP_HASH)
            memcpy(m->part[i].hash, hash.p, SNAP_HASH);
        m->part[i].size = rd_u64(&r);
    }
    return r.bad || rd_left(&r) ? RC_BAD : RC_OK;
}

enum rc manifest_name(const struct manifest *m, uint8_t out[SNAP_HASH])
{
    struct buf b = {0};
    enum rc rc = manifest_put(&b, m);
    span bytes = buf_span(&b);
    if (rc == RC_OK)
        rc = sha256(&bytes, 1, out);
    buf_fini(&b);
    return rc;
}

bool part_same(const struct part_id *a, const struct part_id *b)
{
    return a->size == b->size && memcmp(a->hash, b->hash, SNAP_HASH) == 0;
}

enum rc part_identify(int fd, struct part_id *out)
{
    struct stat st;
    int seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0 || (seals & SEALS) != SEALS || fstat(fd, &st) != 0 || st.st_size < 0)
        return RC_BAD;
    out->size = (uint64_t)st.st_size;
    span bytes = SPAN_NONE;
    if (out->size == 0)
        return sha256(&bytes, 1, out->hash);
    void *p = mmap(NULL, (size_t)out->size, PROT_READ, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED)
        return RC_NOMEM;
    bytes = span_of(p, (size_t)out->size);
    enum rc rc = sha256(&bytes, 1, out->hash);
    munmap(p, (size_t)out->size);
    return rc;
}

enum rc manifest_of(const int fds[SNAP_PARTS], struct manifest *out)
{
    for (unsigned i = 0; i < SNAP_PARTS; i++)
        TRY(part_identify(fds[i], &out->part[i]));
    return RC_OK;
}

void hash_text(const uint8_t hash[SNAP_HASH], char out[MANIFEST_TEXT])
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < SNAP_HASH; i++) {
        out[2 * i] = digits[hash[i] >> 4];
        out[2 * i + 1] = digits[hash[i] & 15];
    }
    out[MANIFEST_TEXT - 1] = '\0';
}

static int digit(uint8_t c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool hash_parse(span text, uint8_t out[SNAP_HASH])
{
    if (text.n != MANIFEST_TEXT - 1)
        return false;
    for (size_t i = 0; i < SNAP_HASH; i++) {
        int hi = digit(text.p[2 * i]), lo = digit(text.p[2 * i + 1]);
        if (hi < 0 || lo < 0)
            return false;
        out[i] = (uint8_t)(hi << 4 | lo);
    }
    return true;
}
