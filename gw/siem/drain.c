/* From the rings to the log file; drain.h says what it promises. A batch lives from drain_fill to
 * drain_commit; until it is committed nothing in the rings has moved, so giving up at any point costs only
 * work. `done` counts the bytes of the batch that stand in the current file; it goes back to 0 whenever the
 * file changes. */
#include "gw/siem/drain.h"

#include <stdio.h>
#include <sys/stat.h>

#include "gw/base/clock.h"
#include "gw/base/limits.h"
#include "gw/base/log.h"
#include "gw/base/obj.h"
#include "gw/ipc/ring.h"
#include "gw/siem/event.h"
#include "gw/siem/journal.h"

enum { DRAIN_RINGS = LIM_WORKERS + 8 }; /* and what the master itself has to say */

struct source {
    struct ring *ring;
    uint64_t boot;
    uint32_t worker;
    ino_t ino;
    uint64_t cursor; /* end of what is in the batch */
    struct {
        uint64_t next;  /* number expected next; 0: any */
        uint64_t known; /* up to this number the file has it already; 0 once past */
    } kind[RING_KINDS];
    bool broken;
};

/* Last number of a worker that the file holds. */
struct seen {
    uint64_t boot, seq;
    uint32_t worker;
};

struct drain {
    struct spool spool;
    struct journal *journal;
    uint64_t boot;
    struct source src[DRAIN_RINGS];
    size_t n_src, first; /* whose turn it is to be read first */
    struct seen seen[DRAIN_RINGS];
    size_t n_seen;
    bool read_back; /* the files' ends have been read */
    bool filled;    /* the batch is whole, even where a part of it is written and gone */
    bool full;      /* ... and a ring had more than its share of it */
    bool rotate;    /* asked for, and due when the batch is committed */
    bool again; /* it goes on from frames that the files have, and whose place in the ring is not free yet */
    struct buf batch, line;
    size_t done;
    dev_t log_on, journal_on; /* file systems; 0: not known */
    uint64_t batch_lines, batch_records;
    struct drain_counts counts;
    struct log_rate warn;
    char node[64];
};

enum rc drain_new(uint64_t boot, span node, struct drain **out)
{
    struct drain *d = calloc(1, sizeof *d);
    if (!d)
        return RC_NOMEM;
    spool_init(&d->spool, boot);
    d->boot = boot;
    buf_init(&d->batch, LIM_LOG_BATCH_BYTES + 4 * DRAIN_RINGS * (LIM_EVENT_BYTES + 1));
    /* All memory now: in the middle of a batch there is no way back. */
    if (buf_reserve(&d->batch, d->batch.max) != RC_OK || buf_reserve(&d->line, LIM_EVENT_BYTES) != RC_OK ||
        journal_new(&d->journal) != RC_OK) {
        drain_free(d);
        return RC_NOMEM;
    }
    size_t n = node.n < sizeof d->node ? node.n : sizeof d->node - 1;
    if (n)
        memcpy(d->node, node.p, n);
    *out = d;
    return RC_OK;
}

void drain_free(struct drain *d)
{
    if (!d)
        return;
    for (size_t i = 0; i < d->n_src; i++)
        ring_unmap(d->src[i].ring);
    spool_fini(&d->spool);
    journal_free(d->journal);
    buf_fini(&d->batch);
    buf_fini(&d->line);
    free(d);
}

struct spool *drain_spool(struct drain *d)
{
    return &d->spool;
}

struct journal *drain_journal_of(struct drain *d)
{
    return d->journal;
}

int drain_errno(struct drain *d)
{
    int err = journal_errno(d->journal);
    return err ? err : d->spool.last_errno;
}

const char *drain_failing(struct drain *d)
{
    return journal_errno(d->journal) ? "the journal" : "the log";
}

static dev_t device_of(int dir)
{
    struct stat st;
    return fstat(dir, &st) == 0 ? st.st_dev : 0;
}

