/* How the journal stands on the disk; between its own files. All numbers little endian.
 *
 * A segment is a head and frames: head = magic, version, bytes of the head, number, time, hash at the end of
 * the segment before, hash of all that. A frame = mark, length, boot, worker, 0, seq, the record, zeros up to
 * a multiple of 8, hash. A frame's hash is taken over the hash before it (of the last frame, or of the head)
 * and everything of its own before the hash: no record can be changed, taken out or put in without all that
 * follow telling.
 *
 * An index is a head and pairs (code, place of the frame), and says how far into its segment it reaches. It
 * only saves time: what stands there is checked, and what it does not reach is walked. */
#ifndef GW_SIEM_JOURNAL_FMT_H
#define GW_SIEM_JOURNAL_FMT_H

#include <endian.h>
#include <stdio.h>

#include "gw/base/limits.h"
#include "gw/base/sha256.h"
#include "gw/siem/journal.h"

#define JNL_MAGIC   UINT64_C(0x314c4e4a52524550) /* "PERRJNL1" */
#define JNX_MAGIC   UINT64_C(0x31584e4a52524550) /* "PERRJNX1" */
#define JNL_VERSION 1
#define JNL_MARK    UINT32_C(0x4352504a)

enum {
    JNL_HEAD = 96,
    JNL_HEAD_HASHED = 64,
    JNL_FRAME = 32,     /* bytes before the record */
    JNL_RECORD_MIN = 8, /* its code */
    JNX_HEAD = 64,
    JNX_PAIR = 16,
    JNL_NAME = 32
};

/* A frame's bytes with a record of n. */
static inline size_t jnl_frame_bytes(size_t n)
{
    return JNL_FRAME + ((n + 7) & ~(size_t)7) + JOURNAL_HASH;
}

/* At most eight bytes. */
static inline void jnl_put(uint8_t *p, uint64_t v, size_t bytes)
{
    v = htole64(v);
    memcpy(p, &v, bytes);
}

static inline uint64_t jnl_get(const uint8_t *p, size_t bytes)
{
    uint64_t v = 0;
    memcpy(&v, p, bytes);
    return le64toh(v);
}

struct jnx_pair {
    uint64_t code, at;
};

struct jnx_head {
    bool sorted;
    uint64_t segment, n, covered, min, max;
};

/* "000000000007.seg" */
static inline void jnl_name(uint64_t segment, const char *ending, char out[JNL_NAME])
{
    snprintf(out, JNL_NAME, "%012llu.%s", (unsigned long long)(segment % UINT64_C(1000000000000)), ending);
}

/* The head of a segment; BAD when it is none. */
enum rc jnl_head_read(span bytes, uint64_t *segment, uint8_t prev[JOURNAL_HASH],
                      uint8_t hash[JOURNAL_HASH]) MUST_USE;
enum rc jnl_head_write(uint64_t segment, int64_t wall_us, const uint8_t prev[JOURNAL_HASH],
                       uint8_t out[JNL_HEAD]) MUST_USE;
/* The frame at `at` of a segment's bytes; MORE: cut short; BAD: no frame. `next`: where the next one is. */
enum rc jnl_frame_read(span bytes, size_t at, struct journal_frame *out, size_t *next) MUST_USE;
/* What the frame's hash must be. */
enum rc jnl_frame_hash(struct sha256_ctx *c, span frame, const uint8_t prev[JOURNAL_HASH],
                       uint8_t out[JOURNAL_HASH]) MUST_USE;

/* Which closed segments cannot hold a code (journal_map.c). */
enum { JNL_STRETCH_BITS = 16 };
struct jnl_map_entry {
    uint64_t segment, size;
    const uint8_t *stretch; /* n numbers of 8 bytes, ascending */
    size_t n;
};
struct jnl_map {
    uint8_t *bytes;
    struct jnl_map_entry *entry;
    size_t n;
};
/* OK without entries where there is no such file. */
enum rc jnl_map_read(int dir, struct jnl_map *out) MUST_USE;
void jnl_map_fini(struct jnl_map *m);
bool jnl_map_excludes(const struct jnl_map *m, uint64_t segment, uint64_t size, uint64_t code);

void jnx_head_write(const struct jnx_head *h, uint8_t out[JNX_HEAD]);
enum rc jnx_head_read(span bytes, struct jnx_head *out) MUST_USE;
/* Numbers of the segments in a directory, ascending; the caller frees *out. */
enum rc jnl_list(int dir, uint64_t **out, size_t *n) MUST_USE;
/* All n bytes from `at` on, or IO. */
enum rc jnl_pread(int fd, void *out, size_t n, uint64_t at) MUST_USE;
enum rc jnl_pwrite(int fd, const void *p, size_t n, uint64_t at) MUST_USE;

#endif
