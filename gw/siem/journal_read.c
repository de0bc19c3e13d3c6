/* Reading the journal: a walk over everything, and the record of one code; see journal.h. Whoever reads does
 * so while the logger writes, so bytes are read, not mapped: a file that is cut back under a map would end
 * the reader. */
#include "gw/siem/journal_fmt.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "gw/base/obj.h"

/* A segment is longer than its cap by one batch at most; anything much longer is not ours. */
enum { SEGMENT_MOST = 4 * LIM_JOURNAL_SEGMENT_BYTES, STEP = 65536 };

static int open_file(int dir, uint64_t segment, const char *ending)
{
    char name[JNL_NAME];
    jnl_name(segment, ending, name);
    return openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
}

static enum rc size_of(int fd, uint64_t *out)
{
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        return RC_IO;
    *out = (uint64_t)st.st_size;
    return *out <= SEGMENT_MOST ? RC_OK : RC_BAD;
}

static enum rc read_whole(int dir, uint64_t segment, const char *ending, struct buf *out)
{
    uint64_t size;
    AUTO_CLOSE int fd = open_file(dir, segment, ending);
    TRY(size_of(fd, &size));
    buf_clear(out);
    TRY(buf_reserve(out, (size_t)size + 1));
    while (out->w < size) { /* it may have become shorter */
        ssize_t k = read(fd, out->p + out->w, (size_t)size - out->w);
        if (k < 0)
            return RC_IO;
        if (k == 0)
            break;
        out->w += (size_t)k;
    }
    return RC_OK;
}

/* ---- the walk ---- */

struct chain {
    bool known; /* `tip` is what the next head must name */
    uint8_t tip[JOURNAL_HASH];
    uint64_t segment;
    struct sha256_ctx *sha;
};

static void broken(struct journal_walk *w, uint64_t segment, uint64_t at, const char *why)
{
    if (w->broken)
        return;
    w->broken = why;
    w->segment = segment;
    w->at = at;
}

static bool head_ok(struct journal_walk *w, struct chain *c, span bytes, uint64_t segment)
{
    uint8_t prev[JOURNAL_HASH], hash[JOURNAL_HASH];
    uint64_t number;
    if (jnl_head_read(bytes, &number, prev, hash) != RC_OK || number != segment) {
        broken(w, segment, 0, "the segment's head is not what was written");
        return false;
    }
    if (c->known && segment != c->segment + 1)
        broken(w, segment, 0, "a segment is missing before this one");
    else if (c->known && memcmp(prev, c->tip, JOURNAL_HASH) != 0)
        broken(w, segment, 0, "the segment does not follow on the one before");
    memcpy(c->tip, hash, JOURNAL_HASH);
    c->known = true;
    c->segment = segment;
    return true;
}

static bool hash_ok(const struct chain *c, span bytes, size_t at, size_t next)
{
    uint8_t hash[JOURNAL_HASH];
    return jnl_frame_hash(c->sha, span_cut(bytes, at, next), c->tip, hash) == RC_OK &&
           memcmp(hash, bytes.p + next - JOURNAL_HASH, JOURNAL_HASH) == 0;
}

/* A segment is larger than the caches, and its bytes are not looked at one after the other, which is when the
 * processor would fetch them by itself. Inlined, as a call of what only fetches is left out. */
enum { FETCH_AHEAD = 8192, LINE = 64 };
static inline __attribute__((always_inline)) void fetch(span bytes, size_t from, size_t to)
{
    for (size_t at = from & ~(size_t)(LINE - 1); at < to && at < bytes.n; at += LINE)
        __builtin_prefetch(bytes.p + at);
}

/* Frames that w->ahead was told of. */
struct ahead {
    size_t at;
    unsigned n; /* that are not yet due */
};

static void look_ahead(const struct journal_walk *w, span bytes, struct ahead *a)
{
    struct journal_frame f;
    size_t next;
    for (; a->n < JOURNAL_AHEAD && jnl_frame_read(bytes, a->at, &f, &next) == RC_OK; a->n++) {
        w->ahead(&f, w->arg);
        a->at = next;
    }
}