void drain_journal(struct drain *d, int dir)
{
    d->journal_on = device_of(dir);
    journal_target(d->journal, dir);
    d->read_back = false; /* what stands there must be known before more is written */
}

const struct drain_counts *drain_counts(const struct drain *d)
{
    return &d->counts;
}

/* ---- reading back after a restart ---- */

static const struct seen *seen_find(const struct drain *d, uint64_t boot, uint32_t worker)
{
    for (size_t i = 0; i < d->n_seen; i++) {
        if (d->seen[i].boot == boot && d->seen[i].worker == worker)
            return &d->seen[i];
    }
    return NULL;
}

static void see(struct drain *d, span line)
{
    uint64_t boot, seq;
    uint32_t worker;
    if (!event_identity(line, &boot, &worker, &seq))
        return;
    const struct seen *had = seen_find(d, boot, worker);
    struct seen *s = had ? &d->seen[had - d->seen] : NULL;
    if (!s && d->n_seen < N_ELEMS(d->seen)) {
        s = &d->seen[d->n_seen++];
        *s = (struct seen){boot, 0, worker};
    }
    if (s && seq > s->seq)
        s->seq = seq;
}

/* Up to which numbers of this ring the files hold everything. */
static void know(const struct drain *d, struct source *s)
{
    const struct seen *had = seen_find(d, s->boot, s->worker);
    s->kind[RING_EVENT].known = had ? had->seq : 0;
    s->kind[RING_RECORD].known = journal_seen(d->journal, s->boot, s->worker);
}

/* No batch is longer than its buffer, so everything that can be in the file and still in a ring is in this
 * much. Only lines of rings that we have count: `seen` has room for all of them. */
static enum rc read_back(struct drain *d)
{
    if (d->read_back)
        return RC_OK;
    struct buf end = {0};
    enum rc rc = spool_last(&d->spool, d->batch.max + LIM_EVENT_BYTES, &end);
    span s = buf_span(&end);
    for (size_t at = 0, nl; rc == RC_OK && (nl = span_find(s, '\n', at)) != SIZE_MAX; at = nl + 1)
        see(d, span_cut(s, at, nl));
    buf_fini(&end);
    d->read_back = rc == RC_OK;
    for (size_t i = 0; i < d->n_src; i++)
        know(d, &d->src[i]);
    return rc;
}

/* ---- rings and file ---- */

enum rc drain_add(struct drain *d, int fd, uint64_t boot, uint32_t worker)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return RC_IO;
    for (size_t i = 0; i < d->n_src; i++) {
        if (d->src[i].ino == st.st_ino)
            return RC_OK;
    }
    if (d->n_src == N_ELEMS(d->src))
        return RC_LIMIT;
    struct source *s = &d->src[d->n_src];
    *s = (struct source){.boot = boot, .worker = worker, .ino = st.st_ino};
    know(d, s);
    TRY(ring_map(fd, &s->ring));
    s->cursor = ring_tail(s->ring);
    d->n_src++;
    return RC_OK;
}

/* A batch that is not written yet, or not whole. */
static bool pending(const struct drain *d)
{
    return buf_len(&d->batch) > 0 || journal_batch(d->journal) > 0;
}

static bool same_place(const struct spool *s, int dir, span name)
{
    struct stat a, b;
    return s->dir >= 0 && span_eq(span_str(s->name), name) && fstat(s->dir, &a) == 0 && fstat(dir, &b) == 0 &&
           a.st_ino == b.st_ino && a.st_dev == b.st_dev;
}

/* The batch's lines stand whole in the file. In a new one another logger would not see that they do, and this
 * one would have to write them again. */
static bool lines_stand(const struct drain *d)
{
    return d->done > 0 && d->done == buf_len(&d->batch);
}

/* Asked for until it is done. */
static enum rc rotate(struct drain *d)
{
    enum rc rc = d->spool.fd >= 0 && d->spool.size > 0 ? spool_rotate(&d->spool) : RC_OK;
    if (rc == RC_OK || d->spool.fd < 0)
        d->done = 0;
    d->rotate = rc != RC_OK;
    return rc;
}

