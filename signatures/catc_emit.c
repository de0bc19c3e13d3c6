/* Entries to the two parts; see catfmt.h for their layout. */
#include <stdlib.h>

#include "gw/base/obj.h"
#include "gw/base/pages.h"
#include "signatures/catc_int.h"
#include "signatures/catexpr.h"
#include "signatures/catset.h"

/* ---- the hot part ---- */

struct table {
    const struct catc *c;
    uint64_t n_words, n_lines, n_names;
    uint64_t *filter;
    struct catfmt_line *lines;
    struct catset sets;
    struct buf passed; /* entries that found their first line full */
};

/* The slot in this line that has the tag, or else the first free one; CATFMT_SLOTS: neither. */
static unsigned slot_for(const struct catfmt_line *l, uint64_t tag)
{
    unsigned slot = 0;
    while (slot < CATFMT_SLOTS && l->set[slot] != 0 &&
           (l->low[slot] != (uint16_t)tag || l->high[slot] != (uint32_t)(tag >> 16)))
        slot++;
    return slot;
}

/* Puts an entry into this line, where there is room for it. */
static enum rc put_into(struct table *t, struct catfmt_line *l, const struct catc_entry *e, bool *full)
{
    unsigned slot = slot_for(l, e->hash);
    *full = slot == CATFMT_SLOTS;
    if (*full) {
        l->passed |= catfmt_passed(e->hash);
        return RC_OK;
    }
    t->n_names += l->set[slot] == 0;
    l->low[slot] = (uint16_t)e->hash;
    l->high[slot] = (uint32_t)(e->hash >> 16);
    return catset_with(&t->sets, l->set[slot], (uint16_t)e->place_member, &l->set[slot]);
}

static enum rc put_first(struct table *t, const struct catc_entry *e, bool *full)
{
    uint64_t base = e->place_member & ~UINT64_C(0xffff);
    t->filter[catfmt_place(base, t->n_words)] |= catfmt_filter(base);
    return put_into(t, &t->lines[catfmt_place(base, t->n_lines)], e, full);
}

/* Puts an entry that found its first line full; LIMIT when its run of full lines is too long. */
static enum rc put_passed(struct table *t, const struct catc_entry *e)
{
    uint64_t at = catfmt_place(e->hash, t->n_lines);
    for (int i = 0; i < CATFMT_PROBES; i++) {
        bool full;
        TRY(put_into(t, &t->lines[at], e, &full));
        if (!full)
            return RC_OK;
        at = at + 1 == t->n_lines ? 0 : at + 1;
    }
    return RC_LIMIT;
}

/* Entries of one bin, in order: they share a part of the lines that the processor's cache has room for. What
 * finds its line full is left for later, so that no other's first line fills up with it. */
static enum rc fill_bin(struct table *t, unsigned bin)
{
    struct catbins_walk walk = {0};
    for (span run; catbins_next(&t->c->entries, bin, &walk, &run);) {
        const struct catc_entry *e = (const void *)run.p, *end = e + run.n / sizeof *e;
        for (; e < end; e++) {
            bool full;
            TRY(put_first(t, e, &full));
            if (full)
                TRY(buf_put(&t->passed, span_of(e, sizeof *e)));
        }
    }
    return RC_OK;
}

static enum rc fill(struct table *t)
{
    t->passed.r = t->passed.w = 0;
    for (unsigned bin = 0; bin < CATBINS; bin++)
        TRY(fill_bin(t, bin));
    const struct catc_entry *e = (const void *)t->passed.p;
    for (size_t n = buf_len(&t->passed) / sizeof *e; n > 0; n--, e++)
        TRY(put_passed(t, e));
    return RC_OK;
}

static enum rc put_sets(const struct catset *sets, struct buf *out)
{
    static const uint8_t zeros[8];
    uint32_t at = 0;
    size_t start = out->w;
    TRY(buf_put(out, span_of(&at, sizeof at)));
    for (uint32_t i = 0; i <= sets->n_sets; i++) {
        at += catset_size(sets, i);
        TRY(buf_put(out, span_of(&at, sizeof at)));
    }
    TRY(buf_put(out, span_of(zeros, catfmt_align(out->w - start) - (out->w - start))));
    start = out->w;
    for (uint32_t i = 1; i <= sets->n_sets; i++)
        TRY(buf_put(out, span_of(catset_members(sets, i), catset_size(sets, i) * sizeof(uint16_t))));
    return buf_put(out, span_of(zeros, catfmt_align(out->w - start) - (out->w - start)));
}

/* Room for a head, the filter and the table, zeroed. */
static enum rc room(struct table *t, struct buf *out, size_t start, uint64_t names)
{
    t->n_lines = names * 2 / CATFMT_LINE_NAMES + 8;
    t->n_words = (names / CATFMT_WORD_NAMES + 8) & ~UINT64_C(7);
    t->n_names = 0;
    uint64_t bytes = t->n_words * 8 + t->n_lines * sizeof *t->lines;
    out->w = start + sizeof(struct catfmt_head);
    TRY(buf_reserve(out, bytes));
    pages_large(out->p, out->cap);
    memset(out->p + out->w, 0, bytes);
    t->filter = (void *)(out->p + out->w);
    t->lines = (void *)(t->filter + t->n_words);
    out->w += bytes;
    return RC_OK;
}