static enum rc walk_frames(struct journal_walk *w, struct chain *c, span bytes, bool last)
{
    size_t at = JNL_HEAD, next;
    struct ahead ahead = {.at = JNL_HEAD};
    struct journal_frame f;
    enum rc rc;
    for (; (rc = jnl_frame_read(bytes, at, &f, &next)) == RC_OK; at = next) {
        fetch(bytes, at + FETCH_AHEAD, next + FETCH_AHEAD);
        if (w->ahead) {
            look_ahead(w, bytes, &ahead);
            ahead.n--;
        }
        f.segment = c->segment;
        if (w->verify && !hash_ok(c, bytes, at, next))
            broken(w, c->segment, at, "the record is not what was written, or one before it is missing");
        memcpy(c->tip, f.hash, JOURNAL_HASH);
        w->n_records++;
        if (w->each)
            TRY(w->each(&f, w->arg));
    }
    w->n_bytes += bytes.n;
    if (at == bytes.n)
        return RC_OK;
    if (last && rc == RC_MORE) /* a record that is being written */
        w->open_end = true;
    else
        broken(w, c->segment, at, "no record stands here");
    return RC_OK;
}

static enum rc walk_segment(struct journal_walk *w, struct chain *c, uint64_t segment, bool last,
                            struct buf *bytes)
{
    enum rc rc = read_whole(w->dir, segment, "seg", bytes);
    if (rc != RC_OK) {
        broken(w, segment, 0, "the segment cannot be read");
        return rc == RC_NOMEM ? rc : RC_OK;
    }
    w->n_segments++;
    if (last && buf_len(bytes) < JNL_HEAD) { /* being made */
        w->open_end = true;
        return RC_OK;
    }
    return head_ok(w, c, buf_span(bytes), segment) ? walk_frames(w, c, buf_span(bytes), last) : RC_OK;
}

enum rc journal_walk(struct journal_walk *w)
{
    struct chain c = {0};
    struct buf bytes = {0};
    AUTO_FREE uint64_t *list = NULL;
    size_t n;
    TRY(jnl_list(w->dir, &list, &n));
    if (n == 0)
        return RC_NOTFOUND;
    enum rc rc = sha256_new(&c.sha);
    for (size_t i = 0; rc == RC_OK && i < n; i++)
        rc = walk_segment(w, &c, list[i], i + 1 == n, &bytes);
    sha256_free(c.sha);
    buf_fini(&bytes);
    return rc;
}

enum rc journal_oldest(int dir, int64_t *wall_us)
{
    AUTO_FREE uint64_t *list = NULL;
    uint8_t head[JNL_HEAD], prev[JOURNAL_HASH], hash[JOURNAL_HASH];
    uint64_t segment;
    size_t n;
    TRY(jnl_list(dir, &list, &n));
    if (n == 0)
        return RC_NOTFOUND;
    AUTO_CLOSE int fd = open_file(dir, list[0], "seg");
    if (fd < 0)
        return RC_IO;
    TRY(jnl_pread(fd, head, sizeof head, 0));
    TRY(jnl_head_read(span_of(head, sizeof head), &segment, prev, hash));
    *wall_us = (int64_t)jnl_get(head + 24, 8);
    return segment == list[0] ? RC_OK : RC_BAD;
}

/* ---- one code ---- */

struct search {
    int dir;
    uint64_t code;
    struct jnl_map map;
    struct buf *bytes; /* of the newest one so far */
    struct journal_frame *out;
    unsigned n; /* how many have been found */
};

/* Takes the frame at `at` if it has the code. */
static enum rc take_frame(struct search *s, int fd, uint64_t segment, uint64_t at)
{
    uint8_t head[JNL_FRAME + JNL_RECORD_MIN];
    size_t next;
    TRY(jnl_pread(fd, head, sizeof head, at));
    size_t n = (size_t)jnl_get(head + 4, 4);
    if (jnl_get(head, 4) != JNL_MARK || n > LIM_RECORD_BYTES || jnl_get(head + JNL_FRAME, 8) != s->code)
        return RC_NOTFOUND;
    bool older = segment < s->out->segment || (segment == s->out->segment && at < s->out->at);
    if (s->n++ > 0 && older)
        return RC_OK;
    buf_clear(s->bytes);
    TRY(buf_reserve(s->bytes, jnl_frame_bytes(n)));
    TRY(jnl_pread(fd, s->bytes->p, jnl_frame_bytes(n), at));
    s->bytes->w = jnl_frame_bytes(n);
    TRY(jnl_frame_read(buf_span(s->bytes), 0, s->out, &next));
    s->out->segment = segment;
    s->out->at = at;
    return RC_OK;
}

/* Without an index: frame by frame from `at` on. */
static enum rc walk_for(struct search *s, int fd, uint64_t segment, uint64_t at, uint64_t size)
{
    struct buf b = {0};
    enum rc rc = at < size ? buf_reserve(&b, (size_t)(size - at)) : RC_NOTFOUND;
    if (rc == RC_OK)
        rc = jnl_pread(fd, b.p, (size_t)(size - at), at);
    struct journal_frame f;
    if (rc == RC_OK)
        b.w = (size_t)(size - at);
    for (size_t k = 0, next; rc == RC_OK && jnl_frame_read(buf_span(&b), k, &f, &next) == RC_OK; k = next) {
        if (f.code == s->code)
            rc = take_frame(s, fd, segment, at + k);
    }
    buf_fini(&b);
    return rc == RC_NOMEM ? rc : RC_OK;
}

