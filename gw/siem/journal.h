/* The journal of decision records: append-only segments in one directory, chained by hash, each with an index
 * by decision code. One process writes (the logger, through gw/siem/drain); any number read. A record is
 * opaque here but for its first eight bytes, the decision code (policy/record.h).
 *
 * Whose record it is (boot, worker, seq) is said by the ring it came from, never by the worker. A segment
 * that ends within a frame (power cut, kill -9 in the middle of a write) is cut back to its last whole frame
 * when it is opened for writing; one that is damaged further ahead is left as it stands and a new one begun,
 * so that what happened stays visible. */
#ifndef GW_SIEM_JOURNAL_H
#define GW_SIEM_JOURNAL_H

#include <sys/types.h>

#include "gw/base/buf.h"

enum { JOURNAL_HASH = 32 };

/* One record as it stands in the journal. Spans are borrowed from the reader's buffer. */
struct journal_frame {
    uint64_t boot, seq, code;
    uint32_t worker;
    span record;
    const uint8_t *hash;
    uint64_t segment, at; /* which segment, and its first byte there */
};

/* ---- writing ---- */

struct journal;

struct journal_counts {
    uint64_t records, bytes; /* written and synced */
    uint32_t torn, damaged;  /* ends mended; segments left aside */
};

enum rc journal_new(struct journal **out) MUST_USE;
void journal_free(struct journal *j);
/* `each` is told of every record of a batch once that is written and synced; the frame is the journal's own
 * copy, which no worker can change. */
void journal_watch(struct journal *j, void (*each)(const struct journal_frame *f, void *arg), void *arg);
/* Takes the directory. */
void journal_target(struct journal *j, int dir);
bool journal_has_target(const struct journal *j);
/* Opens, mends and syncs the last segment, or begins the first. NOTFOUND: no target yet; IO: see
 * journal_errno. */
enum rc journal_ready(struct journal *j) MUST_USE;
/* Number of the last record of this worker that stands in the segment's end, 0: none there. Everything that
 * can be in the file and still in a ring is in it. */
uint64_t journal_seen(const struct journal *j, uint64_t boot, uint32_t worker);
/* Puts one record into the batch. BAD: too short or too long to be one. LIMIT: the batch is full. */
enum rc journal_add(struct journal *j, uint64_t boot, uint32_t worker, uint64_t seq, span record) MUST_USE;
size_t journal_batch(const struct journal *j); /* bytes in it */
/* Writes the batch; journal_sync() comes next, before anything else is asked of the journal. After a failure
 * nothing of the batch counts: what had been written is taken back, and the next call tries all of it again.
 * A full segment is followed by a new one only where `may_rotate` says that nothing but the batch is still in
 * the rings (journal_seen looks into the last segment alone). */
enum rc journal_put(struct journal *j, bool may_rotate) MUST_USE;
/* Syncs what journal_put() wrote, if it did; OK empties the batch. After a failure as above. */
enum rc journal_sync(struct journal *j) MUST_USE;
/* Both, for those who write nothing beside it: benches, fuzzers. */
enum rc journal_write(struct journal *j, bool may_rotate) MUST_USE;
int journal_errno(const struct journal *j); /* of the last failure; 0 when the last attempt went well */
const struct journal_counts *journal_counts(const struct journal *j);
/* For tests: where a new segment begins, and the disk's two answers. */
struct journal_disk {
    uint64_t max_bytes;
    ssize_t (*write)(int fd, const void *p, size_t n, off_t at);
    int (*sync)(int fd);
};
struct journal_disk *journal_disk(struct journal *j);

/* ---- reading ---- */

enum { JOURNAL_AHEAD = 12 }; /* records: enough for what one of them waits for to be there when it is due */

/* What a walk over all segments came upon. */
struct journal_walk {
    int dir;
    bool verify; /* check the chain of hashes */
    /* Called for each record in order; anything but OK ends the walk and is returned by it. */
    enum rc (*each)(const struct journal_frame *f, void *arg);
    /* May be NULL. Told of each record in order, at most JOURNAL_AHEAD before `each` is called for it, to
     * make ready what that will need; `each` follows for all of them unless it ends the walk. */
    void (*ahead)(const struct journal_frame *f, void *arg);
    void *arg;
    uint64_t n_segments, n_records, n_bytes;
    bool
        open_end; /* the last segment ends within a frame: one is being written, or was when the power went */
    /* The first break: */
    const char *broken; /* one English sentence, or NULL */
    uint64_t segment, at;
};

/* OK also where the chain is broken (w->broken says so): what can be read behind the break is read on.
 * NOTFOUND: no journal there. */
enum rc journal_walk(struct journal_walk *w) MUST_USE;
/* When the oldest segment was begun: no record is older. NOTFOUND: there is none; IO, BAD: its head cannot be
 * read. */
enum rc journal_oldest(int dir, int64_t *wall_us) MUST_USE;
/* The newest record of a code; its bytes are in *bytes, where *out points. *n_more: how many others claim the
 * same code (none, unless a worker lied). NOTFOUND. */
enum rc journal_find(int dir, uint64_t code, struct buf *bytes, struct journal_frame *out,
                     unsigned *n_more) MUST_USE;
/* The code as the first eight bytes of a record say it. */
uint64_t journal_code(unsigned node, uint64_t number);

#endif