static enum rc build(struct table *t, struct buf *out)
{
    const struct catc *c = t->c;
    size_t start = out->w;
    TRY(buf_reserve(out, sizeof(struct catfmt_head)));
    TRY(room(t, out, start, c->n_entries));
    TRY(fill(t));
    if (t->n_names < c->n_entries - c->n_entries / 8) { /* many stand in several lists */
        TRY(room(t, out, start, t->n_names));
        TRY(fill(t));
    }
    TRY(put_sets(&t->sets, out));
    size_t expressions = out->w;
    TRY(catexpr_build((const void *)c->expr_items.p,
                      (uint32_t)(buf_len(&c->expr_items) / sizeof(struct catexpr_item)),
                      buf_span(&c->expr_texts), out));
    struct catfmt_head head = {.magic = CATFMT_MAGIC,
                               .version = CATFMT_VERSION,
                               .n_lists = (uint32_t)c->n_lists,
                               .size = out->w - start,
                               .n_names = t->n_names,
                               .n_words = t->n_words,
                               .n_lines = t->n_lines,
                               .n_sets = t->sets.n_sets,
                               .n_members = catset_total(&t->sets),
                               .expr_bytes = out->w - expressions,
                               .v4_lengths = c->v4_lengths};
    memcpy(head.seed, c->seed, sizeof head.seed);
    memcpy(head.v6_lengths, c->v6_lengths, sizeof head.v6_lengths);
    memcpy(head.digest, c->digest, sizeof head.digest);
    memcpy(out->p + start, &head, sizeof head);
    return RC_OK;
}

enum rc catc_emit_hot(struct catc *c, struct buf *out)
{
    struct table t = {.c = c};
    TRY(catset_init(&t.sets));
    enum rc rc = build(&t, out);
    c->n_names = t.n_names;
    catset_fini(&t.sets);
    buf_fini(&t.passed);
    return rc;
}

/* ---- the text part ---- */

enum { BIN_RECORDS = CATBINS * CATFMT_BUCKET_NAMES };

/* Bytes of the part; p NULL: fewer than eight zeros. */
static enum rc put_bytes(const struct catc_sink *out, const void *p, size_t n)
{
    static const uint8_t zeros[8];
    return n ? out->put(out->arg, span_of(p ? p : zeros, n)) : RC_OK;
}

static enum rc put_text(struct buf *texts, const void *p, size_t n, struct cattext_run *out)
{
    *out = (struct cattext_run){(uint32_t)buf_len(texts), (uint32_t)n};
    return buf_put(texts, span_of(p, n));
}

static enum rc put_tables(const struct catc *c, struct buf *out, struct buf *texts)
{
    for (size_t i = 0; i < c->n_lists; i++) {
        const struct catc_list *l = &c->lists[i];
        struct cattext_list o = {.first_file = (uint32_t)l->first,
                                 .n_files = (uint32_t)l->n,
                                 .n_live = l->n_live,
                                 .n_held = l->n_held};
        TRY(put_text(texts, l->name, l->name_n, &o.name));
        TRY(buf_put(out, span_of(&o, sizeof o)));
    }
    for (size_t i = 0; i < c->n_sources; i++) {
        struct cattext_file o = c->sources[i].out;
        o.list = c->sources[i].report.list;
        TRY(put_text(texts, c->sources[i].path, strlen(c->sources[i].path), &o.path));
        TRY(buf_put(out, span_of(&o, sizeof o)));
    }
    return RC_OK;
}

static uint64_t n_held(const struct catc *c)
{
    uint64_t n = 0;
    for (size_t i = 0; i < c->n_lists; i++)
        n += c->lists[i].n_held;
    return n;
}

/* An entry that is held back, and where its record went. */
struct held {
    uint32_t file, line;
    uint64_t at;
};

/* The records of the part being written. */
struct texts {
    const struct catc *c;
    const struct catc_sink *out;
    uint64_t *buckets; /* n_buckets + 1 */
    uint32_t n_buckets;
    uint64_t written;
    struct buf bin; /* records of the one that is being sorted */
    struct held *held;
    size_t n_held;
};

/* The next record of a run of them; NULL at its end. */
static const struct catc_record *next_record(span *run)
{
    const struct catc_record *e = (const void *)run->p;
    if (run->n == 0)
        return NULL;
    size_t n = (offsetof(struct catc_record, r) + catc_record_bytes(&e->r) + 7) & ~(size_t)7;
    *run = span_of(run->p + n, run->n - n);
    return e;
}