static enum rc pair_at(int index, uint64_t i, struct jnx_pair *out)
{
    uint8_t p[JNX_PAIR];
    TRY(jnl_pread(index, p, sizeof p, JNX_HEAD + i * JNX_PAIR));
    *out = (struct jnx_pair){jnl_get(p, 8), jnl_get(p + 8, 8)};
    return RC_OK;
}

/* OK: everything up to h->covered has been looked at. */
static enum rc search_sorted(struct search *s, int fd, int index, const struct jnx_head *h)
{
    uint64_t lo = 0, hi = h->n;
    struct jnx_pair pair;
    if (s->code < h->min || s->code > h->max)
        return RC_OK;
    while (lo < hi) {
        uint64_t mid = lo + (hi - lo) / 2;
        TRY(pair_at(index, mid, &pair));
        if (pair.code < s->code)
            lo = mid + 1;
        else
            hi = mid;
    }
    for (; lo < h->n; lo++) {
        TRY(pair_at(index, lo, &pair));
        if (pair.code != s->code)
            break;
        TRY(take_frame(s, fd, h->segment, pair.at));
    }
    return RC_OK;
}

static enum rc search_unsorted(struct search *s, int fd, int index, const struct jnx_head *h)
{
    uint8_t piece[STEP], code[8];
    jnl_put(code, s->code, sizeof code);
    for (uint64_t i = 0; i < h->n;) {
        size_t n = h->n - i < STEP / JNX_PAIR ? (size_t)(h->n - i) : STEP / JNX_PAIR;
        TRY(jnl_pread(index, piece, n * JNX_PAIR, JNX_HEAD + i * JNX_PAIR));
        for (size_t k = 0; k < n; k++) {
            if (memcmp(piece + k * JNX_PAIR, code, sizeof code) == 0)
                TRY(take_frame(s, fd, h->segment, jnl_get(piece + k * JNX_PAIR + 8, 8)));
        }
        i += n;
    }
    return RC_OK;
}

/* A segment that map or index says holds nothing of the code is not even opened. */
static enum rc search_segment(struct search *s, uint64_t segment)
{
    uint8_t head[JNX_HEAD];
    char name[JNL_NAME];
    struct jnx_head h;
    struct stat st;
    uint64_t from = JNL_HEAD;
    unsigned before = s->n;
    jnl_name(segment, "seg", name);
    if (fstatat(s->dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode) ||
        st.st_size > SEGMENT_MOST)
        return RC_IO;
    if (jnl_map_excludes(&s->map, segment, (uint64_t)st.st_size, s->code))
        return RC_OK;
    AUTO_CLOSE int index = open_file(s->dir, segment, "idx");
    bool indexed = index >= 0 && jnl_pread(index, head, sizeof head, 0) == RC_OK &&
                   jnx_head_read(span_of(head, sizeof head), &h) == RC_OK && h.segment == segment;
    uint64_t size = (uint64_t)st.st_size;
    if (indexed && h.sorted && h.covered == size && (s->code < h.min || s->code > h.max))
        return RC_OK;
    AUTO_CLOSE int fd = open_file(s->dir, segment, "seg");
    if (indexed && (h.sorted ? search_sorted : search_unsorted)(s, fd, index, &h) == RC_OK)
        from = h.covered;
    else
        s->n = before;
    return from == size ? RC_OK : walk_for(s, fd, segment, from, size);
}

enum rc journal_find(int dir, uint64_t code, struct buf *bytes, struct journal_frame *out, unsigned *n_more)
{
    struct search s = {.dir = dir, .code = code, .bytes = bytes, .out = out};
    AUTO_FREE uint64_t *list = NULL;
    size_t n;
    TRY(jnl_list(dir, &list, &n));
    *n_more = 0;
    TRY(jnl_map_read(dir, &s.map));
    enum rc rc = RC_OK;
    for (size_t i = n; rc != RC_NOMEM && i-- > 0;)
        rc = search_segment(&s, list[i]);
    jnl_map_fini(&s.map);
    if (rc == RC_NOMEM)
        return rc;
    if (s.n == 0)
        return RC_NOTFOUND;
    *n_more = s.n - 1;
    return RC_OK;
}