enum rc drain_target(struct drain *d, int dir, span name)
{
    if (pending(d))
        (void)!drain_turn(d); /* end within no line where that can be helped */
    if (same_place(&d->spool, dir, name)) {
        close(dir);
        d->rotate = lines_stand(d);
        return d->rotate ? RC_OK : rotate(d);
    }
    if (!lines_stand(d) || spool_sync(&d->spool) != RC_OK)
        d->done = 0;
    d->rotate = false;
    d->log_on = device_of(dir);
    return spool_target(&d->spool, dir, name);
}

void drain_check_file(struct drain *d)
{
    if (!pending(d))
        spool_check_name(&d->spool);
}

void drain_sleeping(struct drain *d, bool sleeping)
{
    for (size_t i = 0; i < d->n_src; i++)
        ring_sleeping(d->src[i].ring, sleeping);
}

/* ---- one batch ---- */

static enum rc put_line(struct drain *d, span line)
{
    TRY(buf_put(&d->batch, line));
    TRY(buf_put_u8(&d->batch, '\n'));
    d->batch_lines++;
    return RC_OK;
}

static enum rc put_note(struct drain *d, struct event_note *note)
{
    note->wall_us = clock_wall_us();
    note->perron.node = span_str(d->node);
    TRY(event_note_json(&d->line, note));
    return put_line(d, buf_span(&d->line));
}

/* Sixteen bytes at a time; the last ones beside some that were seen already. */
typedef uint8_t bytes16 __attribute__((vector_size(16)));

static bytes16 controls_at(const uint8_t *p)
{
    bytes16 b;
    memcpy(&b, p, sizeof b);
    return (bytes16)((b < 0x20) | (b == 0x7f));
}

static bool has_control(span s)
{
    bytes16 found = {0};
    uint64_t halves[2];
    size_t i = 0;
    for (; s.n - i >= sizeof found; i += sizeof found)
        found |= controls_at(s.p + i);
    if (s.n >= sizeof found)
        found |= controls_at(s.p + s.n - sizeof found);
    else
        for (; i < s.n; i++)
            found[i] = s.p[i] < 0x20 || s.p[i] == 0x7f;
    memcpy(halves, &found, sizeof halves);
    return halves[0] | halves[1];
}

static bool one_line_of_json(span s)
{
    return s.n >= 2 && s.p[0] == '{' && s.p[s.n - 1] == '}' && !has_control(s);
}

/* A line that waited in its worker for room in the ring was numbered before its turn came: the frame's number
 * counts. The line is the batch's last and stands there without its newline. */
static enum rc renumber(struct drain *d, uint64_t seq)
{
    d->batch.w -= 2; /* "}}" */
    while (d->batch.p[d->batch.w - 1] >= '0' && d->batch.p[d->batch.w - 1] <= '9')
        d->batch.w--;
    TRY(buf_put_dec(&d->batch, seq));
    return buf_put(&d->batch, SPAN("}}"));
}

static enum rc put_malformed(struct drain *d, const struct source *s, uint64_t seq)
{
    struct event_note note = {
        .message = "a worker wrote what is no log line of its own",
        .perron = {.reason = "malformed-event", .boot = s->boot, .worker = s->worker, .seq = seq},
    };
    d->counts.malformed++;
    if (log_rate_ok(&d->warn, clock_mono_ms(), 1000))
        log_warn("worker %u: event %llu is malformed and was replaced", s->worker, (unsigned long long)seq);
    return put_note(d, &note);
}

/* The line from `at` on stands in our own memory now; no one can change it between check and write. */
static enum rc put_checked(struct drain *d, const struct source *s, uint64_t seq, size_t at)
{
    span line = span_cut(buf_span(&d->batch), at, SIZE_MAX);
    uint64_t boot, number;
    uint32_t worker;
    if (!one_line_of_json(line) || !event_identity(line, &boot, &worker, &number) || boot != s->boot ||
        worker != s->worker) {
        d->batch.w = d->batch.r + at;
        return put_malformed(d, s, seq);
    }
    if (number != seq)
        TRY(renumber(d, seq));
    d->batch_lines++;
    return buf_put_u8(&d->batch, '\n');
}