static uint64_t *end_of_bucket(struct texts *t, const struct catc_record *e)
{
    return &t->buckets[catfmt_place(e->place, t->n_buckets) + 1];
}

static void put_in_bucket(struct texts *t, const struct catc_record *e)
{
    uint64_t *at = end_of_bucket(t, e);
    size_t n = catc_record_bytes(&e->r);
    memcpy(t->bin.p + (*at - t->written), &e->r, n);
    if (e->r.held)
        t->held[t->n_held++] = (struct held){e->r.file, e->r.line, *at};
    *at += n;
}

/* Records of one bin by bucket: count, add up, put; each bucket's start moves on to its end. A bin has its
 * buckets to itself, as their number is a multiple of that of the bins. */
static enum rc put_bin(struct texts *t, unsigned bin)
{
    struct catbins_walk count = {0}, put = {0};
    const struct catc_record *e;
    uint32_t n = t->n_buckets / CATBINS;
    uint64_t end = t->written;
    for (span run; catbins_next(&t->c->records, bin, &count, &run);) {
        while ((e = next_record(&run)))
            *end_of_bucket(t, e) += catc_record_bytes(&e->r);
    }
    for (uint32_t b = bin * n; b < (bin + 1) * n; b++) {
        uint64_t size = t->buckets[b + 1];
        t->buckets[b + 1] = end;
        end += size;
    }
    t->bin.r = t->bin.w = 0;
    TRY(buf_reserve(&t->bin, end - t->written));
    for (span run; catbins_next(&t->c->records, bin, &put, &run);) {
        while ((e = next_record(&run)))
            put_in_bucket(t, e);
    }
    TRY(put_bytes(t->out, t->bin.p, end - t->written));
    t->written = end;
    return RC_OK;
}

static int by_line(const void *va, const void *vb)
{
    const struct held *a = va, *b = vb;
    if (a->file != b->file)
        return a->file < b->file ? -1 : 1;
    if (a->line != b->line)
        return a->line < b->line ? -1 : 1;
    return a->at < b->at ? -1 : a->at > b->at;
}

/* Records, where buckets of them begin, and where those are that are held back. */
static enum rc put_records(struct texts *t)
{
    for (unsigned bin = 0; bin < CATBINS; bin++)
        TRY(put_bin(t, bin));
    TRY(put_bytes(t->out, NULL, catfmt_align(t->written) - t->written));
    TRY(put_bytes(t->out, t->buckets, ((size_t)t->n_buckets + 1) * sizeof *t->buckets));
    qsort(t->held, t->n_held, sizeof *t->held, by_line);
    for (size_t i = 0; i < t->n_held; i++)
        TRY(put_bytes(t->out, &t->held[i].at, sizeof t->held[i].at));
    return RC_OK;
}

static enum rc put_all_records(const struct catc *c, const struct cattext_head *h,
                               const struct catc_sink *out)
{
    struct texts t = {.c = c,
                      .out = out,
                      .n_buckets = h->n_buckets,
                      .buckets = calloc((size_t)h->n_buckets + 1, sizeof *t.buckets),
                      .held = calloc(h->n_held + 1, sizeof *t.held)};
    enum rc rc = t.buckets && t.held ? put_records(&t) : RC_NOMEM;
    free(t.buckets);
    free(t.held);
    buf_fini(&t.bin);
    return rc;
}

static enum rc emit_text(struct catc *c, const struct catc_sink *out, struct buf *tables, struct buf *texts)
{
    struct cattext_head head = {.magic = CATTEXT_MAGIC,
                                .version = CATFMT_VERSION,
                                .n_lists = (uint32_t)c->n_lists,
                                .n_files = (uint32_t)c->n_sources,
                                .n_buckets = CATBINS * (uint32_t)(c->n_records / BIN_RECORDS + 1),
                                .n_records = c->n_records,
                                .n_held = n_held(c),
                                .record_bytes = c->record_bytes};
    memcpy(head.seed, c->seed, sizeof head.seed);
    memcpy(head.digest, c->digest, sizeof head.digest);
    memcpy(head.options, c->options, sizeof head.options);
    TRY(put_tables(c, tables, texts));
    head.text_bytes = buf_len(texts);
    head.size = sizeof head + buf_len(tables) + catfmt_align(head.record_bytes) +
                ((uint64_t)head.n_buckets + 1 + head.n_held) * 8 + catfmt_align(head.text_bytes);
    TRY(put_bytes(out, &head, sizeof head));
    TRY(put_bytes(out, tables->p, buf_len(tables)));
    TRY(put_all_records(c, &head, out));
    TRY(put_bytes(out, texts->p, buf_len(texts)));
    return put_bytes(out, NULL, catfmt_align(head.text_bytes) - head.text_bytes);
}

enum rc catc_emit_text(struct catc *c, const struct catc_sink *out)
{
    struct buf tables = {0}, texts = {0};
    enum rc rc = emit_text(c, out, &tables, &texts);
    buf_fini(&tables);
    buf_fini(&texts);
    return rc;
}
