/* The writer of the journal, shared by its files only: journal.c (batches, segments), journal_open.c (what a
 * segment holds, mending), journal_index.c. */
#ifndef GW_SIEM_JOURNAL_INT_H
#define GW_SIEM_JOURNAL_INT_H

#include "gw/siem/journal_fmt.h"

enum {
    /* No batch is longer: a full share of every ring, and one record more of each. */
    JNL_BATCH = LIM_LOG_BATCH_BYTES + (LIM_WORKERS + 8) * (LIM_RECORD_BYTES + 64),
    /* So much of a segment's end is checked when it is opened, and at most so much of it is cut off. */
    JNL_END = 4 * JNL_BATCH,
    JNL_SEEN = 256,
    JNL_PIECE = 65536
};

struct jnl_seen {
    uint64_t boot, seq;
    uint32_t worker;
};

struct journal {
    int dir, fd, index; /* descriptors, -1: none */
    uint64_t segment, size;
    uint8_t tip[JOURNAL_HASH]; /* hash that the next frame goes on from */
    bool suspect;              /* the file may hold more than `size`, or a sync failed: begin a new one */
    bool unsure; /* a sync failed when the last segment was opened: its end is to be written once more */
    struct sha256_ctx *sha;
    struct buf batch;
    bool chained; /* the batch's hashes are made, going on from `tip` */
    bool put;     /* the batch stands behind `size` in the file, not synced */
    struct jnx_pair *pairs;
    size_t n_pairs, cap_pairs, n_told; /* told: those that the index file has */
    struct jnl_seen seen[JNL_SEEN];
    size_t n_seen;
    struct journal_counts counts;
    struct journal_disk disk;
    void (*each)(const struct journal_frame *f, void *arg);
    void *each_arg;
    int last_errno;
};

/* Opens the last segment of the directory as it stands, mends its end and syncs it: j->fd, segment, size,
 * tip, pairs, seen. IO: errno; the next call writes the end over itself before it believes a sync. NOTFOUND:
 * there is none that can be gone on with; then `segment` and `tip` say what a new one follows.
 */
enum rc jnl_open_last(struct journal *j) MUST_USE;
/* All of `s` from byte `at` on. IO: errno; a part may be written. */
enum rc jnl_write_all(const struct journal *j, int fd, span s, uint64_t at) MUST_USE;
/* A pair more; without memory the index just does not reach further. */
void jnl_pair(struct journal *j, uint64_t code, uint64_t at);
/* The index file of the current segment takes what is new. Failing costs only time of those who look. */
void jnl_index_tell(struct journal *j);
/* The current segment is complete: its index is sorted. */
void jnl_index_close(struct journal *j);
/* ... and the map of segments gets a line of it; its pairs are sorted. */
void jnl_map_add(struct journal *j);
void jnl_saw(struct journal *j, const struct journal_frame *f);

#endif