static enum rc put_gap(struct drain *d, const struct source *s, uint64_t from, uint64_t to)
{
    char text[96];
    snprintf(text, sizeof text, "worker %u: after %llu came %llu", s->worker, (unsigned long long)(from - 1),
             (unsigned long long)to);
    struct event_note note = {
        .message = "numbers of a worker's lines are missing",
        .process = "logger",
        .perron = {.reason = "log-gap", .detail = span_str(text), .boot = s->boot},
    };
    d->counts.gaps++;
    return put_note(d, &note);
}

/* A record is framed as it came, under the name of its ring: what it says is judged by those who read it. */
static enum rc put_record(struct drain *d, const struct source *s, uint64_t seq, span frame)
{
    enum rc rc = journal_add(d->journal, s->boot, s->worker, seq, frame);
    if (rc == RC_BAD) {
        d->counts.malformed++;
        struct event_note note = {
            .message = "a worker wrote what is no decision record",
            .process = "logger",
            .perron = {.reason = "malformed-record", .boot = s->boot, .worker = s->worker},
        };
        return put_note(d, &note);
    }
    d->batch_records += rc == RC_OK;
    return rc;
}

static enum rc put_frame(struct drain *d, struct source *s, enum ring_kind kind, uint64_t seq, span frame)
{
    uint64_t *known = &s->kind[kind].known, *next = &s->kind[kind].next;
    if (*known && seq <= *known) {
        d->counts.skipped++;
        d->again = true;
        *next = seq + 1;
        return RC_OK;
    }
    *known = 0;
    if (*next && seq != *next)
        TRY(put_gap(d, s, *next, seq));
    *next = seq + 1;
    if (kind == RING_RECORD)
        return put_record(d, s, seq, frame);
    size_t at = buf_len(&d->batch);
    TRY(buf_put(&d->batch, frame));
    return put_checked(d, s, seq, at);
}

static enum rc put_broken(struct drain *d, struct source *s)
{
    struct event_note note = {
        .message = "the ring of a worker was broken and has been emptied",
        .perron = {.reason = "ring-broken", .boot = s->boot, .worker = s->worker},
        .process = "logger",
    };
    s->broken = true;
    d->counts.broken++;
    log_warn("worker %u: its ring is broken; what it held is lost", s->worker);
    return put_note(d, &note);
}

/* Everything of one ring up to its share. Each frame may bring a line about a gap too, so the share counts
 * what was written, and the buffer has room beyond all shares for the last frame of each. */
static enum rc fill_from(struct drain *d, struct source *s, size_t share)
{
    size_t until = buf_len(&d->batch) + journal_batch(d->journal) + share;
    s->cursor = ring_tail(s->ring);
    for (size_t looked = 0; buf_len(&d->batch) + journal_batch(d->journal) < until && looked < LIM_RING_BYTES;
         looked++) {
        enum ring_kind kind;
        uint64_t seq;
        span frame;
        enum rc rc = ring_peek(s->ring, &s->cursor, &kind, &seq, &frame);
        if (rc == RC_MORE)
            return RC_OK;
        if (rc != RC_OK)
            return put_broken(d, s);
        TRY(put_frame(d, s, kind, seq, frame));
    }
    d->full = true;
    return RC_OK;
}

static enum rc fill(struct drain *d)
{
    if (d->n_src == 0)
        return RC_OK;
    size_t share = LIM_LOG_BATCH_BYTES / d->n_src;
    d->full = false;
    for (size_t i = 0; i < d->n_src; i++)
        TRY(fill_from(d, &d->src[(d->first + i) % d->n_src], share));
    d->first = (d->first + 1) % d->n_src;
    return RC_OK;
}

static bool moved(const struct drain *d)
{
    for (size_t i = 0; i < d->n_src; i++) {
        if (d->src[i].broken || d->src[i].cursor != ring_tail(d->src[i].ring))
            return true;
    }
    return false;
}

/* No new file while a ring still holds frames that stand in the old one: after a kill before the first write
 * there nobody would know that they do. */
static bool wants_rotation(const struct drain *d, size_t more)
{
    return d->spool.suspect || (!d->again && spool_wants_rotation(&d->spool, more));
}

static enum rc put_lines(struct drain *d)
{
    span lines = buf_span(&d->batch);
    if (lines.n == 0)
        return RC_OK;
    if (d->done == 0 && wants_rotation(d, lines.n))
        TRY(spool_rotate(&d->spool));
    return spool_write(&d->spool, lines, &d->done);
}

/* spool_start or spool_sync */
static enum rc to_disk(struct drain *d, enum rc (*step)(struct spool *))
{
    enum rc rc = buf_len(&d->batch) ? step(&d->spool) : RC_OK;
    if (rc != RC_OK)
        d->done = 0; /* all of it once more, into a new file */
    return rc;
}

static void commit(struct drain *d)
{
    for (size_t i = 0; i < d->n_src; i++) {
        struct source *s = &d->src[i];
        if (s->broken) {
            ring_reset(s->ring);
            s->kind[RING_EVENT].next = s->kind[RING_RECORD].next = 0;
        } else if (s->cursor != ring_tail(s->ring)) {
            ring_advance(s->ring, s->cursor);
        }
        s->broken = false;
    }
    d->counts.lines += d->batch_lines;
    d->counts.records += d->batch_records;
    d->counts.bytes += buf_len(&d->batch);
    d->batch_lines = d->batch_records = 0;
    d->done = 0;
    d->again = false;
    buf_clear(&d->batch);
}

/* Both are on one file system. Then both are written and the lines on their way before either is synced, so
 * that it commits once for the two: a third of a turn's processor time, which is taken from the workers, and
 * two of its seven waits. On two file systems there is nothing to save. */
static bool share_commit(const struct drain *d)
{
    return d->log_on && d->log_on == d->journal_on && journal_batch(d->journal) > 0;
}

/* Both, each only as far as it is not done yet; what that means for a record and its line, see drain.h. */
static enum rc write_both(struct drain *d)
{
    bool shared = share_commit(d);
    enum rc rc = RC_OK;
    if (journal_batch(d->journal))
        TRY(journal_put(d->journal, !d->again));
    if (shared) {
        rc = put_lines(d);
        if (rc == RC_OK)
            rc = to_disk(d, spool_start);
    }
    TRY(journal_sync(d->journal));
    TRY(rc);
    if (!shared)
        TRY(put_lines(d));
    return to_disk(d, spool_sync);
}

enum rc drain_turn(struct drain *d)
{
    if (journal_has_target(d->journal))
        TRY(journal_ready(d->journal));
    TRY(spool_ready(&d->spool));
    TRY(read_back(d));
    if (d->rotate && !lines_stand(d) && rotate(d) != RC_OK && d->spool.fd < 0)
        return RC_IO; /* else the old file is still there to go on with */
    if (!pending(d) && !d->filled)
        TRY(fill(d));
    d->filled = true;
    if (!pending(d) && !moved(d)) {
        d->filled = false;
        return RC_MORE;
    }
    TRY(write_both(d));
    commit(d);
    d->filled = false;
    return RC_OK;
}

bool drain_full(const struct drain *d)
{
    return d->full;
}

int64_t drain_gather_ms(int64_t turn_ms)
{
    int64_t left_ms = LIM_LOG_SYNC_MS - LIM_LOG_SPARE_MS - 2 * turn_ms;
    if (left_ms > LIM_LOG_GATHER_MOST)
        return LIM_LOG_GATHER_MOST;
    return left_ms < LIM_LOG_GATHER_MS ? LIM_LOG_GATHER_MS : left_ms;
}
